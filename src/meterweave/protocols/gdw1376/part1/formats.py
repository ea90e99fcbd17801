"""Data formats of Q/GDW 1376.1 annex A: each an encoder and a decoder that undo each other, held in one table.

A format turns the octets of one cell into *entries*, the JSON-ready objects people and programs read::

    {"name": "voltage.a", "value": "242.7", "unit": "V"}
    {"name": "voltage.b", "value": None, "unit": "V", "missing": True}                  every octet EEH: no value
    {"name": "voltage.c", "value": None, "unit": "V", "missing": True, "raw": "00ee"}   no digits: no value either

and builds the octets again from entries handed over by a `Taker`. Numbers are exact: integers with an exponent,
printed as decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from meterweave.errors import EncodeError
from meterweave.metering.decimal import from_text, to_text
from meterweave.protocols.bcd import decode_bcd, encode_bcd
from meterweave.protocols.explain import Field
from meterweave.text import Text

Entry = dict[str, Any]

NO_VALUE = 0xEE  # fills a field for which the terminal has no value; some terminals send FFH instead


class Taker(Protocol):
    """Hands out the entries of a data unit, each once, in the order of its layout."""

    def __call__(self, name: str) -> Mapping[str, Any]:
        """The entry called `name`; raises EncodeError where there is none."""

    def has(self, name: str) -> bool:
        """Whether there is an entry called `name` to hand out."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a cell's octets are read and written; this one shows them as they are, in hexadecimal."""

    size: int = 0  # 0: the octets themselves say, see `measure` [octets]
    counts: bool = False  # whether the value says how often the next repeat repeats

    def measure(self, octets: bytes, at: int) -> int:
        """Octets of the cell at `at`; more than there are where it is cut short."""
        return self.size

    def count(self, octets: bytes) -> int | None:
        """How often the next repeat repeats, where the cell `counts`; None: the number cannot be meant."""
        return int.from_bytes(octets, "little")

    def text(self, octets: bytes) -> str | None:
        """The value written out; None where there is none or the octets are not of this format."""
        return octets.hex()

    def pack(self, text: str) -> bytes:
        """`text` undone; raises ValueError."""
        return bytes.fromhex(text)

    def entries(self, name: str, unit: str, octets: bytes) -> list[Entry]:
        """What the octets say, as one entry or several."""
        return [self.entry(name, unit, octets)]

    def entry(self, name: str, unit: str, octets: bytes) -> Entry:
        """The value of the cell under its own name."""
        text = self.text(octets)
        if text is not None:
            return {"name": name, "value": text, "unit": unit}
        raw = {} if self.size and octets.count(NO_VALUE) == len(octets) else {"raw": octets.hex()}
        return {"name": name, "value": None, "unit": unit, "missing": True, **raw}

    def build(self, name: str, take: Taker) -> bytes:
        """The octets for the entries that `take` hands out; raises EncodeError."""
        return self.build_value(name, take(name))

    def build_value(self, name: str, entry: Mapping[str, Any]) -> bytes:
        """The octets of one entry; raises EncodeError."""
        value = entry.get("value")
        try:
            if value is not None:
                octets = self.pack(str(value))
            elif "raw" in entry:
                octets = bytes.fromhex(entry["raw"])
            elif self.size:
                octets = bytes((NO_VALUE,)) * self.size
            else:
                raise ValueError("a value of any length has to be given")
        except (ValueError, TypeError, OverflowError, KeyError) as error:
            raise EncodeError(f"{name} cannot be {entry.get('raw', value)!r}: {error}") from error
        if self.size and len(octets) != self.size:
            raise EncodeError(f"{name} is {len(octets)} octets, wanted {self.size}")
        return octets

    def meaning(self, octets: bytes) -> Text | None:
        """What the value stands for, in words, where the format knows."""
        return None

    def parts(self, octets: bytes) -> tuple[Field, ...]:
        """What stands in the octets, field by field, where there is more than one thing."""
        return ()


@dataclass(frozen=True, slots=True)
class Decimal(Format):
    """Packed BCD, low octet first, with a fixed decimal point: A.4 to A.11, A.13, A.14, A.22, A.23, A.25 to A.27."""

    exponent: int = 0
    signed: bool = False  # bit 7 of the last octet is the sign, 1 for negative

    def number(self, octets: bytes) -> int | None:
        """The integer that, times ``10**exponent``, is the value; None where there is none."""
        if self.signed and octets[-1] & 0x80:
            value = decode_bcd(octets[:-1] + bytes((octets[-1] & 0x7F,)))
            return None if value is None else -value
        return decode_bcd(octets)

    def numbers(self, octets: bytes) -> list[int | None]:
        """`number` of many values that stand one after another."""
        size = self.size
        digits = octets[::-1].hex()
        width = 2 * size
        if digits.isdecimal() and not self.signed:
            return [int(digits[at : at + width]) for at in range(len(digits) - width, -1, -width)]
        if digits.isdecimal():
            sign = 8 * 10 ** (width - 1)
            plain = [int(digits[at : at + width]) for at in range(len(digits) - width, -1, -width)]
            return [value if value < sign else sign - value for value in plain]
        return [self.number(octets[at : at + size]) for at in range(0, len(octets), size)]

    def text(self, octets: bytes) -> str | None:
        value = self.number(octets)
        return None if value is None else to_text(value, self.exponent)

    def pack(self, text: str) -> bytes:
        value = from_text(text, self.exponent)
        if not self.signed:
            return encode_bcd(value, self.size)
        if abs(value) >= 8 * 10 ** (2 * self.size - 1):
            raise ValueError(f"more than {to_text(8 * 10 ** (2 * self.size - 1) - 1, self.exponent)}")
        octets = encode_bcd(abs(value), self.size)
        return octets[:-1] + bytes((octets[-1] | 0x80,)) if value < 0 else octets


@dataclass(frozen=True, slots=True)
class Power(Format):
    """A.2: three digits, a sign in bit 12 and a power of ten in bits 15 to 13, from 10^4 (000) to 10^-3 (111)."""

    size: int = 2

    def text(self, octets: bytes) -> str | None:
        word = int.from_bytes(octets, "little")
        digits = f"{word & 0xFFF:03x}"
        if not digits.isdecimal():
            return None
        value = -int(digits) if word >> 12 & 1 else int(digits)
        return to_text(value, 4 - (word >> 13))

    def pack(self, text: str) -> bytes:
        decimals = len(text.partition(".")[2])
        for exponent in range(-min(decimals, 3), 5):  # as many decimals as are written, fewer where digits are short
            try:
                value = from_text(text, exponent)
            except ValueError:
                continue
            if abs(value) <= 999:
                return (4 - exponent << 13 | (value < 0) << 12 | int(str(abs(value)), 16)).to_bytes(2, "little")
        raise ValueError("wanted three digits times a power of ten from 10^-3 to 10^4")


@dataclass(frozen=True, slots=True)
class Energy(Format):
    """A.3: seven digits, a sign in bit 28; bit 30 says MWh where it is 1, kWh where it is 0."""

    size: int = 4

    def text(self, octets: bytes) -> str | None:
        word = int.from_bytes(octets, "little")
        digits = f"{word & 0xFFFFFFF:07x}"
        if not digits.isdecimal():
            return None
        value = -int(digits) if word >> 28 & 1 else int(digits)
        return str(value * 1000 if word >> 30 & 1 else value)

    def pack(self, text: str) -> bytes:
        value = from_text(text, 0)
        mega = abs(value) > 9_999_999
        if mega:
            value = from_text(text, 3)
        if abs(value) > 9_999_999:
            raise ValueError("more than seven digits of MWh")
        return (mega << 30 | (value < 0) << 28 | int(str(abs(value)), 16)).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class Binary(Format):
    """BIN: an unsigned integer, low octet first, in steps of ``factor * 10**exponent``."""

    factor: int = 1
    exponent: int = 0
    highest: int | None = None  # of a count: more cannot be meant
    lacks: bool = False  # whether all octets EEH mean that there is no value

    def count(self, octets: bytes) -> int | None:
        number = int.from_bytes(octets, "little")
        return number if self.highest is None or number <= self.highest else None

    def text(self, octets: bytes) -> str | None:
        if self.lacks and octets.count(NO_VALUE) == len(octets):
            return None
        return to_text(int.from_bytes(octets, "little") * self.factor, self.exponent)

    def pack(self, text: str) -> bytes:
        steps, rest = divmod(from_text(text, self.exponent), self.factor)
        if rest:
            raise ValueError(f"wanted a multiple of {to_text(self.factor, self.exponent)}")
        return steps.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Bits(Format):
    """A mask or code shown in hexadecimal, high octet first: ``0x6B``."""

    def text(self, octets: bytes) -> str | None:
        return f"0x{int.from_bytes(octets, 'little'):0{2 * self.size}X}"

    def pack(self, text: str) -> bytes:
        return int(text, 16).to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Digits(Format):
    """A.12 and passwords: digits sent low octet first, shown most significant first."""

    def text(self, octets: bytes) -> str | None:
        return octets[::-1].hex()

    def pack(self, text: str) -> bytes:
        return bytes.fromhex(text.zfill(2 * self.size))[::-1]


@dataclass(frozen=True, slots=True)
class Characters(Format):
    """Text in a given encoding, filled up with 00H."""

    encoding: str = "ascii"

    def text(self, octets: bytes) -> str | None:
        try:
            return octets.rstrip(b"\x00").decode(self.encoding)
        except UnicodeDecodeError:
            return None

    def pack(self, text: str) -> bytes:
        return text.encode(self.encoding).ljust(self.size, b"\x00")


@dataclass(frozen=True, slots=True)
class Address(Format):
    """An IPv4 address, its octets in the order people print them."""

    size: int = 4

    def text(self, octets: bytes) -> str | None:
        return ".".join(map(str, octets))

    def pack(self, text: str) -> bytes:
        return bytes(map(int, text.split(".")))


@dataclass(frozen=True, slots=True)
class Timeout(Format):
    """A waiting time in milliseconds: bit 7 is the unit, 0 for 10 ms and 1 for 1 s, bits 6 to 0 the number."""

    size: int = 1

    def text(self, octets: bytes) -> str | None:
        return str((octets[0] & 0x7F) * (1000 if octets[0] & 0x80 else 10))

    def pack(self, text: str) -> bytes:
        hundredths, rest = divmod(from_text(text, 0), 10)
        if not rest and 0 <= hundredths <= 0x7F:
            return bytes((hundredths,))
        seconds, rest = divmod(hundredths, 100) if not rest else (0, rest)
        if rest or not 0 <= seconds <= 0x7F:
            raise ValueError("wanted 0 to 127 steps of 10 ms or of 1 s")
        return bytes((0x80 | seconds,))


@dataclass(frozen=True, slots=True)
class Split(Format):
    """One octet of several numbers, from the high bits down; entries are named by the numbers."""

    size: int = 1
    numbers: tuple[tuple[str, int], ...] = ()  # name and width [bits]

    def values(self, octet: int) -> list[int]:
        """The numbers in the octet, in the order of `numbers`."""
        shift, found = 8, []
        for _, width in self.numbers:
            shift -= width
            found.append(octet >> shift & (1 << width) - 1)
        return found

    def entries(self, name: str, unit: str, octets: bytes) -> list[Entry]:
        prefix, units = name.rpartition("<")[0], unit.split("|")
        return [
            {"name": f"{prefix}{part}", "value": str(value), "unit": one}
            for (part, _), value, one in zip(self.numbers, self.values(octets[0]), units, strict=True)
        ]

    def build(self, name: str, take: Taker) -> bytes:
        prefix, octet = name.rpartition("<")[0], 0
        for part, width in self.numbers:
            value = str(take(f"{prefix}{part}").get("value"))
            if not value.isdecimal() or int(value) >> width:
                raise EncodeError(f"{prefix}{part} cannot be {value!r}, wanted 0 to {(1 << width) - 1}")
            octet = octet << width | int(value)
        return bytes((octet,))
