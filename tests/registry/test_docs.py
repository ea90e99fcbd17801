"""The reference names every table, column, rule and finding there is."""

from __future__ import annotations

from pathlib import Path

from meterweave.registry import Base
from meterweave.registry.importing import CODES, KINDS
from meterweave.registry.installation import RULES

_DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_complete() -> None:
    text = (_DOCS / "reference/registry.md").read_text(encoding="utf-8")
    own = {
        "organisations", "transformer_districts", "terminals", "meters", "usage_points", "installations",
        "registry_clock", "registry_changes",
    }  # fmt: skip
    for table in Base.metadata.sorted_tables:
        if table.name in own:
            assert table.name in text
            if not table.name.startswith("registry_"):
                assert {column.name for column in table.columns if column.name not in text} <= {"id"}, table.name
    assert [code for code in (*RULES, *CODES) if f"`{code}`" not in text] == []


def test_the_guide_names_every_column_of_a_file() -> None:
    text = (_DOCS / "how-to/import-archives.md").read_text(encoding="utf-8")
    for kind in KINDS:
        line = next(line for line in text.splitlines() if line.strip().startswith(f"| `{kind.name}`"))
        for column in kind.columns:
            assert column.header.zh in line
            assert column.header.en in line or column.header.en in column.header.zh
