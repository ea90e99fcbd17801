"""Times of Q/GDW 1376.1 annex A: A.1, A.15 to A.21 and A.24, all packed BCD of two digits an octet, terminal-local.

Texts follow ISO 8601, the parts that a format does not have left away: A.15 is ``2018-08-28T16:47``, A.18 the day
of the month and the time ``28T16:47``. What the digits say is printed even where no calendar has such a day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1.formats import Entry, Format, Taker
from meterweave.text import Text

_PART = re.compile(r"\{(\w)\}")


@dataclass(frozen=True, slots=True)
class Moment(Format):
    """A time whose octets are `order`, low octet first, and whose text is `template`.

    The letters of both: s second, m minute, h hour, D day, M month, Y year of the century.
    """

    order: str = ""
    template: str = ""

    def text(self, octets: bytes) -> str | None:
        digits = octets.hex()
        if not digits.isdecimal():
            return None
        parts = {letter: digits[2 * at : 2 * at + 2] for at, letter in enumerate(self.order)}
        return _PART.sub(lambda match: parts[match[1]], self.template)

    def pack(self, text: str) -> bytes:
        match = re.fullmatch(_PART.sub(r"(?P<\1>[0-9][0-9])", self.template), text)
        if not match:
            form = _PART.sub(r"\1\1", self.template)
            raise ValueError(f"wanted the form {form}")
        return bytes.fromhex("".join(match[letter] for letter in self.order))


WEEKDAYS: Mapping[int, Text] = {
    1: Text("Monday", "星期一"),
    2: Text("Tuesday", "星期二"),
    3: Text("Wednesday", "星期三"),
    4: Text("Thursday", "星期四"),
    5: Text("Friday", "星期五"),
    6: Text("Saturday", "星期六"),
    7: Text("Sunday", "星期日"),
}
_WEEKDAY_UNIT = "1=Monday..7=Sunday, 0=not given"


@dataclass(frozen=True, slots=True)
class Clock(Format):
    """A.1: date, time and weekday; the weekday has an entry of its own, ``….weekday``."""

    size: int = 6

    def text(self, octets: bytes) -> str | None:
        second, minute, hour, day, month, year = octets
        digits = bytes((year, month & 0x1F, day, hour, minute, second)).hex()
        if not digits.isdecimal():
            return None
        pairs = [digits[at : at + 2] for at in range(0, 12, 2)]
        return f"20{'-'.join(pairs[:3])}T{':'.join(pairs[3:])}"

    def pack(self, text: str) -> bytes:
        match = re.fullmatch(r"20(\d\d)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)", text, re.ASCII)
        if not match or match[2] > "19":
            raise ValueError("wanted the form 20YY-MM-DDThh:mm:ss")
        return bytes.fromhex("".join(reversed(match.groups())))

    def entries(self, name: str, unit: str, octets: bytes) -> list[Entry]:
        clock = self.entry(name, unit, octets)
        weekday: Entry = {"name": f"{name}.weekday", "value": str(octets[4] >> 5), "unit": _WEEKDAY_UNIT}
        if clock["value"] is None:
            weekday |= {"value": None, "missing": True}
        return [clock, weekday]

    def meaning(self, octets: bytes) -> Text | None:
        return WEEKDAYS.get(octets[4] >> 5)

    def build(self, name: str, take: Taker) -> bytes:
        octets = self.build_value(name, take(name))
        entry = take(f"{name}.weekday") if take.has(f"{name}.weekday") else {}
        weekday = entry.get("value")
        if weekday is None:
            return octets
        if str(weekday) not in {"0", "1", "2", "3", "4", "5", "6", "7"}:
            raise EncodeError(f"{name}.weekday is {weekday!r}, wanted 0 to 7")
        return octets[:4] + bytes((octets[4] & 0x1F | int(weekday) << 5, octets[5]))


def decode_a15(octets: bytes) -> datetime | None:
    """The moment of an A.15 time; None where no calendar has it."""
    return _moment(octets[::-1].hex())


def decode_a20(octets: bytes) -> datetime | None:
    """The first moment of an A.20 day; None where no calendar has it."""
    return _moment(octets[::-1].hex() + "0000")


def decode_a21(octets: bytes) -> datetime | None:
    """The first moment of an A.21 month; None where no calendar has it."""
    return _moment(octets[::-1].hex() + "010000")


def _moment(digits: str) -> datetime | None:
    """The moment of the ten digits YYMMDDhhmm."""
    if not digits.isdecimal():
        return None
    year, month, day, hour, minute = (int(digits[at : at + 2]) for at in range(0, 10, 2))
    try:
        return datetime(2000 + year, month, day, hour, minute)
    except ValueError:
        return None
