from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from meterweave.headend.collection import CollectionSettings
from meterweave.registry.collection import (
    CollectionAbsence,
    CollectionGap,
    CollectionPlan,
    GapState,
    ReadSuccess,
    Series,
)
from meterweave.registry.vocabulary import Channel

REFERENCE = (Path(__file__).parents[2] / "docs/reference/collection-plans.md").read_text(encoding="utf-8")
KEYS = {"id", "terminal_id", "plan_id", "day", "meter_id", "quantity"}


@pytest.mark.parametrize("name", [one.name for one in fields(CollectionSettings)])
def test_every_setting_is_told_with_its_default(name: str) -> None:
    line = next(line for line in REFERENCE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1])
    names = [one.strip(" `") for one in line.split("|")[1].split(",")]
    told = line.split("|")[2].replace(" h", "").split(", ") if len(names) > 1 else [line.split("|")[2]]
    default = getattr(CollectionSettings(), name)
    if isinstance(default, int | float):
        number = told[names.index(name)].replace(",", "").split()[0]
        unit_s = 3600 if name == "retry_max_s" else 1
        assert float(number) * unit_s == default


@pytest.mark.parametrize("table", [CollectionPlan, ReadSuccess, CollectionGap, CollectionAbsence])
def test_every_column_is_told(table: type) -> None:
    names = {column.name for column in table.__table__.columns} - KEYS
    assert {name for name in names if f"`{name}`" not in REFERENCE} == set()
    assert f"`{table.__tablename__}`" in REFERENCE


@pytest.mark.parametrize("word", [*Channel, *Series, *GapState])
def test_every_word_is_told(word: str) -> None:
    assert f"`{word}`" in REFERENCE


def test_the_limits_by_channel_are_those_of_the_settings() -> None:
    lines = REFERENCE.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("| channel |"))
    channels = [cell.strip(" `") for cell in lines[at].split("|")[2:-1]]
    limits = [int(cell) for cell in lines[at + 2].split("|")[2:-1]]
    assert {Channel(name): limit for name, limit in zip(channels, limits, strict=True)} == {
        one: CollectionSettings().calls_of(one) for one in Channel
    }
