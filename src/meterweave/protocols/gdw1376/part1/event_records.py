"""The events in one message: records of AFN 0EH, read or reported, and those of meters in AFN 10H.

A record has a code ERC, a time in whole minutes, and a content (see `events`). Many name a measuring point, bit 15 of
which says whether the event begins (1) or is over (0): the end is an event of its own, because the record does not say
when the event began. Some have flags from which it follows what happened, and to which phase; one record may so be
several events. A power outage has both times in one record; while it goes on, the second is absent or that of the last
outage. A changed status word tells besides what the relay did.

Whole minutes do not tell two records of a moment apart. So to the time of an event that does not last, and of a record
whose content is not known, the record's number (0 to 255) is added in microseconds.

The number of a record counts up from Pm of its message, and wraps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from meterweave.errors import DecodeError
from meterweave.metering import events as metering
from meterweave.metering.batch import BadFrame, Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.metering.events import ENDED, Event, EventBatch, detail_text, event_kinds, unlisted
from meterweave.protocols.dlt645.events import events as dlt645_events
from meterweave.protocols.dlt645.frame import Frame as Dlt645Frame
from meterweave.protocols.gdw1376.part1.annex_a import FORMATS
from meterweave.protocols.gdw1376.part1.events import event_codes
from meterweave.protocols.gdw1376.part1.formats import Format
from meterweave.protocols.gdw1376.part1.forwarding import recognise
from meterweave.protocols.gdw1376.part1.message import PROTOCOL_376, Message, decode
from meterweave.protocols.gdw1376.part1.moments import Clock, decode_a15
from meterweave.protocols.gdw1376.part1.readings import FORWARD, forwarded, meter_key, source_of

CLASS_3 = 0x0E  # AFN
IMPORTANT, ORDINARY = 1, 2
"""Items Fn of AFN 0EH."""
POINT_BITS, BEGINS = 0x0FFF, 0x8000
"""Of the octets that name a measuring point."""

TIMELESS = frozenset((41,))
"""Codes of records that begin with their content and not with a time."""
STATUS_WORDS, RELAY_OPEN = 33, 0x10
"""Code of records of status words; the bit of word 3 that says that the relay is open (DL/T 645-2007, 04000503)."""

_POINTS = {"POINT": False, "SPAN": True}  # formats of the measuring point; whether bit 15 means anything
_HEAD, _TIME = 4, 5  # EC1, EC2, Pm, Pn; A.15 [octets]
_AFN_AT = 12

_BY_TYPE: Mapping[int, Mapping[int, str]] = {
    9: {1: "current_circuit_short", 2: "current_circuit_open", 3: "power_reversal"},
    10: {1: "phase_failure", 2: "voltage_loss"},
    24: {1: "overvoltage", 2: "undervoltage"},
    25: {1: "overcurrent", 2: "overcurrent"},
}
"""What bits 7 and 6 of the flags say; bits 0 to 2 are the phases."""
_BY_BIT: Mapping[int, Sequence[str]] = {
    1: ("initialised", "version_changed"),
    13: ("meter_fault", "meter_fault", "meter_fault", "meter_fault", "battery_low"),
    17: ("voltage_unbalance", "current_unbalance"),
}
"""What the bits of the flags say, from bit 0."""

_UNITS: Mapping[str, str] = {
    "apparent_power": "kVA",
    "apparent_power_limit": "kVA",
    "current": "A",
    "current_angle": "deg",
    "current_unbalance": "%",
    "energies_after": "kWh",
    "energies_before": "kWh",
    "energy": "kWh",
    "energy_after": "kWh",
    "energy_before": "kWh",
    "energy_limit": "kWh",
    "power": "kW",
    "power_after_2min": "kW",
    "power_before": "kW",
    "power_limit": "kW",
    "reactive_energy": "kvarh",
    "traffic": "octet",
    "traffic_limit": "octet",
    "voltage": "V",
    "voltage_angle": "deg",
    "voltage_unbalance": "%",
}
"""By the name up to its dot."""


def decode_events(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> EventBatch:
    """The events in `frames`, by frame; only frames of AFN 0EH and 10H are taken apart.

    Parameters
    ----------
    frames : sequence of bytes
        One whole frame each. One whose records are cut short goes to ``bad``.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        Where the terminals' clocks are.
    """
    found: list[Event] = []
    bad: list[BadFrame] = []
    for index, frame in enumerate(frames):
        if len(frame) > _AFN_AT and frame[_AFN_AT] in (CLASS_3, FORWARD):
            try:
                found += events(decode(frame), index=index, received=received, zone=zone)
            except DecodeError as error:
                bad.append(BadFrame(index, error.kind))
    return EventBatch(tuple(found), tuple(bad))


def events(message: Message, *, index: int = 0, received: int = 0, zone: ZoneInfo = SHANGHAI) -> list[Event]:
    """The events in `message`, those of forwarded frames included; downlink frames have none.

    Parameters
    ----------
    index : int
        Goes into `Event.frame`.
    received : int
        When the octets came in; the time of a record that has none. [us since 1970, UTC]

    Raises
    ------
    DecodeError
        ``bad_data`` where the octets end inside a record.
    """
    found: list[Event] = []
    if message.uplink and message.afn == CLASS_3:
        for unit in message.units:
            if unit.items in ((IMPORTANT,), (ORDINARY,)):
                for record in _records(unit.data):
                    found += _record_events(message, record, _Stamp(index, received, zone))
    for octets in forwarded(message):
        known = recognise(octets)
        if known and isinstance(known[1], Dlt645Frame):
            found += dlt645_events(known[1], index=index, zone=zone, source=Source.FORWARDED)
    return found


class _Stamp(NamedTuple):
    """What all events of a frame share."""

    frame: int
    received: int
    zone: ZoneInfo


class _Record(NamedTuple):
    """One record, as it stands in the message."""

    number: int
    erc: int
    octets: bytes


def _records(data: bytes) -> Iterator[_Record]:
    if len(data) < _HEAD:
        raise DecodeError("bad_data", f"{len(data)} octets of events, their counters alone take {_HEAD}")
    first, at = data[2], _HEAD
    for place in range(data[3] - first & 0xFF):
        end = at + 2 + data[at + 1] if at + 2 <= len(data) else len(data) + 1
        if end > len(data):
            raise DecodeError("bad_data", f"the octets end inside event record {place}")
        yield _Record(first + place & 0xFF, data[at], data[at + 2 : end])
        at = end


class _Cell(NamedTuple):
    """A value in the content of a record."""

    name: str
    form: str
    octets: tuple[bytes, ...]  # one, or one for each of a row

    @property
    def value(self) -> Any:
        """What JSON has for it."""
        texts = [_format(self.form).text(octets) for octets in self.octets]
        return texts if self.name.endswith("*") else texts[0]


def _record_events(message: Message, record: _Record, stamp: _Stamp) -> Iterator[Event]:
    """The events that one record tells."""
    known = message.protocol == PROTOCOL_376
    cells = _cells(record) if known else None
    place = _place(record, cells) if known else _Place(0, over=False)
    told = {cell.name: cell.octets for cell in cells or ()}
    when = _when(record, told, stamp)
    detail = detail_text(_detail(record, cells, timely=when.ts is not None))
    for event in _named(record.erc, told):
        code = _code(event, record.erc, over=place.over or when.over)
        exact = cells is not None and _lasts(event)
        yield Event(
            frame=stamp.frame,
            key=meter_key(message, place.point),
            own=place.point == 0,
            code=code,
            ts=(stamp.received if when.ts is None else when.ts) + (0 if exact else record.number),
            ended=when.ended,
            number=record.number,
            detail=detail,
            source=int(source_of(message)),
        )


def _cells(record: _Record) -> list[_Cell] | None:
    """The values of a record; None where its content is not known, or not as long as it should be."""
    known = event_codes().get(record.erc)
    if known is None or not known.content:
        return None
    octets, at, found = record.octets, _content_at(record.erc), []
    for token in known.content:
        name, _, form = token.partition(":")
        stem, repeated, times = name.partition("*")
        size = 2 if form in _POINTS else _format(form).size
        count = int(times) if times else (len(octets) - at) // size if repeated else 1
        end = at + count * size
        if end > len(octets):
            return None
        found.append(_Cell(stem + repeated, form, tuple(octets[here : here + size] for here in range(at, end, size))))
        at = end
    return found if at == len(octets) else None


def _content_at(erc: int) -> int:
    return 0 if erc in TIMELESS else _TIME


class _Place(NamedTuple):
    """Of which measuring point a record is, p0 being the terminal, and whether it tells of an end."""

    point: int
    over: bool


def _place(record: _Record, cells: Sequence[_Cell] | None) -> _Place:
    """Where a record belongs; the point is where it should be also in records that are longer or shorter than known."""
    known, at = event_codes().get(record.erc), _content_at(record.erc)
    name, _, form = known.content[0].partition(":") if known and known.content else ("", "", "")
    if name != "pn" or len(record.octets) < at + 2 or (cells is None and record.erc in TIMELESS):
        return _Place(0, over=False)
    word = int.from_bytes(record.octets[at : at + 2], "little")
    return _Place(word & POINT_BITS, over=_POINTS[form] and not word & BEGINS)


@cache
def _format(name: str) -> Format:
    return FORMATS["BITS2" if name in _POINTS else name]


def _detail(record: _Record, cells: Sequence[_Cell] | None, *, timely: bool) -> dict[str, Any]:
    detail: dict[str, Any] = {"erc": record.erc} if timely else {"erc": record.erc, "time": "invalid"}
    if cells is None:
        return detail | {"content": record.octets[_TIME if len(record.octets) >= _TIME else 0 :].hex()}
    values = []
    for cell in cells:
        name = cell.name.rstrip("*")
        if cell.form not in _POINTS:
            unit = _UNITS.get(name.partition(".")[0])
            values.append({"name": name, "value": cell.value} | ({"unit": unit} if unit else {}))
    return detail | ({"values": values} if values else {})


def _named(erc: int, told: Mapping[str, tuple[bytes, ...]]) -> list[str]:
    """The events of a record with these values, by name; an empty text stands for a code without a name."""
    known = event_codes().get(erc)
    name = known.event if known else ""
    if erc == STATUS_WORDS and told:
        return [name, *_relay(told["changed*"], told["words*"])]
    if "flags" not in told:
        return [name]
    flags = told["flags"][0][0]
    bits = [bit for bit in range(8) if flags >> bit & 1]
    if erc in _BY_BIT:
        return list(dict.fromkeys(_BY_BIT[erc][bit] for bit in bits if bit < len(_BY_BIT[erc]))) or [name]
    if erc in _BY_TYPE:
        name = _BY_TYPE[erc].get(flags >> 6, name)
        return [f"{name}_l{bit + 1}" for bit in bits if bit < 3] or [name]
    return [name]


def _relay(changed: Sequence[bytes], words: Sequence[bytes]) -> list[str]:
    """What the relay of a meter did, by word 3 of its status."""
    if not changed[2][0] & RELAY_OPEN:
        return []
    return ["relay_opened" if words[2][0] & RELAY_OPEN else "relay_closed"]


def _code(event: str, erc: int, *, over: bool) -> int:
    if not event:
        return unlisted("gdw1376-1", erc)
    return metering.event_codes()[event] + (ENDED if over and _lasts(event) else 0)


def _lasts(event: str) -> bool:
    return event != "" and event_kinds()[metering.event_codes()[event]].lasts


class _When(NamedTuple):
    """When something happened."""

    ts: int | None  # None: at a time that cannot be true
    ended: int | None = None
    over: bool = False  # all that is known is when it ended


def _when(record: _Record, told: Mapping[str, tuple[bytes, ...]], stamp: _Stamp) -> _When:
    """The times of an event: that of its record, or those in its content where it has better ones."""
    time = _utc(decode_a15(record.octets[:_TIME]) if len(record.octets) >= _TIME else None, stamp)
    if "after" in told:
        return _When(_utc(_a1(told["after"][0]), stamp))
    if "back" in told:
        back = _utc(decode_a15(told["back"][0]), stamp)
        if time is None:
            return _When(back, over=back is not None)
        return _When(time, back if back is not None and back >= time else None)
    start = _utc(_a1(told["start"][0]), stamp) if "start" in told else None
    return _When(time) if start is None else _When(start, _utc(_a1(told["end"][0]), stamp))


def _utc(moment: datetime | None, stamp: _Stamp) -> int | None:
    return None if moment is None else utc_us(moment, stamp.zone)


def _a1(octets: bytes) -> datetime | None:
    """The moment of an A.1 time; None where no calendar has it."""
    text = Clock().text(octets) if len(octets) == Clock().size else None
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
