"""The time that a message tells: seconds since 1970, ISO 8601, or digits in an order of the device's own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from string import ascii_letters
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from meterweave.metering.clock import utc_us
from meterweave.profiles.document import number
from meterweave.profiles.path import Path

UNIX, UNIX_MS, ISO = "unix", "unix_ms", "iso"
NUMERIC = {UNIX: 6, UNIX_MS: 3}
"""The formats that are numbers, and the decimals that microseconds have in them."""
EARLIEST_US = 946_684_800_000_000
"""2000-01-01: what a device tells that never had its clock set lies before. [us]"""
AHEAD_MAX_US = 86_400_000_000
"""A device whose clock is more than a day ahead does not know the time. [us]"""
_TEXT_MAX = 40
_EPOCH = datetime(1970, 1, 1)
_PARTS = {"YYYY": "year", "YY": "short", "MM": "month", "DD": "day", "hh": "hour", "mm": "minute", "ss": "second"}
_PART = re.compile("|".join(_PARTS))
_MEANINGLESS = frozenset(ascii_letters) - {"T"}
_FIELDS = ("year", "month", "day", "hour", "minute", "second")


class Clock(NamedTuple):
    """Where a message or record has its time, and how it is written."""

    path: Path
    format: str
    """`UNIX`, `UNIX_MS`, `ISO`, or a pattern such as ``YYYY-MM-DD hh:mm:ss``."""
    utc: bool = False
    """Whether a time without an offset is UTC, and not the local time of the centre."""

    def moment(self, value: Any, received: int, zone: ZoneInfo) -> int | None:
        """When a value says it was; None where it says nothing that can be true. [us since 1970, UTC]"""
        decimals = NUMERIC.get(self.format)
        found = _counted(value, decimals) if decimals else self._written(value, zone)
        return found if found is not None and EARLIEST_US <= found <= received + AHEAD_MAX_US else None

    def _written(self, value: Any, zone: ZoneInfo) -> int | None:
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        text = str(value)
        if len(text) > _TEXT_MAX:
            return None
        try:
            found = datetime.fromisoformat(text) if self.format == ISO else _patterned(self.format, text)
        except ValueError:
            return None
        if found is None:
            return None
        if found.tzinfo is not None:
            return _utc_us(found)
        return utc_us(found, _UTC if self.utc else zone)

    def write(self, now_us: int, zone: ZoneInfo) -> str | int:
        """`moment` undone, to the second: what a simulated device sends."""
        if self.format in NUMERIC:
            return now_us // int(10 ** NUMERIC[self.format])
        own: tzinfo = UTC if self.utc else zone
        local = datetime.fromtimestamp(now_us // 1_000_000, own).replace(tzinfo=None)
        if self.format == ISO:
            return local.isoformat()
        return _PART.sub(lambda part: _digits(local, part[0]), self.format)


_UTC = ZoneInfo("UTC")


def pattern_works(format_: str) -> bool:
    """Whether a pattern names every part of a time down to the minute, each once, and has no other letters than ``T``.

    ``Z`` or ``SSS`` would be read as these very letters, and not as what people mean.
    """
    if set(_PART.sub("", format_)) & _MEANINGLESS:
        return False
    names = [_PARTS[part] for part in _PART.findall(format_)]
    year = [name for name in names if name in ("year", "short")]
    return len(set(names)) == len(names) and len(year) == 1 and {"month", "day", "hour", "minute"} <= set(names)


def _counted(value: Any, decimals: int) -> int | None:
    """A number of seconds or milliseconds, in microseconds; what is finer is cut off."""
    if type(value) is int:
        return value * 10**decimals if 0 <= value < 1 << 53 else None
    found = number(value) if isinstance(value, str) else None
    if found is None:
        return None
    digits, exponent = found[0], found[1] + decimals
    return digits * int(10**exponent) if exponent >= 0 else digits // int(10**-exponent)


def _utc_us(moment: datetime) -> int | None:
    try:
        naive = moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return None
    elapsed = naive - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


@lru_cache(256)
def _compiled(format_: str) -> re.Pattern[str]:
    found, at = "", 0
    for part in _PART.finditer(format_):
        found += re.escape(format_[at : part.start()])
        found += rf"(?P<{_PARTS[part[0]]}>[0-9]{{{len(part[0])}}})"
        at = part.end()
    return re.compile(found + re.escape(format_[at:]))


def _patterned(format_: str, text: str) -> datetime | None:
    match = _compiled(format_).fullmatch(text)
    if match is None:
        return None
    parts = {name: int(digits) for name, digits in match.groupdict().items()}
    parts.setdefault("year", 2000 + parts.get("short", 0))
    return datetime(*(parts.get(name, 0) for name in _FIELDS))  # type: ignore[arg-type]


def _digits(moment: datetime, part: str) -> str:
    name = _PARTS[part]
    value = moment.year % 100 if name == "short" else int(getattr(moment, name))
    return f"{value:0{len(part)}}"
