"""Events that a terminal recorded: the record tables of the event objects (3xxx), chosen by the time they began.

What its meters recorded it keeps in the same objects, with the meter's address as a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from meterweave.headend.dlt698.clock_setting import Span, in_both_times, off_us
from meterweave.headend.dlt698.freezes import METER
from meterweave.headend.dlt698.line import SUCCESS, Line, Talk, refused
from meterweave.headend.dlt698.literals import NULL, local_stamp, stamp
from meterweave.headend.dlt698.tally import portions
from meterweave.headend.operations import Done, Outcome, ReadEvents
from meterweave.protocols.dlt698 import get
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.objects import objects
from meterweave.protocols.dlt698.records import ResultNormal
from meterweave.protocols.dlt698.selection import Column, RowsBetween

NEW_EVENTS = 0x3320_0200
"""The objects with records that nobody has read yet."""
TABLES_AT_ONCE = 4
"""Record tables in one question."""
METER_OBJECTS = (
    0x3000,  # voltage loss
    0x3001,  # undervoltage
    0x3002,  # overvoltage
    0x3003,  # phase failure
    0x3005,  # overcurrent
    0x3007,  # power reversal
    0x3011,  # power fail
    0x3012,  # programming
    0x3013,  # meter cleared
    0x3016,  # clock set
    0x301B,  # cover opened
    0x301C,  # terminal cover opened
    0x301F,  # trip
    0x3020,  # close
    0x302A,  # magnetic field
    0x302B,  # switch malfunction
    0x302C,  # supply abnormal
    0x302E,  # clock fault
)
TERMINAL_OBJECTS = (
    0x3100,  # initialisation
    0x3101,  # version change
    0x3105,  # meter clock deviation
    0x3106,  # power off and on
    0x310A,  # device fault
    0x310B,  # reading decreased
    0x310D,  # meter runs away
    0x310E,  # meter stopped
    0x310F,  # reading failed
    0x3111,  # unknown meter found
    0x3114,  # clock set
    0x3115,  # remote trip
    0x311A,  # meter online state
    0x311B,  # meter clock set
)

NUMBER, START, END, SOURCE, REPORTED = 0x2022_0200, 0x201E_0200, 0x2020_0200, 0x2024_0200, 0x3300_0200
_POWER_OFF_ON, _POWER_FLAGS = 0x3106, 0x3309_0206
_TERMINAL_FAMILY = 0x31  # high octet of the terminal's own events
_EVENT_CLASS, _SUB_ITEM_CLASS, _SUB_ITEM_TABLES, _TABLE = 7, 24, (6, 7, 8, 9), (2,)


def read_events(line: Line, wanted: ReadEvents, clock: Callable[[], int], zone: ZoneInfo) -> Talk[Outcome]:
    """Read what began in a span; `Done.facts` has how many ``events`` there were."""
    clock_off_us = yield from off_us(line, clock, zone)
    low, high = in_both_times(Span(wanted.from_us, wanted.to_us), clock_off_us)
    rows = RowsBetween(START, stamp(local_stamp(low, zone)), stamp(local_stamp(high, zone)), NULL)
    new = yield from _new_events(line)
    objects_asked = dict.fromkeys((*new, *TERMINAL_OBJECTS, *METER_OBJECTS))
    tables = [oad for oi in objects_asked for oad in _tables(oi)]
    events, answered, dar = 0, False, SUCCESS
    for some in portions(tables, TABLES_AT_ONCE):
        asked = tuple([get.RecordRequest(oad, rows, _columns(oad >> 16)) for oad in some])
        results = yield from line.tables(get.GetRequestRecordList(0, asked), keep=True)
        events += sum(len(one.rows) for one in results)
        answered = answered or any(one.dar == SUCCESS for one in results)
        dar = next((one.dar for one in results if one.dar != SUCCESS), dar)
    return Done({"events": events}) if answered else refused(dar)


def _new_events(line: Line) -> Talk[Sequence[int]]:
    """The event objects of the terminal's list of what is new; none where it has no such list."""
    (result,) = yield from line.attributes((NEW_EVENTS,))
    return _listed(result)


def _listed(result: ResultNormal) -> list[int]:
    if result.data is None or result.data[0] != Tag.ARRAY:
        return []
    return [value >> 16 for kind, value in result.data[1] if kind == Tag.OAD and _is_event(value >> 16)]


def _is_event(oi: int) -> bool:
    return oi in objects() and objects()[oi].interface in {_EVENT_CLASS, _SUB_ITEM_CLASS}


def _tables(oi: int) -> list[int]:
    """The record tables of an event object."""
    sub_items = objects()[oi].interface == _SUB_ITEM_CLASS
    return [oi << 16 | number << 8 for number in (_SUB_ITEM_TABLES if sub_items else _TABLE)]


def _columns(oi: int) -> tuple[Column, ...]:
    usual = (NUMBER, START, END, SOURCE, REPORTED)
    if oi == _POWER_OFF_ON:
        return (*usual, _POWER_FLAGS)
    return usual if oi >> 8 == _TERMINAL_FAMILY else (METER, *usual)
