"""Dates and times as devices send them: local civil time in binary, FF for what is not specified.

The value in a message is the octets, whatever they hold. `moment` makes a datetime of them where they are a time of the
calendar.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from meterweave.errors import EncodeError
from meterweave.protocols.dlt698.given import integer, mapping, member
from meterweave.protocols.dlt698.wire import Fixed
from meterweave.text import Text

_DATE_TIME_S = struct.Struct(">HBBBBB")
_DATE_TIME = struct.Struct(">HBBBBBBH")

WEEKDAYS: Mapping[int, Text] = {
    0: Text("Sunday", "星期日"),
    1: Text("Monday", "星期一"),
    2: Text("Tuesday", "星期二"),
    3: Text("Wednesday", "星期三"),
    4: Text("Thursday", "星期四"),
    5: Text("Friday", "星期五"),
    6: Text("Saturday", "星期六"),
    7: Text("Sunday", "星期日"),
}
"""Devices write Sunday as 0 or as 7."""


def moment(octets: bytes) -> datetime | None:
    """The local time that a date_time_s (7 octets) or date_time (10 octets) names; None where it names none."""
    try:
        if len(octets) == _DATE_TIME_S.size:
            return datetime(*_DATE_TIME_S.unpack(octets))
        year, month, day, _, hour, minute, second, milliseconds = _DATE_TIME.unpack(octets)
        return datetime(year, month, day, hour, minute, second) + timedelta(milliseconds=_millisecond(milliseconds))
    except ValueError:
        return None


def _millisecond(value: int) -> int:
    if value > 999:
        raise ValueError("no millisecond")
    return value


def date_time_s(when: datetime) -> bytes:
    """A date_time_s of a local time; its microseconds are left away."""
    return _DATE_TIME_S.pack(when.year, when.month, when.day, when.hour, when.minute, when.second)


def date_time(when: datetime) -> bytes:
    """A date_time of a local time, Sunday written as 7; its microseconds are cut to milliseconds."""
    clock = (when.hour, when.minute, when.second, when.microsecond // 1000)
    return _DATE_TIME.pack(when.year, when.month, when.day, when.isoweekday(), *clock)


class Stamp(Fixed, ABC):
    """A date, a time or both: fields of one or two octets, in JSON an ISO text, null or an object.

    Null stands for all FF; the object, with null for each field that is FF, for what is no time of the calendar.
    """

    names: ClassVar[tuple[str, ...]]  # of the fields that the ISO text tells
    layout: ClassVar[struct.Struct]  # of those fields alone

    def __init__(self) -> None:
        super().__init__(self.layout.size)

    @abstractmethod
    def iso(self, values: tuple[int, ...]) -> str:
        """The ISO text; raises ValueError where the calendar or the clock has no such time."""

    @abstractmethod
    def values(self, text: str) -> tuple[int, ...]:
        """`iso` undone; raises ValueError."""

    def to_json(self, value: bytes) -> Any:
        fields = self.layout.unpack(value)
        try:
            return self.iso(fields)
        except ValueError:
            pass
        if value == b"\xff" * self.layout.size:
            return None
        return {name: _specified(name, field) for name, field in zip(self.names, fields, strict=True)}

    def from_json(self, found: Any) -> bytes:
        if found is None:
            return b"\xff" * self.layout.size
        if isinstance(found, str):
            try:
                return self.layout.pack(*self.values(found))
            except ValueError:
                raise EncodeError(f"{found!r} is no time as {self.iso(self.values(EXAMPLE))}") from None
        table = mapping(found)
        return self.layout.pack(*[_field(name, table.get(name)) for name in self.names])

    def words(self, value: bytes) -> tuple[str, Text | None]:
        shown = self.to_json(value)
        if shown is None:
            return "", Text("not specified", "无效时间")
        if isinstance(shown, str):
            return shown.replace("T", " "), None
        parts = (f"{name} {'*' if part is None else part}" for name, part in shown.items())
        return ", ".join(parts), Text("in part unspecified or no time of the calendar", "部分未指定或非日历时间")


EXAMPLE = "2024-05-06T08:30:15.250"


def _limit(name: str) -> int:
    return 0xFFFF if name in {"year", "milliseconds"} else 0xFF


def _specified(name: str, value: int) -> int | None:
    return None if value == _limit(name) else value


def _field(name: str, found: object) -> int:
    try:
        return _limit(name) if found is None else integer(found, 0, _limit(name))
    except EncodeError as error:
        raise EncodeError(f"{name}: {error}") from None


def _naive(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    if when.tzinfo is not None:
        raise ValueError("devices know local time only")
    return when


class DateTimeS(Stamp):
    """date_time_s: year, month, day, hour, minute, second."""

    names = ("year", "month", "day", "hour", "minute", "second")
    layout = _DATE_TIME_S

    def iso(self, values: tuple[int, ...]) -> str:
        year, month, day, hour, minute, second = values
        return datetime(year, month, day, hour, minute, second).isoformat()

    def values(self, text: str) -> tuple[int, ...]:
        when = _naive(text)
        return when.year, when.month, when.day, when.hour, when.minute, when.second


class Time(Stamp):
    """time: hour, minute, second."""

    names = ("hour", "minute", "second")
    layout = struct.Struct(">BBB")

    def iso(self, values: tuple[int, ...]) -> str:
        hour, minute, second = values
        return time(hour, minute, second).isoformat()

    def values(self, text: str) -> tuple[int, ...]:
        when = time.fromisoformat(text.rpartition("T")[2])
        return when.hour, when.minute, when.second


class _Day(Stamp):
    names = ("year", "month", "day")
    layout = struct.Struct(">HBB")

    def iso(self, values: tuple[int, ...]) -> str:
        year, month, day = values
        return date(year, month, day).isoformat()

    def values(self, text: str) -> tuple[int, ...]:
        when = date.fromisoformat(text.partition("T")[0])
        return when.year, when.month, when.day


class _Moment(Stamp):
    names = ("year", "month", "day", "hour", "minute", "second", "milliseconds")
    layout = struct.Struct(">HBBBBBH")

    def iso(self, values: tuple[int, ...]) -> str:
        *clock, milliseconds = values
        year, month, day, hour, minute, second = clock
        when = datetime(year, month, day, hour, minute, second, 1000 * _millisecond(milliseconds))
        return when.isoformat(timespec="milliseconds")

    def values(self, text: str) -> tuple[int, ...]:
        when = _naive(text)
        clock = (when.hour, when.minute, when.second, when.microsecond // 1000)
        return when.year, when.month, when.day, *clock


class _WithWeekday(Fixed):
    """A stamp with the day of the week behind its first four octets; in JSON an object of both."""

    def __init__(self, key: str, stamp: Stamp) -> None:
        super().__init__(stamp.size + 1)
        self.key = key
        self.stamp = stamp

    def to_json(self, value: bytes) -> Any:
        weekday = None if value[4] == 0xFF else value[4]
        return {self.key: self.stamp.to_json(value[:4] + value[5:]), "day_of_week": weekday}

    def from_json(self, found: Any) -> bytes:
        stamp = self.stamp.from_json(member(found, self.key))
        weekday = _field("day_of_week", found.get("day_of_week"))
        return stamp[:4] + bytes([weekday]) + stamp[4:]

    def words(self, value: bytes) -> tuple[str, Text | None]:
        text, meaning = self.stamp.words(value[:4] + value[5:])
        return text, meaning or WEEKDAYS.get(value[4])


class DateTime(_WithWeekday):
    """date_time: year, month, day, day of week, hour, minute, second, milliseconds."""

    def __init__(self) -> None:
        super().__init__("time", _Moment())


class Date(_WithWeekday):
    """date: year, month, day, day of week."""

    def __init__(self) -> None:
        super().__init__("date", _Day())
