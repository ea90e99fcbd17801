"""What happened, as a DL/T 698.45 terminal tells it: records of event objects, reported and read.

========================= ===== ==========================
what                      OI    whose
========================= ===== ==========================
power off, power on       3106  the terminal's
clock of the terminal set 3114  the terminal's
remote trip of a relay    3115  the terminal's
cover opened              301B  a meter's
magnetic field            302A  a meter's
power reversed            3007  a meter's
clock fault               302E  a meter's
relay opened, closed      301F  a meter's
                          3020
clock of the meter set    3016  a meter's
========================= ===== ==========================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from meterweave.metering.clock import local_us
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.objects import objects
from meterweave.protocols.dlt698.records import ResultRecord, Row
from meterweave.protocols.dlt698.selection import (
    AllRows,
    Column,
    NthLastRow,
    Road,
    RowsBetween,
    RowSelection,
    RowsEqual,
)
from meterweave.protocols.dlt698.times import date_time_s, moment
from meterweave.protocols.dlt698.values import BitString, tsa
from meterweave.simulator.events import Diary, Happening, Kind
from meterweave.simulator.meter645 import local
from meterweave.simulator.town import LOCAL_S

FAMILIES = range(0x3000, 0x3300)
NEW_EVENTS = 0x3320_0200
METER, NUMBER, START, END, SOURCE, CHANNELS = (
    0x202A_0200,
    0x2022_0200,
    0x201E_0200,
    0x2020_0200,
    0x2024_0200,
    0x3300_0200,
)
POWER_FLAGS = 0x3309_0206
_OUTAGE, _REVERSAL = 0x3106, 0x3007
_RELAY, _CHANNEL = 0xF205_0201, 0x4500_0200
_NULL: Data = (Tag.NULL, None)
_CLASS_24_WHOLE = 6
_ABSENT = 6

Numbered = tuple[int, Happening]


def object_of(one: Happening) -> int:
    """The OI of the object that keeps it."""
    own, of_meter = _OBJECTS[one.kind]
    return of_meter if one.meter else own


_OBJECTS: Mapping[Kind, tuple[int, int]] = {
    Kind.POWER_OFF: (_OUTAGE, _OUTAGE),
    Kind.POWER_ON: (_OUTAGE, _OUTAGE),
    Kind.CLOCK_SET: (0x3114, 0x3016),
    Kind.TRIPPED: (0x3115, 0x301F),
    Kind.CLOSED: (0x3115, 0x3020),
    Kind.COVER_OPENED: (0x301B, 0x301B),
    Kind.MAGNET: (0x302A, 0x302A),
    Kind.REVERSED: (_REVERSAL, _REVERSAL),
    Kind.CLOCK_FAULT: (0x302E, 0x302E),
}


def _table(oi: int) -> int:
    """The record table of an object."""
    return oi << 16 | (_CLASS_24_WHOLE if oi == _REVERSAL else 2) << 8


def report(one: Numbered, off_s: int) -> ResultRecord:
    """What is reported of one happening, with the usual columns.

    Parameters
    ----------
    off_s : int
        The terminal's clock minus the true time.
    """
    oi = object_of(one[1])
    columns: tuple[Column, ...] = (NUMBER, START, END, SOURCE, CHANNELS)
    columns = (*columns, POWER_FLAGS) if oi == _OUTAGE else (METER, *columns) if one[1].meter else columns
    return ResultRecord(_table(oi), columns, (_row(columns, one, off_s),))


def new_events(diary: Diary) -> Data:
    """The list of record tables with something that the centre has not confirmed (3320)."""
    tables = dict.fromkeys(_table(object_of(one)) for _, one in diary.waiting())
    return (Tag.ARRAY, tuple((Tag.OAD, table) for table in tables))


def is_event(oad: int) -> bool:
    """Whether an OAD is of an event object."""
    return oad >> 16 in FAMILIES and oad >> 16 in objects()


def read(diary: Diary, oad: int, rsd: RowSelection, columns: Sequence[Column], off_s: int) -> Sequence[Row] | int:
    """Records that are kept, or the DAR."""
    wanted = _selection(rsd, off_s)
    if wanted is None or not columns:
        return _ABSENT
    here = [one for one in diary.kept if _table(object_of(one[1])) == oad & ~0xFF]
    if isinstance(rsd, NthLastRow):
        here = here[-rsd.nth_last :][:1] if rsd.nth_last and rsd.nth_last <= len(here) else []
    return tuple(_row(columns, one, off_s) for one in here if wanted(one))


def _selection(rsd: RowSelection, off_s: int) -> Callable[[Numbered], bool] | None:
    match rsd:
        case AllRows() | NthLastRow():
            return lambda one: True
        case RowsBetween(oad=oad, from_=low, to=high) if oad >> 16 == NUMBER >> 16:
            first, last = low[1], high[1]
            if isinstance(first, int) and isinstance(last, int):
                return lambda one: first <= one[0] < last
        case RowsEqual(oad=oad, value=(_, number)) if oad >> 16 == NUMBER >> 16:
            return lambda one: one[0] == number
        case RowsBetween(oad=oad, from_=low, to=high) if oad >> 16 == START >> 16:
            from_s, to_s = _utc_s(low, off_s), _utc_s(high, off_s)
            if from_s is not None and to_s is not None:
                return lambda one: from_s <= _began_s(one[1]) < to_s
    return None


def _utc_s(data: Data, off_s: int) -> int | None:
    tag, octets = data
    when = moment(octets) if tag in {Tag.DATE_TIME_S, Tag.DATE_TIME} else None
    return None if when is None else local_us(when) // 1_000_000 - LOCAL_S - off_s


def _began_s(one: Happening) -> int:
    return one.at_s if one.since_s is None else one.since_s


# Rows ----------------------------------------------------------------------------------------------------------------


def _row(columns: Sequence[Column], one: Numbered, off_s: int) -> Row:
    return tuple(
        (Tag.ARRAY, tuple(_cell(oad, one, off_s) for oad in column.oads))
        if isinstance(column, Road)
        else _cell(column, one, off_s)
        for column in columns
    )


def _cell(oad: int, numbered: Numbered, off_s: int) -> Data:
    number, one = numbered
    off_s = 0 if one.meter else off_s  # a meter's record has the meter's time
    if oad == POWER_FLAGS:
        return (Tag.BIT_STRING, BitString(8, b"\xc0")) if object_of(one) == _OUTAGE else _NULL
    cells: Mapping[int, Callable[[], Data]] = {
        METER: lambda: (Tag.TSA, tsa(one.meter.address)) if one.meter else _NULL,
        NUMBER: lambda: (Tag.DOUBLE_LONG_UNSIGNED, number),
        START: lambda: _stamp(_began_s(one), off_s),
        END: lambda: _end(one, off_s),
        SOURCE: lambda: _source(one),
        CHANNELS: _channels,
    }
    return cells[oad & ~0xFF]() if oad & ~0xFF in cells else _NULL


def _stamp(at_s: int, off_s: int) -> Data:
    return (Tag.DATE_TIME_S, date_time_s(local(at_s + off_s)))


def _end(one: Happening, off_s: int) -> Data:
    if one.kind is Kind.POWER_OFF:
        return _NULL
    return _stamp(one.until_s or one.at_s, off_s)


def _source(one: Happening) -> Data:
    if object_of(one) == _OUTAGE:
        return (Tag.ENUM, int(one.kind is Kind.POWER_ON))
    return (Tag.OAD, _RELAY) if object_of(one) == 0x3115 else _NULL


def _channels() -> Data:
    return (Tag.ARRAY, ((Tag.STRUCTURE, ((Tag.OAD, _CHANNEL), (Tag.UNSIGNED, 0))),))
