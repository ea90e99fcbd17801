"""The moments for which a plan expects readings, local day by local day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.headend.collection.plan import Plan
from meterweave.lake.days import day_span_us
from meterweave.registry.collection import Series

Ints = NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def instant(us: int) -> datetime:
    """Microseconds since 1970, UTC, as an aware time."""
    return _EPOCH + timedelta(microseconds=us)


def instant_us(moment: datetime) -> int:
    """`instant` undone."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def local_day(at_us: int, zone: ZoneInfo) -> date:
    """The local day of an instant. [us since 1970, UTC]"""
    return instant(at_us).astimezone(zone).date()


def day_moments(plan: Plan, day: date, zone: ZoneInfo) -> Ints:
    """The moments of one local day, as readings are filed under it; int64[n]. [us since 1970, UTC]

    A day begins with its midnight: the curve's first point, and the freeze of the day (or month) before it.
    """
    start_us, end_us = day_span_us(day, day, zone)
    if plan.series is Series.CURVE:
        moments: Ints = np.arange(start_us, end_us, plan.period_s * 1_000_000, dtype=np.int64)
        return moments
    if plan.series is Series.MONTHLY and day.day != 1:
        return np.empty(0, np.int64)
    return np.array([start_us], np.int64)


def window(plan: Plan, now_us: int, zone: ZoneInfo) -> list[date]:
    """The days that devices still remember and that have moments, newest first."""
    today = local_day(now_us, zone)
    days = [today - count * _DAY for count in range(plan.memory_days + 1)]
    return [day for day in days if plan.series is not Series.MONTHLY or day.day == 1]


def due_until_us(plan: Plan, now_us: int) -> int:
    """Readings of moments up to and with this one are overdue."""
    return now_us - plan.deadline_s * 1_000_000
