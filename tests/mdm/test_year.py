"""A year of a usage point with all that happens to one: whatever comes in, and however, the registers' sums hold."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.mdm import (
    SINCE_EVER_US,
    STILL_THERE_US,
    Flag,
    Intervals,
    Ratios,
    Register,
    ResetWindow,
    Spans,
    consumption,
    local_days,
    local_months,
)
from meterweave.metering.batch import Quality, Source
from tests.mdm.rows import DAY_US, HOUR_US, START_US, Row, table

POINT, TURN, USE_MAX = 7, 10_000, 60
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
AT_ONCE = timedelta(0)


class Year(NamedTuple):
    rows: list[Row]
    spans: Spans
    ratios: Ratios
    days: np.ndarray
    read: set[int]  # the midnights with a reading
    truth: dict[tuple[int, int], int]  # what was used between neighbouring readings if all are there, multiplied


def a_year(seed: int, zone: ZoneInfo, fractions: list[Fraction], exchanges: int, gaps: float) -> Year:
    rng = np.random.default_rng(seed)
    days = local_days(FIRST, LAST, zone)
    # Some exchanges at midnight, some in the middle of a day; multipliers change when somebody is there to read.
    changed = sorted({int(rng.choice(days[5:-5])) + int(rng.choice([0, 11 * HOUR_US])) for _ in range(exchanges)})
    visits = sorted({int(one) + 5 * HOUR_US for one in rng.choice(days[5:-5], len(fractions) - 1, replace=False)})
    instants = sorted({*days.tolist(), *changed, *visits})
    ends = [*changed, STILL_THERE_US]
    meters = dict(zip([SINCE_EVER_US, *changed], range(1, len(ends) + 1), strict=True))
    spans = Spans.of([(POINT, meter, start, end) for (start, meter), end in zip(meters.items(), ends, strict=True)])
    since = dict(zip([SINCE_EVER_US, *visits], fractions, strict=True))
    ratios = Ratios.of([(meter, at, one) for meter in meters.values() for at, one in since.items()])

    meter, register, fraction = 1, int(rng.integers(TURN)), fractions[0]
    rows, truth, midnights = [Row(meter, instants[0], register)], {}, set(days.tolist())
    for before, at in pairwise(instants):
        used = int(rng.integers(USE_MAX)) * int(rng.random() < 0.9)
        after = register + used
        truth[before, at] = rounded(after * fraction) - rounded(register * fraction)
        if after >= TURN:
            truth[before, at] = (
                rounded(TURN * fraction) - rounded(register * fraction) + rounded((after - TURN) * fraction)
            )
        register = after % TURN
        if at not in midnights or at in meters or at == instants[-1] or rng.random() >= gaps:
            rows.append(Row(meter, at, register))
        fraction = since.get(at, fraction)
        if at in meters:
            meter, register = meters[at], int(rng.integers(TURN))
            rows.append(Row(meter, at, register))
    read = {row.ts for row in rows} & midnights
    return Year(rows + noise(rng, rows, len(meters)), spans, ratios, days, read, truth)


def noise(rng: np.random.Generator, rows: list[Row], meters: int) -> list[Row]:
    """What comes in beside the readings and must not count."""
    chosen = [rows[int(one)] for one in rng.integers(len(rows), size=40)]
    junk = iter(rng.integers(TURN, size=200).tolist())
    worse = [row._replace(value=next(junk), received=START_US) for row in chosen]
    estimated = [row._replace(value=next(junk), source=Source.ESTIMATED, ts=row.ts + HOUR_US) for row in chosen]
    untimed = [row._replace(value=next(junk), quality=Quality.TIME_INVALID, ts=row.ts + HOUR_US) for row in chosen]
    nothing = [row._replace(value=None, received=row.received + 1) for row in chosen]
    strangers = [row._replace(value=next(junk), meter=meters + 1) for row in chosen]
    return [*worse, *estimated, *untimed, *nothing, *strangers]


def rounded(number: Fraction) -> int:
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def asked(year: Year, boundaries: np.ndarray, **more: object) -> Intervals:
    rows = more.pop("rows", year.rows)
    more.setdefault("reach", AT_ONCE)
    return consumption(
        table(rows), year.spans, boundaries, register=Register(rollover_at=TURN), ratios=year.ratios, **more
    )


years = st.builds(
    a_year,
    seed=st.integers(0, 2**32),
    zone=st.sampled_from([ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")]),
    fractions=st.lists(
        st.sampled_from([Fraction(1), Fraction(40), Fraction(200, 3), Fraction(7, 11), Fraction(10**6, 999_983)]),
        min_size=1,
        max_size=3,
    ),
    exchanges=st.integers(0, 3),
    gaps=st.sampled_from([0.0, 0.1, 0.3]),
)
few = settings(max_examples=25, deadline=None)


@few
@given(years)
def test_the_sum_of_all_days_is_what_the_registers_gained(year: Year):
    whole = asked(year, year.days[[0, -1]])
    assert whole.value.tolist() == [[sum(year.truth.values())]]
    assert whole.known.all()
    bridged = asked(year, year.days, interpolate=True, reach=timedelta(days=60))
    assert bridged.known.all()
    assert bridged.value.sum() == whole.value[0, 0]


@few
@given(years)
def test_every_day_between_two_readings_is_exact_and_no_other_has_a_value(year: Year):
    found = asked(year, year.days)
    for number, (start, end) in enumerate(pairwise(year.days.tolist())):
        assert found.known[0, number] == ({start, end} <= year.read)
        if found.known[0, number]:
            expected = sum(used for (a, b), used in year.truth.items() if start <= a and b <= end)
            assert found.value[0, number] == found.part[0, number] == expected
            assert found.covered_us[0, number] == end - start


@few
@given(years, st.integers(0, 2**32).map(Random))
def test_the_order_of_arrival_changes_nothing(year: Year, random: Random):
    first = asked(year, year.days)
    rows = list(year.rows)
    random.shuffle(rows)
    again = asked(year, year.days, rows=rows)
    for name in ("value", "known", "part", "covered_us", "flags"):
        assert (getattr(first, name) == getattr(again, name)).all(), name


@few
@given(years, st.integers(0, 2**32).map(Random))
def test_what_comes_late_fills_gaps_and_changes_no_value_that_was_known(year: Year, random: Random):
    late = set(random.sample(sorted(year.read), len(year.read) // 10))
    early = [row for row in year.rows if row.ts not in late]
    before, after = asked(year, year.days, rows=early), asked(year, year.days)
    assert (after.known | ~before.known).all()
    assert (after.value == before.value)[before.known].all()


@few
@given(years, st.integers(0, 2**32).map(Random))
def test_parts_add_up_wherever_one_cuts(year: Year, random: Random):
    read = sorted(year.read)
    cuts = sorted({read[0], *random.sample(read, min(len(read), 20)), read[-1]})
    fine = asked(year, np.array(read))
    coarse = asked(year, np.array(cuts))
    assert fine.known.all()
    assert coarse.known.all()
    for number, (start, end) in enumerate(pairwise(cuts)):
        inside = (fine.boundaries[:-1] >= start) & (fine.boundaries[1:] <= end)
        assert coarse.value[0, number] == fine.value[0, inside].sum()


@pytest.mark.parametrize(
    ("zone", "lengths"),
    [("Asia/Shanghai", {24}), ("Europe/Berlin", {23, 24, 25})],
)
def test_months_are_the_sums_of_their_days_with_the_clock_changes(zone: str, lengths: set[int]):
    year = a_year(1, ZoneInfo(zone), [Fraction(40)], exchanges=2, gaps=0.0)
    assert set((np.diff(year.days) // HOUR_US).tolist()) == lengths
    months = local_months(FIRST, LAST, ZoneInfo(zone))
    days, found = asked(year, year.days), asked(year, months)
    assert found.known.all()
    owner = np.searchsorted(months, year.days[:-1], "right") - 1
    assert found.value[0].tolist() == np.bincount(owner, weights=days.value[0]).astype(int).tolist()


any_row = st.tuples(
    st.integers(1, 2),
    st.integers(0, 12).map(lambda number: START_US + number * DAY_US // 3),
    st.integers(0, 30) | st.sampled_from([None, -5, 95, 99, 2**62, -(2**63), 2**63 - 1]),
    st.integers(0, 2).map(lambda number: START_US + number),
    st.sampled_from([Source.PUSHED, Source.READ, Source.ESTIMATED]),
).map(lambda fields: Row(*fields))


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(any_row, max_size=14),
    cuts=st.sets(st.integers(-2, 26), min_size=3, max_size=8),
    register=st.sampled_from(
        [
            Register(),
            Register(rollover_at=100),
            Register(rollover_at=100, hourly_max=2),
            Register(falls=True),
            Register(reset=ResetWindow(zone=ZoneInfo("UTC"))),
        ]
    ),
    ratio=st.sampled_from([Fraction(1), Fraction(3, 7)]),
    interpolate=st.booleans(),
    random=st.integers(0, 2**32).map(Random),
)
def test_whatever_comes_in_the_answer_is_consistent(rows, cuts, register, ratio, interpolate, random):
    boundaries = START_US + np.array(sorted(cuts)) * DAY_US // 6
    spans = Spans.of([(7, 1, SINCE_EVER_US, START_US + DAY_US), (7, 2, START_US + DAY_US, STILL_THERE_US)])
    ratios = Ratios.of([(meter, START_US + DAY_US // 2, ratio) for meter in (1, 2)])

    def ask(some: list[Row], at: np.ndarray) -> Intervals:
        return consumption(table(some), spans, at, register=register, ratios=ratios, interpolate=interpolate)

    found, coarse = ask(rows, boundaries), ask(rows, boundaries[[0, -1]])
    shuffled = random.sample(rows, len(rows))
    for name in ("value", "known", "part", "covered_us", "flags"):
        assert (getattr(found, name) == getattr(ask(shuffled, boundaries), name)).all(), name

    measured = (found.flags & Flag.MEASURED) != 0
    assert (found.known == ((found.flags & (Flag.MEASURED | Flag.ESTIMATED)) != 0)).all()
    assert (found.known == ((found.flags & (Flag.GAP | Flag.ANOMALOUS | Flag.MULTIPLIER)) == 0)).all()
    assert ((found.covered_us >= 0) & (found.covered_us <= np.diff(boundaries))).all()
    assert (found.covered_us == np.diff(boundaries))[measured].all()
    assert (found.part == found.value)[measured].all()
    if not register.falls:
        assert (found.value >= 0).all()
        assert (found.part >= 0).all()
    if found.known.all():
        assert coarse.known.all()
        assert coarse.value.sum() == found.value.sum()
    if not interpolate:
        assert coarse.covered_us.sum() >= found.covered_us.sum()
