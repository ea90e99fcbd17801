"""Who a telegram is about: secondary address, data headers, media and manufacturers (EN 13757-3, clause 5)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from struct import Struct
from types import MappingProxyType
from typing import NamedTuple

from meterweave.errors import EncodeError
from meterweave.protocols.bcd import decode_address, encode_address
from meterweave.text import Text

ANY_ID = "ffffffff"
ANY_MANUFACTURER = 0xFFFF
ANY_OCTET = 0xFF

_ADDRESS = Struct("<4sHBB"), Struct(">4sHBB")  # least, most significant octet first
_HEADER = Struct("<4sHBBBBH"), Struct(">4sHBBBBH")
_SHORT = Struct("<BBH"), Struct(">BBH")

ADDRESS_SIZE, HEADER_SIZE, SHORT_SIZE = _ADDRESS[0].size, _HEADER[0].size, _SHORT[0].size  # [octets]

UNKNOWN_MEDIUM = Text("reserved", "保留")

STATUS: tuple[tuple[int, int, Text], ...] = (
    (0x03, 0x01, Text("application busy", "应用忙")),
    (0x03, 0x02, Text("application error", "应用错误")),
    (0x03, 0x03, Text("abnormal condition", "异常状态")),
    (0x04, 0x04, Text("power low", "电源电压低")),
    (0x08, 0x08, Text("permanent error", "永久性错误")),
    (0x10, 0x10, Text("temporary error", "暂时性错误")),
    (0x20, 0x20, Text("manufacturer bit 5", "厂商位5")),
    (0x40, 0x40, Text("manufacturer bit 6", "厂商位6")),
    (0x80, 0x80, Text("manufacturer bit 7", "厂商位7")),
)
"""The status octet: mask, pattern under the mask, meaning."""


class SecondaryAddress(NamedTuple):
    """The eight octets that name a slave wherever it stands; in a selection they may hold wildcards."""

    identification: str  # 8 digits; meters also send a to f; in a selection f stands for any digit
    manufacturer: int  # see `manufacturer_code`; FFFFH any
    version: int  # FFH any
    medium: int  # see `media`; FFH any

    def covers(self, other: SecondaryAddress) -> bool:
        """Whether a slave with the address `other` answers to a selection by this one."""
        digits = zip(self.identification, other.identification, strict=True)
        return (
            all(mine in ("f", theirs) for mine, theirs in digits)
            and self.manufacturer in (ANY_MANUFACTURER, other.manufacturer)
            and self.version in (ANY_OCTET, other.version)
            and self.medium in (ANY_OCTET, other.medium)
        )


ANYBODY = SecondaryAddress(ANY_ID, ANY_MANUFACTURER, ANY_OCTET, ANY_OCTET)


class Header(NamedTuple):
    """The 12-octet header of variable data (CI 72H)."""

    address: SecondaryAddress
    access_number: int
    status: int
    signature: int  # the configuration word of newer editions; 0 in plain telegrams


class ShortHeader(NamedTuple):
    """The 4-octet header (CI 7AH); the slave is known from the frame or from a radio header."""

    access_number: int
    status: int
    signature: int


@cache
def media() -> Mapping[int, Text]:
    """The medium (device type) codes of `media.csv`."""
    with files("meterweave.protocols.mbus").joinpath("media.csv").open(encoding="utf-8") as lines:
        return MappingProxyType({int(row["code"], 16): Text(row["en"], row["zh"]) for row in csv.DictReader(lines)})


def medium_name(code: int) -> Text:
    """The words for a medium."""
    return media().get(code, UNKNOWN_MEDIUM)


def manufacturer_code(word: int) -> str:
    """The three letters in a manufacturer word: five bits a letter, A is 1; bit 15 is no part of them.

    >>> manufacturer_code(0x2C2D)
    'KAM'
    """
    return "".join(chr(0x40 + (word >> shift & 0x1F)) for shift in (10, 5, 0))


def manufacturer_word(code: str) -> int:
    """`manufacturer_code` undone.

    Raises
    ------
    EncodeError
        If `code` is not three letters.
    """
    if len(code) != 3 or not all(0x40 <= ord(letter) <= 0x5F for letter in code):
        raise EncodeError(f"manufacturer is {code!r}, wanted three letters")
    first, second, third = (ord(letter) - 0x40 for letter in code)
    return first << 10 | second << 5 | third


def decode_address8(octets: bytes, *, msb: bool = False) -> SecondaryAddress:
    """The secondary address in eight `octets`; `msb`: most significant octet first."""
    identification, manufacturer, version, medium = _ADDRESS[msb].unpack(octets)
    return SecondaryAddress(_digits(identification, msb), manufacturer, version, medium)


def encode_address8(address: SecondaryAddress, *, msb: bool = False) -> bytes:
    """`decode_address8` undone; raises `EncodeError`."""
    _check(address, _ADDRESS_RANGES)
    return _ADDRESS[msb].pack(_id_octets(address.identification, msb), *address[1:])


def decode_header(octets: bytes, *, msb: bool = False) -> Header:
    """The 12-octet header."""
    identification, manufacturer, version, medium, access, status, signature = _HEADER[msb].unpack(octets)
    address = SecondaryAddress(_digits(identification, msb), manufacturer, version, medium)
    return Header(address, access, status, signature)


def encode_header(header: Header, *, msb: bool = False) -> bytes:
    """`decode_header` undone; raises `EncodeError`."""
    return encode_address8(header.address, msb=msb) + encode_short_header(ShortHeader(*header[1:]), msb=msb)


def decode_short_header(octets: bytes) -> ShortHeader:
    """The 4-octet header."""
    return ShortHeader(*_SHORT[0].unpack(octets))


def encode_short_header(header: ShortHeader, *, msb: bool = False) -> bytes:
    """`decode_short_header` undone; raises `EncodeError`."""
    _check(header, _SHORT_RANGES)
    return _SHORT[msb].pack(*header)


def encode_id(identification: str) -> bytes:
    """Eight digits as four octets, low octet first; raises `EncodeError`."""
    try:
        return encode_address(identification, 4)
    except ValueError as error:
        raise EncodeError(f"id is {identification!r}, wanted up to 8 hexadecimal digits") from error


_ADDRESS_RANGES = {"manufacturer": 0xFFFF, "version": 0xFF, "medium": 0xFF}
_SHORT_RANGES = {"access_number": 0xFF, "status": 0xFF, "signature": 0xFFFF}


def _check(fields: SecondaryAddress | ShortHeader, ranges: Mapping[str, int]) -> None:
    for name, limit in ranges.items():
        if not 0 <= getattr(fields, name) <= limit:
            raise EncodeError(f"{name} is {getattr(fields, name)}, wanted 0 to {limit}")


def _digits(octets: bytes, msb: bool) -> str:
    return octets.hex() if msb else decode_address(octets)


def _id_octets(identification: str, msb: bool) -> bytes:
    octets = encode_id(identification)
    return octets[::-1] if msb else octets
