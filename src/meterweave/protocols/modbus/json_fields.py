"""Fields of JSON objects, checked; what is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meterweave.errors import EncodeError


def _needed(found: Mapping[str, Any], key: str) -> object:
    if key not in found:
        raise EncodeError(f"{key} is missing")
    return found[key]


def text_of(found: Mapping[str, Any], key: str) -> str:
    """A text."""
    value = _needed(found, key)
    if not isinstance(value, str):
        raise EncodeError(f"{key} is {value!r}, not a text")
    return value


def number_of(found: Mapping[str, Any], key: str) -> int:
    """A whole number."""
    value = _needed(found, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise EncodeError(f"{key} is {value!r}, not a whole number")
    return value


def hex_of(found: Mapping[str, Any], key: str) -> int:
    """A number written in hexadecimal."""
    return _hex(key, text_of(found, key))


def octets_of(found: Mapping[str, Any], key: str) -> bytes:
    """Octets written in hexadecimal."""
    text = text_of(found, key)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise EncodeError(f"{key} is {text!r}, not octets in hexadecimal") from None


def ascii_of(found: Mapping[str, Any], key: str, size: int) -> bytes:
    """ASCII of `size` octets, filled up with NUL; a shorter text is fine."""
    text = text_of(found, key)
    if not text.isascii() or len(text) > size:
        raise EncodeError(f"{key} is {text!r}, not ASCII of at most {size} characters")
    return text.encode("ascii").ljust(size, b"\0")


def registers_of(found: Mapping[str, Any], key: str) -> list[int]:
    """Registers, each written in hexadecimal."""
    registers = _list(found, key)
    if not all(isinstance(one, str) for one in registers):
        raise _wrong_list(key, registers)
    return [_hex(key, one) for one in registers]


def bits_of(found: Mapping[str, Any], key: str) -> list[bool]:
    """A list of true and false."""
    bits = _list(found, key)
    if not all(isinstance(one, bool) for one in bits):
        raise _wrong_list(key, bits)
    return list(bits)


def rows_of(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """A list of objects."""
    rows = _list(found, key)
    if not all(isinstance(row, Mapping) for row in rows):
        raise _wrong_list(key, rows)
    return list(rows)


def _list(found: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = _needed(found, key)
    if not isinstance(value, list | tuple):
        raise _wrong_list(key, value)
    return value


def _wrong_list(key: str, value: object) -> EncodeError:
    return EncodeError(f"{key} is {value!r}, not a list of the right things")


def _hex(key: str, text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise EncodeError(f"{key} is {text!r}, not a hexadecimal number") from None
