"""The data of a record to a value and back: numbers, texts, dates and times (EN 13757-3, annex A).

Numbers are exact: digits and an exponent of ten. A 32-bit real is the shortest decimal that gives the same 32 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import NamedTuple

import numpy as np

from meterweave.errors import EncodeError
from meterweave.metering.decimal import from_text, to_text
from meterweave.protocols.bcd import decode_bcd
from meterweave.protocols.mbus.head import Coding, Head, decode_text, encode_text
from meterweave.protocols.mbus.items import Format
from meterweave.protocols.mbus.moment import Moment


class Number(NamedTuple):
    """``digits · 10**exponent``, exactly."""

    digits: int
    exponent: int

    def __str__(self) -> str:
        return to_text(self.digits, self.exponent)


Value = Number | str | Moment | None
"""None: the device has no value, or the record carries none."""


def decode_value(head: Head, data: bytes) -> Value:
    """The value in `data`, scaled."""
    coding, form = head.coding, head.format
    if coding is Coding.INTEGER:
        if form is Format.NUMBER and data:
            return _scaled(head, int.from_bytes(data, "little", signed=True), 0)
        return _decode_integer(head, data)
    if coding is Coding.TEXT:
        return decode_text(data)
    if coding is Coding.REAL:
        real = decode_real(data)
        return real and _scaled(head, *real)
    if coding is Coding.BCD and form is Format.TEXT:
        return _decode_identification(data)
    if coding in (Coding.BCD, Coding.NEGATIVE_BCD):
        digits = decode_signed_bcd(data)
        if digits is not None:
            return _scaled(head, -digits if coding is Coding.NEGATIVE_BCD else digits, 0)
    return None


def _decode_integer(head: Head, data: bytes) -> Value:
    if not data:
        return None
    if head.moment:
        return head.moment.decode(data)
    number = int.from_bytes(data, "little", signed=head.format not in (Format.BITS, Format.TEXT))
    return str(number) if head.format is Format.TEXT else Number(number, 0)


def _decode_identification(data: bytes) -> str | None:
    digits = data[::-1].hex()
    return digits if digits.isdecimal() else None


def decode_signed_bcd(data: bytes) -> int | None:
    """Packed BCD, low octet first, where a top nibble F is a minus; None where another nibble is no digit.

    >>> decode_signed_bcd(bytes.fromhex("2301f0")), decode_signed_bcd(b"\\xee")
    (-123, None)
    """
    if data and data[-1] >= 0xF0:
        digits = decode_bcd(data[:-1] + bytes([data[-1] & 0x0F]))
        return None if digits is None else -digits
    return decode_bcd(data)


def decode_real(data: bytes) -> tuple[int, int] | None:
    """Digits and exponent of the shortest decimal of an IEEE 754 32-bit real; None where it is no number."""
    real = np.frombuffer(data, "<f4")[0]
    if not np.isfinite(real):
        return None
    mantissa, _, power = np.format_float_scientific(real, unique=True, trim="-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits, exponent = int(whole + fraction), int(power) - len(fraction)
    # A whole number is written out, so that its decimals are those of the VIF alone.
    return (digits * 10**exponent, 0) if exponent > 0 else (digits, exponent)


def _scaled(head: Head, digits: int, exponent: int) -> Number:
    exponent += head.exponent
    for addend in head.addends:
        common = min(exponent, addend)
        digits = digits * 10 ** (exponent - common) + 10 ** (addend - common)
        exponent = common
    return Number(digits, exponent)


def value_text(value: str | int | Decimal | Value) -> str | None:
    """A value as text: a plain decimal number, ISO 8601, or itself."""
    if value is None:
        return None
    if isinstance(value, Moment):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def encode_value(head: Head, value: str | int | Decimal | Value) -> bytes:
    """The data that `decode_value` reads as `value`.

    Raises
    ------
    EncodeError
        If the value has no such form, too many decimals or too many digits.
    """
    text = value_text(value)
    try:
        return _encode_missing(head) if text is None else _ENCODERS[head.coding](head, text)
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise EncodeError(f"value {text!r} does not fit {head.item.name} ({head.octets.hex()}): {error}") from error


def _encode_missing(head: Head) -> bytes:
    """What meters send where they have no value: nibbles F, an invalid time, not-a-number."""
    if head.coding is Coding.REAL:
        return struct.pack("<f", float("nan"))
    if head.size == 0 or head.moment or head.coding in (Coding.BCD, Coding.NEGATIVE_BCD):
        return b"\xff" * head.size
    raise ValueError(f"a record of {head.coding.value} has no sign for a missing value")


def _digits(head: Head, text: str) -> int:
    """The number to send for the decimal `text`, VIFE additions taken off again."""
    if not head.addends:
        return from_text(text, head.exponent)
    common = min(head.exponent, *head.addends)
    digits = from_text(text, common) - sum(10 ** (addend - common) for addend in head.addends)
    return from_text(to_text(digits, common), head.exponent)


def _encode_integer(head: Head, text: str) -> bytes:
    if head.moment:
        return head.moment.encode(text)
    signed = head.format not in (Format.BITS, Format.TEXT)
    return _digits(head, text).to_bytes(head.size, "little", signed=signed)


def _encode_bcd(head: Head, text: str) -> bytes:
    number = _digits(head, text)
    if head.coding is Coding.NEGATIVE_BCD:
        number = -number
    if number < 0 and head.format is Format.TEXT:
        raise ValueError("an identification has no sign")
    minus = "f" if number < 0 else ""
    digits = minus + str(abs(number)).zfill(2 * head.size - len(minus))
    if len(digits) > 2 * head.size:
        raise ValueError(f"more than {2 * head.size} digits")
    return bytes.fromhex(digits)[::-1]


def _encode_real(head: Head, text: str) -> bytes:
    common = min((0, head.exponent, *head.addends))
    exact = Decimal(text).scaleb(-common) - sum(10 ** (addend - common) for addend in head.addends)
    real = float(exact.scaleb(common - head.exponent))
    if not isfinite(real):
        raise ValueError("no finite number")
    return struct.pack("<f", real)


def _encode_text(head: Head, text: str) -> bytes:
    octets = encode_text(text)
    if len(octets) != head.size:
        raise ValueError(f"{len(octets)} characters where the head announces {head.size}")
    return octets


def _encode_nothing(head: Head, text: str) -> bytes:
    raise ValueError("the record carries no data")


_ENCODERS: dict[Coding, Callable[[Head, str], bytes]] = {
    Coding.NONE: _encode_nothing,
    Coding.SELECTION: _encode_nothing,
    Coding.INTEGER: _encode_integer,
    Coding.REAL: _encode_real,
    Coding.BCD: _encode_bcd,
    Coding.NEGATIVE_BCD: _encode_bcd,
    Coding.TEXT: _encode_text,
}
