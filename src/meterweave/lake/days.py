"""Which local day an instant belongs to, for whole columns."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

FIRST, LAST = date(1970, 1, 1), date(2199, 12, 31)
"""The days a reading can be filed under; a time outside them, which no meter means, is filed under the nearer one."""

_DAY_US = 86_400_000_000
_QUARTER_US = 900_000_000  # no zone changes its offset off the UTC quarter hour
_TABLE_MAX = 400 * 96  # quarters: spans up to 400 days are looked up in a table, wider ones by their distinct quarters
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_days(ts_us: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int32]:
    """Days since 1970-01-01 of the local dates in `zone` of UTC instants, clipped to `FIRST` and `LAST`.

    Parameters
    ----------
    ts_us : int64[n]
        Microseconds since 1970-01-01T00:00:00Z; any value.

    Returns
    -------
    int32[n]
    """
    if not len(ts_us):
        return np.empty(0, np.int32)
    last = (LAST - FIRST).days
    # One day more on both sides, so that the offset is still added to what lies at the edge.
    ts_us = np.clip(ts_us, -_DAY_US, (last + 2) * _DAY_US)
    quarter = ts_us // _QUARTER_US
    low, high = int(quarter.min()), int(quarter.max())
    if high - low < _TABLE_MAX:
        table = np.array([_offset_us(number, zone) for number in range(low, high + 1)], np.int64)
        offset = table[quarter - low]
    else:
        distinct, where = np.unique(quarter, return_inverse=True)
        offset = np.array([_offset_us(int(number), zone) for number in distinct], np.int64)[where]
    days: NDArray[np.int32] = np.clip((ts_us + offset) // _DAY_US, 0, last).astype(np.int32)
    return days


def day_span_us(first: date, last: date, zone: ZoneInfo) -> tuple[int, int]:
    """The instants [start, end) of the local days `first` to `last`, both included. [us since 1970, UTC]"""
    return _midnight_us(first, zone), _midnight_us(last + timedelta(days=1), zone)


def _midnight_us(day: date, zone: ZoneInfo) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=1 << 17)
def _offset_us(quarter: int, zone: ZoneInfo) -> int:
    moment = _EPOCH + timedelta(microseconds=quarter * _QUARTER_US)
    return (moment.astimezone(zone).utcoffset() or timedelta()) // timedelta(microseconds=1)
