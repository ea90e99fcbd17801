"""Rows of the record objects of a DL/T 698.45 terminal: what it reports, and what it finds when it is asked.

A terminal keeps minute (5002), hour (5003) and day freezes (5004) of its meters, and the same through its task table
(6012), where the freeze is a group of columns (ROAD).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from meterweave.metering.batch import Profile
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.records import ResultRecord, Row
from meterweave.protocols.dlt698.selection import Column, Road
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.dlt698.values import tsa
from meterweave.simulator import registers
from meterweave.simulator.meter645 import local
from meterweave.simulator.plan import Due, Series
from meterweave.simulator.town import Meter, Utility

TASKS = 0x6012_0300
FREEZES: Mapping[int, tuple[Profile, tuple[Utility, ...]]] = {
    0x5002: (Profile.CURVE, (Utility.ELECTRICITY,)),
    0x5003: (Profile.CURVE, (Utility.WATER, Utility.GAS, Utility.HEAT)),
    0x5004: (Profile.DAILY, tuple(Utility)),
}
"""The freeze objects: which series of which meters each holds."""

ADDRESS, FREEZE_TIME, STORED = 0x202A_0200, 0x2021_0200, 0x6042_0200
ENERGY, VOLTAGE, CURRENT, POWER = 0x0010_0200, 0x2000_0200, 0x2001_0200, 0x2004_0200
REGISTER: Mapping[Utility, int] = {
    Utility.ELECTRICITY: ENERGY,
    Utility.WATER: 0x2500_0200,
    Utility.GAS: 0x2501_0200,
    Utility.HEAT: 0x2502_0200,
}
"""The object of each utility's register."""
NULL: Data = (Tag.NULL, None)


class Cells(NamedTuple):
    """What one meter shows at one moment, by object; arrays as the standard has them, phase by phase."""

    meter: Meter
    at_s: int
    values: Mapping[int, tuple[Data, ...] | Data]


def cells_of(meter: Meter, at_s: Sequence[int]) -> Iterator[Cells]:
    """What a meter shows at several moments."""
    at = np.array(at_s, np.int64)
    register = registers.register(meter, at).tolist()
    if meter.utility is not Utility.ELECTRICITY:
        oi = REGISTER[meter.utility] >> 16
        # A 32-bit number of 0.01 J, as the standard has it, would be full after 12 kWh.
        tag, scale = (Tag.LONG64_UNSIGNED, 100) if meter.utility is Utility.HEAT else (Tag.DOUBLE_LONG_UNSIGNED, 1)
        for moment, number in zip(at_s, register, strict=True):
            yield Cells(meter, moment, {oi: (tag, number * scale)})
        return
    electrical = registers.electrical(meter, at)
    voltages = zip(*(one.tolist() for one in electrical.voltage_dv), strict=True)
    currents = zip(*(one.tolist() for one in electrical.current_ma), strict=True)
    shown = zip(at_s, register, voltages, currents, electrical.power_dw.tolist(), strict=True)
    for moment, energy, voltage, current, power in shown:
        values: dict[int, tuple[Data, ...] | Data] = {
            ENERGY >> 16: ((Tag.DOUBLE_LONG_UNSIGNED, energy),),
            VOLTAGE >> 16: tuple((Tag.LONG_UNSIGNED, one) for one in voltage),
            CURRENT >> 16: tuple((Tag.DOUBLE_LONG, one) for one in current),
            POWER >> 16: ((Tag.DOUBLE_LONG, power),),
        }
        yield Cells(meter, moment, values)


def value(cells: Cells, oad: int) -> Data | None:
    """The value of an attribute, or of one element of it; None where the meter has no such object."""
    if oad >> 8 & 0xFF != 2:
        return None
    found = cells.values.get(oad >> 16)
    if found is None:
        return None
    element = oad & 0xFF
    if isinstance(found[0], tuple):
        if element:
            return found[element - 1] if element <= len(found) else NULL
        return (Tag.ARRAY, found)
    return None if element else found


def columns_of(series: Series) -> tuple[Column, ...]:
    """The columns of the reports of a series, in the task table."""
    freeze = next(oi for oi, (profile, who) in FREEZES.items() if profile is series.profile and series.utility in who)
    measured = [REGISTER[series.utility]]
    if series.utility is Utility.ELECTRICITY and series.profile is Profile.CURVE:
        measured += [VOLTAGE, CURRENT, POWER]
    return (ADDRESS, STORED, Road(freeze << 16 | 0x0200, (FREEZE_TIME, *measured)))


def due_result(due: Due, clock_off_s: int) -> ResultRecord:
    """What a report holds."""
    columns = columns_of(due.series)
    rows = [
        row(columns, cells, clock_off_s)
        for meter in due.meters
        for cells in cells_of(meter, [at for at in due.slots if meter.alive(at)])
    ]
    return ResultRecord(TASKS, columns, tuple(rows))


def row(columns: Sequence[Column], cells: Cells, clock_off_s: int) -> Row:
    """One row; what the meter does not have is NULL."""
    return tuple(
        (Tag.ARRAY, tuple(_cell(oad, cells, clock_off_s) for oad in column.oads))
        if isinstance(column, Road)
        else _cell(column, cells, clock_off_s)
        for column in columns
    )


def _cell(oad: int, cells: Cells, clock_off_s: int) -> Data:
    special = _SPECIAL.get(oad >> 16)
    if special:
        return special(cells, clock_off_s)
    return value(cells, oad) or NULL


def _stamp(at_s: int) -> Data:
    return (Tag.DATE_TIME_S, date_time_s(local(at_s)))


_SPECIAL: Mapping[int, Callable[[Cells, int], Data]] = {
    0x202A: lambda cells, _: (Tag.TSA, tsa(cells.meter.address)),
    0x4001: lambda cells, _: (Tag.OCTET_STRING, bytes.fromhex(cells.meter.address)),
    0x2021: lambda cells, _: _stamp(cells.at_s),
    0x6040: lambda cells, off_s: _stamp(cells.at_s + off_s),
    0x6041: lambda cells, off_s: _stamp(cells.at_s + off_s),
    0x6042: lambda cells, off_s: _stamp(cells.at_s + off_s),
}
"""Columns that are no measured values. The meter's clock stamps the freeze, the terminal's clock what it stores."""
TIMES = frozenset({0x2021, 0x6040, 0x6041, 0x6042})
"""Columns by which rows are chosen."""
