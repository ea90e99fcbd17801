"""Real counters of households, with their gaps, jumps and steps back; see ``tests/data/mdm/README.md``."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest

from meterweave.mdm import Flag, Intervals, Register, Spans, consumption, local_days
from tests.mdm.rows import HOUR_US, Row, table

FILE = Path(__file__).parent.parent / "data" / "mdm" / "portal_exports.parquet"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
QUARTER_US = HOUR_US // 4


def exported(meter: str, register: str, exponent: int, zone: ZoneInfo | None = None) -> list[tuple[int, int | None]]:
    """(time, value) of an export; naive times are of `zone`, or UTC."""
    found = duckdb.execute(
        "SELECT ts, value FROM read_parquet($file) WHERE meter = $meter AND register = $register ORDER BY ts",
        {"file": str(FILE), "meter": meter, "register": register},
    ).fetchall()
    return [
        (
            int(ts.replace(tzinfo=zone or UTC).timestamp()) * 1_000_000,
            None if value is None else round(value * 10**-exponent),
        )
        for ts, value in found
    ]


def asked(readings: list[tuple[int, int | None]], boundaries: np.ndarray, **more: object) -> Intervals:
    return consumption(table([Row(1, ts, value) for ts, value in readings]), Spans.of_meters([1]), boundaries, **more)


@pytest.mark.parametrize(
    ("meter", "register", "exponent", "zone"),
    [
        ("homewizard-e1", "1.8.1", -3, AMSTERDAM),
        ("homewizard-e1", "2.8.2", -3, AMSTERDAM),
        ("homewizard-g1", "total", -3, AMSTERDAM),
        ("toon-1", "1.8.1", 0, None),
    ],
)
def test_the_intervals_of_a_counter_add_up_to_what_it_gained(
    meter: str, register: str, exponent: int, zone: ZoneInfo | None
):
    readings = [one for one in exported(meter, register, exponent, zone) if one[1] is not None]
    fine = asked(readings, np.array([ts for ts, _ in readings]))
    assert fine.known.all()
    assert fine.value.sum() == readings[-1][1] - readings[0][1]
    first, last = (datetime.fromtimestamp(readings[end][0] / 1e6, AMSTERDAM).date() for end in (0, -1))
    days = asked(readings, local_days(first, last, AMSTERDAM))
    at = dict(readings)
    for number, (start, end) in enumerate(pairwise(days.boundaries.tolist())):
        if start in at and end in at:
            assert days.value[0, number] == at[end] - at[start]


def test_an_export_of_intervals_is_given_back_by_the_counter_that_adds_them_up():
    """No meter of the exports has both its counter and its intervals, so the counter is made of the intervals."""
    intervals = exported("slimmemeter-e1", "1.8.1", -3)
    counter, total = {intervals[0][0] - QUARTER_US: 0}, 0
    for end, value in intervals:
        counter.setdefault(end - QUARTER_US, total)  # after a time without rows it goes on from where it stood
        total += value
        counter[end] = total
    readings = sorted(counter.items())
    every = asked(readings, np.array([ts for ts, _ in readings]))
    by_end = dict(zip(every.boundaries[1:].tolist(), every.value[0].tolist(), strict=True))
    assert {end: by_end[end] for end, _ in intervals} == dict(intervals)

    # The portal's days, added up by another engine, over the day with 25 hours.
    days = asked(readings, local_days(date(2023, 10, 20), date(2023, 11, 10), AMSTERDAM), reach=timedelta(days=3))
    sums = duckdb.execute(
        "SELECT date_trunc('day', ts - INTERVAL 15 MINUTE + CASE WHEN ts - INTERVAL 15 MINUTE < '2023-10-29 01:00' "
        "THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END)::DATE AS day, round(sum(value) * 1000)::BIGINT "
        "FROM read_parquet($file) WHERE meter = 'slimmemeter-e1' GROUP BY day",
        {"file": str(FILE)},
    ).fetchall()
    portal = dict(sums)
    assert 25 * HOUR_US in np.diff(days.boundaries)
    assert days.known.all()
    assert days.value[0].tolist() == [portal.get(date(2023, 10, 20) + timedelta(number), 0) for number in range(22)]


def test_a_counter_that_begins_again_and_steps_back_gives_no_value_there_and_all_others():
    readings = exported("toon-1", "total", 0)
    hours = np.array([ts for ts, _ in readings])
    found = asked(readings, hours)
    steps = np.diff([value for _, value in readings])
    back = np.flatnonzero(steps < 0)
    assert steps[back].tolist() == [-4_424_260, -16, -981, -33]
    assert (found.flags[0, back] == Flag.ANOMALOUS).all()
    beside = set(np.concatenate([back - 1, back, back + 1]).tolist())
    assert set(np.flatnonzero(~found.known[0]).tolist()) <= beside
    assert (found.value[0] == steps)[found.known[0]].all()
    whole = asked(readings, hours[[0, -1]])
    assert not whole.known.any()
    assert whole.part[0, 0] == found.value[0].sum()


def test_what_the_meter_cannot_have_used_in_an_hour_is_no_value():
    """The counter of this gateway gains 114 kWh in one hour; the house has three fuses of 25 A at most."""
    readings = exported("toon-1", "1.8.1", 0)
    hours = np.array([ts for ts, _ in readings])
    steps = np.diff([value for _, value in readings])
    fuse = Register(hourly_max=17_250)  # 3 x 25 A at 230 V, in Wh
    found = asked(readings, hours, register=fuse)
    odd = np.flatnonzero(~found.known[0])
    assert steps[odd].tolist() == [114_327]
    assert found.flags[0, odd].tolist() == [Flag.ANOMALOUS]
    assert asked(readings, hours).known.all()
