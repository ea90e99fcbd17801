"""What callers give, checked: each function returns what it is handed, or raises `EncodeError` with a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from meterweave.errors import EncodeError


def integer(found: object, low: int, high: int) -> int:
    """`found`, if it is an integer from `low` to `high`."""
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise EncodeError(f"{found!r} is no integer from {low} to {high}")
    return found


def octets_of(found: object, size: int | None = None) -> bytes:
    """The octets written in hexadecimal text; `size` of them, where that is given."""
    if not isinstance(found, str):
        raise EncodeError(f"{found!r} is no hexadecimal text")
    try:
        octets = bytes.fromhex(found)
    except ValueError:
        raise EncodeError(f"{found!r} is no hexadecimal text") from None
    return sized(octets, size)


def sized(found: object, size: int | None = None) -> bytes:
    """`found`, if it is octets, `size` of them where that is given."""
    if not isinstance(found, bytes) or size not in (None, len(found)):
        raise EncodeError(f"{found!r} is not {'octets' if size is None else f'{size} octets'}")
    return found


def mapping(found: object) -> Mapping[str, Any]:
    """`found`, if it is a JSON object."""
    if not isinstance(found, Mapping):
        raise EncodeError(f"{found!r} is no object")
    return found


def sequence(found: object) -> Sequence[Any]:
    """`found`, if it is a JSON array."""
    if not isinstance(found, list | tuple):
        raise EncodeError(f"{found!r} is no array")
    return found


def member(found: object, key: str) -> Any:
    """The value of `key`, which must be there."""
    table = mapping(found)
    if key not in table:
        raise EncodeError(f"{key} is missing")
    return table[key]


@contextmanager
def naming(name: str | int) -> Iterator[None]:
    """Errors raised inside tell that they are about the field `name`."""
    try:
        yield
    except EncodeError as error:
        raise EncodeError(f"{name}: {error}") from None
