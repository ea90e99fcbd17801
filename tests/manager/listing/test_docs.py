"""The reference names every table, column, operator and error there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meterweave.manager.listing import CODES, TABLES, Operator
from meterweave.manager.listing.column import OPERATOR_WORDS
from meterweave.registry.sort_indexes import SORT_INDEXES

REFERENCE = (Path(__file__).parents[3] / "docs/reference/listing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_told_with_its_columns(name: str) -> None:
    parts = re.split(r"^### ", REFERENCE, flags=re.MULTILINE)
    (part,) = [one for one in parts if one.startswith(f"`{name}`")]
    told = re.findall(r"^\| `(\w+)`", part, flags=re.MULTILINE)
    assert told == [column.name for column in TABLES[name].columns]
    assert f"`{TABLES[name].permission}`" in part
    for column in TABLES[name].columns:
        line = next(line for line in part.splitlines() if line.startswith(f"| `{column.name}` |"))
        assert column.title.en in line
        assert column.title.zh in line
        assert ("sorts" in line) == column.sortable
        assert not column.unit or f"[{column.unit}]" in line


def test_every_operator_error_and_index_is_told() -> None:
    assert [one for one in Operator if f"`{one}`" not in REFERENCE] == []
    assert [code for code in CODES if f"`{code}`" not in REFERENCE] == []
    assert [one.name for one in SORT_INDEXES if f"`{one.name}`" not in REFERENCE] == []
    assert set(OPERATOR_WORDS) == set(Operator)
