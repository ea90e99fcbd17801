"""Named values of data units: read from octets, and octets built from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meterweave.errors import EncodeError
from meterweave.metering.decimal import to_text
from meterweave.protocols.gdw1376.part1.catalogue import layout_of
from meterweave.protocols.gdw1376.part1.designator import Point, da_of, dt_of, items_of, points_of
from meterweave.protocols.gdw1376.part1.formats import Decimal, Entry
from meterweave.protocols.gdw1376.part1.layout import Run
from meterweave.protocols.gdw1376.part1.message import Message, Unit, sections

STEPS_MIN: Mapping[int, int] = {1: 15, 2: 30, 3: 60, 254: 5, 255: 1}
"""Minutes from point to point, by the density octet of Td_c and Td_h; 0 is no freeze, the others are reserved."""


def unit_values(message: Message, unit: Unit) -> tuple[list[Entry], bytes]:
    """The named values of a unit, in the order of the octets, and the octets that no layout explains.

    Where the unit is about several points or items, every value says which: ``"pn": 1, "fn": 33``.
    """
    several = len(unit.points) * len(unit.items) > 1
    entries: list[Entry] = []
    end = 0
    for section in sections(message, unit):
        where = {"pn": section.point, "fn": section.fn} if several else {}
        for run in section.found.runs:
            entries += (entry | where for entry in run_values(run, unit.data))
        end = section.found.end
    return entries, unit.data[end:]


def unit_numbers(message: Message, unit: Unit) -> Iterator[tuple[Run, list[int | None]]]:
    """The numbers of a unit, run by run, all digits of a run read in one go; None is no value.

    This is for programs that want a curve's integers and no names: the value is the number times
    ``10**run.cell.format.exponent`` in ``run.cell.item.unit``.
    """
    for section in sections(message, unit):
        for run in section.found.runs:
            if isinstance(run.cell.format, Decimal):
                yield run, run.cell.format.numbers(unit.data[run.at : run.at + run.size * run.times])


def run_values(run: Run, octets: bytes) -> Iterator[Entry]:
    """The named values of one run of cells."""
    cell, size = run.cell, run.size
    if run.times > 1 and isinstance(cell.format, Decimal):
        yield from _decimals(run, cell.format, octets[run.at : run.at + size * run.times])
        return
    for index in range(run.times):
        at = run.at + index * size
        yield from cell.format.entries(run.name(index), cell.unit, octets[at : at + size])


def _decimals(run: Run, form: Decimal, octets: bytes) -> Iterator[Entry]:
    """The values of a run of numbers, all digits read in one go."""
    unit = run.cell.unit
    for index, number in enumerate(form.numbers(octets)):
        if number is None:
            one = octets[index * run.size : (index + 1) * run.size]
            yield form.entry(run.name(index), unit, one)
        else:
            yield {"name": run.name(index), "value": to_text(number, form.exponent), "unit": unit}


def step_minutes(density: int) -> int | None:
    """Minutes from point to point; None where the density octet says none or is reserved."""
    return STEPS_MIN.get(density)


class Entries:
    """A `Taker` of entries in the order of the layout, as `unit_values` gives them."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._entries = list(entries)
        self._next = 0

    def __call__(self, name: str) -> Mapping[str, Any]:
        if not self.has(name):
            found = self._entries[self._next].get("name") if self._next < len(self._entries) else "the end"
            raise EncodeError(f"values: found {found!r} where {name!r} was wanted")
        self._next += 1
        return self._entries[self._next - 1]

    def has(self, name: str) -> bool:
        return self._next < len(self._entries) and self._entries[self._next].get("name") == name

    def finish(self) -> None:
        """Raise EncodeError where entries are left."""
        if self._next < len(self._entries):
            raise EncodeError(f"values: {self._entries[self._next].get('name')!r} has no place in the layout")


class Named:
    """A `Taker` of plain values by name: ``{"freeze.day": "2018-08-27"}``; None is *no value*."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._left = dict(values)

    def __call__(self, name: str) -> Mapping[str, Any]:
        if name not in self._left:
            raise EncodeError(f"values: {name!r} is missing")
        value = self._left.pop(name)
        return value if isinstance(value, Mapping) else {"value": value}

    def has(self, name: str) -> bool:
        return name in self._left

    def finish(self) -> None:
        """Raise EncodeError where values are left."""
        if self._left:
            raise EncodeError(f"values: {next(iter(self._left))!r} has no place in the layout")


def build_unit(
    afn: int,
    uplink: bool,
    points: Sequence[Point],
    items: Sequence[int],
    values: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
) -> Unit:
    """A data unit from named values.

    Parameters
    ----------
    values : mapping or sequence
        Values by name, for one item of one point; or entries in order, as `unit_values` gives them.

    Raises
    ------
    EncodeError
        If an item has no layout, or a value is missing, too many, or does not fit its format.
    """
    da, dt = da_of(points), dt_of(items)
    return Unit(da, dt, build_data(afn, uplink, da, dt, values))


def build_data(
    afn: int, uplink: bool, da: int, dt: int, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> bytes:
    """The data of a unit from named values; see `build_unit`."""
    take = Named(values) if isinstance(values, Mapping) else Entries(values)
    octets = b""
    for _ in points_of(da):
        for fn in items_of(dt):
            layout = layout_of(afn, uplink, fn)
            if layout is None:
                if values:
                    raise EncodeError(f"AFN {afn:02X}H F{fn} has no layout here: give its data raw")
                continue
            octets += layout.build(take)
    take.finish()
    return octets
