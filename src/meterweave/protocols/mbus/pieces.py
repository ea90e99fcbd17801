"""Octets cut into fields of given sizes, for `explain`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from meterweave.protocols.explain import Field
from meterweave.text import Text


class Piece(NamedTuple):
    """One field of a layout."""

    name: Text
    size: int  # [octets]
    describe: Callable[[bytes], tuple[str, Text | None]]
    """Value and meaning of a whole piece."""


def cut(octets: bytes, layout: Sequence[Piece]) -> Iterator[Field]:
    """The fields of `layout`, one behind the other, as far as the octets go; a field cut short is shown raw."""
    at = 0
    for name, size, describe in layout:
        octets_here = octets[at : at + size]
        if not octets_here:
            return
        value, meaning = describe(octets_here) if len(octets_here) == size else (octets_text(octets_here), None)
        yield Field(name, octets_here, value, meaning=meaning)
        at += size


def rest(octets: bytes) -> Iterator[Field]:
    """What no field claims."""
    if octets:
        yield Field(Text("octets", "字节"), octets, octets_text(octets))


def octet_text(number: int) -> str:
    """An octet as the standard writes it: ``08H``."""
    return f"{number:02X}H"


def octets_text(octets: bytes) -> str:
    """Octets in a row: ``08 0A``."""
    return octets.hex(" ").upper()


def as_octet(octets: bytes) -> tuple[str, Text | None]:
    """One octet in hexadecimal."""
    return octet_text(octets[0]), None


def as_number(octets: bytes) -> tuple[str, Text | None]:
    """One octet as a number."""
    return str(octets[0]), None
