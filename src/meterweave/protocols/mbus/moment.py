"""Dates and times of EN 13757-3, annex A: types F, G, I and J.

Years have seven bits, three of them in the octet of the day and four in that of the month. 0 to 80 are 2000 to 2080,
81 to 99 are 1981 to 1999; type F has two bits beside that count centuries from 1900 where they are set.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import NamedTuple

Moment = date | datetime | time

_INVALID = 0x80  # of the minute octet
_YEAR_MAX = 99
_CENTURY_TURN = 81  # the first year of the 1900s


class MomentType(NamedTuple):
    """One way to send a moment."""

    name: str  # the letter of the standard
    decode: Callable[[bytes], Moment | None]
    """None where the device says that the time is invalid, or where there is no such time."""
    encode: Callable[[str], bytes]
    """ISO 8601 text to octets; raises `ValueError`."""
    unit: str = "local time"
    timespec: str = ""  # how `isoformat` must write what has a time of day

    def text(self, moment: Moment) -> str:
        """ISO 8601, as fine as the type."""
        return moment.isoformat(timespec=self.timespec) if isinstance(moment, datetime | time) else moment.isoformat()


def full_year(year: int, century: int = 0) -> int:
    """The calendar year of seven bits and the century bits; 0 where there is none."""
    if year > _YEAR_MAX:
        return 0
    if century:
        return 1900 + 100 * century + year
    return year + (1900 if year >= _CENTURY_TURN else 2000)


def _decode_g(octets: bytes) -> date | None:
    return _date(octets[0], octets[1])


def _date(day: int, month: int, century: int = 0) -> date | None:
    try:
        return date(full_year((day >> 5) | (month >> 4) << 3, century), month & 0x0F, day & 0x1F)
    except ValueError:
        return None


def _decode_f(octets: bytes) -> datetime | None:
    minute, hour = octets[0], octets[1]
    day = _date(octets[2], octets[3], hour >> 5 & 3)
    return _at(day, hour & 0x1F, minute & 0x3F) if day and not minute & _INVALID else None


def _decode_i(octets: bytes) -> datetime | None:
    second, minute, hour = octets[0], octets[1], octets[2]
    day = _date(octets[3], octets[4])
    return _at(day, hour & 0x1F, minute & 0x3F, second & 0x3F) if day and not minute & _INVALID else None


def _at(day: date, hour: int, minute: int, second: int = 0) -> datetime | None:
    try:
        return datetime(day.year, day.month, day.day, hour, minute, second)
    except ValueError:
        return None


def _decode_j(octets: bytes) -> time | None:
    second, minute, hour = octets
    try:
        return time(hour & 0x1F, minute & 0x3F, second & 0x3F)
    except ValueError:
        return None


def _encode_g(text: str) -> bytes:
    return _date_octets(date.fromisoformat(text))


def _date_octets(day: date) -> bytes:
    year = day.year % 100
    if full_year(year) != day.year:
        raise ValueError(f"year {day.year}, wanted 1981 to 2080")
    return bytes([day.day | (year & 7) << 5, day.month | year >> 3 << 4])


def _encode_f(text: str) -> bytes:
    moment = _moment(text)
    if moment.second:
        raise ValueError("type F has no seconds")
    return bytes([moment.minute, moment.hour]) + _date_octets(moment)


def _encode_i(text: str) -> bytes:
    """The week number stays 0: not given."""
    moment = _moment(text)
    return bytes([moment.second, moment.minute, moment.hour]) + _date_octets(moment) + b"\x00"


def _encode_j(text: str) -> bytes:
    moment = time.fromisoformat(text)
    _check(moment)
    return bytes([moment.second, moment.minute, moment.hour])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    _check(moment)
    return moment


def _check(moment: datetime | time) -> None:
    if moment.tzinfo or moment.microsecond:
        raise ValueError("meters know local time in whole seconds, without offset")


TYPE_F = MomentType("F", _decode_f, _encode_f, timespec="minutes")
TYPE_G = MomentType("G", _decode_g, _encode_g, unit="date")
TYPE_I = MomentType("I", _decode_i, _encode_i, timespec="seconds")
TYPE_J = MomentType("J", _decode_j, _encode_j, timespec="seconds")

BY_SIZE = {2: TYPE_G, 3: TYPE_J, 4: TYPE_F, 6: TYPE_I}
"""The type that the size of the data tells. [octets]"""
