"""The data items of DL/T 645 and what their octets hold (2007: annex A; 1997: annex A).

`items.csv` has one row an item or family of items:

``di``
    The identifier, most significant octet first: 8 digits in 2007, 4 in 1997. Letters beyond f stand for the octets
    (doubled) or digits (single) that run through a family: see `wildcards`.
``way``
    ``request`` or ``reply`` where the data of only this direction are meant (security authentication).
``name``, ``obis``
    With ``{tt}`` and the like for what the letters stand for.
``format``
    A notation of `formats`, ``@layout`` for the elements of a row group of `layouts.csv`, ``14*…`` for something up to
    14 times, or ``tariffs*…`` for the total and up to 63 tariffs, whose places in name and OBIS code are ``{}``.
``unit``, ``en``, ``zh``, ``clause``
    As they say. An element of a layout without a unit or an OBIS code of its own has its item's.

An item is a flat row of `Element`s. A meter sends as many of them as it has, so octets are read from the first element
on as long as they last. FF in one octet of an identifier (F in one digit in 1997) is the block of all items with that
octet from 00 up, where those have a fixed size.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from meterweave.metering.batch import Profile
from meterweave.metering.quantities import quantities
from meterweave.protocols.dlt645.formats import Format, Readable, parse
from meterweave.protocols.dlt645.wildcards import WILDCARDS, Choice, tariff
from meterweave.text import Text

Way = Literal["request", "reply"]

_KNOWN_MAX = 1024
"""How many identifiers are kept resolved."""
_TARIFF_MAX = 63
_NONE = b"\xff" * 255
_LETTERS = re.compile(r"([g-z])\1?")
_STEPS: Mapping[tuple[str, str], int] = {("kW", "W"): 3, ("kvar", "var"): 3, ("kVA", "VA"): 3}
"""The power of ten from an item's unit to its quantity's, where they differ."""


@dataclass(frozen=True, slots=True)
class Element:
    """One value of an item."""

    name: str
    text: Text
    format: Format
    unit: str
    quantity: int = 0
    """The code of the measured quantity; 0: none."""
    factor: int = 1
    """What the number in the octets is to be multiplied by to count in the quantity's steps."""
    profile: Profile = Profile.SPOT
    time_from: int = 0
    """Where in the item, counted from here, the element stands that dates this one; 0: nowhere."""


@dataclass(frozen=True, slots=True)
class Item:
    """A data item or a block of them."""

    di: str
    text: Text
    elements: tuple[Element, ...]
    clause: str
    fixed: bool = True
    """Whether it always has all its elements, so that another item can stand behind it in a block."""


class Value(NamedTuple):
    """An element with the octets a message has for it."""

    element: Element
    octets: bytes

    def read(self) -> Readable:
        """The value as JSON holds it; None where the meter has none, which all octets FFH say in every format."""
        return None if self.octets == _NONE[: len(self.octets)] else self.element.format.read(self.octets)


@lru_cache(_KNOWN_MAX)
def find(di: str, way: Way = "reply") -> Item | None:
    """The item or block `di`, lower-case hexadecimal digits, as data sent in direction `way`; None if unknown."""
    for row in _rows().get(di[: _head(di)], ()):
        if row.way in ("", way) and (choices := row.match(di)) is not None:
            return row.item(di, choices)
    return _block(di, way)


def split(elements: Sequence[Element], octets: bytes) -> tuple[list[Value], bytes]:
    """`octets` cut into values as far as they last, and what is left."""
    values = []
    at, end = 0, len(octets)
    for element in elements:
        size = element.format.size or end - at
        if not size or at + size > end:
            break
        values.append(Value(element, octets[at : at + size]))
        at += size
    return values, octets[at:]


def _block(di: str, way: Way) -> Item | None:
    """The block asked for with FF in one octet (2007) or F in one digit (1997)."""
    width = 2 if len(di) == 8 else 1
    parts = [di[at : at + width] for at in range(0, len(di), width)]
    if parts.count("f" * width) != 1:
        return None
    place = parts.index("f" * width)
    members = []
    for number in range(16**width - 1):
        parts[place] = f"{number:0{width}x}"
        member = find("".join(parts), way)
        if member and not member.fixed:
            return None
        members += [member] if member else []
    if not members:
        return None
    first = members[0]
    text = Text(f"block from {first.text.en} on", f"{first.text.zh}等数据块")
    return Item(di, text, tuple(element for member in members for element in member.elements), first.clause)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of `items.csv`."""

    pattern: re.Pattern[str]
    way: str
    name: str
    format: str
    unit: str
    obis: str
    text: Text
    clause: str

    def match(self, di: str) -> dict[str, Choice] | None:
        """What the letters of the row stand for in `di`; None if `di` is none of its identifiers."""
        found = self.pattern.fullmatch(di)
        if not found:
            return None
        choices = {key: WILDCARDS[key].get(int(digits, 16)) for key, digits in found.groupdict().items()}
        known = {key: choice for key, choice in choices.items() if choice is not None}
        return known if len(known) == len(choices) else None

    def item(self, di: str, choices: Mapping[str, Choice]) -> Item:
        """The row's item for one identifier."""
        said = [choice.text for choice in choices.values() if choice.text]
        text = Text(
            ", ".join([self.text.en, *(one.en for one in said)]), "，".join([self.text.zh, *(one.zh for one in said)])
        )
        labels = {key: choice.label for key, choice in choices.items()}
        numbers = {key: choice.number for key, choice in choices.items()}
        profile = max((choice.profile for choice in choices.values()), default=Profile.SPOT)
        whole = _Stem(self.name.format("{}", **labels), text, self.unit, self.obis.format("{}", **numbers), profile)
        elements = tuple(_date(list(_elements(self.format, whole))))
        fixed = "*" not in self.format and all(element.format.size for element in elements)
        return Item(di, text, elements, self.clause, fixed)


@dataclass(frozen=True, slots=True)
class _Stem:
    """What elements inherit from the item or layout around them."""

    name: str
    text: Text
    unit: str
    obis: str
    profile: Profile

    def indexed(self, choice: Choice) -> _Stem:
        """The stem of one of several equal parts."""
        name = self.name.format(choice.label) if "{}" in self.name else f"{self.name}.{choice.label}"
        return replace(self, name=name, obis=self.obis.format(choice.number), text=_join(self.text, choice.text))

    def inner(self, row: Mapping[str, str]) -> _Stem:
        """The stem of one row of a layout."""
        return _Stem(
            f"{self.name}.{row['name']}" if row["name"] and self.name else self.name or row["name"],
            _join(self.text, Text(row["en"], row["zh"])),
            row["unit"] or self.unit,
            row["obis"] or ("" if row["name"] else self.obis),
            self.profile,
        )


def _join(outer: Text, inner: Text | None) -> Text:
    if inner is None or not inner.en:
        return outer
    return Text(f"{outer.en}, {inner.en}", f"{outer.zh}，{inner.zh}") if outer.en else inner


def _elements(notation: str, stem: _Stem) -> Iterator[Element]:
    """The elements a notation stands for."""
    if "*" in notation:
        count, _, inner = notation.partition("*")
        for choice in _repeats(count):
            yield from _elements(inner, stem.indexed(choice))
    elif notation.startswith("@"):
        for row in _layouts()[notation[1:]]:
            yield from _elements(row["format"], stem.inner(row))
    else:
        format_ = parse(notation)
        element = Element(stem.name, stem.text, format_, stem.unit, profile=stem.profile)
        quantity = quantities().get(stem.obis)
        if quantity is None:
            yield element
        else:
            step = _STEPS.get((stem.unit, quantity.unit), 0) - quantity.exponent
            yield replace(element, quantity=quantity.code, factor=10 ** (step + getattr(format_, "exponent", 0)))


def _repeats(count: str) -> list[Choice]:
    if count == "tariffs":
        return [tariff(number) for number in range(_TARIFF_MAX + 1)]
    return [Choice(str(number), number, Text(f"no. {number}", f"第{number}")) for number in range(1, int(count) + 1)]


def _date(elements: list[Element]) -> Iterator[Element]:
    """The elements, each that is followed by its own time, called like it with ``.time``, dated by that."""
    for at, element in enumerate(elements):
        follower = elements[at + 1].name if at + 1 < len(elements) else ""
        yield replace(element, time_from=1) if follower == f"{element.name}.time" else element


def layout(name: str, profile: Profile = Profile.SPOT) -> tuple[Element, ...]:
    """The elements of a layout of `layouts.csv`."""
    return tuple(_elements(f"@{name}", _Stem("", Text("", ""), "", "", profile)))


def table_rows(name: str) -> list[dict[str, str]]:
    """The rows of a table of this package, as they stand in it."""
    with files(__package__).joinpath(name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@cache
def _layouts() -> Mapping[str, list[dict[str, str]]]:
    table: dict[str, list[dict[str, str]]] = {}
    for row in table_rows("layouts.csv"):
        table.setdefault(row["layout"], []).append(row)
    return table


@cache
def _rows() -> Mapping[str, list[_Row]]:
    """The rows by the first digits of their identifiers."""
    table: dict[str, list[_Row]] = {}
    for row in table_rows("items.csv"):
        pattern = re.compile(_LETTERS.sub(_group, row["di"]))
        text = Text(row["en"], row["zh"])
        one = _Row(pattern, row["way"], row["name"], row["format"], row["unit"], row["obis"], text, row["clause"])
        for head in _heads(row["di"][: _head(row["di"])]):
            table.setdefault(head, []).append(one)
    return table


def _head(di: str) -> int:
    """How many digits of an identifier the table is divided by: DI3 and DI2 in 2007, DI1 in 1997."""
    return len(di) // 2


def _heads(head: str) -> list[str]:
    """Every literal a head with letters stands for."""
    match = _LETTERS.search(head)
    if not match:
        return [head]
    letters = match[0]
    return [head.replace(letters, f"{number:0{len(letters)}x}") for number in WILDCARDS[letters]]


def _group(match: re.Match[str]) -> str:
    letters = match[0]
    return f"(?P<{letters}>[0-9a-f]{{{len(letters)}}})"
