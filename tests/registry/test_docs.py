"""The reference names every table, column, rule and finding there is."""

from __future__ import annotations

import re
from pathlib import Path

from meterweave.registry import Base, Registry
from meterweave.registry.address import PROTOCOLS
from meterweave.registry.importing import CODES, KINDS, import_octets
from meterweave.registry.installation import RULES
from meterweave.registry.port import KINDS as PORTS
from meterweave.registry.port import OPTIONS

_DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_complete() -> None:
    text = (_DOCS / "reference/registry.md").read_text(encoding="utf-8")
    own = {
        "organisations", "transformer_districts", "terminals", "meters", "usage_points", "installations",
        "entered_readings", "registry_clock", "registry_changes",
    }  # fmt: skip
    for table in Base.metadata.sorted_tables:
        if table.name in own:
            assert table.name in text
            if not table.name.startswith("registry_"):
                assert {column.name for column in table.columns if column.name not in text} <= {"id"}, table.name
    assert [code for code in (*RULES, *CODES) if f"`{code}`" not in text] == []


def test_the_reference_tells_every_protocol_and_port() -> None:
    text = (_DOCS / "reference/registry.md").read_text(encoding="utf-8")
    assert [name for name in PROTOCOLS if f"`{name}`" not in text] == []
    assert [kind for kind in PORTS if f"| `{kind}:" not in text] == []
    assert [name for name in OPTIONS if f"| `{name}` |" not in text] == []


def test_the_files_of_the_guide_can_be_imported_as_they_stand(tmp_path: Path) -> None:
    text = (_DOCS / "how-to/import-archives.md").read_text(encoding="utf-8")
    files = re.findall(r"`(\w+\.csv)`:\n\n```csv\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in files] == ["terminals.csv", "meters.csv"]
    registry = Registry.open(tmp_path / "registry.sqlite")
    for name, rows in files:
        report = import_octets(registry, rows.encode(), name)
        assert report.applied, list(report.lines("en"))
    registry.close()


def test_the_guide_names_every_column_of_a_file() -> None:
    text = (_DOCS / "how-to/import-archives.md").read_text(encoding="utf-8")
    for kind in KINDS:
        line = next(line for line in text.splitlines() if line.strip().startswith(f"| `{kind.name}`"))
        for column in kind.columns:
            assert column.header.zh in line
            assert column.header.en in line or column.header.en in column.header.zh
