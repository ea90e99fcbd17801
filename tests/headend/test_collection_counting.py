"""Gaps and stored readings together are what was expected, whatever is stored."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterweave.headend.collection.counting import Absent, Look, Pair, look
from meterweave.headend.collection.gate import Lane
from meterweave.headend.collection.moments import day_moments, window
from meterweave.headend.collection.plan import MeterKind, Plan
from meterweave.headend.collection.roster import NEVER, Post, Roster
from meterweave.lake import Lake, LakeSettings
from meterweave.metering.batch import Profile, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_code
from meterweave.registry.collection import Series
from meterweave.registry.vocabulary import Channel, Enrolment, Utility, Wiring

from .collecting import DAY_US, ENERGY, MIDNIGHT, QUARTER_US, VOLTAGE, Row, batch, us

DAY = date(2026, 6, 10)
VOLTAGE_2 = obis_code("1-0:52.7.0")
ONE, THREE = (MeterKind(Utility.ELECTRICITY, wiring, None, 4) for wiring in (Wiring.SINGLE_PHASE, Wiring.FOUR_WIRE))
CURVE = Plan(1, "curve", Utility.ELECTRICITY, Series.CURVE, 900, (ENERGY, VOLTAGE, VOLTAGE_2), 900, 7, True, None, None)
DAILY = CURVE._replace(id=2, name="daily", series=Series.DAILY, period_s=0, quantities=(ENERGY,), memory_days=62)
START_US = us(MIDNIGHT)


def roster(since_us: int = 0, until_us: int = NEVER) -> Roster:
    """Terminals 70 and 80 with meters 1, 2 (three-phase) and 3, 4."""
    posts = tuple(
        Post(terminal, "dlt698", str(terminal), Lane(Channel.FIBRE, None), None, None, Enrolment.IMPORTED)
        for terminal in (70, 80)
    )
    return Roster(
        posts,
        (ONE, THREE),
        np.array([1, 2, 3, 4], np.int64),
        np.array([0, 0, 1, 1], np.intp),
        np.array([0, 1, 0, 0], np.intp),
        np.full(4, since_us, np.int64),
        np.full(4, until_us, np.int64),
    )


def seen(
    lake: Lake,
    plan: Plan = CURVE,
    *,
    days: tuple[date, ...] = (DAY,),
    now_us: int = START_US + 3 * DAY_US,
    of: Roster | None = None,
    absent: tuple[Pair, ...] = (),
    asked: frozenset[tuple[int, date]] = frozenset(),
    holes_max: int = 32,
    zone: ZoneInfo = SHANGHAI,
) -> Look:
    known = of or roster()
    return look(
        lake, known, plan, known.of_plan(plan), list(days), now_us=now_us, zone=zone, absent=Absent.of(absent),
        asked=asked, holes_max=holes_max, timeout_s=30.0,
    )  # fmt: skip


def pushed(
    meter: int, at_us: int, quantity: int = ENERGY, *, late_us: int = 0, profile: Profile = Profile.CURVE
) -> Row:
    return meter, quantity, profile, at_us, 7, Source.PUSHED, at_us + late_us


@pytest.fixture
def lake(tmp_path: Path) -> Lake:  # type: ignore[misc]
    with Lake.open(tmp_path / "lake", LakeSettings(commit_interval_s=3600), maintain=False) as found:
        yield found


_cell = st.tuples(
    st.integers(1, 5),  # one of them is no meter of the roster
    st.sampled_from([ENERGY, VOLTAGE, VOLTAGE_2, obis_code("1-0:14.7.0")]),
    st.integers(-2, 2 * 96 + 1),
    st.sampled_from([0, 1, QUARTER_US - 60_000_000]),  # some stand beside the moments
    st.booleans(),  # whether there is a value
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(_cell, max_size=60), due=st.integers(0, 2 * 96), holes_max=st.integers(1, 5), commit=st.booleans()
)
def test_gaps_and_stored_make_up_what_was_expected(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[int, int, int, int, bool]], due: int, holes_max: int,
    commit: bool,
) -> None:  # fmt: skip
    now_us = START_US + due * QUARTER_US
    rows = [
        (meter, code, Profile.CURVE, START_US + slot * QUARTER_US + beside, 1 if given else None, Source.READ, now_us)
        for meter, code, slot, beside, given in cells
    ]
    with Lake.open(tmp_path_factory.mktemp("lake"), maintain=False) as lake:
        lake.append_blocking(batch(rows))
        if commit:
            lake.commit()
        found = seen(lake, days=(DAY, DAY + timedelta(days=1)), now_us=now_us, holes_max=holes_max)
    expected = {
        (meter, code, START_US + slot * QUARTER_US)
        for meter in (1, 2, 3, 4)
        for code in (ENERGY, VOLTAGE, VOLTAGE_2)
        for slot in range(2 * 96)
        if slot <= due - 1 and (code != VOLTAGE_2 or meter == 2)
    }
    stored = {(meter, code, at) for meter, code, _, at, value, _, _ in rows if value is not None} & expected
    assert found.expected.sum() == len(expected)
    assert found.stored.sum() == len(stored)
    assert sum(gap.missing for gap in found.gaps) == len(expected) - len(stored)
    asked_for = {
        (meter, code, at)
        for gap in found.gaps
        for hole in gap.holes
        for meter in hole.meters
        for code in hole.quantities
        for at in range(hole.from_us, hole.to_us, QUARTER_US)
    }
    assert expected - stored <= asked_for
    assert all(len(gap.holes) <= holes_max for gap in found.gaps)
    for gap in found.gaps:
        lacking = {cell for cell in expected - stored if (cell[0] > 2) == (gap.terminal == 80)}
        of_day = {cell for cell in lacking if (cell[2] - START_US) // DAY_US == (gap.day - DAY).days}
        assert gap.oldest_us == min(at for _, _, at in of_day)
        assert gap.meters == len({meter for meter, _, _ in of_day})
        assert all(hole.moments == (hole.to_us - hole.from_us) // QUARTER_US for hole in gap.holes)


def test_first_try_is_what_came_by_itself_in_time(lake: Lake) -> None:
    deadline_us = CURVE.deadline_s * 1_000_000
    lake.append_blocking(
        batch(
            [
                pushed(1, START_US, late_us=deadline_us),
                pushed(1, START_US + QUARTER_US, late_us=deadline_us + 1),
                (1, ENERGY, Profile.CURVE, START_US + 2 * QUARTER_US, 5, Source.READ, START_US + 2 * QUARTER_US),
                # What was pushed in time stays so, though it was read again later.
                pushed(3, START_US),
                (3, ENERGY, Profile.CURVE, START_US, 7, Source.READ, START_US + DAY_US),
            ]
        )
    )
    found = seen(lake)
    assert found.stored.tolist() == [[3], [1]]
    assert found.first_try.tolist() == [[1], [1]]


def test_meters_that_lack_the_same_are_asked_for_together(lake: Lake) -> None:
    lake.append_blocking(
        batch(
            pushed(meter, START_US + slot * QUARTER_US, code)
            for meter in (1, 2, 3, 4)
            for code in (ENERGY, VOLTAGE, VOLTAGE_2)
            for slot in range(96)
            if not 40 <= slot < 48
        )
    )
    first, second = seen(lake).gaps
    assert [hole.meters for hole in first.holes] == [(1,), (2,)]  # one has three phases
    (hole,) = second.holes
    assert hole.meters == (3, 4)
    assert hole.quantities == (ENERGY, VOLTAGE)
    assert (hole.from_us, hole.to_us) == (START_US + 40 * QUARTER_US, START_US + 48 * QUARTER_US)
    assert hole.values == 2 * 2 * 8


def test_a_meter_is_expected_from_its_installation_to_its_removal(lake: Lake) -> None:
    found = seen(lake, of=roster(START_US + 4 * QUARTER_US, START_US + 6 * QUARTER_US))
    assert found.expected.tolist() == [[2 * (2 + 3)], [2 * (2 + 2)]]


def test_what_is_absent_is_not_expected_until_it_is_there(lake: Lake) -> None:
    absent = (Pair(1, VOLTAGE), Pair(3, VOLTAGE), Pair(99, ENERGY))
    assert seen(lake, absent=absent).expected.tolist() == [[4 * 96], [3 * 96]]
    lake.append_blocking(batch([pushed(3, START_US, VOLTAGE)]))
    assert seen(lake, absent=absent).found_again == (Pair(3, VOLTAGE),)


def test_what_a_meter_never_gives_while_it_gives_others_is_told(lake: Lake) -> None:
    lake.append_blocking(batch([pushed(1, START_US), pushed(3, START_US)]))
    found = seen(lake, asked=frozenset({(70, DAY), (80, DAY + timedelta(days=1))}))
    assert found.lacking == ((70, DAY, Pair(1, VOLTAGE)),)  # meter 2 gives nothing at all, which tells nothing


def test_a_freeze_is_due_once_a_day_at_its_midnight(lake: Lake) -> None:
    lake.append_blocking(batch([pushed(1, START_US, profile=Profile.DAILY)]))
    found = seen(lake, DAILY, days=(DAY - timedelta(days=1), DAY))
    assert found.expected.tolist() == [[2, 2], [2, 2]]
    assert found.stored.tolist() == [[0, 1], [0, 0]]
    hole = found.gaps[0].holes[0]
    assert (hole.from_us, hole.to_us, hole.moments) == (START_US - DAY_US, START_US, 1)


def test_days_have_the_length_that_the_clocks_give_them() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert [len(day_moments(CURVE, day, berlin)) for day in (date(2026, 3, 29), date(2026, 10, 25))] == [92, 100]
    monthly = CURVE._replace(series=Series.MONTHLY, period_s=0, memory_days=366)
    assert len(day_moments(monthly, date(2026, 6, 2), SHANGHAI)) == 0
    days = window(monthly, START_US, SHANGHAI)
    assert len(days) == 12
    assert {day.day for day in days} == {1}


def test_a_curve_of_minutes_fits_as_well(lake: Lake) -> None:
    minutes = CURVE._replace(period_s=60, quantities=(ENERGY,))
    lake.append_blocking(batch(pushed(1, START_US + minute * 60_000_000) for minute in range(0, 1440, 2)))
    found = seen(lake, minutes)
    assert found.stored.tolist() == [[720], [0]]
    assert found.expected.tolist() == [[2 * 1440], [2 * 1440]]
