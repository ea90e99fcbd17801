"""What the documents say of profiles is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from meterweave.profiles import check, texts
from meterweave.profiles.language import sections
from meterweave.profiles.schema import schema
from meterweave.profiles.unit import UNITS

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference/device-profiles.md"
HOW_TO = DOCS / "how-to/add-your-meter.md"


def blocks(file: Path) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_schema_in_the_documents_is_the_present_one() -> None:
    kept = json.loads((DOCS / "reference/device-profile.schema.json").read_text(encoding="utf-8"))
    assert kept == schema(), "write it again: meterweave profile schema > docs/reference/device-profile.schema.json"


@pytest.mark.parametrize("section", sections())
def test_the_reference_has_every_key_with_its_meaning(section: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    part = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for key in sections()[section].values():
        row = next((line for line in part.splitlines() if line.startswith(f"| `{key.name}` |")), "")
        assert key.meaning.en in row, key.name


def test_the_reference_has_every_unit_and_shipped_profile() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert [name for name in (*texts(), *UNITS) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("file", [HOW_TO, REFERENCE], ids=lambda file: file.stem)
def test_whole_profiles_in_the_documents_are_good(file: Path) -> None:
    whole = [one for one in blocks(file) if one.startswith("name:")]
    assert whole
    for text in whole:
        profile, remarks = check(text)
        assert profile is not None, remarks
        assert remarks == []


def test_every_key_is_in_the_schema_of_its_protocols() -> None:
    found = schema()["$defs"]
    for name, keys in sections().items():
        for key in keys.values():
            for protocol in ("modbus", "dlt645", "dlt645-1997", "dlt698", "cjt188", "mbus"):
                assert (key.name in found[f"{protocol}.{name}"]["properties"]) == key.applies(protocol)
