"""The page about the lake names every column with its type, and no setting that is not there."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from meterweave.lake import LakeSettings
from meterweave.lake.kind import Kind
from meterweave.lake.layout import LAYOUTS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "lake-schema.md").read_text(encoding="utf-8")
TYPES = {"string": "text", "binary": "blob", "date32[day]": "date", "timestamp[us, tz=UTC]": "timestamp µs, UTC"}


@pytest.mark.parametrize("kind", Kind)
def test_every_column_is_described(kind: Kind) -> None:
    (section,) = re.findall(rf"^### `{kind}`.*?(?=^###)", PAGE, re.MULTILINE | re.DOTALL)
    for field in LAYOUTS[kind].view_schema:
        (cells,) = re.findall(rf"^\| `{field.name}` \| (.+) \|$", section, re.MULTILINE)
        written, *_, null = cells.split(" | ")
        assert written.startswith(_spelled(field.type)), field.name
        assert (null == "never") is not field.nullable, field.name


def _spelled(kind: pa.DataType) -> str:
    return TYPES.get(str(kind), str(kind))


def test_the_settings_of_housekeeping_are_there() -> None:
    housekeeping = PAGE[PAGE.index("## Housekeeping") :]
    named = {
        name
        for row in re.findall(r"^\|.*\|(.*)\|$", housekeeping, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert len(named) > 8
    assert named <= set(LakeSettings.__slots__)
