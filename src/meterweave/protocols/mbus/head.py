"""What stands before the data of a record: ``DIF DIFE* VIF VIFE* LVAR`` (EN 13757-3, clause 6).

A meter repeats the same few heads in every telegram, so that their meaning is worked out once and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from typing import Any

from meterweave.errors import DecodeError
from meterweave.protocols.mbus.items import (
    ANY,
    FB,
    FD,
    MAKER,
    PRIMARY,
    TEXT_UNIT,
    Format,
    Item,
    Qualifier,
    item,
    qualify,
)
from meterweave.protocols.mbus.moment import BY_SIZE, MomentType

SPECIAL = 0x0F  # the low four bits of a DIF that has no VIF
FILLER, GLOBAL_READOUT = 0x2F, 0x7F  # two of them
MORE = 0x80  # the extension bit of DIF, DIFE, VIF and VIFE
EXTENSIONS_MAX = 10  # DIFE, and VIFE, of one record
VARIABLE = 0x0D  # the DIF code whose data begin with LVAR

FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")
_EXTENSION_TABLES = {0xFB: FB, 0xFD: FD}
_FREE_FORM = ("unknown", "manufacturer_specific", "any_vif")  # plain numbers, which no VIFE scales


class Coding(Enum):
    """How data octets make a value."""

    NONE = "no data"
    SELECTION = "selection for readout"
    INTEGER = "integer"
    REAL = "32-bit real"
    BCD = "BCD"
    NEGATIVE_BCD = "negative BCD"
    TEXT = "text"
    RESERVED = "reserved"  # of unknown size: nothing behind can be told


_CODINGS: tuple[tuple[Coding, int], ...] = (
    (Coding.NONE, 0),
    (Coding.INTEGER, 1),
    (Coding.INTEGER, 2),
    (Coding.INTEGER, 3),
    (Coding.INTEGER, 4),
    (Coding.REAL, 4),
    (Coding.INTEGER, 6),
    (Coding.INTEGER, 8),
    (Coding.SELECTION, 0),
    (Coding.BCD, 1),
    (Coding.BCD, 2),
    (Coding.BCD, 3),
    (Coding.BCD, 4),
    (Coding.RESERVED, 0),  # LVAR tells
    (Coding.BCD, 6),
    (Coding.RESERVED, 0),  # special DIF
)
"""Coding and size of the data by the low four bits of the DIF."""


@dataclass(frozen=True, slots=True)
class Head:
    """One record's head, as octets and as what they mean; two heads are equal when their octets are."""

    octets: bytes
    function: str = field(compare=False)
    storage: int = field(compare=False)
    tariff: int = field(compare=False)
    subunit: int = field(compare=False)
    coding: Coding = field(compare=False)
    size: int = field(compare=False)  # of the data [octets]
    item: Item = field(compare=False)
    vifes: bytes = field(compare=False)  # without the code behind FBH and FDH
    qualifiers: tuple[Qualifier, ...] = field(compare=False)  # one for each of `vifes`
    unit: str = field(compare=False)
    format: Format = field(compare=False)
    moment: MomentType | None = field(compare=False)  # how a date or time is sent, where the value is one
    exponent: int = field(compare=False)  # of the number sent, VIFE scales included
    addends: tuple[int, ...] = field(compare=False)  # exponents of the powers of ten that VIFE add

    @property
    def roles(self) -> frozenset[str]:
        """What the VIFE do to the value, beside scaling it."""
        return frozenset(qualifier.role for qualifier in self.qualifiers if qualifier.role not in ("scale", "add"))


def head_end(octets: bytes, at: int) -> int:
    """The offset behind the head that begins at `at`; it may lie behind the end of `octets`.

    Raises
    ------
    IndexError
        If the octets end inside the head.
    DecodeError
        ``too_many_dife`` or ``too_many_vife``.
    """
    dif = octets[at]
    if dif == GLOBAL_READOUT:
        return at + 1
    start = at
    while octets[at] & MORE:
        at += 1
    if at - start > EXTENSIONS_MAX:
        raise DecodeError("too_many_dife", at=start, dife_count=at - start)
    at += 1
    vif = octets[at]
    more = vif & MORE
    at += 1
    if vif & ~MORE == TEXT_UNIT:
        at += 1 + octets[at]
    start = at
    while more:
        more = octets[at] & MORE
        at += 1
    if at - start > EXTENSIONS_MAX:
        raise DecodeError("too_many_vife", at=start, vife_count=at - start)
    if dif & 0x0F == VARIABLE:
        octets[at]  # LVAR must be there
        at += 1
    return at


@lru_cache(maxsize=4096)
def parse_head(octets: bytes) -> Head:
    """The head in `octets`, which are exactly what `head_end` delimits."""
    dif = octets[0]
    if dif == GLOBAL_READOUT:
        return replace(parse_head(bytes([0x08, ANY])), octets=octets)
    difes = _extensions(octets, 0)
    end = len(octets)
    coding, size = _CODINGS[dif & 0x0F]
    if dif & 0x0F == VARIABLE:
        end -= 1
        coding, size = lvar_coding(octets[end])
    found, vifes = _value_information(octets[1 + len(difes) : end])
    qualifiers = qualify(bytes([MAKER]) + vifes)[1:] if found.name == "manufacturer_specific" else qualify(vifes)
    return Head(
        octets=octets,
        function=FUNCTIONS[dif >> 4 & 3],
        storage=(dif >> 6 & 1) + sum((dife & 0x0F) << 1 + 4 * step for step, dife in enumerate(difes)),
        tariff=sum((dife >> 4 & 3) << 2 * step for step, dife in enumerate(difes)),
        subunit=sum((dife >> 6 & 1) << step for step, dife in enumerate(difes)),
        coding=coding,
        size=size,
        item=found,
        vifes=vifes,
        qualifiers=qualifiers,
        **_measure(found, qualifiers, coding, size),
    )


def lvar_coding(lvar: int) -> tuple[Coding, int]:
    """How variable data are coded, and their size in octets, by LVAR (EN 13757-3, clause 6.3)."""
    if lvar < 0xC0:
        return Coding.TEXT, lvar
    if lvar < 0xE0:
        return (Coding.BCD if lvar < 0xD0 else Coding.NEGATIVE_BCD), lvar & 0x0F
    if lvar < 0xF0:
        return Coding.INTEGER, lvar - 0xE0
    if lvar < 0xF5:
        return Coding.INTEGER, 4 * (lvar - 0xEC)
    return {0xF5: (Coding.INTEGER, 48), 0xF6: (Coding.INTEGER, 64)}.get(lvar, (Coding.RESERVED, 0))


def _extensions(octets: bytes, at: int) -> bytes:
    """The extension octets behind the one at `at`."""
    end = at
    while octets[end] & MORE:
        end += 1
    return octets[at + 1 : end + 1]


def _value_information(octets: bytes) -> tuple[Item, bytes]:
    """The item that VIF, extension code or text stand for, and the VIFE behind."""
    vif, rest = octets[0], octets[1:]
    if vif & ~MORE == TEXT_UNIT:
        size = 1 + rest[0]
        return replace(item(PRIMARY, TEXT_UNIT), unit=decode_text(rest[1:size])), rest[size:]
    if vif in _EXTENSION_TABLES:
        return item(_EXTENSION_TABLES[vif], rest[0] & ~MORE), rest[1:]
    return item(PRIMARY, vif & ~MORE), rest


def _measure(item: Item, qualifiers: tuple[Qualifier, ...], coding: Coding, size: int) -> dict[str, Any]:
    """How the data of an item are read under its VIFE."""
    unit, form, exponent = item.unit, item.format, item.exponent
    moment: MomentType | None = None
    addends: tuple[int, ...] = ()
    if item.name not in _FREE_FORM:
        for qualifier in qualifiers:
            if qualifier.role in (Format.NUMBER, Format.DATETIME):
                unit, form, exponent = qualifier.unit, Format(qualifier.role), qualifier.exponent
        if form in (Format.DATE, Format.DATETIME) and size and coding is not Coding.TEXT:
            moment = BY_SIZE.get(size) if coding is Coding.INTEGER else None
            # Data that are no time type are shown as the plain number they are.
            unit, form = (moment.unit, form) if moment else ("raw", Format.NUMBER)
        elif form is Format.NUMBER:
            exponent += scale(qualifiers)
            addends = tuple(qualifier.exponent for qualifier in qualifiers if qualifier.role == "add")
    return {"unit": unit, "format": form, "moment": moment, "exponent": exponent, "addends": addends}


def scale(qualifiers: tuple[Qualifier, ...]) -> int:
    """The power of ten by which VIFE multiply."""
    return sum(qualifier.exponent for qualifier in qualifiers if qualifier.role == "scale")


def decode_text(octets: bytes) -> str:
    """Characters of ISO 8859-1, the last one first."""
    return octets[::-1].decode("latin-1")


def encode_text(text: str) -> bytes:
    """`decode_text` undone; raises `UnicodeEncodeError`."""
    return text.encode("latin-1")[::-1]
