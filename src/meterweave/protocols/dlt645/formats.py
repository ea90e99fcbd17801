"""How values stand in octets, named as the standard's tables name them (DL/T 645-2007, annex A; clause 5.2.6).

A format's notation is the standard's: ``XXXXXX.XX`` is four octets of BCD with two decimals, ``±`` in front says that
the top bit of the most significant octet is the sign, ``YYMMDDhhmm`` is a time. Everything is printed most significant
octet first and sent least significant octet first. `parse` makes a format from its notation.

A value is read to what JSON holds: text, or a number for small codes; None stands for *the meter has no value*: all
octets FFH, a nibble that is no decimal digit, or a date that cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

from meterweave.metering.decimal import from_text, to_text
from meterweave.protocols.bcd import decode_bcd, encode_bcd
from meterweave.protocols.dlt645.words import Word, word

Readable = str | int | list[str] | None
"""What `Format.read` gives: JSON-ready."""


class Format(Protocol):
    """One way to write a value."""

    @property
    def size(self) -> int:
        """How many octets a value takes; 0: all that are left."""
        ...

    def read(self, octets: bytes) -> Readable:
        """The value as JSON holds it; None where there is none."""
        ...

    def write(self, value: object) -> bytes:
        """The octets of what `read` gave.

        Raises
        ------
        ValueError
            If `value` does not fit the format.
        """
        ...

    def more(self, octets: bytes) -> dict[str, object]:
        """Further facts the octets hold, as more keys of the value's JSON."""
        ...


class _Plain:
    """A format whose value says everything."""

    __slots__ = ()

    def more(self, octets: bytes) -> dict[str, object]:
        return {}


@dataclass(frozen=True, slots=True)
class Number(_Plain):
    """BCD with a fixed decimal point, signed or not."""

    size: int
    exponent: int = 0
    signed: bool = False

    def number(self, octets: bytes) -> int | None:
        """The value as an integer of ``10**exponent``."""
        if self.signed and octets[-1] & 0x80:
            magnitude = decode_bcd(octets[:-1] + bytes([octets[-1] & 0x7F]))
            return None if magnitude is None else -magnitude
        return decode_bcd(octets)

    def read(self, octets: bytes) -> str | None:
        number = self.number(octets)
        return None if number is None else to_text(number, self.exponent)

    def write(self, value: object) -> bytes:
        number = from_text(str(value), self.exponent)
        if not self.signed:
            return encode_bcd(number, self.size)
        octets = encode_bcd(abs(number), self.size)
        if octets[-1] & 0x80:
            raise ValueError(f"{value} is too large beside a sign bit")
        return octets[:-1] + bytes([octets[-1] | (number < 0) << 7])


@dataclass(frozen=True, slots=True)
class Integer(_Plain):
    """A BCD integer of whatever size the meter sends (meters differ in the number of holidays 04000205)."""

    size: int = 0
    _MAX = 8

    def read(self, octets: bytes) -> str | None:
        number = decode_bcd(octets) if len(octets) <= self._MAX else None
        return None if number is None else str(number)

    def write(self, value: object) -> bytes:
        digits = str(from_text(str(value), 0))
        return encode_bcd(int(digits), (len(digits) + 1) // 2)


@dataclass(frozen=True, slots=True)
class Binary(_Plain):
    """An unsigned binary integer with a fixed decimal point (amounts and counts of recharging)."""

    size: int
    exponent: int = 0

    def number(self, octets: bytes) -> int | None:
        """The value as an integer of ``10**exponent``."""
        number = int.from_bytes(octets, "little")
        return None if number == (1 << 8 * self.size) - 1 else number

    def read(self, octets: bytes) -> str | None:
        number = self.number(octets)
        return None if number is None else to_text(number, self.exponent)

    def write(self, value: object) -> bytes:
        number = from_text(str(value), self.exponent)
        if not 0 <= number < (1 << 8 * self.size) - 1:
            raise ValueError(f"{value} does not fit {self.size} octets")
        return number.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Octet(_Plain):
    """One octet as the number it is."""

    size: int = 1

    def read(self, octets: bytes) -> int:
        return octets[0]

    def write(self, value: object) -> bytes:
        number = int(str(value))
        if not 0 <= number <= 0xFF:
            raise ValueError(f"{value} does not fit an octet")
        return bytes([number])


@dataclass(frozen=True, slots=True)
class Digits(_Plain):
    """Digits that name something, most significant first: an address, a password, an identifier."""

    size: int

    def read(self, octets: bytes) -> str:
        return octets[::-1].hex()

    def write(self, value: object) -> bytes:
        octets = bytes.fromhex(str(value))[::-1]
        if len(octets) != self.size:
            raise ValueError(f"{value!r} is not {2 * self.size} digits")
        return octets


@dataclass(frozen=True, slots=True)
class Octets(_Plain):
    """Octets nobody reads further, in the order they are sent."""

    size: int = 0

    def read(self, octets: bytes) -> str:
        return octets.hex()

    def write(self, value: object) -> bytes:
        octets = bytes.fromhex(str(value))
        if self.size and len(octets) != self.size:
            raise ValueError(f"{value!r} is not {self.size} octets")
        return octets


@dataclass(frozen=True, slots=True)
class Ascii(_Plain):
    """Text sent last character first and filled with 00H (real frame: 00 00 56 30 32 32 is 220V)."""

    size: int = 0

    def read(self, octets: bytes) -> str | None:
        text = octets[::-1].rstrip(b"\0")
        if not all(0x20 <= octet < 0x7F for octet in text):
            return None
        return text.decode("ascii")

    def write(self, value: object) -> bytes:
        octets = str(value).encode("ascii")
        if self.size and len(octets) > self.size:
            raise ValueError(f"{value!r} is longer than {self.size} characters")
        return octets.ljust(self.size, b"\0")[::-1]


_SEPARATORS: Mapping[str, str] = {"MM": "-", "DD": "-", "hh": "T", "mm": ":", "ss": ":"}
_LIMITS: Mapping[str, int] = {"YY": 99, "MM": 12, "DD": 31, "WW": 6, "hh": 23, "mm": 59, "ss": 59}
_ANCHOR: Mapping[str, int] = {"YY": 0, "MM": 1, "DD": 1, "hh": 0, "mm": 0, "ss": 0}
"""What stands for the parts of a time that a shorter notation leaves out, so that its date can be checked; the year
2000 has a 29 February."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a time of day or both, ISO 8601 without zone; years are 2000 to 2099; WW is 0 Sunday to 6 Saturday."""

    notation: str

    @property
    def size(self) -> int:
        return len(self.notation) // 2

    @property
    def fields(self) -> list[str]:
        """The two-letter parts, most significant first."""
        return [self.notation[at : at + 2] for at in range(0, len(self.notation), 2)]

    def moment(self, octets: bytes) -> datetime | None:
        """The time, with the parts that are not sent at their first value; None where it cannot be."""
        parts = dict(_ANCHOR)
        for field, octet in zip(self.fields, octets[::-1], strict=True):
            number = decode_bcd(bytes([octet]))
            if number is None or number > _LIMITS[field]:
                return None
            parts[field] = number
        try:
            return datetime(2000 + parts["YY"], parts["MM"], parts["DD"], parts["hh"], parts["mm"], parts["ss"])
        except ValueError:
            return None

    def read(self, octets: bytes) -> str | None:
        if self.moment(octets) is None:
            return None
        text = ""
        for field, octet in zip(self.fields, octets[::-1], strict=True):
            if field != "WW":
                text += (_SEPARATORS[field] if text else "20" * (field == "YY")) + f"{octet:02x}"
        return text

    def write(self, value: object) -> bytes:
        digits = re.sub(r"[-T:]", "", str(value))
        if "YY" in self.notation:
            digits = digits.removeprefix("20")
        fields = [field for field in self.fields if field != "WW"]
        if not re.fullmatch(r"[0-9]+", digits) or len(digits) != 2 * len(fields):
            raise ValueError(f"{value!r} is not {self.notation}")
        if "WW" in self.notation:
            digits += f"{_weekday(digits):02d}"
        octets = bytes.fromhex(digits)[::-1]
        if self.read(octets) != value:
            raise ValueError(f"{value!r} is not {self.notation}")
        return octets

    def more(self, octets: bytes) -> dict[str, object]:
        if "WW" not in self.notation or self.moment(octets) is None:
            return {}
        return {"weekday": octets[0]}


def _weekday(digits: str) -> int:
    """The WW of a date YYMMDD."""
    return int(datetime.strptime("20" + digits, "%Y%m%d").strftime("%w"))


@dataclass(frozen=True, slots=True)
class Bits:
    """Named bits, bit 0 first, of an integer sent low octet first."""

    name: str
    size: int

    @property
    def word(self) -> Word:
        """The table of the bits."""
        return word(self.name)

    def read(self, octets: bytes) -> str:
        return f"0x{int.from_bytes(octets, 'little'):0{2 * self.size}X}"

    def write(self, value: object) -> bytes:
        number = int(str(value), 16)
        if not 0 <= number < 1 << 8 * self.size:
            raise ValueError(f"{value} does not fit {self.size} octets")
        return number.to_bytes(self.size, "little")

    def more(self, octets: bytes) -> dict[str, object]:
        return {"bits": self.word.states(int.from_bytes(octets, "little"))}


REPORT_MARK = b"\xaa"
"""What stands before and behind the counts of an active report."""


@dataclass(frozen=True, slots=True)
class Report:
    """The active-report status 04001501: 96 bits, and in newer meters AAH, a count for each set bit, AAH.

    JSON gives the twelve octets in the order sent, the numbers and names of the set bits, and their counts.
    """

    size: int = 0
    _STATUS = 12

    def read(self, octets: bytes) -> str | None:
        return octets[: self._STATUS].hex() if len(octets) >= self._STATUS else None

    def write(self, value: object) -> bytes:
        octets = bytes.fromhex(str(value))
        if len(octets) != self._STATUS:
            raise ValueError(f"{value!r} is not {self._STATUS} octets")
        return octets

    def more(self, octets: bytes) -> dict[str, object]:
        status, tail = octets[: self._STATUS], octets[self._STATUS :]
        table = word("active_report_status")
        bits = [at for at in range(8 * len(status)) if status[at // 8] >> at % 8 & 1]
        found: dict[str, object] = {"set_bits": bits, "set_names": [table.name_of(at) for at in bits]}
        if len(tail) >= 2 and tail[:1] == tail[-1:] == REPORT_MARK:
            found["counts"] = list(tail[1:-1])
        return found


@dataclass(frozen=True, slots=True)
class Code(_Plain):
    """One octet that is a code."""

    size: int = 1

    def read(self, octets: bytes) -> str:
        return f"0x{octets[0]:02X}"

    def write(self, value: object) -> bytes:
        number = int(str(value), 16)
        if not 0 <= number <= 0xFF:
            raise ValueError(f"{value} does not fit an octet")
        return bytes([number])


@dataclass(frozen=True, slots=True)
class Count(_Plain):
    """One octet of BCD as a number."""

    size: int = 1

    def read(self, octets: bytes) -> int | None:
        return decode_bcd(octets)

    def write(self, value: object) -> bytes:
        return encode_bcd(int(str(value)), 1)


@dataclass(frozen=True, slots=True)
class Rate(_Plain):
    """The speed word: one bit for each speed (2007, annex C); its number is the speed in baud."""

    size: int = 1

    def read(self, octets: bytes) -> int | None:
        names = word("rate").names(octets[0])
        return int(names[0]) if len(names) == 1 and names[0].isdecimal() else None

    def write(self, value: object) -> bytes:
        return bytes([word("rate").number([str(value)])])


@dataclass(frozen=True, slots=True)
class Flags(_Plain):
    """The names of the bits that are set, as in the error words."""

    name: str
    size: int

    def read(self, octets: bytes) -> list[str]:
        return word(self.name).names(int.from_bytes(octets, "little"))

    def write(self, value: object) -> bytes:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is no list of names")
        number = word(self.name).number(value)
        if number >> 8 * self.size:
            raise ValueError(f"{value!r} does not fit {self.size} octets")
        return number.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Data(Octets):
    """The octets of a data item, which the identifier explains."""

    di: str = ""
    """The identifier, where the function itself says which item this is."""
    shown: bool = False
    """Whether the octets are shown beside the values they hold."""


_NUMBER = re.compile(r"(±?)([XN]+)(?:\.([XN]+))?")
_MOMENT = re.compile(r"(?:YY|MM|DD|WW|hh|mm|ss)+")
_NAMED = re.compile(r"([A-Za-z]+)([0-9]*)(?:\.([0-9]+))?(?::([a-z0-9_]+))?")
_KINDS: Mapping[str, Callable[[int, int, str], Format]] = {
    "BCD": lambda size, decimals, name: Digits(size),
    "ASCII": lambda size, decimals, name: Ascii(size),
    "HEX": lambda size, decimals, name: Octets(size),
    "BIN": lambda size, decimals, name: Binary(size, -decimals),
    "INTEGER": lambda size, decimals, name: Integer(),
    "BITS": lambda size, decimals, name: Bits(name, size),
    "REPORT": lambda size, decimals, name: Report(),
}


@cache
def parse(notation: str) -> Format:
    """The format of a notation.

    ``XXXXXX.XX`` and ``NN`` BCD, ``±XX.XXXX`` BCD with a sign, ``YYMMDDhhmm`` and the like a time; and, with their size
    in octets, ``BCD6`` digits, ``ASCII6`` text, ``HEX8`` octets, ``BIN4.2`` a binary number with two decimals,
    ``BITS2:status_word_1`` named bits. A size left out takes all octets that are left.

    Raises
    ------
    ValueError
        If the notation is none of these.
    """
    if match := _NUMBER.fullmatch(notation):
        whole, fraction = match[2], match[3] or ""
        return Number((len(whole) + len(fraction) + 1) // 2, -len(fraction), bool(match[1]))
    if _MOMENT.fullmatch(notation):
        return Moment(notation)
    if (match := _NAMED.fullmatch(notation)) and match[1] in _KINDS:
        return _KINDS[match[1]](int(match[2] or 0), int(match[3] or 0), match[4] or "")
    raise ValueError(f"{notation!r} is no format")
