"""Readings of one message: the complete, slow way, and the reference for `batch`.

Values of storage 0 hold at the telegram's own clock (a date and time of storage 0), or when they were received. Values
of storage n hold at the date of storage n that the same telegram brings: at 00:00 local time of the day as sent, or at
the very time where the date has one. Without such a date they give no reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.metering.batch import Profile, Quality, Reading, Source
from meterweave.metering.clock import utc_us
from meterweave.protocols.mbus.fixed import SAME_AS_FIRST, FixedData
from meterweave.protocols.mbus.head import Head
from meterweave.protocols.mbus.header import Header
from meterweave.protocols.mbus.message import MSB_FIRST, SEND_DATA, Long, Message, VariableData
from meterweave.protocols.mbus.moment import TYPE_F, TYPE_G, TYPE_I
from meterweave.protocols.mbus.quantity import ANY_MEDIUM, Target, target, target_of
from meterweave.protocols.mbus.record import Record
from meterweave.protocols.mbus.value import Number, Value, decode_value

STORED_MAX = (1 << 63) - 1

_FIXED_MEDIA = {2: 0x02, 3: 0x03, 4: 0x04, 6: 0x06, 7: 0x07, 10: 0x03, 11: 0x04, 12: 0x06, 13: 0x07}
"""The medium of variable data that means the same as a medium of the fixed structure."""


class Instant(NamedTuple):
    """For when a value holds."""

    ts: int  # [us since 1970, UTC]
    quality: int = Quality.GOOD


def wire_key(message: Long) -> int:
    """The number that stands for a meter no registry knows yet: manufacturer, version, medium and identification.

    Bits 62 to 48 the manufacturer word without its top bit, 47 to 40 the version, 39 to 32 the medium, 31 to 0 the
    eight digits as hexadecimal. Telegrams without the 12-octet header have the primary address alone.
    """
    body = message.body
    if not isinstance(body, VariableData) or not isinstance(body.header, Header):
        return message.address
    identification, manufacturer, version, medium = body.header.address
    return (manufacturer & 0x7FFF) << 48 | version << 40 | medium << 32 | int(identification, 16)


def readings(message: Message, *, frame: int, received: int, zone: ZoneInfo) -> list[Reading]:
    """What a slave's telegram measures, in the order of its records.

    Parameters
    ----------
    frame : int
        The number of the frame, passed on.
    received : int
        When the frame came in. [us since 1970, UTC]
    zone : ZoneInfo
        Where the meter's clock is.
    """
    if not isinstance(message, Long):
        return []
    meter, body = wire_key(message), message.body
    if isinstance(body, FixedData):
        return [
            Reading(frame, meter, wanted.quantity, Profile.SPOT, received, *stored(wanted, number), Source.READ)
            for wanted, number in _fixed(body)
        ]
    if not isinstance(body, VariableData) or message.ci & ~MSB_FIRST == SEND_DATA:
        return []
    records = body.records.records
    heads = [record.head for record in records]
    clocks = find_clocks(heads)
    instants = {storage: _instant(records[index], received, zone) for storage, index in clocks.items()}
    instants.setdefault(0, Instant(received))
    found: list[Reading] = []
    for index, wanted in find_measured(heads, medium_of(body), clocks):
        instant = instants[heads[index].storage]
        value, quality = stored(wanted, measured_value(heads[index], records[index].data))
        profile = profile_of(heads[index])
        quality |= instant.quality
        found.append(Reading(frame, meter, wanted.quantity, profile, instant.ts, value, quality, Source.READ))
    return found


def medium_of(body: VariableData) -> int:
    """The medium that the header tells."""
    return body.header.address.medium if isinstance(body.header, Header) else ANY_MEDIUM


def find_clocks(heads: Sequence[Head]) -> dict[int, int]:
    """Which record tells the time of each storage: of storage 0 a date with a time, of the others any date."""
    clocks: dict[int, int] = {}
    for index, head in enumerate(heads):
        if head.item.name not in ("date", "datetime") or head.vifes or head.tariff or head.subunit:
            continue
        types = (TYPE_F, TYPE_G, TYPE_I) if head.storage else (TYPE_F, TYPE_I)
        if head.function == "instantaneous" and head.moment in types:
            clocks.setdefault(head.storage, index)
    return clocks


def find_measured(heads: Sequence[Head], medium: int, clocks: Mapping[int, int]) -> list[tuple[int, Target]]:
    """The records that give readings, by index, and what they measure."""
    measured = [
        (index, target(medium, head)) for index, head in enumerate(heads) if head.storage == 0 or head.storage in clocks
    ]
    return [(index, wanted) for index, wanted in measured if wanted]


def profile_of(head: Head) -> Profile:
    """The series to which a record belongs."""
    return Profile.SETTLEMENT if head.storage else Profile.SPOT


def measured_value(head: Head, data: bytes) -> Value:
    """The value in `data`; None also where a VIFE reports an error instead."""
    return None if "error" in head.roles else decode_value(head, data)


def stored(wanted: Target, value: Value) -> tuple[int | None, Quality]:
    """The stored number of a value, and its quality."""
    if not isinstance(value, Number):
        return None, Quality.NO_VALUE
    number, exact = wanted.convert(*value)
    if abs(number) > STORED_MAX:
        return None, Quality.OUT_OF_RANGE
    return number, Quality.GOOD if exact else Quality.ROUNDED


def _instant(record: Record, received: int, zone: ZoneInfo) -> Instant:
    moment = record.value
    if not isinstance(moment, date):  # a datetime is a date too
        return Instant(received, Quality.TIME_INVALID)
    local = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
    return Instant(utc_us(local, zone))


def _fixed(fixed: FixedData) -> Iterator[tuple[Target, Number | None]]:
    """The counters of a fixed structure; values of an unknown due date are left out."""
    medium = _FIXED_MEDIA.get(fixed.medium, ANY_MEDIUM)
    codes = fixed.unit1, fixed.unit2
    for code, unit, number in zip(codes, fixed.units, fixed.numbers, strict=True):
        wanted = target_of(medium, unit.name, unit.unit)
        if wanted and not fixed.stored and code != SAME_AS_FIRST:
            yield wanted, None if number is None else Number(number, unit.exponent)
