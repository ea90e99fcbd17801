"""The readings in one message: the complete decoder, which the columns of `batch` must equal.

The wire key of a meter is ``region << 32 | terminal << 16 | pn``. Readings come from present data (AFN 0CH) at their
time of reading, from freezes (AFN 0DH) at the end of the day or month, from curves at the time of each point, and
from frames of meters forwarded in AFN 10H.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from meterweave.metering.batch import Profile, Quality, Reading, ReadingBatch, Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.protocols.gdw1376.part1.formats import Decimal
from meterweave.protocols.gdw1376.part1.forwarding import INNER
from meterweave.protocols.gdw1376.part1.layout import Cell, Run
from meterweave.protocols.gdw1376.part1.message import Message, Section, Unit, sections
from meterweave.protocols.gdw1376.part1.moments import decode_a15, decode_a20, decode_a21
from meterweave.protocols.gdw1376.part1.values import step_minutes

FORWARD = 0x10  # AFN
MINUTE_US = 60_000_000


class Measured(NamedTuple):
    """What a cell of numbers measures."""

    codes: tuple[int, ...]  # quantity of each repetition; where there is but one, of the first only
    factor: int  # the number times this is the stored value


class Stamp(NamedTuple):
    """The time of the values of a section."""

    ts: int  # [us since 1970, UTC]
    step: int  # from point to point [us]
    quality: Quality


@lru_cache(maxsize=1024)
def measured(cell: Cell) -> Measured | None:
    """What `cell` measures; None where it is no quantity."""
    quantity = cell.item.quantity()
    if quantity is None or not isinstance(cell.format, Decimal):
        return None
    # Every format of annex A is as coarse as its quantity or coarser, so the factor is whole.
    factor = int(10 ** (cell.format.exponent + cell.item.shift() - quantity.exponent))
    every = [cell.item.quantity(tariff) for tariff in range(64)] if cell.repeat == "t" else [quantity]
    return Measured(tuple(one.code for one in every if one), factor)


def measured_runs(section: Section) -> Iterator[tuple[Run, Measured]]:
    """The runs of a section that measure something, as far as they do."""
    for run in section.found.runs:
        found = measured(run.cell)
        if found is None:
            continue
        count = run.times if run.cell.repeat != "t" else min(run.times, len(found.codes) - run.first)
        yield run._replace(times=count), found


def meter_key(message: Message, point: int) -> int:
    """The wire key of a measuring point."""
    return message.region << 32 | message.terminal << 16 | point


def readings(message: Message, *, index: int = 0, received: int = 0, zone: ZoneInfo = SHANGHAI) -> list[Reading]:
    """The readings in `message`, those of forwarded frames included; downlink frames have none.

    Parameters
    ----------
    index : int
        Goes into `Reading.frame`.
    received : int
        When the octets came in. [us since 1970, UTC]
    """
    found: list[Reading] = []
    for unit in message.units if message.uplink else ():
        for section in sections(message, unit):
            if section.layout.profile and isinstance(section.point, int):
                found += _section(message, unit, section, index, received, zone)
    inner = forwarded_readings([(index, octets) for octets in forwarded(message)], received=received, zone=zone)
    return found + _rows(inner)


def _section(
    message: Message, unit: Unit, section: Section, index: int, received: int, zone: ZoneInfo
) -> Iterator[Reading]:
    assert isinstance(section.point, int)
    runs = list(measured_runs(section))
    if not runs:
        return
    stamp = stamp_of(section, unit.data, received, zone)
    meter = meter_key(message, section.point)
    profile = int(Profile[section.layout.profile.upper()])
    source = int(source_of(message))
    for run, what in runs:
        form = run.cell.format
        assert isinstance(form, Decimal)
        numbers = form.numbers(unit.data[run.at : run.at + run.times * run.size])
        for place, number in enumerate(numbers):
            value = None if number is None else number * what.factor
            flags = stamp.quality | (Quality.NO_VALUE if number is None else 0)
            tariff = run.first + place if run.cell.repeat == "t" else 0
            ts = stamp.ts + (place * stamp.step if run.cell.repeat == "p" else 0)
            yield Reading(index, meter, what.codes[tariff], profile, ts, value, int(flags), source)


def source_of(message: Message) -> Source:
    """A message that starts its exchange is pushed by the terminal, any other was asked for."""
    return Source.PUSHED if message.initiated else Source.READ


def stamp_of(section: Section, octets: bytes, received: int, zone: ZoneInfo) -> Stamp:
    """When the values of a section, which has some, hold: what its first cell says, else when they were received."""
    first = section.found.runs[0]
    head = octets[first.at : first.at + first.size]
    step = 0
    moment: datetime | None
    if first.cell.name == "freeze.day":
        day = decode_a20(head)
        moment = day + timedelta(days=1) if day else None
    elif first.cell.name == "freeze.month":
        month = decode_a21(head)
        moment = (month + timedelta(days=31)).replace(day=1) if month else None
    elif first.cell.name == "read_time":
        moment = decode_a15(head)
    elif first.cell.name == "curve.start":
        minutes = step_minutes(octets[first.at + first.size])
        moment = decode_a15(head) if minutes else None
        step = (minutes or 0) * MINUTE_US
    else:
        return Stamp(received, 0, Quality.GOOD)
    if moment is None:
        return Stamp(received, 0, Quality.TIME_INVALID)
    return Stamp(utc_us(moment, zone), step, Quality.GOOD)


def forwarded(message: Message) -> list[bytes]:
    """The meters' frames in an answer to forwarding."""
    if not message.uplink or message.afn != FORWARD:
        return []
    return [
        unit.data[run.at + 2 : run.at + run.size]
        for unit in message.units
        for section in sections(message, unit)
        for run in section.found.runs
        if run.cell.name == "forwarded" and run.size > 2
    ]


def forwarded_readings(
    frames: Sequence[tuple[int, bytes]], *, received: int = 0, zone: ZoneInfo = SHANGHAI
) -> ReadingBatch:
    """The readings in forwarded frames, each given with the index of the frame that carried it.

    A frame goes to the first protocol that takes it; one that none takes gives no readings.
    """
    left = list(range(len(frames)))
    batches = []
    for codec in INNER:
        found = codec.decode_batch([frames[place][1] for place in left], received=received, zone=zone)
        batches.append(replace(found, frame=np.array(left, np.int64)[found.frame], bad=()))
        left = [left[bad.frame] for bad in found.bad]
    inner = ReadingBatch.concat(batches)
    carriers = np.array([index for index, _ in frames], np.int64)
    source = np.full(len(inner), Source.FORWARDED, np.int8)
    return replace(inner, frame=carriers[inner.frame], source=source)


def _rows(batch: ReadingBatch) -> list[Reading]:
    value = [None if missing else int(one) for one, missing in zip(batch.value, batch.missing, strict=True)]
    columns = (batch.frame, batch.meter, batch.quantity, batch.profile, batch.ts)
    return [
        Reading(*row)
        for row in zip(
            *(column.tolist() for column in columns), value, batch.quality.tolist(), batch.source.tolist(), strict=True
        )
    ]
