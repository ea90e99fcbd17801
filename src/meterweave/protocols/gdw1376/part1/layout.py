"""The language in which `layouts.csv` says what stands in a data unit, and its one interpreter.

A layout is a row of tokens, read from left to right:

=========================== ==============================================================================
``voltage.a:A7``            a cell: its name, a row of `items.csv`, and its format, a name of `FORMATS`
``clock.|a:A1|b:A8``        cells of one stem: ``clock.a:A1 clock.b:A8``
``voltage.{a,b}:A7``        braces: the token once for each alternative, all its braces stepping together
``<speed:3,port:5>``        one octet split into numbers, high bits first, each with its width in bits
``t( … )``                  repeated for the total and each tariff; a ``*`` in a name is ``total``, ``t1``, …
``p( … )``                  repeated for each point; a ``*`` in a name is its number from 0
``meter[ … ]``              a list, the names in it prefixed with ``meter[0].``, ``meter[1].``, …
``?``                       what follows may be left out
``...``                     at the end: octets follow that no layout explains, to the end of the frame's data
=========================== ==============================================================================

A repeat repeats as often as the last counting cell before it says; a tariff repeat once more, for the total.

Interpreting a layout over octets gives *runs*: cells with their place, equal neighbours of a repeat taken together, so
that a curve of 96 points is one run. Decoding, encoding, explaining and the column decoder all work on runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from meterweave.errors import ConfigError
from meterweave.protocols.gdw1376.part1.annex_a import FORMATS, split_format
from meterweave.protocols.gdw1376.part1.formats import Format, Taker
from meterweave.protocols.gdw1376.part1.items import Item, items
from meterweave.text import Text

_BRACES = re.compile(r"\{([^}]*)\}")
_FIXED_INDEX = re.compile(r"\[\d+\]|\[\*\]")


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One value of a layout."""

    name: str
    format: Format
    parts: tuple[Item, ...]  # the item; of a split octet, one for each number
    repeat: str = ""  # "t" within a tariff repeat, "p" within a point repeat

    @property
    def item(self) -> Item:
        """What the value is; of a split octet, its first number."""
        return self.parts[0]

    @property
    def unit(self) -> str:
        """The unit; of a split octet, those of all its numbers with a bar between."""
        return "|".join(part.unit for part in self.parts)

    def called(self, index: int) -> str:
        """The name of the repetition `index`."""
        if not self.repeat:
            return self.name
        return self.name.replace("*", str(index) if self.repeat == "p" else f"t{index}" if index else "total")


class Run(NamedTuple):
    """Equal cells standing one after another."""

    cell: Cell
    at: int
    size: int  # of each cell [octets]
    times: int
    first: int  # repetition of the first
    prefix: str  # of the names, from the lists around

    def name(self, index: int) -> str:
        """The name of the cell `index` of the run."""
        return self.prefix + self.cell.called(self.first + index)


class Found(NamedTuple):
    """What a layout finds in octets."""

    runs: tuple[Run, ...]
    end: int  # where the last run ends
    complete: bool  # whether everything the layout wants was there


@dataclass(frozen=True, slots=True)
class Repeat:
    """Steps repeated for tariffs, points or the members of a list."""

    kind: str  # "t", "p" or "["
    prefix: str
    steps: tuple[Step, ...]

    def times(self, count: int) -> int:
        """How often, when the last counting cell said `count`."""
        return count + 1 if self.kind == "t" else count


@dataclass(frozen=True, slots=True)
class Optional:
    """Steps that may be left out together."""

    name: str  # of the first
    steps: tuple[Step, ...]


Step = Cell | Repeat | Optional


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What stands in the data of one item Fn."""

    title: Text
    steps: tuple[Step, ...]
    profile: str = ""  # of the readings in it, a name of `Profile`; empty where it gives none
    open_end: bool = False  # whether octets follow that it does not explain, so that nothing says where the data end

    def find(self, octets: bytes, at: int = 0) -> Found:
        """The runs of this layout in `octets` from `at` on."""
        finder = _Finder(octets, at)
        complete = finder.walk(self.steps, "", 0)
        return Found(tuple(finder.runs), finder.at, complete)

    def build(self, take: Taker) -> bytes:
        """The octets of the entries that `take` hands out; raises EncodeError."""
        builder = _Builder(take)
        builder.walk(self.steps, "", 0)
        return bytes(builder.octets)

    def tag(self) -> Layout:
        """The layout of a request: only the time tag that stands in front."""
        cells = [step for step in self.steps if isinstance(step, Cell) and step.name.startswith(("freeze.", "curve."))]
        return Layout(self.title, tuple(cells))


class _Finder:
    """Walks the steps over octets that are there."""

    def __init__(self, octets: bytes, at: int) -> None:
        self.octets, self.at = octets, at
        self.runs: list[Run] = []
        self.count: int | None = 0

    def walk(self, steps: tuple[Step, ...], prefix: str, index: int) -> bool:
        for step in steps:
            if isinstance(step, Cell):
                if not self.cell(step, prefix, index):
                    return False
            elif isinstance(step, Repeat):
                if self.count is None or not self.repeat(step, prefix, step.times(self.count)):
                    return False
            elif self.at < len(self.octets):
                return self.walk(step.steps, prefix, index)
        return True

    def cell(self, cell: Cell, prefix: str, index: int) -> bool:
        size = cell.format.size or cell.format.measure(self.octets, self.at)
        end = self.at + size
        if end > len(self.octets):
            return False
        self.runs.append(Run(cell, self.at, size, 1, index, prefix))
        if cell.format.counts:
            self.count = cell.format.count(self.octets[self.at : end])
        self.at = end
        return True

    def repeat(self, step: Repeat, prefix: str, times: int) -> bool:
        if step.kind == "[":
            return all(self.walk(step.steps, f"{prefix}{step.prefix}[{index}].", 0) for index in range(times))
        first = step.steps[0]
        if len(step.steps) > 1 or not isinstance(first, Cell):
            return all(self.walk(step.steps, prefix, index) for index in range(times))
        size = first.format.size
        fit = min(times, (len(self.octets) - self.at) // size)
        if fit:
            self.runs.append(Run(first, self.at, size, fit, 0, prefix))
            self.at += fit * size
        return fit == times


class _Builder:
    """Walks the steps over entries, making octets."""

    def __init__(self, take: Taker) -> None:
        self.take = take
        self.octets = bytearray()
        self.count: int | None = 0

    def walk(self, steps: tuple[Step, ...], prefix: str, index: int) -> None:
        for step in steps:
            if isinstance(step, Cell):
                self.cell(step, prefix + step.called(index))
            elif isinstance(step, Repeat):
                if self.count is None:
                    return
                for number in range(step.times(self.count)):
                    inside = f"{prefix}{step.prefix}[{number}]." if step.kind == "[" else prefix
                    self.walk(step.steps, inside, 0 if step.kind == "[" else number)
            elif self.take.has(prefix + step.name):
                self.walk(step.steps, prefix, index)

    def cell(self, cell: Cell, name: str) -> None:
        octets = cell.format.build(name, self.take)
        if cell.format.counts:
            self.count = cell.format.count(octets)
        self.octets += octets


def parse(text: str, prefix: str = "") -> tuple[Step, ...]:
    """The steps of a layout's text, every name in it behind `prefix`, which names whose values they are.

    Raises
    ------
    ConfigError
        If the text is not of the language, or calls items or formats that no table has.
    """
    tokens = iter([one for token in text.split() for one in _alternatives(token)])
    return tuple(_steps(tokens, prefix, "", ""))


def choose(text: str, index: int) -> str:
    """`text` with the alternative `index` of all its braces."""
    return _BRACES.sub(lambda match: match[1].split(",")[index], text)


def _alternatives(token: str) -> list[str]:
    found = _BRACES.search(token)
    return [choose(token, index) for index in range(len(found[1].split(",")))] if found else [token]


def _steps(tokens: Iterator[str], prefix: str, path: str, repeat: str) -> Iterable[Step]:
    for token in tokens:
        if token in {")", "]"}:
            return
        if token == "?":
            yield _optional(tuple(_steps(tokens, prefix, path, repeat)))
        elif token in {"t(", "p("}:
            yield Repeat(token[0], "", tuple(_steps(tokens, prefix, path, token[0])))
        elif token.endswith("["):
            yield Repeat("[", token[:-1], tuple(_steps(tokens, prefix, f"{path}{token[:-1]}.", repeat)))
        elif token.startswith("<"):
            form, names = split_format(token)
            yield Cell("<", form, tuple(_item(path + name) for name in names))
        else:
            yield from _cells(token, prefix, path, repeat)


def _optional(steps: tuple[Step, ...]) -> Optional:
    if not steps or not isinstance(steps[0], Cell):
        raise ConfigError("what a layout may leave out has to begin with a cell")
    return Optional(steps[0].name, steps)


def _cells(token: str, prefix: str, path: str, repeat: str) -> Iterable[Cell]:
    stem, bar, tails = token.partition("|")
    for tail in tails.split("|") if bar else [""]:
        name, _, form = f"{stem}{tail}".partition(":")
        if form not in FORMATS:
            raise ConfigError(f"layout cell {token!r} has no format of annex A")
        # What tells when or how much is never of an earlier period itself.
        own = name in {"read_time", "tariff_count"}
        yield Cell(name if own else prefix + name, FORMATS[form], (_item(path + name),), repeat)


def _item(name: str) -> Item:
    found = items().get(_FIXED_INDEX.sub("", name))
    if found is None:
        raise ConfigError(f"layout cell {name!r} is no row of items.csv")
    return found
