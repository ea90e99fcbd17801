"""Cells that need care: times that clocks skip or show twice, and what a spreadsheet takes for a formula."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.registry.importing.column import CellError, instant, write_instant
from meterweave.registry.importing.export import csv_line

BERLIN, HAVANA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Havana")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("2026-03-29 02:30", "a time that there was"),
        ("2026-10-25 02:30", "such as 2026-10-25 02:30:00+02:00"),
    ],
)
def test_a_local_time_must_have_been_and_once(cell: str, words: str) -> None:
    with pytest.raises(CellError, match="wanted") as caught:
        instant(cell, BERLIN)
    assert words in caught.value.text.en
    assert caught.value.code == "import.malformed"
    assert caught.value.text.zh
    assert instant(cell).tzinfo is UTC  # elsewhere it was


def test_an_offset_settles_it() -> None:
    assert instant("2026-10-25 02:30+02:00", BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant("2026-10-25 02:30+01:00", BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert instant("2026-03-29 03:30", BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_date_alone_is_the_first_midnight_even_where_clocks_change_then() -> None:
    assert instant("2026-03-08", HAVANA) == datetime(2026, 3, 8, 5, tzinfo=UTC)  # 00:00 was skipped: 01:00
    assert write_instant("en", instant("2026-11-01", HAVANA), HAVANA) == "2026-11-01"


@given(st.datetimes(datetime(1975, 1, 1), datetime(2095, 1, 1)), st.sampled_from([BERLIN, HAVANA]))
def test_what_is_written_is_read_again(moment: datetime, zone: ZoneInfo) -> None:
    moment = moment.replace(tzinfo=UTC, microsecond=0)
    assert instant(write_instant("en", moment, zone), zone) == moment


@pytest.mark.parametrize(
    ("cell", "line"),
    [("-6", "-6"), ("-0.25", "-0.25"), ("-6+1", "'-6+1"), ("=1", "'=1"), ("-", "'-"), ("+49", "'+49"), ("@a", "'@a")],
)
def test_numbers_are_no_formulas(cell: str, line: str) -> None:
    assert csv_line([cell]) == f"{line}\r\n"
