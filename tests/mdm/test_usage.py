"""What the steps and intervals give, case by case; numbers small enough to check in the head."""

from __future__ import annotations

from datetime import time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from meterweave.errors import ConfigError
from meterweave.mdm import (
    SINCE_EVER_US,
    STILL_THERE_US,
    WORDS,
    Flag,
    Intervals,
    Ratios,
    Register,
    ResetWindow,
    Spans,
    consumption,
    rollover_at,
    usage,
)
from meterweave.metering.batch import Profile, Quality, Source
from tests.mdm.rows import DAY_US, HOUR_US, IMPORT, Row, daily, day_us, table

M, E = Flag.MEASURED, Flag.ESTIMATED


def days(count: int) -> np.ndarray:
    return np.array([day_us(number) for number in range(count + 1)])


def values(found: Intervals, point: int = 0) -> list[int | None]:
    return [int(value) if known else None for value, known in zip(found.value[point], found.known[point], strict=True)]


def flags(found: Intervals, point: int = 0) -> list[Flag]:
    return [Flag(int(one)) for one in found.flags[point]]


ONE = Spans.of_meters([1])


def test_what_was_used_is_the_difference_of_readings():
    found = consumption(table(daily(1, [100, 130, 130, 145])), ONE, days(3))
    assert values(found) == [30, 0, 15]
    assert flags(found) == [M, M, M]
    assert (found.covered_us == DAY_US).all()


def test_without_a_reading_at_a_boundary_there_is_no_value_but_the_days_around_have_a_sum():
    rows = daily(1, [100, 130, None, 145, 150])
    found = consumption(table(rows), ONE, days(4))
    assert values(found) == [30, None, None, 5]
    assert flags(found) == [M, Flag.GAP, Flag.GAP, M]
    assert values(consumption(table(rows), ONE, days(4)[[0, 4]])) == [50]


def test_a_part_of_an_interval_is_stated_with_how_much_of_it_is_covered():
    rows = [Row(1, day_us(0) + hour * HOUR_US, 10 * hour) for hour in range(3, 19)]
    found = consumption(table(rows), ONE, days(1))
    assert values(found) == [None]
    assert flags(found) == [Flag.GAP | Flag.PARTIAL]
    assert found.part.tolist() == [[150]]
    assert found.covered_us.tolist() == [[15 * HOUR_US]]


def test_nothing_before_the_first_and_after_the_last_reading():
    found = consumption(table(daily(1, [5, 7], first_day=2)), ONE, days(5))
    assert values(found) == [None, None, 2, None, None]
    assert [int(one) for one in found.covered_us[0]] == [0, 0, DAY_US, 0, 0]


def test_a_register_that_stood_still_used_nothing_at_any_time_in_between():
    rows = [Row(1, day_us(0.5), 40), Row(1, day_us(1.5), 40), Row(1, day_us(2), 41)]
    found = consumption(table(rows), ONE, np.array([day_us(0.75), day_us(1), day_us(1.25), day_us(2)]))
    assert values(found) == [0, 0, 1]
    assert flags(found) == [M, M, M]


def test_standing_still_for_longer_than_the_reach_proves_nothing():
    rows = table([Row(1, day_us(0), 40), Row(1, day_us(2), 40)])
    assert values(consumption(rows, ONE, days(2))) == [None, None]
    assert values(consumption(rows, ONE, days(2), reach=timedelta(days=2))) == [0, 0]


def test_interpolation_only_when_asked_and_its_shares_add_up():
    rows = table([Row(1, day_us(0), 0), Row(1, day_us(3), 100)])
    assert values(consumption(rows, ONE, days(3), reach=timedelta(days=3))) == [None, None, None]
    found = consumption(rows, ONE, days(3), reach=timedelta(days=3), interpolate=True)
    assert values(found) == [33, 33, 34]
    assert flags(found) == [E, E, E]
    assert found.covered_us.sum() == 0
    assert values(consumption(rows, ONE, days(3), reach=timedelta(days=2), interpolate=True)) == [None] * 3


@pytest.mark.parametrize(
    ("rows", "flag"),
    [
        pytest.param(daily(1, [100, None, None, 50]), Flag.ANOMALOUS, id="an anomaly"),
        pytest.param(daily(1, [100, None, None, 110]), Flag.MULTIPLIER, id="a multiplier's change"),
        pytest.param([*daily(1, [100]), *daily(2, [9], first_day=3)], Flag.GAP | Flag.EXCHANGE, id="an exchange"),
    ],
)
def test_interpolation_bridges_nothing_that_is_not_known(rows: list[Row], flag: Flag):
    spans = Spans.of([(7, 1, day_us(-9), day_us(1.5)), (7, 2, day_us(1.5), STILL_THERE_US)])
    if flag is not Flag.GAP | Flag.EXCHANGE:
        spans = ONE
    ratios = Ratios.of([(1, day_us(0.5), Fraction(60))])
    found = consumption(table(rows), spans, days(3), ratios=ratios, reach=timedelta(days=9), interpolate=True)
    assert values(found) == [None] * 3
    assert all(flag in one for one in flags(found))


def test_interpolation_is_exact_where_products_leave_64_bits():
    big, length = (1 << 61) + 12345, 30 * DAY_US + 1
    rows = table([Row(1, day_us(0), 0), Row(1, day_us(0) + length, big)])
    at = day_us(0) + 17 * DAY_US + 991
    found = consumption(
        rows, ONE, np.array([day_us(0), at, day_us(0) + length]), reach=timedelta(days=40), interpolate=True
    )
    first = big * (at - day_us(0)) // length
    assert values(found) == [first, big - first]


@pytest.mark.parametrize(
    ("last", "register", "value", "flag"),
    [
        pytest.param(30, Register(rollover_at=1000), 60, M | Flag.ROLLOVER, id="a short way over the last digit"),
        pytest.param(30, Register(), None, Flag.ANOMALOUS, id="no width known"),
        pytest.param(900, Register(rollover_at=1000), None, Flag.ANOMALOUS, id="nearly a whole turn"),
        pytest.param(70, Register(rollover_at=1000), 100, M | Flag.ROLLOVER, id="a tenth of a turn"),
        pytest.param(71, Register(rollover_at=1000), None, Flag.ANOMALOUS, id="more than a tenth of a turn"),
        pytest.param(
            210,
            Register(rollover_at=1000, hourly_max=10),
            240,
            M | Flag.ROLLOVER,
            id="as much as the fuse",
        ),
        pytest.param(211, Register(rollover_at=1000, hourly_max=10), None, Flag.ANOMALOUS, id="more than the fuse"),
        pytest.param(
            500, Register(rollover_at=1000, hourly_max=1000), None, Flag.ANOMALOUS, id="more than half a turn"
        ),
        pytest.param(30, Register(rollover_at=970), None, Flag.ANOMALOUS, id="a reading beyond the width"),
        pytest.param(-1, Register(rollover_at=1000), None, Flag.ANOMALOUS, id="below nought"),
        pytest.param(960, Register(falls=True), -10, M, id="a register that may fall"),
        pytest.param(1300, Register(hourly_max=10), None, Flag.ANOMALOUS, id="forward, more than the fuse"),
        pytest.param(1210, Register(hourly_max=10), 240, M, id="forward as the fuse"),
    ],
)
def test_how_a_step_is_judged(last: int, register: Register, value: int | None, flag: Flag):
    found = consumption(table(daily(1, [970, last])), ONE, days(1), register=register)
    assert (values(found), flags(found)) == ([value], [flag])


@pytest.mark.parametrize(("end", "value", "flag"), [(0, 40, M | Flag.RESET), (1, 40, M | Flag.RESET)])
def test_an_announced_reset_counts_from_nought(end: int, value: int, flag: Flag):
    window = ResetWindow(zone=ZoneInfo("UTC"), start=time(23, 59), end=time(0, end))
    found = consumption(table(daily(1, [970, 40])), ONE, days(1), register=Register(reset=window))
    assert (values(found), flags(found)) == ([value], [flag])


def test_a_reset_is_announced_in_the_zone_of_its_clock():
    window = ResetWindow(zone=ZoneInfo("Asia/Shanghai"), start=time(0, 0), end=time(0, 5))
    noon_utc = consumption(table(daily(1, [970, 40])), ONE, days(1), register=Register(reset=window))
    assert values(noon_utc) == [None]
    midnight = [Row(1, day_us(0) - 8 * HOUR_US, 970), Row(1, day_us(1) - 8 * HOUR_US, 40)]
    found = consumption(table(midnight), ONE, days(1) - 8 * HOUR_US, register=Register(reset=window))
    assert values(found) == [40]


def test_an_anomaly_spoils_its_own_interval_and_no_other():
    found = consumption(table(daily(1, [100, 110, 60, 65])), ONE, days(3))
    assert values(found) == [10, None, 5]
    whole = consumption(table(daily(1, [100, 110, 60, 65])), ONE, days(3)[[0, 3]])
    assert values(whole) == [None]
    assert flags(whole) == [Flag.ANOMALOUS | Flag.PARTIAL]
    assert whole.part.tolist() == [[15]]


@pytest.mark.parametrize("odd", [0, 99_999])
def test_a_single_reading_that_both_its_neighbours_contradict_gives_no_consumption(odd: int):
    found = consumption(table(daily(1, [1000, 1010, odd, 1030, 1040])), ONE, days(4))
    assert values(found) == [10, None, None, 10]
    assert flags(found)[1:3] == [Flag.ANOMALOUS] * 2


def test_an_exchange_with_both_readings_is_continuous():
    spans = Spans.of([(7, 1, day_us(-9), day_us(1.5)), (7, 2, day_us(1.5), STILL_THERE_US)])
    rows = [*daily(1, [100, 110]), Row(1, day_us(1.5), 114), Row(2, day_us(1.5), 3), *daily(2, [8, 20], first_day=2)]
    found = consumption(table(rows), spans, days(3))
    assert found.points.tolist() == [7]
    assert values(found) == [10, 4 + 5, 12]
    assert flags(found) == [M, M | Flag.EXCHANGE, M]


def test_an_exchange_without_its_readings_has_no_value_and_says_so():
    spans = Spans.of([(7, 1, day_us(-9), day_us(1.5)), (7, 2, day_us(1.5), STILL_THERE_US)])
    rows = [*daily(1, [100, 110]), *daily(2, [8, 20], first_day=2)]
    found = consumption(table(rows), spans, days(3), interpolate=True, reach=timedelta(days=9))
    assert values(found) == [10, None, 12]
    assert flags(found)[1] == Flag.GAP | Flag.EXCHANGE


def test_time_without_a_meter_is_not_measured():
    spans = Spans.of([(7, 1, day_us(0), day_us(1)), (7, 2, day_us(2), STILL_THERE_US)])
    rows = [*daily(1, [100, 110, 999]), *daily(2, [7, 8, 20], first_day=1)]
    found = consumption(table(rows), spans, days(3))
    assert values(found) == [10, None, 12]
    assert flags(found)[1] == Flag.GAP | Flag.EXCHANGE


def test_a_meter_that_moves_leaves_its_reading_at_both_places():
    spans = Spans.of([(7, 1, day_us(0), day_us(1)), (5, 1, day_us(1), STILL_THERE_US)])
    found = consumption(table(daily(1, [100, 110, 140])), spans, days(2))
    assert found.points.tolist() == [5, 7]
    assert values(found, 0) == [None, 30]
    assert values(found, 1) == [10, None]


def test_a_multiplier_takes_effect_at_its_instant():
    ratios = Ratios.of([(1, SINCE_EVER_US, Fraction(40)), (1, day_us(1), Fraction(60))])
    found = consumption(table(daily(1, [100, 101, 103])), ONE, days(2), ratios=ratios)
    assert values(found) == [40, 120]


def test_a_multiplier_that_changes_between_two_readings_leaves_no_value():
    ratios = Ratios.of([(1, day_us(0.5), Fraction(60))])
    found = consumption(table(daily(1, [100, 101, 103])), ONE, days(2), ratios=ratios)
    assert values(found) == [None, 120]
    assert flags(found) == [Flag.MULTIPLIER, M]
    still = consumption(table(daily(1, [100, 100, 103])), ONE, days(2), ratios=ratios)
    assert values(still) == [0, 180]


def test_a_fraction_is_rounded_at_the_reading_so_that_the_days_add_up():
    ratios = Ratios.of([(1, SINCE_EVER_US, Fraction(10, 3))])
    found = consumption(table(daily(1, range(10))), ONE, days(9), ratios=ratios)
    assert values(found) == [3, 4, 3, 3, 4, 3, 3, 4, 3]
    assert sum(values(found)) == 30


def test_a_rollover_with_a_fraction_does_not_depend_on_where_one_begins_to_look():
    ratios = Ratios.of([(1, SINCE_EVER_US, Fraction(1, 3))])
    rows, register = table(daily(1, [96, 99, 4, 8])), Register(rollover_at=100)
    whole = values(consumption(rows, ONE, days(3), register=register, ratios=ratios))
    assert whole == [1, 33 - 33 + 1, 2]
    assert values(consumption(rows, ONE, days(3)[1:], register=register, ratios=ratios)) == whole[1:]


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param(Row(1, day_us(1), 999, received=day_us(1)), id="received before"),
        pytest.param(Row(1, day_us(1), None), id="no value"),
        pytest.param(Row(1, day_us(1), 999, source=Source.ESTIMATED, received=day_us(2000)), id="an estimate"),
        pytest.param(Row(1, day_us(1), 999, quality=Quality.TIME_INVALID, received=day_us(2000)), id="time invalid"),
        pytest.param(Row(1, day_us(1), 999, profile=Profile.CURVE, received=day_us(1)), id="another series"),
        pytest.param(Row(1, day_us(1), 110), id="the same again"),
    ],
)
def test_of_several_readings_at_an_instant_the_best_counts(worse: Row):
    rows = daily(1, [100, 110, 120])
    for order in ([*rows, worse], [worse, *rows]):
        assert values(consumption(table(order), ONE, days(2))) == [10, 10]


def test_an_estimate_alone_is_no_reading():
    rows = [*daily(1, [100, None, 120]), Row(1, day_us(1), 105, source=Source.ESTIMATED)]
    assert values(consumption(table(rows), ONE, days(2))) == [None, None]


def test_many_points_are_worked_on_a_few_at_a_time_with_the_same_answer(monkeypatch: pytest.MonkeyPatch):
    rows = table([row for meter in range(1, 12) for row in daily(meter, [0, meter, 3 * meter])])
    whole = consumption(rows, Spans.of_meters(range(1, 14)), days(2))
    monkeypatch.setattr(usage, "_CELLS_AT_ONCE", 7)
    pieces = consumption(rows, Spans.of_meters(range(1, 14)), days(2))
    assert pieces.to_arrow().equals(whole.to_arrow())
    assert values(pieces, 10) == [11, 22]


def test_no_readings_no_points():
    assert values(consumption(table([]), ONE, days(2))) == [None, None]
    assert consumption(table(daily(1, [1, 2])), Spans.of([]), days(1)).value.shape == (0, 1)


def test_times_no_calendar_holds_are_no_readings():
    rows = [*daily(1, [100, 110]), Row(1, 2**62, 5), Row(1, 2**63 - 1, 6), Row(1, -(2**63), 7)]
    assert values(consumption(table(rows), ONE, days(1))) == [10]


def test_numbers_at_the_edge_of_64_bits_are_anomalies():
    top = 2**63 - 1
    found = consumption(table(daily(1, [0, top, -top, -(2**63), 5, 6])), ONE, days(5))
    assert values(found) == [None, None, None, None, 1]
    assert values(consumption(table(daily(1, [0, 2**61])), ONE, days(1), ratios=Ratios.of([(1, 0, Fraction(2))]))) == [
        None
    ]


def test_a_fraction_does_not_let_numbers_in_that_cannot_be_subtracted():
    third = Ratios.of([(1, SINCE_EVER_US, Fraction(1, 3))])
    found = consumption(table(daily(1, [2**63 - 1, -(2**63), -(2**63)])), ONE, days(2), ratios=third)
    assert values(found) == [None, None]


def test_a_sum_that_leaves_64_bits_is_an_anomaly():
    resets = Register(reset=ResetWindow(zone=ZoneInfo("UTC")))
    rows = [Row(1, day_us(0) + number * HOUR_US, (number % 2) << 61) for number in range(25)]
    found = consumption(table(rows), ONE, days(1), register=resets)
    assert values(found) == [None]
    assert flags(found) == [Flag.ANOMALOUS | Flag.RESET | Flag.PARTIAL]
    assert found.part.tolist() == [[0]]
    assert values(consumption(table(rows), ONE, np.array([rows[0].ts, rows[1].ts]), register=resets)) == [1 << 61]


def test_meters_may_have_registers_of_their_own():
    rows = table([*daily(1, [990, 5]), *daily(2, [990, 5]), *daily(3, [990, 5])])
    registers = {2: Register(rollover_at=1000)}
    found = consumption(rows, Spans.of_meters([1, 2, 3]), days(1), registers=registers)
    assert [values(found, point) for point in range(3)] == [[None], [15], [None]]


def test_the_answer_as_a_table():
    found = consumption(table(daily(1, [100, None, 120, 130])), ONE, days(3)).to_arrow("meter")
    assert found.column_names == ["meter", "start", "end", "value", "part", "flags", "completeness"]
    assert found.column("value").to_pylist() == [None, None, 10]
    assert found.column("completeness").to_pylist() == [0.0, 0.0, 1.0]
    assert found.column("end")[0].as_py().isoformat() == "2026-01-02T00:00:00+00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda: rollover_at(0, 0, 0), id="no digits"),
        pytest.param(lambda: rollover_at(6, 7, -7), id="more decimals than digits"),
        pytest.param(lambda: rollover_at(4, 4, 1), id="steps wider than the register"),
        pytest.param(lambda: rollover_at(20, 0, 0), id="beyond 64 bits"),
        pytest.param(lambda: Register(rollover_at=0), id="a turn of nothing"),
        pytest.param(lambda: Register(hourly_max=2**62), id="no bound"),
        pytest.param(lambda: Ratios.of([(1, 0, Fraction(0))]), id="a multiplier of nothing"),
        pytest.param(lambda: Ratios.of([(1, 0, Fraction(2**30))]), id="a multiplier too large"),
        pytest.param(lambda: Ratios.of([(1, 0, Fraction(2)), (1, 0, Fraction(3))]), id="two at once"),
        pytest.param(lambda: Spans.of([(7, 1, 5, 5)]), id="a span of no length"),
        pytest.param(lambda: Spans.of([(7, 1, 0, 9), (8, 1, 5, 12)]), id="a meter at two places"),
        pytest.param(lambda: Spans.of([(7, 1, 0, 9), (7, 2, 5, 12)]), id="two meters at one place"),
        pytest.param(lambda: consumption(table([]), ONE, np.array([1])), id="no interval"),
        pytest.param(lambda: consumption(table([]), ONE, np.array([1, 1])), id="an interval of no length"),
        pytest.param(lambda: consumption(table([]), ONE, np.array([-(2**63), 0])), id="before all time"),
        pytest.param(lambda: consumption(table([]), ONE, np.array([0, 2**62])), id="after all time"),
        pytest.param(lambda: consumption(table([]), ONE, days(1), reach=timedelta(-1)), id="a negative reach"),
        pytest.param(
            lambda: consumption(table([Row(1, 0, 1), Row(1, 0, 1, quantity=IMPORT + 1)]), ONE, days(1)),
            id="two quantities",
        ),
        pytest.param(lambda: consumption(table([]).drop_columns(["value"]), ONE, days(1)), id="a column missing"),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


def test_where_a_register_rolls_over():
    assert rollover_at(8, 2, -4) == 10**10
    assert rollover_at(5, 0, -6) == 10**11


def test_every_flag_has_words():
    assert set(WORDS) == set(Flag)
    assert all(words.en and words.zh for words in WORDS.values())
