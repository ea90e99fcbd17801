"""Data identifiers and the items behind them, from ``identifiers.csv`` and ``items.csv``.

``items.csv`` has one row an item, in the order of the line: ``layout`` it belongs to; ``name`` in JSON; ``format`` a
word of `formats.FORMATS`; ``size`` octets, without the octet of a unit; ``exponent``; ``unit``; ``obis`` the code of
the quantity, or several, one for each medium by value group A; ``en``, ``zh`` the meaning; ``clause`` the
edition of CJ/T 188 and the part of it.

``identifiers.csv`` has one row an identifier and layout: ``di``; ``count`` how many identifiers follow each other from
there; ``sender`` master, meter or empty for both; ``types`` the high digits of the meter types it holds for, empty for
all; ``layout``; ``extras`` yes where a maker's octets may follow the layout; ``profile`` of the readings; ``en``,
``zh`` the meaning; ``clause``. Among the rows of an identifier the first that fits decides. ``{n}`` in the names of a
family is the number in it, from 1.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from meterweave.metering.batch import Profile
from meterweave.metering.quantities import obis_code
from meterweave.protocols.cjt188.formats import FORMATS, Clock, Format, Metered
from meterweave.protocols.cjt188.meter import Medium
from meterweave.text import Text


class Item(NamedTuple):
    """One thing an answer or a write command says."""

    name: str
    format: Format
    quantities: Mapping[int, int]  # quantity code by medium
    meaning: Text
    clause: str

    def quantity(self, medium: Medium) -> int | None:
        """The quantity this item measures in a meter of `medium`; where there is only one, it measures that."""
        if len(self.quantities) == 1:
            return next(iter(self.quantities.values()))
        return self.quantities.get(medium)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Items in the order of the line; there is one object of each, and it equals no other."""

    name: str
    items: tuple[Item, ...]
    size: int  # [octets]
    profile: Profile

    @property
    def clock_at(self) -> int | None:
        """Offset of the time that holds for all items, where the layout has one. [octets]"""
        at = 0
        for item in self.items:
            if isinstance(item.format, Clock):
                return at
            at += item.format.size
        return None


class Rule(NamedTuple):
    """When an identifier has which layout."""

    from_meter: bool
    types: str  # high digits of the meter types; empty: all
    layout: Layout
    extras: bool

    def fits(self, meter_type: int, answer: bool, size: int) -> bool:
        """Whether this rule holds for `size` octets behind SER."""
        return (
            answer == self.from_meter
            and (not self.types or f"{meter_type >> 4:X}" in self.types)
            and (size == self.layout.size or (self.extras and size > self.layout.size))
        )


class Identifier(NamedTuple):
    """What a DI stands for."""

    meaning: Text
    rules: tuple[Rule, ...]


@cache
def identifiers() -> Mapping[int, Identifier]:
    """Every identifier of the table, families written out."""
    meanings: dict[int, Text] = {}
    rules: dict[int, list[Rule]] = {}
    for row in _rows("identifiers.csv"):
        first, count = int(row["di"], 16), int(row["count"])
        for number in range(1, count + 1):
            di = first + number - 1
            more = f" {number}" if count > 1 else ""
            meanings[di] = Text(row["en"] + more, row["zh"] + more)
            rules.setdefault(di, [])
            if row["layout"]:
                profile = Profile[row["profile"].upper()] if row["profile"] else Profile.SPOT
                found = layout(row["layout"], number, profile)
                rules[di].append(Rule(row["sender"] == "meter", row["types"], found, row["extras"] == "yes"))
    return MappingProxyType({di: Identifier(meaning, tuple(rules[di])) for di, meaning in meanings.items()})


@cache
def layout(name: str, number: int = 1, profile: Profile = Profile.SPOT) -> Layout:
    """The layout called `name` in ``items.csv``, for the identifier `number` of a family."""
    items = tuple(_numbered(item, number) for item in _layouts()[name])
    return Layout(name, items, sum(item.format.size for item in items), profile)


def _numbered(item: Item, number: int) -> Item:
    words = Text(*(text.replace("{n}", str(number)) for text in item.meaning))
    return item._replace(name=item.name.replace("{n}", str(number)), meaning=words)


@cache
def _layouts() -> Mapping[str, tuple[Item, ...]]:
    table: dict[str, list[Item]] = {}
    for row in _rows("items.csv"):
        table.setdefault(row["layout"], []).append(_item(row))
    return {name: tuple(items) for name, items in table.items()}


def _item(row: Mapping[str, str]) -> Item:
    kind = FORMATS[row["format"]]
    size = int(row["size"]) + (kind is Metered)
    codes = {int(obis.split("-")[0]): obis_code(obis) for obis in row["obis"].split()}
    return Item(
        row["name"],
        kind(size, int(row["exponent"] or 0), row["unit"]),
        MappingProxyType(codes),
        Text(row["en"], row["zh"]),
        row["clause"],
    )


def _rows(name: str) -> list[dict[str, str]]:
    with files("meterweave.protocols.cjt188").joinpath(name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
