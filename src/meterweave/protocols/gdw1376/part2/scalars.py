"""Elements of fixed size with one value: numbers, BCD, text, dates; low octet first unless said otherwise."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part2.layout import (
    Element,
    Reader,
    sized_octets,
    wanted,
    wanted_int,
    wanted_list,
    wanted_octets,
)
from meterweave.protocols.gdw1376.part2.words import Words
from meterweave.text import Text


@dataclass(frozen=True, slots=True)
class Scalar(Element):
    """One value of `size` octets."""

    size: int = 1

    @abstractmethod
    def value(self, octets: bytes) -> Any:
        """The JSON-ready value of the octets."""

    @abstractmethod
    def octets(self, value: Any, path: str) -> bytes:
        """`value` undone; `EncodeError` naming `path`."""

    def shown(self, octets: bytes, value: Any) -> Field:
        """The field for people."""
        return Field(self.text, octets, str(value))

    def read(self, reader: Reader, values: Json) -> None:
        values[self.name] = self.value(reader.take(self.size))

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        return self.octets(wanted(values, self.name, path), f"{path}.{self.name}")

    def explain(self, reader: Reader, values: Json) -> list[Field]:
        at = reader.at
        self.read(reader, values)
        return [self.shown(reader.octets[at : reader.at], values[self.name])]


@dataclass(frozen=True, slots=True)
class Number(Scalar):
    """A whole number."""

    _: KW_ONLY
    unit: str = ""
    words: Words = field(default_factory=dict, hash=False)
    default: int | None = None  # for a writer that leaves it out

    def value(self, octets: bytes) -> int:
        return int.from_bytes(octets, "little")

    def octets(self, value: Any, path: str) -> bytes:
        return wanted_int(value, (1 << 8 * self.size) - 1, path).to_bytes(self.size, "little")

    def shown(self, octets: bytes, value: Any) -> Field:
        return Field(self.text, octets, str(value), self.unit, self.words.get(value))

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        if self.default is not None and self.name not in values:
            return self.octets(self.default, path)
        return Scalar.write(self, values, path)


@dataclass(frozen=True, slots=True)
class Count(Number):
    """How many items of the list, or octets of the hexadecimal text, called `of` follow."""

    _: KW_ONLY
    of: str = ""
    given: bool = False  # the sender may say any other number, too

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        there = wanted(values, self.of, path)
        count = len(there) // 2 if isinstance(there, str) else len(wanted_list(there, f"{path}.{self.of}"))
        value = values.get(self.name, count)
        octets = self.octets(value, f"{path}.{self.name}")
        if value != count and not self.given:
            raise EncodeError(f"{path}.{self.name} is {value}, but {path}.{self.of} has {count}")
        return octets


@dataclass(frozen=True, slots=True)
class Code(Scalar):
    """A number written in hexadecimal, 0x in front."""

    _: KW_ONLY
    words: Words = field(default_factory=dict, hash=False)

    def value(self, octets: bytes) -> str:
        return f"0x{octets[::-1].hex().upper()}"

    def octets(self, value: Any, path: str) -> bytes:
        return word_octets(value, self.size, path)

    def shown(self, octets: bytes, value: Any) -> Field:
        return Field(self.text, octets, f"{value.removeprefix('0x')}H", meaning=self.words.get(int(value, 16)))


def word_octets(value: object, size: int, path: str) -> bytes:
    """The octets of a number written ``0x…``, or given as a number."""
    number: object = int(value, 16) if isinstance(value, str) and re.fullmatch("0[xX][0-9a-fA-F]+", value) else value
    return wanted_int(number, (1 << 8 * size) - 1, path).to_bytes(size, "little")


@dataclass(frozen=True, slots=True)
class Digits(Scalar):
    """Digits sent low octet first (BCD as a rule; A to F stay), printed most significant first."""

    def value(self, octets: bytes) -> str:
        return octets[::-1].hex()

    def octets(self, value: Any, path: str) -> bytes:
        return digit_octets(value, self.size, path)

    def shown(self, octets: bytes, value: Any) -> Field:
        return Field(self.text, octets, value.upper())


def digit_octets(value: object, size: int, path: str) -> bytes:
    """The octets of exactly ``2 * size`` hexadecimal digits, low octet first."""
    if not isinstance(value, str) or not re.fullmatch(f"[0-9a-fA-F]{{{2 * size}}}", value):
        raise EncodeError(f"{path} is {value!r}, wanted {2 * size} digits")
    return bytes.fromhex(value)[::-1]


@dataclass(frozen=True, slots=True)
class Address(Digits):
    """The address of a node, 12 digits."""

    size: int = 6


@dataclass(frozen=True, slots=True)
class Ascii(Scalar):
    """Text sent last character first."""

    def value(self, octets: bytes) -> str:
        return octets[::-1].decode("latin-1")

    def octets(self, value: Any, path: str) -> bytes:
        try:
            octets: bytes = value.encode("latin-1")
        except (AttributeError, UnicodeEncodeError):
            octets = b""
        if len(octets) != self.size:
            raise EncodeError(f"{path} is {value!r}, wanted a text of {self.size} characters")
        return octets[::-1]

    def shown(self, octets: bytes, value: Any) -> Field:
        return Field(self.text, octets, value if value.isascii() and value.isprintable() else octets.hex(" ").upper())


@dataclass(frozen=True, slots=True)
class Octets(Scalar):
    """Octets as they are, in hexadecimal; their number fixed, in an earlier `Count`, or all that is left."""

    size: int = 0
    _: KW_ONLY
    length: str = ""  # the key of the `Count`; "" with a `size` of 0: all that is left
    low_first: bool = False  # printed with the last octet first

    def value(self, octets: bytes) -> str:
        return octets[::-1].hex() if self.low_first else octets.hex()

    def octets(self, value: Any, path: str) -> bytes:
        octets = sized_octets(value, self.size, path) if self.size else wanted_octets(value, path)
        return octets[::-1] if self.low_first else octets

    def shown(self, octets: bytes, value: Any) -> Field:
        return Field(self.text, octets, (octets[::-1] if self.low_first else octets).hex(" ").upper())

    def read(self, reader: Reader, values: Json) -> None:
        size = values[self.length] if self.length else self.size or reader.left
        values[self.name] = self.value(reader.take(size))


@dataclass(frozen=True, slots=True)
class FileContent(Octets):
    """A piece of a file; its first 16 octets stand in a key of their own."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.name, f"{self.name}_head"))

    def read(self, reader: Reader, values: Json) -> None:
        Octets.read(self, reader, values)
        values[f"{self.name}_head"] = values[self.name][:32]


@dataclass(frozen=True, slots=True)
class Moment(Scalar):
    """A date or time of BCD octets; one that is in no calendar is given as its octets in hexadecimal."""

    size: int = 3
    _: KW_ONLY
    order: str = "%d%m%y"  # the octets in `datetime.strptime` letters
    iso: str = "%Y-%m-%d"

    def value(self, octets: bytes) -> str:
        digits = octets.hex()
        try:
            moment = datetime.strptime(digits, self.order) if digits.isdecimal() else None
        except ValueError:
            moment = None
        if moment is None:
            return digits
        # %y reads 69 to 99 as years of the last century; a module's years are all of this one.
        return moment.replace(year=2000 + moment.year % 100).strftime(self.iso)

    def octets(self, value: Any, path: str) -> bytes:
        if isinstance(value, str) and re.fullmatch(f"[0-9a-fA-F]{{{2 * self.size}}}", value):
            return bytes.fromhex(value)
        try:
            moment = datetime.strptime(value, self.iso)
        except (TypeError, ValueError) as error:
            raise EncodeError(f"{path} is {value!r}, wanted a time like {datetime(2019, 5, 1):{self.iso}}") from error
        if not 2000 <= moment.year < 2100:
            raise EncodeError(f"{path} is {value!r}, wanted a year from 2000 to 2099")
        return bytes.fromhex(moment.strftime(self.order))

    def shown(self, octets: bytes, value: Any) -> Field:
        return Field(self.text, octets, value.upper())


@dataclass(frozen=True, slots=True)
class FunctionSet(Scalar):
    """Bits for F1, F2, …, the lowest bit of the first octet first; a list of the numbers of those that are set."""

    size: int = 32

    def value(self, octets: bytes) -> list[int]:
        word = int.from_bytes(octets, "little")
        return [fn for fn in range(1, 8 * self.size + 1) if word >> (fn - 1) & 1]

    def octets(self, value: Any, path: str) -> bytes:
        word = 0
        for index, fn in enumerate(wanted_list(value, path)):
            if wanted_int(fn, 8 * self.size, f"{path}[{index}]") == 0:
                raise EncodeError(f"{path}[{index}] is 0, wanted 1 to {8 * self.size}")
            word |= 1 << (fn - 1)
        return word.to_bytes(self.size, "little")

    def shown(self, octets: bytes, value: Any) -> Field:
        return Field(self.text, octets, " ".join(f"F{fn}" for fn in value))


@dataclass(frozen=True, slots=True)
class Numbers(Scalar):
    """As many one-octet numbers as `size` says, for phases A, B, C."""

    _: KW_ONLY
    words: Words = field(default_factory=dict, hash=False)

    def value(self, octets: bytes) -> list[int]:
        return list(octets)

    def octets(self, value: Any, path: str) -> bytes:
        numbers = wanted_list(value, path)
        if len(numbers) != self.size:
            raise EncodeError(f"{path} has {len(numbers)} numbers, wanted {self.size}")
        return bytes(wanted_int(number, 255, f"{path}[{index}]") for index, number in enumerate(numbers))

    def shown(self, octets: bytes, value: Any) -> Field:
        parts = tuple(
            Field(
                Text(f"phase {phase}", f"{phase}相"), octets[index : index + 1], str(number), "", self.words.get(number)
            )
            for index, (phase, number) in enumerate(zip("ABC", value, strict=True))
        )
        return Field(self.text, octets, parts=parts)
