"""How items are written in octets: BCD, low octet first, with and without a unit, clocks, status and commands.

A format reads octets as the JSON object of a value (``value``, ``unit``, …) and writes such an object as octets. Where
an object alone would not give the same octets back, `Format.to_json` adds them as ``raw``, and `Format.from_json` takes
those.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meterweave.metering import decimal
from meterweave.protocols.bcd import decode_bcd, encode_bcd
from meterweave.protocols.cjt188.units import UNIT_CODES, UNITS
from meterweave.text import Text

Json = dict[str, Any]

UNKNOWN_UNIT = "unknown"
STATUS_UNIT = "hex, low byte first"
CLOCK_UNIT = "local time"
YEARS = range(1990, 2100)  # a year outside was sent with its octets swapped, or is none


@dataclass(frozen=True, slots=True)
class Format(ABC):
    """One way of writing a value."""

    size: int
    """[octets]"""
    exponent: int = 0
    """The sent integer times ``10**exponent`` is the value in its unit."""
    unit: str = ""
    """Unit of values that carry none."""

    def to_json(self, octets: bytes) -> Json:
        """The value in `octets`, with ``raw`` where the value alone would not give the octets back."""
        found = self._read(octets)
        return found if self._write(found) == octets else found | {"raw": octets.hex()}

    def from_json(self, value: Mapping[str, Any]) -> bytes:
        """The octets of a value.

        Raises
        ------
        ValueError, KeyError, TypeError
            If there is no such value.
        """
        octets = bytes.fromhex(value["raw"]) if "raw" in value else self._write(value)
        if len(octets) != self.size:
            raise ValueError(f"raw has {len(octets)} octets, not {self.size}")
        return octets

    def meaning(self, value: Json) -> Text | None:
        """What a value stands for, in words, where its text does not say."""
        return NO_VALUE if value.get("missing") else None

    @abstractmethod
    def _read(self, octets: bytes) -> Json:
        """The value in `octets`."""

    @abstractmethod
    def _write(self, value: Mapping[str, Any]) -> bytes:
        """`_read` undone."""


NO_VALUE = Text("the meter has no value", "仪表无此值")


class Digits(Format):
    """BCD digits; all FF: no value."""

    __slots__ = ()

    def number(self, octets: bytes) -> int | None:
        """The sent integer, or None where there is none."""
        return decode_bcd(octets[: self.size])

    def _read(self, octets: bytes) -> Json:
        return self._value(octets) | {"unit": self.unit}

    def _write(self, value: Mapping[str, Any]) -> bytes:
        return self._digits(value, self.size)

    def _value(self, digits: bytes) -> Json:
        number = decode_bcd(digits)
        if number is None:
            return {"value": None, "missing": True} if _all(digits, 0xFF) else {"value": None}
        return {"value": decimal.to_text(number, self.exponent)}

    def _digits(self, value: Mapping[str, Any], size: int) -> bytes:
        if value["value"] is None:
            return b"\xff" * size
        return encode_bcd(decimal.from_text(value["value"], self.exponent), size)


class Metered(Digits):
    """BCD digits, then the code of their unit; `Format.size` counts both."""

    __slots__ = ()

    def number(self, octets: bytes) -> int | None:
        return decode_bcd(octets[: self.size - 1])

    def _read(self, octets: bytes) -> Json:
        code = octets[-1]
        unit = UNITS.get(code)
        found = self._value(octets[:-1])
        if unit is None:
            return found | {"unit": UNKNOWN_UNIT, "unit_code": f"0x{code:02X}"}
        return found | {"unit": unit.text}

    def _write(self, value: Mapping[str, Any]) -> bytes:
        code = int(value["unit_code"], 16) if "unit_code" in value else UNIT_CODES.get(value["unit"])
        if code is None:
            raise ValueError(f"unit {value['unit']!r} is none of {', '.join(UNIT_CODES)}")
        return self._digits(value, self.size - 1) + bytes([code])


class Binary(Format):
    """A binary number."""

    __slots__ = ()

    def _read(self, octets: bytes) -> Json:
        return {"value": str(int.from_bytes(octets, "little")), "unit": self.unit}

    def _write(self, value: Mapping[str, Any]) -> bytes:
        return _fitting(int(value["value"]), self.size)


class Octets(Format):
    """Octets that are no number, in the order of the line."""

    __slots__ = ()

    def _read(self, octets: bytes) -> Json:
        return {"value": octets.hex(), "unit": self.unit}

    def _write(self, value: Mapping[str, Any]) -> bytes:
        return bytes.fromhex(value["value"])


class Address(Format):
    """An address, printed most significant octet first."""

    __slots__ = ()

    def _read(self, octets: bytes) -> Json:
        return {"value": octets[::-1].hex(), "unit": self.unit}

    def _write(self, value: Mapping[str, Any]) -> bytes:
        return bytes.fromhex(value["value"])[::-1]


class Clock(Format):
    """``ss mm hh DD MM YY CC`` in BCD; all 00 or all FF: no time."""

    __slots__ = ()

    def moment(self, octets: bytes) -> tuple[datetime | None, bool]:
        """The local time, and whether the octets of the year are swapped; None: no time, or an impossible one."""
        digits = octets.hex()
        if not digits.isdecimal():
            return None, False
        second, minute, hour, day, month, low, high = (int(digits[at : at + 2]) for at in range(0, 14, 2))
        year, swapped = 100 * high + low, False
        if year not in YEARS:
            year, swapped = 100 * low + high, True
        if year not in YEARS:
            return None, False
        try:
            return datetime(year, month, day, hour, minute, second), swapped
        except ValueError:
            return None, False

    def absent(self, octets: bytes) -> bool:
        """Whether the meter says that it has no time."""
        return _all(octets, 0x00) or _all(octets, 0xFF)

    def meaning(self, value: Json) -> Text | None:
        if value["value"] is None and not value.get("missing"):
            return Text("no possible time", "时间不合法")
        if value.get("year_swapped"):
            return Text("the octets of the year are swapped", "年份高低字节颠倒")
        return Format.meaning(self, value)

    def _read(self, octets: bytes) -> Json:
        moment, swapped = self.moment(octets)
        if moment is None:
            missing = {"missing": True} if self.absent(octets) else {}
            return {"value": None, "unit": CLOCK_UNIT} | missing
        found: Json = {"value": moment.isoformat(), "unit": CLOCK_UNIT}
        return found | {"year_swapped": True} if swapped else found

    def _write(self, value: Mapping[str, Any]) -> bytes:
        if value["value"] is None:
            return bytes(self.size)
        moment = datetime.fromisoformat(value["value"])
        if moment.year not in YEARS:
            raise ValueError(f"year {moment.year} is not {YEARS.start} to {YEARS.stop - 1}")
        year = encode_bcd(moment.year, 2)
        digits = bytes.fromhex(f"{moment:%S%M%H%d%m}")
        return digits + (year[::-1] if value.get("year_swapped") else year)


VALVE_STATES = (
    ("open", Text("valve open", "阀门开")),
    ("closed", Text("valve closed", "阀门关")),
    ("abnormal", Text("valve abnormal", "阀门异常")),
    ("abnormal", Text("valve abnormal", "阀门异常")),
)
"""D1 D0 of the first status octet (CJ/T 188-2004): 11 is abnormal; by 2018 D1 alone says so."""


class Status(Format):
    """ST, two octets; those beyond the valve and the battery are the maker's."""

    __slots__ = ()

    def meaning(self, value: Json) -> Text | None:
        valve = next(words for name, words in VALVE_STATES if name == value["valve"])
        battery = Text("battery low", "电池欠压") if value["battery_low"] else Text("battery good", "电池正常")
        return Text(f"{valve.en}, {battery.en}", f"{valve.zh}，{battery.zh}")

    def _read(self, octets: bytes) -> Json:
        return {
            "value": octets.hex(),
            "unit": STATUS_UNIT,
            "valve": VALVE_STATES[octets[0] & 3][0],
            "battery_low": bool(octets[0] & 4),
        }

    def _write(self, value: Mapping[str, Any]) -> bytes:
        return bytes.fromhex(value["value"])


class Valve(Format):
    """The command to a valve (A017); every other octet is a maker's own."""

    __slots__ = ()

    def meaning(self, value: Json) -> Text | None:
        return _VALVE_WORDS.get(value["value"], Text("maker's own command", "厂家自定义操作"))

    def _read(self, octets: bytes) -> Json:
        name = next((name for name, code in VALVE_COMMANDS.items() if code == octets[0]), "")
        return {"value": name or f"{_MAKERS_COMMAND}0x{octets[0]:02X}", "unit": self.unit}

    def _write(self, value: Mapping[str, Any]) -> bytes:
        name = value["value"]
        code = VALVE_COMMANDS.get(name)
        return _fitting(int(name.removeprefix(_MAKERS_COMMAND), 16) if code is None else code, 1)


VALVE_COMMANDS = {"open": 0x55, "close": 0x99}
_VALVE_WORDS = {"open": Text("open the valve", "开阀"), "close": Text("close the valve", "关阀")}
_MAKERS_COMMAND = "maker-specific "

FORMATS: Mapping[str, type[Format]] = {
    "digits": Digits,
    "metered": Metered,
    "binary": Binary,
    "octets": Octets,
    "address": Address,
    "clock": Clock,
    "status": Status,
    "valve": Valve,
}
"""Formats by their word in ``items.csv``."""


def _all(octets: bytes, value: int) -> bool:
    return octets.count(value) == len(octets)


def _fitting(number: int, size: int) -> bytes:
    try:
        return number.to_bytes(size, "little")
    except OverflowError:
        raise ValueError(f"{number} does not fit {size} octets") from None
