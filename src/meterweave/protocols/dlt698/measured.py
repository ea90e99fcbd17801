"""What is measured in results: which Data is a reading, of which quantity and series, whose, and from when.

Whose: the target server address (202A) or communication address (4001) among the columns of a row; else the TSA of a
PROXY result; else the server address of the link. A row whose address column is NULL or empty names no meter and gives
no reading.

When: in a row the first of these columns that is not NULL: freeze time (2021), storage time (6042), start time (6040),
success time (6041) of the collection; those inside a ROAD go before those beside it. The storage time comes before the
success time because it is the time of the task's slot, equal for all meters and under which the terminal keeps the
row. In event records a value before the event holds at its start (201E), one after the event at its end (2020). A
maximum demand holds when it occurred, in a row or not. All other values hold at reception.

Which series: the freeze object of the record, or of the ROAD, see `PROFILES`. Values read as they stand, also by the
task of a terminal, are `Profile.SPOT`: only the meter's own minute, hour and day freezes are series of the meter.

Nothing here looks into numbers, times and addresses: `row_items` and `value_items` only say which Data is what. So
the complete decoder (`readings`), which has values in its Data, and the one for columns (`layouts`), which has the
places of values in them, follow the same rules because they are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from meterweave.metering.batch import Profile
from meterweave.metering.quantities import quantities
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.datum import SCALED
from meterweave.protocols.dlt698.objects import CLASS_DEMAND, attribute
from meterweave.protocols.dlt698.selection import Column, Road

PROFILES: Mapping[int, Profile] = {
    0x5000: Profile.SPOT,
    0x5001: Profile.CURVE,
    0x5002: Profile.CURVE,
    0x5003: Profile.CURVE,
    0x5004: Profile.DAILY,
    0x5005: Profile.SETTLEMENT,
    0x5006: Profile.MONTHLY,
    0x5007: Profile.MONTHLY,  # the year ends with a month
    0x5008: Profile.EVENT,
    0x5009: Profile.EVENT,
    0x500A: Profile.EVENT,
    0x500B: Profile.EVENT,
    0x5011: Profile.SETTLEMENT,
}
"""The series to which the rows of a freeze object belong."""

METER_COLUMNS = (0x202A, 0x4001)
ADDRESSES = frozenset((Tag.TSA, Tag.OCTET_STRING))
"""The types that name a meter."""

TIME_COLUMNS: Sequence[int] = (0x2021, 0x6042, 0x6040, 0x6041)
EVENT_START, EVENT_END = 0x201E, 0x2020
EVENT_TIME_COLUMNS: Mapping[int, int] = {0: EVENT_START, 1: EVENT_START, 4: EVENT_END}
"""When a value of an event record held, by the feature bits of its OAD; the values between (2, 3) are left out."""

UNREAD_MAX = 16
"""Columns of a ROAD up to which one NULL stands for a NULL in each; so an octet cannot make thousands of readings."""

_EVENT_FAMILY = 3
_TIMES = frozenset((Tag.DATE_TIME, Tag.DATE_TIME_S))
_CONTAINERS = frozenset((Tag.ARRAY, Tag.STRUCTURE))
_NULL: Data = (Tag.NULL, None)
_CACHE_MAX = 1 << 16


class Measure(NamedTuple):
    """What a number measures."""

    quantity: int  # `meterweave.metering.quantities.obis_code`
    shift: int  # the number times 10**shift is the stored value


class Item(NamedTuple):
    """One value that is a reading."""

    measure: Measure
    profile: Profile
    time: Data | None  # when it held; None: when it was received
    value: Data  # an integer, or NULL


class Row(NamedTuple):
    """The readings of one row."""

    meter: Data | None  # the address among its columns; None: there is no such column
    items: tuple[Item, ...]


@lru_cache(_CACHE_MAX)
def measure(oad: int) -> Measure | None:
    """What a number measures that comes for `oad`; None where that is no quantity.

    Some devices send one number where the standard has an array: it is the first element.
    """
    about = attribute(oad)
    if about and about.element_obis and not oad & 0xFF:
        about = attribute(oad | 1)
    if about is None or not about.obis or about.exponent is None:
        return None
    quantity = quantities()[about.obis]
    return Measure(quantity.code, about.exponent - quantity.exponent)


def values(oad: int, data: Data) -> Iterator[tuple[Measure, Data, Data | None]]:
    """The measured numbers in `data`, in order, each with the time it carries itself; a NULL may stand for a number.

    A maximum demand is a structure of the number and of when it occurred.
    """
    tag, value = data
    if tag in SCALED or tag == Tag.NULL:
        found = measure(oad)
        if found:
            yield found, data, None
    elif tag == Tag.STRUCTURE and _is_demand(oad):
        if value and value[0][0] not in _CONTAINERS:
            time = value[1] if len(value) > 1 and value[1][0] in _TIMES else None
            for found, one, _ in values(oad, value[0]):
                yield found, one, time
    elif tag in _CONTAINERS and not oad & 0xFF:
        for index, one in enumerate(value[:0xFF], 1):
            yield from values(oad | index, one)


@lru_cache(_CACHE_MAX)
def _is_demand(oad: int) -> bool:
    about = attribute(oad)
    return about is not None and about.interface == CLASS_DEMAND


def value_items(oad: int, data: Data) -> tuple[Item, ...]:
    """The readings in the value of one attribute."""
    return tuple([Item(found, Profile.SPOT, time, one) for found, one, time in values(oad, data)])


def row_items(table: int, columns: Sequence[Column], cells: Sequence[Data]) -> Row:
    """The readings in a row of the record object whose OAD is `table`."""
    beside = {oad >> 16: cell for oad, cell in zip(columns, cells, strict=True) if not isinstance(oad, Road)}
    items: list[Item] = []
    for column, cell in zip(columns, cells, strict=True):
        if isinstance(column, Road):
            inside = list(zip(column.oads, _members(column, cell), strict=False))
            around = {**beside, **{oad >> 16: one for oad, one in inside if one[0] != Tag.NULL}}
            for oad, one in inside:
                items += _column_items(column.road >> 16, oad, one, around)
        else:
            items += _column_items(table >> 16, column, cell, beside)
    return Row(next((beside[oi] for oi in METER_COLUMNS if oi in beside), None), tuple(items))


def _members(column: Road, cell: Data) -> Sequence[Data]:
    """The values of a ROAD: an array; or NULL, where the meter was not read."""
    tag, value = cell
    if tag == Tag.ARRAY:
        members: Sequence[Data] = value
        return members
    unread = tag == Tag.NULL and len(column.oads) <= UNREAD_MAX
    return [_NULL] * len(column.oads) if unread else ()


def _column_items(table: int, oad: int, cell: Data, around: Mapping[int, Data]) -> Iterator[Item]:
    profile, times = PROFILES.get(table, Profile.SPOT), TIME_COLUMNS
    if table >> 12 == _EVENT_FAMILY:
        feature = oad >> 13 & 7
        if feature not in EVENT_TIME_COLUMNS:
            return
        profile, times = Profile.EVENT, (EVENT_TIME_COLUMNS[feature],)
    time = next((around[oi] for oi in times if oi in around and around[oi][0] in _TIMES), None)
    for found, one, own in values(oad, cell):
        yield Item(found, profile, own or time, one)
