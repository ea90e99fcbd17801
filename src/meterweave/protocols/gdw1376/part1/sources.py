"""Which items Fn to ask for when certain quantities are wanted: the table `layouts.csv` read backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from meterweave.metering.batch import Profile
from meterweave.protocols.gdw1376.part1.catalogue import layout_of, layouts
from meterweave.protocols.gdw1376.part1.formats import Decimal
from meterweave.protocols.gdw1376.part1.layout import Cell, Repeat, Step
from meterweave.protocols.gdw1376.part1.message import Message, Section, sections
from meterweave.protocols.gdw1376.part1.readings import measured, measured_runs

TARIFFS = 4
"""Tariffs that meters commonly have beside the total, for guessing the size of an answer."""
_HEAD = 4  # DA and DT [octets]


class Given(NamedTuple):
    """What a terminal tells of a measuring point under an item."""

    point: int
    fn: int
    quantities: frozenset[int]  # packed OBIS codes; none where it says that it has no values


def items_for(afn: int, profile: Profile, wanted: Iterable[int]) -> tuple[int, ...]:
    """The items of a function that give these quantities in a series, lowest first.

    Of several items that give a quantity it is the one that gives the least beside it.

    Parameters
    ----------
    wanted : iterable of int
        Packed OBIS codes; what no item gives is left out.
    """
    known = _items(afn, profile)
    return tuple(sorted({known[code] for code in wanted if code in known}))


@cache
def quantities_of(afn: int, fn: int) -> frozenset[int]:
    """The quantities in an answer about an item, tariffs included."""
    layout = layout_of(afn, True, fn)
    cells = _cells(layout.steps) if layout and layout.profile else ()
    return frozenset(code for cell in cells if (what := measured(cell)) for code in what.codes)


def answer_size(afn: int, fn: int, points: int = 0) -> int:
    """About how long an answer is: one unit with `points` points of a curve, meters having `TARIFFS`. [octets]"""
    layout = layout_of(afn, True, fn)
    return _HEAD + (_size(layout.steps, points) if layout else 0)


def given(message: Message) -> Iterator[Given]:
    """What a terminal's answer tells, section by section, where it measures something."""
    for unit in message.units if message.uplink else ():
        for section in sections(message, unit):
            if not section.layout.profile or not isinstance(section.point, int):
                continue
            yield Given(section.point, section.fn, frozenset(_told(section, unit.data)))


def _told(section: Section, octets: bytes) -> Iterator[int]:
    """The quantities of which a section has values."""
    for run, what in measured_runs(section):
        form = run.cell.format
        assert isinstance(form, Decimal)
        for place, number in enumerate(form.numbers(octets[run.at : run.at + run.size * run.times])):
            if number is not None:
                yield what.codes[run.first + place if run.cell.repeat == "t" else 0]


@cache
def _items(afn: int, profile: Profile) -> Mapping[int, int]:
    """The item for every quantity that one gives."""
    found: dict[int, int] = {}
    for fn in _fns(afn, profile):
        for code in quantities_of(afn, fn):
            if code not in found or len(quantities_of(afn, fn)) < len(quantities_of(afn, found[code])):
                found[code] = fn
    return MappingProxyType(found)


def _fns(afn: int, profile: Profile) -> list[int]:
    name = profile.name.lower()
    return sorted(
        key.fn for key, layout in layouts().items() if key.afn == afn and key.uplink and layout.profile == name
    )


def _cells(steps: Iterable[Step]) -> Iterator[Cell]:
    for step in steps:
        if isinstance(step, Cell):
            yield step
        else:
            yield from _cells(step.steps)


def _size(steps: Iterable[Step], points: int) -> int:
    total = 0
    for step in steps:
        if isinstance(step, Cell):
            total += step.format.size or 1
        else:
            times = (TARIFFS + 1 if step.kind == "t" else points) if isinstance(step, Repeat) else 1
            total += times * _size(step.steps, points)
    return total
