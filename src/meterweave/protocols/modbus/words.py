"""How values lie in registers: integers, floats, bits and clocks, in every order of octets.

An order names the octets of a 32-bit value as they are sent, A being the most significant: ``ABCD`` is plain Modbus,
``CDAB`` has the low register first, ``BADC`` the low octet of each register first, ``DCBA`` both. The same words hold
for 16 and 64 bits.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np

from meterweave.metering import decimal
from meterweave.text import Text

Json = dict[str, Any]

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
CLOCK_UNIT = "local time"
NO_VALUE = Text("the meter has no value", "仪表无此值")
CENTURY = 2000


def reorder(octets: bytes, order: str) -> bytes:
    """Octets sent in `order` as ABCD, or the other way round: every order undoes itself."""
    if order in ("BADC", "DCBA"):
        octets = b"".join(octets[at : at + 2][::-1] for at in range(0, len(octets), 2))
    if order in ("CDAB", "DCBA"):
        octets = b"".join(octets[at : at + 2] for at in range(len(octets) - 2, -1, -2))
    return octets


@dataclass(frozen=True, slots=True)
class Word(ABC):
    """One way of putting a value into octets of registers."""

    size: int
    """[octets]"""
    first: int = 0
    """1: it begins with the low octet of its register."""
    order: str = "ABCD"
    exponent: int = 0
    """The sent integer times ``10**exponent`` is the value in its unit."""
    unit: str = ""

    @abstractmethod
    def to_json(self, octets: bytes) -> Json:
        """The value in `octets`."""

    @abstractmethod
    def from_json(self, value: Mapping[str, Any]) -> bytes:
        """The octets of a value.

        Raises
        ------
        ValueError, KeyError, TypeError, OverflowError, struct.error
            If there is no such value.
        """

    def meaning(self, value: Json) -> Text | None:
        """What a value stands for, in words, where its text does not say."""
        return NO_VALUE if value["value"] is None else None


class Number(Word):
    """A word that measures something."""

    __slots__ = ()

    @abstractmethod
    def number(self, octets: bytes) -> int | Fraction | None:
        """The number as sent; None where there is none."""


class Unsigned(Number):
    """A natural number of 8, 16, 32 or 64 bits."""

    __slots__ = ()
    signed = False

    def number(self, octets: bytes) -> int:
        return int.from_bytes(reorder(octets, self.order), "big", signed=self.signed)

    def to_json(self, octets: bytes) -> Json:
        return {"value": decimal.to_text(self.number(octets), self.exponent), "unit": self.unit}

    def from_json(self, value: Mapping[str, Any]) -> bytes:
        number = decimal.from_text(value["value"], self.exponent)
        return reorder(number.to_bytes(self.size, "big", signed=self.signed), self.order)


class Signed(Unsigned):
    """A number in two's complement."""

    __slots__ = ()
    signed = True


class Float(Number):
    """An IEEE 754 float of 32 or 64 bits, written as the shortest decimal that means it; not a number is no value."""

    __slots__ = ()

    def number(self, octets: bytes) -> Fraction | None:
        number = self._float(octets)
        return Fraction(float(number)) if np.isfinite(number) else None

    def to_json(self, octets: bytes) -> Json:
        number = self._float(octets)
        if not np.isfinite(number):
            return {"value": None, "missing": True, "unit": self.unit}
        return {"value": np.format_float_positional(number, trim="-"), "unit": self.unit}

    def from_json(self, value: Mapping[str, Any]) -> bytes:
        number = float("nan") if value["value"] is None else float(value["value"])
        return reorder(struct.pack(">f" if self.size == 4 else ">d", number), self.order)

    def _float(self, octets: bytes) -> np.float32 | np.float64:
        kind = np.dtype(">f4" if self.size == 4 else ">f8")
        return np.frombuffer(reorder(octets, self.order), kind)[0].astype(kind.newbyteorder("="))  # type: ignore[no-any-return]


class Bits(Word):
    """A register of flags."""

    __slots__ = ()

    def to_json(self, octets: bytes) -> Json:
        return {"value": f"0x{octets.hex().upper()}", "unit": self.unit}

    def from_json(self, value: Mapping[str, Any]) -> bytes:
        return int(value["value"], 16).to_bytes(self.size, "big")


class Digits(Word):
    """BCD digits, most significant first, such as a meter number."""

    __slots__ = ()

    def to_json(self, octets: bytes) -> Json:
        return {"value": octets.hex(), "unit": self.unit}

    def from_json(self, value: Mapping[str, Any]) -> bytes:
        return bytes.fromhex(value["value"])


class Clock(Word):
    """``YY MM DD weekday hh mm ss``, binary; all zero: no time."""

    __slots__ = ()

    def moment(self, octets: bytes) -> datetime | None:
        """The local time; None: no time, or an impossible one."""
        year, month, day, _, hour, minute, second = octets
        try:
            return datetime(CENTURY + year, month, day, hour, minute, second)
        except ValueError:
            return None

    def absent(self, octets: bytes) -> bool:
        """Whether the meter says that it has no time."""
        return not any(octets)

    def to_json(self, octets: bytes) -> Json:
        moment = self.moment(octets)
        found: Json = {"value": moment.isoformat() if moment else None, "unit": self.unit, "weekday": octets[3]}
        return found | {"missing": True} if self.absent(octets) else found

    def from_json(self, value: Mapping[str, Any]) -> bytes:
        if value["value"] is None:
            return bytes(self.size)
        return clock_octets(datetime.fromisoformat(value["value"]), value.get("weekday"))

    def meaning(self, value: Json) -> Text | None:
        if value["value"] is None and not value.get("missing"):
            return Text("no possible time", "时间不合法")
        return Word.meaning(self, value)


def clock_octets(moment: datetime, weekday: int | None = None) -> bytes:
    """``YY MM DD weekday hh mm ss`` of a local time, Monday being 1 unless `weekday` is given.

    Raises
    ------
    ValueError
        If the year is not 2000 to 2255, or the weekday not one octet.
    """
    day = moment.isoweekday() if weekday is None else weekday
    return bytes(
        (moment.year - CENTURY, moment.month, moment.day, day, moment.hour, moment.minute, moment.second),
    )


TYPES: Mapping[str, tuple[type[Word], int, int]] = {
    "U16": (Unsigned, 2, 0),
    "I16": (Signed, 2, 0),
    "U32": (Unsigned, 4, 0),
    "I32": (Signed, 4, 0),
    "U64": (Unsigned, 8, 0),
    "I64": (Signed, 8, 0),
    "F32": (Float, 4, 0),
    "F64": (Float, 8, 0),
    "H8": (Unsigned, 1, 0),
    "L8": (Unsigned, 1, 1),
    "B16": (Bits, 2, 0),
    "CLOCK": (Clock, 7, 0),
    "NUMBER": (Digits, 6, 0),
}
"""Types of ``registers.csv``: class, octets, and where in its register it begins; H8 and L8 are halves of one."""
