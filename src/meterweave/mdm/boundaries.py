"""Where intervals begin and end: instants in UTC, made from a named zone's calendar or from a fixed length.

A day or month goes from one local midnight to the next, so a day with a clock change has 23 or 25 hours. Where a zone
skips a midnight, the day begins as the clocks jump.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import ConfigError
from meterweave.metering.clock import utc_us

INTERVALS_MAX = 4_000_000
"""Most intervals asked for at once: seven years of minutes."""

INSTANT_MAX = 1 << 62
"""Instants are nearer to 1970 than this, so that they can be subtracted. [us]"""


def local_days(first: date, last: date, zone: ZoneInfo) -> NDArray[np.int64]:
    """The boundaries of the local days from `first` to `last`, both included; int64[days + 1], us since 1970, UTC.

    Raises
    ------
    ConfigError
        If `last` is before `first`.
    """
    count = (last - first).days + 1
    if count < 1:
        raise ConfigError(f"the last day is not before the first: {first} to {last}")
    return _midnights([first + timedelta(days=number) for number in range(count + 1)], zone)


def local_months(first: date, last: date, zone: ZoneInfo) -> NDArray[np.int64]:
    """The boundaries of the local months of `first` to that of `last`, both included; int64[months + 1].

    Raises
    ------
    ConfigError
        If `last` is in a month before that of `first`.
    """
    begin, end = first.year * 12 + first.month - 1, last.year * 12 + last.month
    if end <= begin:
        raise ConfigError(f"the last month is not before the first: {first:%Y-%m} to {last:%Y-%m}")
    return _midnights([date(number // 12, number % 12 + 1, 1) for number in range(begin, end + 1)], zone)


def every(length: timedelta, start: datetime, end: datetime) -> NDArray[np.int64]:
    """Boundaries `length` apart from `start` on; the last one at `end` or the first after it. Aware times.

    Raises
    ------
    ConfigError
        If the times have no zone, `end` is not after `start`, or that would be more than `INTERVALS_MAX` intervals.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ConfigError(f"the start and the end need a time zone: {start}, {end}")
    step_us, span_us = length // timedelta(microseconds=1), (end - start) // timedelta(microseconds=1)
    if step_us < 1 or span_us < 1 or span_us // step_us > INTERVALS_MAX:
        raise ConfigError(f"from {start} to {end} by {length} is not between 1 and {INTERVALS_MAX} intervals")
    count = -(-span_us // step_us)
    start_us = (start - datetime.fromtimestamp(0, start.tzinfo)) // timedelta(microseconds=1)
    return start_us + step_us * np.arange(count + 1, dtype=np.int64)


def checked(boundaries: NDArray[np.int64]) -> NDArray[np.int64]:
    """`boundaries`, if they are two or more possible instants that ascend.

    Raises
    ------
    ConfigError
        If they are not.
    """
    if len(boundaries) < 2 or (np.diff(boundaries) <= 0).any():
        raise ConfigError("boundaries of intervals are two or more instants, each after the one before")
    if not -INSTANT_MAX < boundaries[0] < boundaries[-1] < INSTANT_MAX:
        raise ConfigError(f"boundaries are less than 2^62 us from 1970, not {boundaries[0]} to {boundaries[-1]}")
    if len(boundaries) > INTERVALS_MAX + 1:
        raise ConfigError(f"{len(boundaries) - 1} intervals at once, more than {INTERVALS_MAX}")
    return np.asarray(boundaries, np.int64)


def _midnights(days: list[date], zone: ZoneInfo) -> NDArray[np.int64]:
    return np.array([utc_us(datetime(day.year, day.month, day.day), zone) for day in days], np.int64)
