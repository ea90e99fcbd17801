"""Rows of the record objects of a DL/T 698.45 terminal: what it reports, and what it finds when it is asked.

A terminal keeps minute (5002), hour (5003), day (5004) and month freezes (5006) of its meters, and the same through its
task table (6012), where the freeze is a group of columns (ROAD). The rows of meters that are alike have the same octets
but for the numbers, so they are written as one matrix and not one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.metering.batch import Profile
from meterweave.protocols.dlt698.cursor import Writer
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.selection import RCSD, Column, Road
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.dlt698.values import OAD, tsa
from meterweave.simulator import registers
from meterweave.simulator.curves import Ints
from meterweave.simulator.meter645 import local
from meterweave.simulator.plan import Due, Series
from meterweave.simulator.town import Meter, Utility

TASKS = 0x6012_0300
_OTHERS = (Utility.WATER, Utility.GAS, Utility.HEAT)
FREEZES: Mapping[int, tuple[Profile, tuple[Utility, ...]]] = {
    0x5002: (Profile.CURVE, (Utility.ELECTRICITY,)),
    0x5003: (Profile.CURVE, _OTHERS),
    0x5004: (Profile.DAILY, tuple(Utility)),
    0x5006: (Profile.MONTHLY, tuple(Utility)),
}
"""The freeze objects: which series of which meters each holds."""

ADDRESS, FREEZE_TIME, STORED = 0x202A_0200, 0x2021_0200, 0x6042_0200
ENERGY, EXPORT = 0x0010_0200, 0x0020_0200
VOLTAGE, CURRENT, POWER = 0x2000_0200, 0x2001_0200, 0x2004_0200
REGISTER: Mapping[Utility, int] = {
    Utility.ELECTRICITY: ENERGY,
    Utility.WATER: 0x2500_0200,
    Utility.GAS: 0x2501_0200,
    Utility.HEAT: 0x2502_0200,
}
"""The object of each utility's register."""

TIMES = frozenset({0x2021, 0x6040, 0x6041, 0x6042})
"""Columns by which rows are chosen."""
OF_THE_FREEZE = frozenset({0x2021, 0x6042})
"""Of these, those with the time of the freeze, which the meter stamped: all schemes here store under it (rule 6).
When the collection started and succeeded is told by the terminal's clock."""
_ADDRESSES = frozenset({0x202A, 0x4001})
_NULL = bytes([Tag.NULL])
_TYPES: Mapping[int, str] = {
    Tag.DOUBLE_LONG: ">i4",
    Tag.DOUBLE_LONG_UNSIGNED: ">u4",
    Tag.LONG_UNSIGNED: ">u2",
    Tag.LONG64_UNSIGNED: ">u8",
}

Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows, one behind the other."""

    octets: bytes
    count: int
    alike: bool = True
    """Whether all are of one width, so that some can be taken out."""

    @property
    def width(self) -> int:
        """Octets of each."""
        return len(self.octets) // self.count

    def part(self, first: int, count: int) -> Rows:
        """Some of them."""
        width = self.width
        return Rows(self.octets[first * width : (first + count) * width], min(count, self.count - first))


class Numbers(NamedTuple):
    """The value of an object: one number, or an array of them; each int64[meter, moment]."""

    tag: Tag
    elements: Sequence[Ints]
    array: bool


class Shown:
    """What meters that are alike show at some moments; each quantity is worked out when a column asks for it.

    Parameters
    ----------
    profile : Profile
        What a freeze of this kind holds; `SPOT` is everything, as the meter shows it now.
    """

    def __init__(self, meters: Sequence[Meter], at_s: Sequence[int], profile: Profile = Profile.SPOT) -> None:
        self.meters, self.at_s, self.profile = tuple(meters), at_s, profile
        self.moments = np.array(at_s, np.int64)

    @cached_property
    def _electrical(self) -> registers.Electrical:
        return registers.electricals(self.meters, self.moments)

    @cached_property
    def _register(self) -> Ints:
        return registers.registers(self.meters, self.moments)

    def numbers(self, oi: int) -> Numbers | None:
        """The value of an object; None where these meters, or this freeze, have none."""
        utility = self.meters[0].utility
        if utility is not Utility.ELECTRICITY:
            if oi != REGISTER[utility] >> 16:
                return None
            # A 32-bit number of 0.01 J, as the standard has it, would be full after 12 kWh.
            if utility is Utility.HEAT:
                return Numbers(Tag.LONG64_UNSIGNED, (self._register * 100,), False)
            return Numbers(Tag.DOUBLE_LONG_UNSIGNED, (self._register,), False)
        found = _ELECTRIC.get(oi)
        return found(self) if found else None

    def energy(self) -> Numbers:
        """Import: the total, and beside it the tariffs, which a curve leaves away."""
        tariffs = () if self.profile is Profile.CURVE else registers.tariff_registers(self.meters, self.moments)
        return Numbers(Tag.DOUBLE_LONG_UNSIGNED, (self._register, *tariffs), True)

    def export(self) -> Numbers | None:
        """What the panels gave."""
        if not self.meters[0].export:
            return None
        return Numbers(Tag.DOUBLE_LONG_UNSIGNED, (registers.export_registers(self.meters, self.moments),), True)

    def voltage(self) -> Numbers | None:
        """Voltages of the phases."""
        return self._instant(Tag.LONG_UNSIGNED, lambda: self._electrical.voltage_dv)

    def current(self) -> Numbers | None:
        """Currents of the phases."""
        return self._instant(Tag.DOUBLE_LONG, lambda: self._electrical.current_ma)

    def power(self) -> Numbers | None:
        """Power of all phases together."""
        return self._instant(Tag.DOUBLE_LONG, lambda: (self._electrical.power_dw,))

    def _instant(self, tag: Tag, elements: Callable[[], Sequence[Ints]]) -> Numbers | None:
        return Numbers(tag, elements(), True) if self.profile in {Profile.SPOT, Profile.CURVE} else None


_ELECTRIC: Mapping[int, Callable[[Shown], Numbers | None]] = {
    ENERGY >> 16: Shown.energy,
    EXPORT >> 16: Shown.export,
    VOLTAGE >> 16: Shown.voltage,
    CURRENT >> 16: Shown.current,
    POWER >> 16: Shown.power,
}


def value(shown: Shown, oad: int) -> Data | None:
    """What the first meter shows at the first moment; None where it has no such object."""
    found = shown.numbers(oad >> 16) if oad >> 8 & 0xFF == 2 else None
    if found is None:
        return None
    elements: tuple[Data, ...] = tuple((found.tag, int(one[0, 0])) for one in found.elements)
    index = oad & 0xFF
    if not found.array:
        return None if index else elements[0]
    if not index:
        return (Tag.ARRAY, elements)
    return elements[index - 1] if index <= len(elements) else (Tag.NULL, None)


def columns_of(series: Series) -> tuple[Column, ...]:
    """The columns of the reports of a series, in the task table."""
    measured = [REGISTER[series.utility]]
    if series.solar:
        measured.append(EXPORT)
    if series.utility is Utility.ELECTRICITY and series.profile is Profile.CURVE:
        measured += [VOLTAGE, CURRENT, POWER]
    return (ADDRESS, STORED, Road(freeze_of(series) << 16 | 0x0200, (FREEZE_TIME, *measured)))


def freeze_of(series: Series) -> int:
    """The freeze object that holds a series."""
    return next(oi for oi, (profile, who) in FREEZES.items() if profile is series.profile and series.utility in who)


def cells_in(columns: Sequence[Column]) -> int:
    """How many cells a row has, those inside of ROADs counted."""
    return sum(len(column.oads) if isinstance(column, Road) else 1 for column in columns)


# Octets --------------------------------------------------------------------------------------------------------------


def rows_of(columns: Sequence[Column], shown: Shown, clock_off_s: int) -> Rows:
    """The rows, meter by meter; what the meter does not have is NULL, when it was silent there is no row."""
    parts: list[Octets] = []
    for column in columns:
        if isinstance(column, Road):
            parts.append(_constant(_array_of(len(column.oads))))
            for oad in column.oads:
                parts += _cell(oad, shown, clock_off_s)
        else:
            parts += _cell(column, shown, clock_off_s)
    shape = len(shown.meters), len(shown.at_s)
    width = sum(part.shape[-1] for part in parts)
    matrix = np.empty((*shape, width), np.uint8)
    at = 0
    for part in parts:
        matrix[:, :, at : at + part.shape[-1]] = part
        at += part.shape[-1]
    matrix = _alive(matrix, shown)
    return Rows(matrix.tobytes(), matrix.size // width)


def _alive(matrix: Octets, shown: Shown) -> Octets:
    if all(meter.dies_s is None for meter in shown.meters):
        return matrix
    alive = np.array([[meter.alive(at) for at in shown.at_s] for meter in shown.meters], np.bool_)
    found: Octets = matrix[alive.reshape(matrix.shape[:2])]
    return found


def _cell(oad: int, shown: Shown, clock_off_s: int) -> list[Octets]:
    oi = oad >> 16
    if oi in TIMES:
        off_s = 0 if oi in OF_THE_FREEZE else clock_off_s
        stamps = [bytes([Tag.DATE_TIME_S]) + date_time_s(local(at + off_s)) for at in shown.at_s]
        return [_table(stamps)[None, :, :]]
    if oi in _ADDRESSES:
        return [_table([_address(oi, meter) for meter in shown.meters])[:, None, :]]
    found = shown.numbers(oi) if oad >> 8 & 0xFF == 2 else None
    index = oad & 0xFF
    if found is None or index > len(found.elements) or (index and not found.array):
        return [_constant(_NULL)]
    if index:
        return _number(found.tag, found.elements[index - 1])
    head = [_constant(_array_of(len(found.elements)))] if found.array else []
    return head + [part for element in found.elements for part in _number(found.tag, element)]


@lru_cache(1 << 16)
def _address(oi: int, meter: Meter) -> bytes:
    octets, tag = (tsa(meter.address), Tag.TSA) if oi == ADDRESS >> 16 else (bytes.fromhex(meter.address), 9)
    return bytes([tag, len(octets)]) + octets


def _number(tag: Tag, numbers: Ints) -> list[Octets]:
    octets = numbers.astype(_TYPES[tag])
    return [_constant(bytes([tag])), octets.view(np.uint8).reshape(*numbers.shape, octets.itemsize)]


def _array_of(count: int) -> bytes:
    """The head of an array."""
    writer = Writer()
    writer.octets.append(Tag.ARRAY)
    writer.length(count)
    return bytes(writer.octets)


def _constant(octets: bytes) -> Octets:
    return np.frombuffer(octets, np.uint8)[None, None, :]


def _table(rows: Sequence[bytes]) -> Octets:
    """Octets of equal length as a matrix."""
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1 if rows else 1)


def record(oad: int, columns: tuple[Column, ...], found: Sequence[Rows] | int) -> bytes:
    """An A-ResultRecord: the table, its columns, and its rows or the DAR that tells why there are none."""
    writer = Writer()
    OAD.write(writer, oad)
    RCSD.write(writer, columns)
    if isinstance(found, int):
        writer.octets += bytes([0, found])
        return bytes(writer.octets)
    writer.octets.append(1)
    writer.length(sum(rows.count for rows in found))
    return bytes(writer.octets) + b"".join(rows.octets for rows in found)


def due_record(due: Due, columns: tuple[Column, ...], clock_off_s: int) -> bytes:
    """What a report holds."""
    shown = Shown(due.meters, due.slots, due.series.profile)
    return record(TASKS, columns, (rows_of(columns, shown, clock_off_s),))
