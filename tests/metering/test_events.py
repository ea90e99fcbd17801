from __future__ import annotations

import csv
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from meterweave.metering.events import (
    ENDED,
    UNLISTED,
    Severity,
    detail_text,
    event_codes,
    event_kind_table,
    event_kinds,
    unlisted,
)


def test_the_known_ones() -> None:
    outage = event_kinds()[event_codes()["power_outage"]]
    assert (outage.code, outage.severity, outage.lasts, outage.meaning) == (
        1010,
        Severity.ALARM,
        True,
        ("power outage", "停电"),
    )
    assert event_kinds()[2012].name == "voltage_loss_l2"
    assert event_kinds()[2012].meaning == ("voltage loss, phase B", "B相失压")
    assert event_kinds()[2012 + ENDED].name == "voltage_loss_l2_ended"
    assert event_kinds()[4064].name == "reactive_demand_over_limit_q4"


def test_codes_and_names_are_unique_and_every_text_is_there() -> None:
    kinds = event_kinds()
    assert len(event_codes()) == len(kinds)
    assert all(kind.code == code and 0 < code < 10_000 for code, kind in kinds.items())
    assert all(kind.meaning.en and kind.meaning.zh for kind in kinds.values())
    begin = {code: kind for code, kind in kinds.items() if not kind.name.endswith("_ended")}
    assert all((f"{kind.name}_ended" in event_codes()) == kind.lasts for kind in begin.values())
    assert all(event_codes()[f"{kind.name}_ended"] == code + ENDED for code, kind in begin.items() if kind.lasts)


def test_no_code_was_given_twice() -> None:
    with files("meterweave.metering").joinpath("events.csv").open(encoding="utf-8") as lines:
        codes = [int(row["code"]) for row in csv.DictReader(lines)]
    assert len(set(codes)) == len(codes)
    assert all(code % 10 == 0 for code in codes)


@pytest.mark.parametrize("protocol", list(UNLISTED))
def test_what_is_not_listed_keeps_its_number(protocol: str) -> None:
    assert unlisted(protocol, 0xFFFF) - unlisted(protocol, 0) == 0xFFFF
    assert max(event_kinds()) < unlisted(protocol, 0) < unlisted(protocol, 0xFFFF) < 1 << 31


def test_codes_of_different_protocols_do_not_meet() -> None:
    starts = sorted(UNLISTED.values())
    assert all(start + 0xFFFF < after for start, after in pairwise(starts))


def test_the_table_for_questions() -> None:
    table = event_kind_table()
    assert table.num_rows == len(event_kinds())
    row = dict(zip(table["code"].to_pylist(), table.to_pylist(), strict=True))[5010]
    assert row == {
        "code": 5010,
        "name": "cover_opened",
        "severity": "alarm",
        "lasts": True,
        "en": "meter cover opened",
        "zh": "开表盖",
    }


def test_every_kind_is_told() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/events.md").read_text(encoding="utf-8")
    with files("meterweave.metering").joinpath("events.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            wanted = [row["code"], f"`{row['name']}`", row["severity"], row["lasts"].replace("no", ""), row["parts"]]
            assert f"| {' | '.join([*wanted, row['en'], row['zh']])} |" in page


def test_details() -> None:
    assert detail_text({}) is None
    assert detail_text({"a": ["停", 1]}) == '{"a":["停",1]}'
