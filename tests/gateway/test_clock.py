"""The time of day of a box that may have lost it."""

from __future__ import annotations

import time

from meterweave.gateway.clock import TOLERATED_US, SiteClock

HOUR_US = 3_600_000_000


def now_us() -> int:
    return time.time_ns() // 1000


def test_a_time_before_what_was_written_cannot_be_true_until_the_centre_tells_it() -> None:
    clock = SiteClock(now_us() + HOUR_US)
    assert not clock.is_set
    clock.told(now_us() + 3 * HOUR_US, 0)
    assert clock.is_set
    assert abs(clock() - now_us() - 3 * HOUR_US) < 60_000_000


def test_a_clock_that_is_about_right_goes_by_itself() -> None:
    clock = SiteClock(0)
    assert clock.is_set
    clock.told(now_us() + TOLERATED_US // 2, 0)
    assert clock.offset_us == 0


def test_a_clock_that_is_put_right_goes_by_itself_again() -> None:
    clock = SiteClock(0)
    clock.told(now_us() - HOUR_US, 0)
    assert clock() < now_us()
    clock.told(now_us(), 0)
    assert clock.offset_us == 0


def test_a_clock_that_was_ahead_when_something_was_written_is_put_right_too() -> None:
    clock = SiteClock(now_us() + HOUR_US)
    clock.told(now_us(), 0)
    assert clock.is_set
    assert clock.offset_us == 0


def test_a_slow_answer_does_not_put_a_right_clock_wrong() -> None:
    for since_s in (0, 4, 8):  # how long the answer itself was on its way, of eight seconds
        clock = SiteClock(0)
        clock.told(now_us() - since_s * 1_000_000, 8_000_000)
        assert clock.offset_us == 0


def test_by_a_slow_answer_a_wrong_clock_is_put_right_by_its_middle() -> None:
    clock = SiteClock(now_us() + HOUR_US)
    clock.told(now_us() + HOUR_US - 4_000_000, 8_000_000)
    assert clock.is_set
    assert abs(clock.offset_us - HOUR_US) < 1_000_000
