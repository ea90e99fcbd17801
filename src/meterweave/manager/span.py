"""Spans of time as people ask for them: local days, and the instants they stand for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.manager.errors import AskedWrongly
from meterweave.text import Text

FIRST, LAST = date(1970, 1, 2), date(2199, 12, 30)
"""The days that can be asked for: those of the lake, but for the ones at its edges."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Days(NamedTuple):
    """Local days, both included."""

    first: date
    last: date

    @property
    def number(self) -> int:
        """How many. [days]"""
        return (self.last - self.first).days + 1


def days_between(first: date, last: date, *, most: int) -> Days:
    """The days from `first` to `last`, both included.

    Raises
    ------
    AskedWrongly
        If there are none, more than `most`, or they are out of this world.
    """
    if not FIRST <= first <= last <= LAST:
        raise AskedWrongly(
            Text(
                f"days go from {FIRST} to {LAST}, the first before the last; asked for were {first} to {last}",
                f"日期须在{FIRST}至{LAST}之间且起始不晚于截止，收到的是{first}至{last}",
            )
        )
    found = Days(first, last)
    if found.number > most:
        raise AskedWrongly(
            Text(f"{found.number} days are asked for, {most} are possible", f"最多查询{most}天，收到{found.number}天")
        )
    return found


def local_day(now_us: int, zone: ZoneInfo) -> date:
    """The local day of an instant. [us since 1970, UTC]"""
    return (_EPOCH + now_us * _US).astimezone(zone).date()


@lru_cache(maxsize=1 << 16)
def local_text(ts_us: int, zone: ZoneInfo) -> str:
    """An instant as local time with its offset, ISO 8601. Meters measure at the same moments, so few are written."""
    return (_EPOCH + ts_us * _US).astimezone(zone).isoformat()
