"""The events in one message: records of the objects 3000H to 32FFH, read, reported, or riding on a response.

A row of a record table is an event where it has a column for the start (201E). It tells besides, in whatever order:
its number (2022), its end (2020), what it came from (2024), on which channels it was reported (3300), and values that
the device keeps with it. The columns may also stand in a ROAD of a collection task, one event in one cell. A record
read as a value, without columns, is taken apart as its interface class (7 or 24) lays it out.

Whose: the target server address (202A) of the row; else the TSA of a PROXY result; else the TSA that a terminal names
as source; else the event is the sender's own. When: a start that is no time of the calendar becomes the time of
reception, and the detail says ``"time": "invalid"``.

`events.csv` says which event of `meterweave.metering.events` an object is. An object of class 24 has a table for the
whole (attribute 6) and one for each phase, or one for each quadrant.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.metering.decimal import to_text
from meterweave.metering.events import ENDED, Event, EventBatch, detail_text, event_codes, event_kinds, unlisted
from meterweave.protocols.dlt645.events import events as dlt645_events
from meterweave.protocols.dlt645.frame import Frame as Dlt645Frame
from meterweave.protocols.dlt698 import access, proxy, security
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.data import DATA, Data, Tag
from meterweave.protocols.dlt698.datum import SCALED
from meterweave.protocols.dlt698.frame import SCRAMBLE
from meterweave.protocols.dlt698.inner import inside, recognised
from meterweave.protocols.dlt698.measured import EVENT_END, EVENT_START, METER_COLUMNS
from meterweave.protocols.dlt698.message import Message, decode
from meterweave.protocols.dlt698.objects import Scale, attribute
from meterweave.protocols.dlt698.readings import Result, link_key, named_meter, results, tsa_key
from meterweave.protocols.dlt698.records import ResultNormal
from meterweave.protocols.dlt698.selection import Column, Road
from meterweave.protocols.dlt698.services import decode_apdu
from meterweave.protocols.dlt698.times import moment

FAMILIES = range(0x3000, 0x3300)
NUMBER, SOURCE, CHANNELS = 0x2022, 0x2024, 0x3300
OUTAGE_OF_TERMINAL, CURRENT_CIRCUIT = 0x3106, 0x3119
SUPPLY_IS_BACK = 1
"""Source of an outage's second report; of its first it is 0."""
CIRCUIT_FAULTS = ("current_circuit_short", "current_circuit_open")
"""By the source of a current circuit event."""

YEARS = range(2000, 2100)
"""Those that the clock of a meter has; another is as good as no time."""

_RECORDS_OF_CLASS: Mapping[int, Sequence[int]] = {7: (2,), 24: (6, 7, 8, 9)}
"""Numbers of the attributes that are record tables."""
_COLUMNS_OF_CLASS: Mapping[int, Sequence[int]] = {
    7: (NUMBER, EVENT_START, EVENT_END, SOURCE, CHANNELS),
    24: (NUMBER, EVENT_START, EVENT_END, CHANNELS),
}
"""What the records of a class begin with (OIs)."""
_REACTIVE_DEMAND = 0x300B  # its four tables are the quadrants, so none is the whole
_WHEN = {1: "before_start", 2: "after_start", 3: "before_end", 4: "after_end"}
"""When a value was taken, by the feature bits of its OAD."""
_TIMES = frozenset((Tag.DATE_TIME, Tag.DATE_TIME_S))
_CONTAINERS = frozenset((Tag.ARRAY, Tag.STRUCTURE))
_INTEGERS = SCALED | {Tag.ENUM}

_START_COLUMN = b"\x20\x1e\x02\x00"
_RECORD_VALUE = re.compile(rb"[\x30-\x32].[\x02\x06-\x09].\x01[\x01\x02]", re.DOTALL)
"""OAD of a record table, 1 for data, tag of an array or a structure."""
_PLAIN = (
    b"\x85\x01",
    b"\x85\x02",
    b"\x85\x03",
    b"\x85\x04",
    b"\x85\x05",
    b"\x88\x01",
    b"\x88\x02",
    b"\x89\x01",
    b"\x89\x02",
)
"""Services, by tag and choice, whose frames hold events only where one of these two stands in them."""
_IS_PLAIN = np.zeros(0x10000, np.bool_)
_IS_PLAIN[[int.from_bytes(service, "big") for service in _PLAIN]] = True
_PADDING = 32  # behind the last frame, so that what is looked at is there however short the frames [octets]


@cache
def _codes() -> Mapping[int, int]:
    with files("meterweave.protocols.dlt698").joinpath("events.csv").open(encoding="utf-8") as lines:
        return MappingProxyType({int(row["oi"], 16): event_codes()[row["event"]] for row in csv.DictReader(lines)})


def decode_events(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> EventBatch:
    """The events in `frames`, by frame; most frames hold none and are not taken apart.

    Parameters
    ----------
    frames : sequence of bytes
        One whole frame each. A broken one that may hold events goes to ``bad``.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        In which the clocks of the devices run.
    """
    found: list[Event] = []
    bad: list[BadFrame] = []
    for index in _suspects(frames):
        if may_hold_events(frames[index]):
            try:
                found += events(decode(frames[index]), index=index, received=received, zone=zone)
            except DecodeError as error:
                bad.append(BadFrame(index, error.kind))
    return EventBatch(tuple(found), tuple(bad))


def _suspects(frames: Sequence[bytes]) -> list[int]:
    """All frames that may hold events, and a few more; quick for many, where `may_hold_events` is sure for one."""
    octets = b"".join((*frames, bytes(_PADDING)))
    column = np.frombuffer(octets, np.uint8)
    end = np.cumsum(np.fromiter(map(len, frames), np.int64, len(frames)))
    start = np.concatenate([np.zeros(min(1, len(end)), np.int64), end[:-1]])
    at = start + 9 + (column[start + 4] & 0x0F)
    plain = _IS_PLAIN[column[at].astype(np.int64) << 8 | column[at + 1]] & (column[start + 3] & SCRAMBLE == 0)
    signs = np.flatnonzero((column[:-4] & 0xFC == 0x30) & (column[4:] == 1)).tolist()
    signs += [found.start() for found in re.finditer(_START_COLUMN, octets)]
    plain[np.searchsorted(end[:-1], signs, side="right")] = False
    return np.flatnonzero(~plain).tolist()


def may_hold_events(frame: bytes) -> bool:
    """Whether it is worth looking for events in a frame; never wrong where it says no."""
    at = 9 + (frame[4] & 0x0F) if len(frame) > 4 else 0
    if frame[at : at + 2] not in _PLAIN or frame[3] & SCRAMBLE:
        return bool(frame)
    return _START_COLUMN in frame or _RECORD_VALUE.search(frame, at) is not None


def events(message: Message, *, index: int = 0, received: int = 0, zone: ZoneInfo = SHANGHAI) -> list[Event]:
    """The events in `message`, in the order of the wire.

    Parameters
    ----------
    index : int
        Goes into `Event.frame`.
    received : int
        When the octets came in. [us since 1970, UTC]
    zone : ZoneInfo
        In which the clock of the device runs.
    """
    sender = link_key(message.link) if message.link else None
    return _apdu_events(message.apdu, _About(index, sender, True, Source.READ, received, zone))


class _About(NamedTuple):
    """What the events of a result share."""

    frame: int
    key: int | None  # of whom it is, unless a row says otherwise; None: an address that has no key
    own: bool
    source: Source
    received: int
    zone: ZoneInfo


def _apdu_events(apdu: Apdu | None, about: _About) -> list[Event]:
    pushed = about._replace(source=Source.PUSHED)
    reported = isinstance(apdu, access.ReportNotificationList | access.ReportNotificationRecordList)
    found: list[Event] = []
    for server, result in results(apdu):
        this = pushed if reported else about
        found += _result_events(result, this if server is None else this._replace(key=tsa_key(server), own=False))
    follow_report = getattr(apdu, "follow_report", None)
    for result in follow_report.items if follow_report else ():
        found += _result_events(result, pushed)
    with inside() as looked_into:
        if looked_into:
            found += _inner_events(apdu, about)
    return found


def _inner_events(apdu: Apdu | None, about: _About) -> list[Event]:
    """The events of what an APDU wraps: another APDU, or a frame of a meter."""
    match apdu:
        case security.SecurityRequestPlain() | security.SecurityResponsePlain():
            try:
                return _apdu_events(decode_apdu(apdu.plaintext), about)
            except DecodeError:
                return []
        case proxy.ProxyTransCommandResponse(reply=bytes(octets)) | access.ReportNotificationTransData(data=octets):
            known = recognised(octets)
            inner = known[1] if known else None
            if isinstance(inner, Dlt645Frame):
                return dlt645_events(inner, index=about.frame, zone=about.zone, source=Source.FORWARDED)
            if isinstance(inner, Message):
                own = events(inner, index=about.frame, received=about.received, zone=about.zone)
                return [one._replace(own=False, source=int(Source.FORWARDED)) for one in own]
    return []


def _result_events(result: Result, about: _About) -> Iterator[Event]:
    if isinstance(result, ResultNormal):
        if result.data and _is_table(result.oad):
            for record in _records(result.data):
                yield from _value_event(result.oad, record, about)
        return
    for cells in result.rows:
        beside = {oad >> 16: cell for oad, cell in zip(result.rcsd, cells, strict=True) if isinstance(oad, int)}
        address = next((beside[oi] for oi in METER_COLUMNS if oi in beside), None)
        whose = about._replace(key=named_meter(address), own=False) if address else about
        if result.oad >> 16 in FAMILIES:
            yield from _row_event(result.oad, result.rcsd, cells, whose)
        for column, cell in zip(result.rcsd, cells, strict=True):
            if isinstance(column, Road) and column.road >> 16 in FAMILIES and cell[0] == Tag.ARRAY:
                yield from _row_event(column.road, column.oads, cell[1], whose)


def _is_table(oad: int) -> bool:
    """Whether an OAD is a record table of an event, or one record of it."""
    about = attribute(oad)
    known = about is not None and oad >> 16 in FAMILIES
    return known and oad >> 8 & 0x1F in _RECORDS_OF_CLASS.get(about.interface if about else 0, ())


def _records(data: Data) -> Iterator[Sequence[Data]]:
    """The structures in the value of a record table: one, or an array of them."""
    tag, value = data
    if tag == Tag.STRUCTURE:
        yield value
    elif tag == Tag.ARRAY:
        yield from (one for kind, one in value if kind == Tag.STRUCTURE)


def _value_event(oad: int, cells: Sequence[Data], about: _About) -> Iterator[Event]:
    """A record without columns: the first cells by their class, the others without names."""
    known = attribute(oad)
    first = _COLUMNS_OF_CLASS[known.interface if known else 7]
    if len(cells) >= len(first):
        columns = chain((oi << 16 | 0x0200 for oi in first), (0 for _ in cells[len(first) :]))
        yield from _row_event(oad, tuple(columns), cells, about)


def _row_event(table: int, columns: Sequence[Column], cells: Sequence[Data], about: _About) -> Iterator[Event]:
    """The event in a row of the table; none where there is no start, or nothing at all."""
    told = {column >> 16: cell for column, cell in zip(columns, cells, strict=False) if isinstance(column, int)}
    facts = [told.get(oi, _NULL) for oi in (NUMBER, EVENT_START, EVENT_END)]
    key, own = _whose(told.get(SOURCE, _NULL), about)
    if EVENT_START not in told or key is None or all(tag == Tag.NULL for tag, _ in facts):
        return
    number, start, end = facts
    ts, ended = _instant(start, about.zone), _instant(end, about.zone)
    detail: dict[str, Any] = {} if ts is not None else {"time": "invalid"}
    detail |= _source(told.get(SOURCE, _NULL)) | _channels(told.get(CHANNELS, _NULL))
    if values := [_value(column, cell) for column, cell in _others(columns, cells)]:
        detail["values"] = values
    yield Event(
        about.frame,
        key,
        own,
        _code(table, told.get(SOURCE, _NULL), ended=ended is not None),
        about.received if ts is None else ts,
        ended,
        _integer(number, 0x7FFFFFFF),
        detail_text(detail),
        int(about.source),
    )


_NULL: Data = (Tag.NULL, None)


def _whose(source: Data, about: _About) -> tuple[int | None, bool]:
    """The key of whose event it is, and whether it is the sender's own."""
    if about.own and source[0] == Tag.TSA and source[1]:
        return tsa_key(source[1]), False
    return about.key, about.own


def _code(table: int, source: Data, *, ended: bool) -> int:
    """The code of an event of this table, as far as its source tells more."""
    oi, number = table >> 16, table >> 8 & 0x1F
    code = _codes().get(oi)
    if code is None:
        return unlisted("dlt698", oi)
    if number in _RECORDS_OF_CLASS[24]:
        part = number - 6 + (oi == _REACTIVE_DEMAND)
        return code + part if code + part in event_kinds() else code
    why = _integer(source, 1)
    if oi == OUTAGE_OF_TERMINAL and why == SUPPLY_IS_BACK and not ended:
        return code + ENDED
    return event_codes()[CIRCUIT_FAULTS[why]] if oi == CURRENT_CIRCUIT and why is not None else code


def _instant(cell: Data, zone: ZoneInfo) -> int | None:
    when = moment(cell[1]) if cell[0] in _TIMES else None
    return utc_us(when, zone) if when and when.year in YEARS else None


def _integer(cell: Data, highest: int) -> int | None:
    tag, value = cell
    return value if tag in _INTEGERS and 0 <= value <= highest else None


def _source(cell: Data) -> dict[str, Any]:
    return {} if cell[0] == Tag.NULL else {"source": _shown(cell, None)}


def _channels(cell: Data) -> dict[str, Any]:
    """What the device knows of its reports: channel and state of each."""
    return {"reported": _shown(cell, None)} if cell[0] == Tag.ARRAY and cell[1] else {}


def _others(columns: Sequence[Column], cells: Sequence[Data]) -> Iterator[tuple[int, Data]]:
    """The columns that hold values of the event, and these."""
    own = {NUMBER, EVENT_START, EVENT_END, SOURCE, CHANNELS, *METER_COLUMNS}
    for column, cell in zip(columns, cells, strict=False):
        if isinstance(column, int) and column >> 16 not in own:
            yield column, cell


def _value(oad: int, cell: Data) -> dict[str, Any]:
    """A value of an event: what it is, when it was taken, how much, in which unit."""
    about = attribute(oad) if oad else None
    found: dict[str, Any] = {"oad": f"{oad:08X}"} if oad else {}
    if about:
        found["name"] = about.name
    if (feature := oad >> 13 & 7) in _WHEN:
        found["when"] = _WHEN[feature]
    found["value"] = _shown(cell, about.scale if about else None)
    return found | ({"unit": about.scale.unit} if about and about.scale else {})


def _shown(cell: Data, scale: Scale | None) -> Any:
    """A value as JSON has it: scaled numbers as decimal text, containers as lists."""
    tag, value = cell
    if tag in SCALED and scale:
        return to_text(value, scale.exponent)
    if tag in _CONTAINERS:
        return [_shown(one, scale) for one in value]
    return DATA.types[tag].wire.to_json(value)
