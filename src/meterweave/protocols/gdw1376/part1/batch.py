"""Many frames to readings in columns.

Frames of equal length are stacked. The first of them is taken apart completely and gives a *plan*: which octets fix
its structure and where its values stand. All frames that agree in those octets are decoded as one matrix; the rest go
round again. Frames that no plan can stand for (several points in one unit, unknown items, forwarded frames, broken
ones) go through the complete decoder, which is the reference for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Profile, Quality, Reading, ReadingBatch, from_readings
from meterweave.metering.clock import SHANGHAI, days_from_civil, days_in_month, to_utc_us
from meterweave.protocols.bcd import decode_bcd_columns
from meterweave.protocols.checksum import sum8_rows
from meterweave.protocols.gdw1376.part1.designator import points_of
from meterweave.protocols.gdw1376.part1.formats import Decimal
from meterweave.protocols.gdw1376.part1.frame import END, START
from meterweave.protocols.gdw1376.part1.layout import Run
from meterweave.protocols.gdw1376.part1.message import Message, Section, Unit, decode, sections
from meterweave.protocols.gdw1376.part1.readings import (
    FORWARD,
    MINUTE_US,
    Measured,
    forwarded,
    forwarded_readings,
    measured_runs,
    readings,
    source_of,
)
from meterweave.protocols.gdw1376.part1.values import step_minutes

STACK_MIN = 4  # fewer frames of one length are not worth a matrix
PLANS_MAX = 32  # different structures looked for among frames of one length
_UNITS_AT = 14
_DAY_US = 1440 * MINUTE_US


class Block(NamedTuple):
    """A run of values in the matrix."""

    at: int  # column of the first octet
    run: Run
    what: Measured


class Clock(NamedTuple):
    """Where the time of some values stands, and how it is read."""

    at: int
    name: str  # of the cell
    step: int  # from point to point; below 0: the density says nothing, so there is no time [us]


class Part(NamedTuple):
    """The values of one data unit, which share a point and a time."""

    da_at: int
    profile: int
    clock: Clock | None
    blocks: tuple[Block, ...]


@dataclass(slots=True)
class Plan:
    """The structure that frames of one length share, and where their values stand."""

    mask: NDArray[np.uint8]  # the bits that have to agree
    source: int
    das: list[int] = field(default_factory=list)  # columns of every DA
    parts: list[Part] = field(default_factory=list)


def decode_batch(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings of `frames`, in their order; broken frames are listed in ``bad``.

    Parameters
    ----------
    received : int
        When the frames came in; the time of values that have none of their own. [us since 1970, UTC]
    zone : ZoneInfo
        Where the terminals' clocks are.
    """
    by_length: dict[int, list[int]] = {}
    for index, frame in enumerate(frames):
        by_length.setdefault(len(frame), []).append(index)
    batches: list[ReadingBatch] = []
    slow: list[int] = []
    for length, indices in by_length.items():
        if len(indices) < STACK_MIN or length < _UNITS_AT + 2:
            slow += indices
            continue
        octets = b"".join([frames[index] for index in indices]) if len(by_length) > 1 else b"".join(frames)
        rows = np.frombuffer(octets, np.uint8).reshape(len(indices), length)
        where = np.array(indices, np.int64)
        good = _good(rows)
        slow += where[~good].tolist()
        batches += _stack(rows[good], where[good], slow, received, zone)
    if slow:
        batches.append(_one_by_one(frames, sorted(slow), received, zone))
    batches = [batch for batch in batches if len(batch) or batch.bad]
    return batches[0] if len(batches) == 1 else ReadingBatch.concat(batches)


def _one_by_one(frames: Sequence[bytes], indices: Sequence[int], received: int, zone: ZoneInfo) -> ReadingBatch:
    found: list[Reading] = []
    inner: list[tuple[int, bytes]] = []
    bad: list[BadFrame] = []
    for index in indices:
        try:
            message = decode(frames[index])
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
            continue
        if message.afn == FORWARD:
            inner += [(index, octets) for octets in forwarded(message)]
        else:
            found += readings(message, index=index, received=received, zone=zone)
    own = from_readings(found, received=received, bad=tuple(bad))
    if not inner:
        return own
    return ReadingBatch.concat([own, forwarded_readings(inner, received=received, zone=zone)])


def _good(rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which rows of uint8[frame, octet] are whole frames with a right checksum."""
    word = rows[:, 1] | rows[:, 2].astype(np.uint16) << 8
    good = (rows[:, 0] == START) & (rows[:, 5] == START) & (rows[:, -1] == END) & (word >> 2 == rows.shape[1] - 8)
    good &= (rows[:, 1] == rows[:, 3]) & (rows[:, 2] == rows[:, 4])
    return np.asarray(good & (sum8_rows(rows[:, 6:-2]) == rows[:, -2]))


def _stack(
    rows: NDArray[np.uint8], where: NDArray[np.int64], slow: list[int], received: int, zone: ZoneInfo
) -> Iterator[ReadingBatch]:
    """The readings of good frames of one length; `slow` collects the indices of those left to the complete decoder."""
    for _ in range(PLANS_MAX):
        if not len(rows):
            return
        plan = _plan(rows[0])
        same = ((rows ^ rows[0]) & plan.mask).any(axis=1)
        np.logical_not(same, out=same)
        mine, mine_where = (rows, where) if same.all() else (rows[same], where[same])
        simple = np.ones(len(mine), np.bool_) if plan.das else np.zeros(len(mine), np.bool_)
        for at in plan.das:
            simple &= _points(mine, at) >= 0
        slow += mine_where[~simple].tolist()
        if plan.parts and simple.any():
            if not simple.all():
                mine, mine_where = mine[simple], mine_where[simple]
            yield _columns(plan, mine, mine_where, received, zone)
        rows, where = rows[~same], where[~same]
    slow += where.tolist()


def _plan(row: NDArray[np.uint8]) -> Plan:
    """The plan of the frame in `row`; without a DA where only the complete decoder can tell."""
    try:
        message = decode(row.tobytes())
    except DecodeError:
        return _no_plan(row)
    plan = Plan(np.zeros(len(row), np.uint8), int(source_of(message)))
    plan.mask[[6, 12, 13]] = 0xE0, 0xFF, 0x80  # DIR, PRM and ACD; AFN; TpV
    at = _UNITS_AT
    for unit in message.units:
        section = _only_section(message, unit)
        if section is None:
            return _no_plan(row)
        plan.das.append(at)
        plan.mask[at + 2 : at + 4] = 0xFF
        at += 4
        _add_part(plan, section, unit, at)
        at += len(unit.data)
    return plan if message.uplink and not message.rest else _no_plan(row)


def _no_plan(row: NDArray[np.uint8]) -> Plan:
    """What leaves all frames of this control, function and first DA and DT to the complete decoder."""
    mask = np.zeros(len(row), np.uint8)
    mask[[6, 12]] = 0xFF
    mask[_UNITS_AT : _UNITS_AT + 4] = 0xFF
    return Plan(mask, 0)


def _only_section(message: Message, unit: Unit) -> Section | None:
    """The section of a unit of one point and one item that its layout explains to the last octet."""
    if message.afn == FORWARD or len(unit.points) != 1 or len(unit.items) != 1 or _POINT[unit.da] < 0:
        return None
    section = next(sections(message, unit), None)
    whole = section is not None and section.found.complete and section.found.end == len(unit.data)
    return section if whole else None


def _add_part(plan: Plan, section: Section, unit: Unit, at: int) -> None:
    runs = section.found.runs
    for run in runs:
        if run.cell.format.counts or run.cell.format.size == 0 or run.cell.name == "curve.density":
            plan.mask[at + run.at : at + run.at + run.size] = 0xFF
    blocks = tuple(Block(at + run.at, run, what) for run, what in measured_runs(section))
    if section.layout.profile and blocks:
        profile = int(Profile[section.layout.profile.upper()])
        plan.parts.append(Part(at - 4, profile, _clock(runs[0], unit.data, at), blocks))


def _clock(first: Run, data: bytes, at: int) -> Clock | None:
    if first.cell.name not in _MOMENTS:
        return None
    minutes = step_minutes(data[first.size]) if first.cell.name == "curve.start" else 0
    return Clock(at, first.cell.name, -1 if minutes is None else minutes * MINUTE_US)


def _point_table() -> NDArray[np.int32]:
    """The point of every DA that names exactly one; -1 for all others."""
    table = np.full(0x10000, -1, np.int32)
    for group in range(256):
        for mask in (0, *(1 << bit for bit in range(8))):
            points = points_of(group << 8 | mask)
            if len(points) == 1 and isinstance(points[0], int):
                table[group << 8 | mask] = points[0]
    return table


_POINT = _point_table()


def _points(rows: NDArray[np.uint8], at: int) -> NDArray[np.int32]:
    return np.asarray(_POINT[rows[:, at] | rows[:, at + 1].astype(np.uint16) << 8])


def _columns(
    plan: Plan, rows: NDArray[np.uint8], where: NDArray[np.int64], received: int, zone: ZoneInfo
) -> ReadingBatch:
    """The readings of frames that all fit `plan`."""
    shape = len(rows), sum(block.run.times for part in plan.parts for block in part.blocks)
    meter, ts, value = (np.empty(shape, np.int64) for _ in range(3))
    missing, quality = np.empty(shape, np.bool_), np.zeros(shape, np.int32)
    quantity, profile = np.empty(shape[1], np.int32), np.empty(shape[1], np.int8)
    terminal = _terminals(rows)
    start = 0
    for part in plan.parts:
        stamp, timeless = _stamps(part.clock, rows, received, zone)
        key = (terminal + _points(rows, part.da_at))[:, None]
        step = part.clock.step if part.clock else 0
        for block in part.blocks:
            run, codes = block.run, block.what.codes
            here = slice(start, start + run.times)
            start += run.times
            points = run.cell.repeat == "p"
            quantity[here] = codes[run.first : run.first + run.times] if run.cell.repeat == "t" else codes[0]
            profile[here], meter[:, here] = part.profile, key
            ts[:, here] = stamp[:, None] + (np.arange(run.times) * step if points else 0)
            value[:, here], missing[:, here] = _numbers(block, rows)
            if timeless.any():
                ts[timeless, here] = received
                quality[timeless, here] = Quality.TIME_INVALID
    np.bitwise_or(quality, np.int32(Quality.NO_VALUE), out=quality, where=missing)
    return ReadingBatch(
        meter=meter.ravel(),
        quantity=np.tile(quantity, len(rows)),
        profile=np.tile(profile, len(rows)),
        ts=ts.ravel(),
        value=value.ravel(),
        missing=missing.ravel(),
        quality=quality.ravel(),
        source=np.full(value.size, plan.source, np.int8),
        received=np.full(value.size, received, np.int64),
        frame=np.repeat(where, shape[1]),
    )


def _terminals(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Region and terminal of each frame, as they stand in the wire key."""
    octets = rows[:, 7:11].astype(np.int64)
    return np.asarray(octets[:, 1] << 40 | octets[:, 0] << 32 | octets[:, 3] << 24 | octets[:, 2] << 16)


def _numbers(block: Block, rows: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Stored values of a block, int64[frame, value], 0 where missing; and where they are."""
    run, form = block.run, block.run.cell.format
    octets = rows[:, block.at : block.at + run.times * run.size].reshape(len(rows), run.times, run.size)
    negative = None
    if isinstance(form, Decimal) and form.signed:
        top = octets[:, :, -1]
        if (top & 0x80).any():
            negative = (top & 0x80).astype(np.bool_)
            octets = octets.copy()
            octets[:, :, -1] &= 0x7F
    value, valid = decode_bcd_columns(octets)
    if block.what.factor != 1:
        value *= block.what.factor
    if negative is not None:
        np.negative(value, out=value, where=negative)
    missing = ~valid
    if missing.any():
        value[missing] = 0
    return value, missing


def _stamps(
    clock: Clock | None, rows: NDArray[np.uint8], received: int, zone: ZoneInfo
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The time of each frame's first value, and where it cannot be true. [us since 1970, UTC]"""
    if clock is None:
        return np.full(len(rows), received), np.zeros(len(rows), np.bool_)
    local, valid = _MOMENTS[clock.name](rows, clock.at)
    if clock.step < 0:
        valid = np.zeros(len(rows), np.bool_)
    stamp = np.full(len(rows), received)
    stamp[valid] = to_utc_us(local[valid], zone)
    return stamp, ~valid


def _digits(rows: NDArray[np.uint8], at: int, size: int) -> tuple[list[NDArray[np.int64]], NDArray[np.bool_]]:
    """`size` octets as numbers of two digits, one array each, and where all of them are."""
    value, valid = decode_bcd_columns(rows[:, at : at + size, None])
    return list(value.T), np.asarray(valid.all(axis=1))


def _days(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Days since 1970-01-01 of dates of this century, and where the calendar has them."""
    valid = (month >= 1) & (month <= 12)
    month = np.where(valid, month, 1)
    valid &= (day >= 1) & (day <= days_in_month(2000 + year, month))
    return days_from_civil(2000 + year, month, day), valid


def _a15(rows: NDArray[np.uint8], at: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    (minute, hour, day, month, year), valid = _digits(rows, at, 5)
    days, exists = _days(year, month, day)
    return days * _DAY_US + (hour * 60 + minute) * MINUTE_US, valid & exists & (hour < 24) & (minute < 60)


def _end_of_a20(rows: NDArray[np.uint8], at: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    (day, month, year), valid = _digits(rows, at, 3)
    days, exists = _days(year, month, day)
    return (days + 1) * _DAY_US, valid & exists


def _end_of_a21(rows: NDArray[np.uint8], at: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    (month, year), valid = _digits(rows, at, 2)
    days, exists = _days(year, month, np.ones_like(month))
    return (days + days_in_month(2000 + year, np.where(exists, month, 1))) * _DAY_US, valid & exists


_MOMENTS: dict[str, Callable[[NDArray[np.uint8], int], tuple[NDArray[np.int64], NDArray[np.bool_]]]] = {
    "freeze.day": _end_of_a20,
    "freeze.month": _end_of_a21,
    "read_time": _a15,
    "curve.start": _a15,
}
