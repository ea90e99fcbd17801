"""Moments for people: local time, and how long ago."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meterweave.errors import ConfigError
from meterweave.metering.clock import SHANGHAI
from meterweave.text import Language, Text

DAY = timedelta(days=1)
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2099, 12, 30)
"""Days that a person may name: those whose midnights are instants that everything can hold, in any zone."""

_SURE_MAX = timedelta(seconds=2)
_STEPS: tuple[tuple[timedelta, Text], ...] = (
    (DAY, Text("{} d", "{}天")),
    (timedelta(hours=1), Text("{} h", "{}小时")),
    (timedelta(minutes=1), Text("{} min", "{}分钟")),
    (timedelta(seconds=1), Text("{} s", "{}秒")),
)
_TWICE_MIN = 2  # a step is used from so many of it on: 90 minutes, and not 1 h
_AGO, _AHEAD, _NOW = Text("{} ago", "{}前"), Text("in {}", "{}后"), Text("now", "刚刚")


ZONE_VARIABLE = "METERWEAVE_ZONE"
"""The variable of the environment that says where local is; the centre's setting ``zone`` has the same."""


def zone() -> ZoneInfo:
    """Where local is.

    Raises
    ------
    ConfigError
        If the environment names no zone.
    """
    name = os.environ.get(ZONE_VARIABLE)
    try:
        return ZoneInfo(name) if name else SHANGHAI
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"{ZONE_VARIABLE} is {name!r}, which is no time zone; wanted one like Asia/Shanghai"
        ) from error


def now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def local(moment: datetime) -> str:
    """An instant on the local clock, to the second."""
    return moment.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S")


def local_iso(moment: datetime) -> str:
    """An instant as ISO 8601 with the local offset, for programs."""
    return moment.astimezone(zone()).isoformat()


def age(moment: datetime, seen: datetime, language: Language) -> str:
    """How long before `seen` it was, in one number."""
    past = seen - moment
    if abs(past) < _SURE_MAX:
        return _NOW.in_language(language)
    step, words = next((one for one in _STEPS if abs(past) >= _TWICE_MIN * one[0]), _STEPS[-1])
    count = words.in_language(language).format(abs(past) // step)
    return (_AGO if past > timedelta() else _AHEAD).in_language(language).format(count)


def today(seen: datetime) -> date:
    """The local day of an instant."""
    return seen.astimezone(zone()).date()


def midnight(day: date) -> datetime:
    """The instant at which a local day begins."""
    return datetime.combine(day, time(), zone())


def read_day(text: str) -> date:
    """A day as people write it for a program, YYYY-MM-DD.

    Raises
    ------
    ConfigError
        If it is none, or outside of `FIRST_DAY` and `LAST_DAY`.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no day; wanted YYYY-MM-DD, such as 2026-06-01") from error
    if not FIRST_DAY <= found <= LAST_DAY:
        raise ConfigError(f"{text!r} is out of reach; wanted a day from {FIRST_DAY} to {LAST_DAY}")
    return found
