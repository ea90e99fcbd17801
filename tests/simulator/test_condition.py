"""Relay and interruptions of a meter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterweave.simulator.condition import NEVER_S, TRIPS_MAX, Condition, Span, joined

SPANS = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda one: Span(one[0], one[0] + one[1]))


@given(st.lists(SPANS))
def test_joined_spans_hold_the_same_moments_and_never_overlap(spans):
    found = joined(spans)
    for at_s in range(90):
        assert sum(span.holds(at_s) for span in found) == any(span.holds(at_s) for span in spans)


def test_a_permitted_relay_stays_open_until_it_is_closed():
    condition = Condition()
    assert condition.trip(10)
    condition.permit()
    assert (condition.closed, condition.permitted) == (False, True)
    condition.close(50)
    condition.permit()
    assert (condition.closed, condition.permitted) == (True, False)
    assert condition.interrupted() == (Span(10, 50),)


def test_a_second_trip_changes_nothing():
    condition = Condition()
    condition.trip(10)
    condition.trip(20)
    assert condition.interrupted() == (Span(10, NEVER_S),)


def test_interruptions_are_those_of_the_network_and_of_the_relay():
    condition = Condition((Span(5, 20),))
    condition.trip(10)
    condition.close(30)
    assert condition.interrupted() == (Span(5, 30),)
    assert [condition.powered(at_s) for at_s in (5, 6, 20, 21)] == [True, False, False, True]


def test_the_number_of_interruptions_is_bounded():
    condition = Condition()
    for number in range(2 * TRIPS_MAX):
        condition.trip(10 * number)
        condition.close(10 * number + 5)
    assert len(condition.trips) == TRIPS_MAX
