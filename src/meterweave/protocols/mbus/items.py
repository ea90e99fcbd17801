"""What a value is: the VIF tables of EN 13757-3 and the combinable VIFE that qualify it.

The tables are ``items.csv`` and ``vifes.csv``, one row a family of neighbouring codes `first` to `last`. In a family
with one unit the exponent rises by one from code to code; where units are listed (``s|min|h|d``) the unit changes
instead. Columns of items beside: ``name`` as in JSON; ``en`` and ``zh`` the meaning; ``format`` see `Format`;
``edition`` the year in which EN 13757-3 gave the code its meaning; ``clause``. Column ``role`` of a VIFE: ``scale`` and
``add`` change the number, ``number`` and ``datetime`` replace it by another, ``error`` tells that there is none,
``import``, ``export``, ``l1``, ``l2``, ``l3`` and ``n`` say which of several quantities it is, ``none`` says nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from meterweave.text import Text

PRIMARY, FB, FD = "primary", "FB", "FD"
TEXT_UNIT, ANY, MAKER = 0x7C, 0x7E, 0x7F  # primary VIF codes with rules of their own
EXTENDED, MAKER_FOLLOWS = 0x7C, 0x7F  # VIFE codes with rules of their own

_EDITION = "2004"


class Format(StrEnum):
    """How the data of an item are read."""

    NUMBER = "number"
    BITS = "bits"  # unsigned
    TEXT = "text"  # an identification: BCD digits keep their zeros
    DATE = "date"
    DATETIME = "datetime"


@dataclass(frozen=True, slots=True)
class Item:
    """What one VIF means."""

    name: str
    unit: str
    exponent: int  # the number sent times 10**exponent is the value in `unit`
    format: Format
    meaning: Text
    later: Item | None = None  # what a later edition of the standard made of a code that was reserved


@dataclass(frozen=True, slots=True)
class Qualifier:
    """What one VIFE says about the value before it."""

    role: str  # what programs do with it, see `vifes.csv`; empty: it makes another quantity of the value
    exponent: int
    unit: str
    meaning: Text


UNKNOWN = Item("unknown", "unknown", 0, Format.NUMBER, Text("reserved code", "保留代码"))
RESERVED_VIFE = Qualifier("", 0, "", Text("reserved VIFE", "保留的VIFE"))
MAKER_VIFE = Qualifier("", 0, "", Text("manufacturer VIFE", "厂商VIFE"))


@cache
def items() -> Mapping[tuple[str, int], Item]:
    """Every item by its table and code, families written out.

    A code that was reserved in 2004 stays ``unknown``, with its later meaning beside: meters made to the first edition
    use such codes for things of their own, and a telegram does not tell its edition.
    """
    table: dict[tuple[str, int], Item] = {}
    for row, code, exponent, unit in _expanded("items.csv"):
        item = Item(row["name"], unit, exponent, Format(row["format"]), Text(row["en"], row["zh"]))
        if row["edition"] != _EDITION:
            item = replace(UNKNOWN, meaning=item.meaning, later=item)
        table[row["table"], code] = item
    return MappingProxyType(table)


@cache
def qualifiers() -> Mapping[tuple[str, int], Qualifier]:
    """Every combinable VIFE by its table (``plain``, or ``extended`` behind FCH) and code."""
    return MappingProxyType(
        {
            (row["table"], code): Qualifier(row["role"], exponent, unit, Text(row["en"], row["zh"]))
            for row, code, exponent, unit in _expanded("vifes.csv")
        }
    )


def item(table: str, code: int) -> Item:
    """The item of a code without its extension bit; `UNKNOWN` where the standard has none."""
    return items().get((table, code), UNKNOWN)


def qualify(vifes: bytes) -> tuple[Qualifier, ...]:
    """What each octet of `vifes` says, one for one; behind 7FH everything is the maker's."""
    found: list[Qualifier] = []
    table = "plain"
    for octet in vifes:
        code = octet & 0x7F
        if table == "maker":
            found.append(MAKER_VIFE)
            continue
        found.append(qualifiers().get((table, code), RESERVED_VIFE))
        if table == "plain" and code == MAKER_FOLLOWS:
            table = "maker"
        else:
            table = "extended" if table == "plain" and code == EXTENDED else "plain"
    return tuple(found)


def _expanded(file: str) -> Iterator[tuple[dict[str, str], int, int, str]]:
    """Every row of `file` once for each code of its family, with the code's own exponent and unit."""
    with files("meterweave.protocols.mbus").joinpath(file).open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            first, last = int(row["first"], 16), int(row["last"], 16)
            units = row["unit"].split("|")
            for step in range(last - first + 1):
                rise = step if len(units) == 1 else 0
                yield row, first + step, int(row["exponent"] or 0) + rise, units[step % len(units)]
