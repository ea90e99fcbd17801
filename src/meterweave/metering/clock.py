"""Local civil time, as devices send it, and UTC, as everything is stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.metering.distinct import distinct

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Where day and tariff boundaries lie unless said otherwise."""

_EPOCH = datetime(1970, 1, 1)
_HOUR_US = 3_600_000_000
_HOURS_MAX = 1 << 14  # hours remembered: some months of a few zones


def local_us(moment: datetime) -> int:
    """A naive local time as microseconds since 1970-01-01T00:00:00 on the same wall clock."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def utc_us(moment: datetime, zone: ZoneInfo = SHANGHAI) -> int:
    """A naive local time in `zone` as microseconds since 1970-01-01T00:00:00Z; see `to_utc_us` for clock changes."""
    return local_us(moment) - _offset_us(moment, zone)


def days_from_civil(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970-01-01 of Gregorian dates; int64[n] each. No check that the date exists."""
    start = ((year - 1970) * 12 + (month - 1)).astype("datetime64[M]")
    return np.asarray(start.astype("datetime64[D]").astype(np.int64) + (day - 1))


def days_in_month(year: NDArray[np.int64], month: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of days of each month; int64[n]."""
    start = ((year - 1970) * 12 + (month - 1)).astype("datetime64[M]")
    return np.asarray(((start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64))


def to_utc_us(local: NDArray[np.int64], zone: ZoneInfo = SHANGHAI) -> NDArray[np.int64]:
    """Wall-clock microseconds in `zone` to UTC microseconds; int64[n].

    A time the clocks skip is read with the offset before the change; a time they show twice is the first of the two
    (PEP 495, fold 0). The zone's offset is looked up once for every different hour, not for every value.
    """
    hours, where = distinct(local // _HOUR_US)
    # Zones change their offset on the quarter hour at the finest, so an hour can hold two offsets: look at both ends.
    ends = np.array([_offsets_us(hour, zone) for hour in hours.tolist()], np.int64).reshape(-1, 2)
    first, last = ends[:, 0], ends[:, 1]
    utc = local - first[where]
    odd = np.flatnonzero((first != last)[where])
    for index in odd:
        utc[index] = utc_us(_moment(int(local[index])), zone)
    return utc


@lru_cache(_HOURS_MAX)
def _offsets_us(hour: int, zone: ZoneInfo) -> tuple[int, int]:
    """The offsets at the beginning and at the end of an hour since 1970 on the wall clock."""
    start = hour * _HOUR_US
    return _offset_us(_moment(start), zone), _offset_us(_moment(start + _HOUR_US - 1), zone)


def _moment(local: int) -> datetime:
    """`local_us` undone."""
    return _EPOCH + timedelta(microseconds=local)


def _offset_us(moment: datetime, zone: ZoneInfo) -> int:
    return (moment.replace(tzinfo=zone).utcoffset() or timedelta()) // timedelta(microseconds=1)
