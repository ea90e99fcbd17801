"""The parts of collection that decide: when to ask, what to ask, what to look at, what a meter has."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import ConfigError
from meterweave.headend.collection import CollectionSettings
from meterweave.headend.collection.agenda import Agenda, Errand
from meterweave.headend.collection.book import Book
from meterweave.headend.collection.counting import Found, Hole, Look, divided
from meterweave.headend.collection.gap import (
    NOT_ASKED,
    Gap,
    first_try_us,
    new_gap,
    offset_us,
    operations,
    together,
    tomorrow_us,
)
from meterweave.headend.collection.gate import Lane
from meterweave.headend.collection.plan import MeterKind, Plan
from meterweave.headend.collection.record import Counts, Key, Remembered
from meterweave.headend.collection.roster import Post, Roster
from meterweave.metering.quantities import obis_code, obis_text
from meterweave.registry.collection import GapState, Series
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Channel, Enrolment, Phase, Utility, Wiring

from .collecting import DAY_US, ENERGY, MIDNIGHT, QUARTER_US, VOLTAGE, us

DAY = date(2026, 6, 10)
START_US = us(MIDNIGHT)
SETTINGS = CollectionSettings(operation_values_max=1000, attempts_max=4, retry_first_s=30.0, retry_max_s=100.0)
CURVE = Plan(1, "curve", Utility.ELECTRICITY, Series.CURVE, 900, (ENERGY, VOLTAGE), 900, 7, True, None, None)


def found(missing: int = 8, meters: int = 1, *, day: date = DAY, count: int = 96) -> Found:
    start_us = START_US + (day - DAY).days * DAY_US
    holes = (Hole(tuple(range(1, meters + 1)), (ENERGY, VOLTAGE), count, start_us, start_us + count * QUARTER_US),)
    return Found(70, day, missing, meters, start_us, holes)


def gap(**values: object) -> Gap:
    one = new_gap(found(), CURVE, SETTINGS, now_s=0.0)
    for name, value in values.items():
        setattr(one, name, value)
    return one


def entry(meter: int) -> MeterEntry:
    return MeterEntry(
        meter, 70, Utility.ELECTRICITY, "dlt645", f"{meter:012d}", meter, None, None, None, None, None, None, None
    )


def test_what_brings_nothing_is_asked_for_ever_more_seldom_and_then_once_a_day() -> None:
    one, now_us, pauses = gap(), START_US, []
    while one.state is GapState.OPEN:
        one.ask()
        one.answered(1.0)
        assert not one.is_ready(now_us)
        one.counted(found(), CURVE, SETTINGS, now_us=now_us, now_s=1.0)
        pauses.append(one.next_us - now_us)
        assert not one.is_ready(one.next_us - 1)
        now_us = one.next_us
    assert pauses[:-1] == [30_000_000, 60_000_000, 100_000_000]
    assert 0 < pauses[-1] <= DAY_US
    for _ in range(3):
        assert one.is_ready(now_us)
        one.ask()
        one.answered(1.0)
        one.counted(found(), CURVE, SETTINGS, now_us=now_us, now_s=1.0)
        assert (one.state, one.next_us) == (GapState.GIVEN_UP, now_us + DAY_US)
        now_us = one.next_us


def test_all_that_was_given_up_of_a_terminal_is_tried_again_together() -> None:
    at = {tomorrow_us(70, START_US + hour * 3_600_000_000) % DAY_US for hour in range(24)}
    assert len(at) == 1
    assert len({tomorrow_us(terminal, START_US) for terminal in range(100)}) > 90
    assert all(0 < tomorrow_us(terminal, START_US) - START_US <= DAY_US for terminal in range(100))


def test_a_login_in_a_minute_does_not_take_up_what_was_given_up_but_a_return_does() -> None:
    one = gap(state=GapState.GIVEN_UP, attempts=9, next_us=START_US + DAY_US)
    one.entered(SETTINGS, START_US)
    assert (one.state, one.next_us) == (GapState.GIVEN_UP, START_US + DAY_US)
    one.take_up(START_US)
    assert (one.state, one.attempts, one.is_ready(START_US)) == (GapState.OPEN, 0, True)


def test_what_comes_by_itself_has_the_rest_asked_for_again() -> None:
    one = gap(state=GapState.GIVEN_UP, attempts=9, next_us=START_US + DAY_US)
    one.counted(found(7), CURVE, SETTINGS, now_us=START_US, now_s=1.0)
    assert (one.state, one.attempts, one.is_ready(START_US)) == (GapState.OPEN, 0, True)
    never_asked = gap(next_us=START_US + DAY_US)
    never_asked.counted(found(7), CURVE, SETTINGS, now_us=START_US, now_s=1.0)
    assert not never_asked.is_ready(START_US)  # it has its own place in time still


def test_pauses_can_be_doubled_for_years() -> None:
    one, patient = gap(attempts=5000, next_us=0), CollectionSettings(attempts_max=10_000)
    one.ask()
    one.answered(1.0)
    one.counted(found(), CURVE, patient, now_us=START_US, now_s=1.0)
    assert one.next_us == START_US + 6 * 3_600_000_000


def test_what_brings_something_is_asked_again_at_once() -> None:
    one = gap(attempts=3, asked=(8, 1), answered_s=1.0, next_us=0)
    one.counted(found(7), CURVE, SETTINGS, now_us=START_US + DAY_US, now_s=1.0)
    assert (one.attempts, one.is_ready(START_US + DAY_US)) == (0, True)


def test_who_logs_in_is_asked_at_once_but_not_for_ever_in_vain() -> None:
    waits = []
    for attempts in range(3):
        one = gap(attempts=attempts, next_us=START_US + DAY_US)
        one.entered(SETTINGS, START_US)
        waits.append((one.next_us - START_US) // 1_000_000)
    assert waits == [0, 30, 60]


def test_a_count_that_began_before_the_answer_came_says_nothing_of_it() -> None:
    one = gap(next_us=0)
    one.ask()
    one.counted(found(), CURVE, SETTINGS, now_us=START_US, now_s=5.0)
    one.answered(6.0)
    one.counted(found(), CURVE, SETTINGS, now_us=START_US, now_s=5.9)
    assert (one.attempts, one.is_ready(START_US)) == (0, False)
    one.counted(found(), CURVE, SETTINGS, now_us=START_US, now_s=6.0)
    assert one.attempts == 1


def test_a_gap_given_up_is_taken_up_again_when_others_lack_something() -> None:
    one = gap(state=GapState.GIVEN_UP, attempts=4, next_us=START_US + 9 * DAY_US)
    one.counted(found(9, 1), CURVE, SETTINGS, now_us=START_US + DAY_US, now_s=1.0)
    assert one.state is GapState.GIVEN_UP  # the same meter lacks more, as was to be expected
    one.counted(found(9, 2), CURVE, SETTINGS, now_us=START_US + DAY_US, now_s=1.0)
    assert one.is_ready(START_US + DAY_US)


@given(st.integers(0, 2**62), st.floats(0.001, 1e5))
def test_every_terminal_has_its_own_place_in_time(terminal: int, spread_s: float) -> None:
    assert 0 <= offset_us(terminal, spread_s) < max(1, round(spread_s * 1e6))
    assert offset_us(terminal, spread_s) == offset_us(terminal, spread_s)


def test_terminals_are_spread_evenly_after_the_deadline() -> None:
    tenths = [offset_us(terminal, 900.0) // 90_000_000 for terminal in range(10_000)]
    assert all(900 < tenths.count(tenth) < 1100 for tenth in range(10))
    first_us = first_try_us(found(), CURVE, SETTINGS)
    assert START_US + 900_000_000 <= first_us < START_US + 1_800_000_000


def test_days_before_the_newest_are_asked_for_together_as_far_as_they_fit() -> None:
    days = [gap(day=DAY - timedelta(days=n), holes=found(day=DAY - timedelta(days=n)).holes) for n in (2, 0, 1, 3, 5)]
    other = gap(plan=2, day=DAY)
    chosen = together([*days, other], CollectionSettings(operation_values_max=3 * 192))
    assert [(one.plan, one.day) for one in chosen] == [(1, DAY - timedelta(days=n)) for n in (0, 1, 2)]
    (operation,) = operations(chosen, CURVE, [entry(1)], CollectionSettings())
    assert (operation.from_us, operation.to_us) == (START_US - 2 * DAY_US, START_US + DAY_US)
    apart = operations([days[1], days[4]], CURVE, [entry(1)], CollectionSettings())
    assert [one.from_us for one in apart] == [START_US, START_US - 5 * DAY_US]


def test_no_operation_asks_for_more_than_it_may() -> None:
    one = gap(holes=found(meters=20).holes)
    asked = operations([one], CURVE, [entry(meter) for meter in range(1, 20)], SETTINGS)
    assert [len(operation.meters) for operation in asked] == [5, 5, 5, 4]  # the archives know one meter less
    assert all(len(operation.meters) * 2 * 96 <= 1000 for operation in asked)
    one.one_by_one = True
    singly = operations([one], CURVE, [entry(meter) for meter in range(1, 20)], SETTINGS)
    assert {operation.quantities for operation in singly} == {(ENERGY,), (VOLTAGE,)}


def test_what_a_meter_has_follows_from_its_wiring_and_tariffs() -> None:
    obis = ("1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.4", "1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0", "0-0:96.9.0")
    plan = CURVE._replace(quantities=tuple(obis_code(one) for one in obis))

    def has(
        wiring: Wiring | None, tariffs: int | None = None, phase: Phase | None = None, utility: Utility = plan.utility
    ) -> list[str]:
        return [obis_text(code) for code in plan.wanted(MeterKind(utility, wiring, phase, tariffs))]

    single = ["1-0:1.8.0", "1-0:32.7.0", "0-0:96.9.0"]
    assert has(Wiring.SINGLE_PHASE) == has(None) == has(Wiring.SINGLE_PHASE, phase=Phase.B) == single
    assert has(Wiring.SINGLE_PHASE, 2) == ["1-0:1.8.0", "1-0:1.8.1", "1-0:32.7.0", "0-0:96.9.0"]
    assert has(Wiring.FOUR_WIRE, 4) == has(None, 4, Phase.ABC) == list(obis)
    assert has(Wiring.THREE_WIRE) == ["1-0:1.8.0", "1-0:32.7.0", "1-0:72.7.0", "0-0:96.9.0"]
    assert has(None, utility=Utility.GAS) == []


def test_the_agenda_gives_what_was_counted_before_first_and_newest_days_first() -> None:
    agenda = Agenda()
    days = [DAY - timedelta(days=n) for n in range(4)]
    for day in days:
        agenda.add(1, day, None)
    agenda.add(2, days[0], None)
    agenda.add(1, days[0], {5})  # all of them are looked at anyway
    agenda.add(2, days[3], {7})
    agenda.add(2, days[3], {8})
    assert agenda.take(lambda plan: 9) == Errand(2, (days[3],), frozenset({7, 8}))
    assert agenda.take(lambda plan: 2) == Errand(1, (days[1], days[0]), None)
    assert agenda.take(lambda plan: 2) == Errand(2, (days[0],), None)
    agenda.forget(lambda plan, day: day != days[3])
    assert agenda.take(lambda plan: 2) == Errand(1, (days[2],), None)
    assert agenda.take(lambda plan: 2) is None
    assert not agenda


def test_days_of_different_terminals_are_not_looked_at_together() -> None:
    agenda = Agenda()
    agenda.add(1, DAY, range(10))
    agenda.add(1, DAY - timedelta(days=1), range(9))
    agenda.add(1, DAY - timedelta(days=2), range(90, 190))
    found = []
    while errand := agenda.take(lambda plan: 9):
        found.append((len(errand.days), len(errand.terminals or ())))
    assert found == [(2, 10), (1, 100)]


def test_settings_have_to_be_possible() -> None:
    with pytest.raises(ConfigError, match="calls_max must be positive"):
        CollectionSettings(calls_max=0)
    assert CollectionSettings().calls_of(Channel.NB_IOT) == 32
    assert CollectionSettings(channel_calls_max={}).calls_of(Channel.NB_IOT) == 128


def look(*gaps: Found) -> Look:
    none = np.zeros((1, 1), np.int64)
    return Look(np.zeros(1, np.intp), (DAY,), none, none, none, gaps, (), ())


def test_a_call_that_ends_after_its_gap_was_closed_does_not_open_it_again() -> None:
    post = Post(70, "dlt698", "1", Lane(Channel.CELLULAR, None), None, None, Enrolment.ENTERED)
    nobody = np.empty(0, np.int64)
    book = Book(
        Roster((post,), (), nobody, nobody.astype(np.intp), nobody.astype(np.intp), nobody, nobody), SETTINGS, {}
    )
    book.apply(CURVE, look(found()), now_us=START_US, now_s=0.0)
    (one,) = book.gaps_of(70)
    one.ask()
    book.apply(CURVE, look(), now_us=START_US, now_s=1.0)
    book.note(one)
    assert book.gaps_of(70) == []
    assert book.take_writes().gaps == {Key(70, CURVE.id, DAY): None}


def test_a_book_that_takes_a_look_in_in_parts_is_the_same() -> None:
    posts = tuple(
        Post(one, "dlt698", str(one), Lane(Channel.CELLULAR, None), None, None, Enrolment.ENTERED) for one in range(9)
    )
    nobody = np.empty(0, np.int64)
    roster = Roster(posts, (), nobody, nobody.astype(np.intp), nobody.astype(np.intp), nobody, nobody)
    days = (DAY - timedelta(days=1), DAY)
    counts = np.arange(2 * 8).reshape(8, 2)
    gaps = tuple(found(day=day)._replace(terminal=one) for one in (1, 3, 4, 8) for day in days)
    whole = Look(np.arange(1, 9), days, counts + 2, counts, counts + 1, gaps, (), ())
    books = [Book(roster, SETTINGS, {}) for _ in range(2)]
    lacking = books[0].apply(CURVE, whole, now_us=START_US, now_s=0.0)
    parts = list(divided(whole, roster, 3))
    assert [len(part.places) for part in parts] == [3, 3, 2]
    assert lacking == set().union(*(books[1].apply(CURVE, part, now_us=START_US, now_s=0.0) for part in parts))
    assert books[0].take_writes() == books[1].take_writes()
    figures = [book.progress([CURVE], counted=True, under_way=0, waiting=0) for book in books]
    assert figures[0] == figures[1]


def test_what_an_earlier_process_gave_up_is_taken_up_when_its_terminal_was_away() -> None:
    post = Post(70, "dlt698", "1", Lane(Channel.CELLULAR, None), None, None, Enrolment.ENTERED)
    nobody = np.empty(0, np.int64)
    roster = Roster((post,), (), nobody, nobody.astype(np.intp), nobody.astype(np.intp), nobody, nobody)
    before = Remembered(9, START_US + DAY_US, GapState.GIVEN_UP, NOT_ASKED)
    book = Book(roster, SETTINGS, {Key(70, CURVE.id, DAY): before})
    book.take_up(70, START_US)
    book.apply(CURVE, look(found()), now_us=START_US, now_s=0.0)
    (one,) = book.gaps_of(70)
    assert (one.state, one.attempts, one.is_ready(START_US)) == (GapState.OPEN, 0, True)


def test_counts_that_are_not_written_yet_outlive_a_change_of_the_archives() -> None:
    def posts(*terminals: int) -> Roster:
        nobody = np.empty(0, np.int64)
        lane = Lane(Channel.CELLULAR, None)
        some = tuple(Post(one, "dlt698", str(one), lane, None, None, Enrolment.ENTERED) for one in terminals)
        return Roster(some, (), nobody, nobody.astype(np.intp), nobody.astype(np.intp), nobody, nobody)

    book = Book(posts(1, 2, 3), SETTINGS, {})
    counts = np.array([[5], [6], [7]])
    book.apply(CURVE, Look(np.arange(3), (DAY,), counts, counts, counts, (), (), ()), now_us=0, now_s=0.0)
    written = book.take_writes()
    assert not book.has_writes
    book.give_back(written)
    book.follow(posts(0, 1, 3))
    first, third = Key(1, CURVE.id, DAY), Key(3, CURVE.id, DAY)
    assert book.take_writes().success == {first: Counts(5, 5, 5), third: Counts(7, 7, 7)}
    book.follow(posts(3))
    book.give_back(written)  # the others are gone
    assert book.take_writes().success == {third: Counts(7, 7, 7)}
    assert not book.has_writes


def test_no_more_is_written_at_once_than_a_transaction_may_hold() -> None:
    lane, nobody = Lane(Channel.CELLULAR, None), np.empty(0, np.int64)
    count = 3000
    some = tuple(Post(one, "dlt698", str(one), lane, None, None, Enrolment.ENTERED) for one in range(count))
    roster = Roster(some, (), nobody, nobody.astype(np.intp), nobody.astype(np.intp), nobody, nobody)
    book = Book(roster, SETTINGS, {})
    counts = np.ones((count, 7), np.int64)
    days = tuple(DAY - timedelta(days=ago) for ago in range(6, -1, -1))
    book.apply(CURVE, Look(np.arange(count), days, counts, counts, counts, (), (), ()), now_us=0, now_s=0.0)
    taken = []
    while writes := book.take_writes():
        taken.append(writes.success)
    assert max(map(len, taken)) == 5000
    assert len({key for some in taken for key in some}) == sum(map(len, taken)) == 7 * count
