"""Many frames to readings in columns.

Frames of equal length are stacked as one matrix, their ends and checksums verified, and every group that shares meter
type, control and identifier is decoded column by column by the layout of ``items.csv``. Whatever is not such a group,
or not a good frame without wake-up octets, goes through `readings`, one by one, with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Quality, Reading, ReadingBatch, Source, from_readings
from meterweave.metering.clock import SHANGHAI, days_from_civil, days_in_month, to_utc_us
from meterweave.protocols.bcd import decode_bcd_columns
from meterweave.protocols.checksum import sum8_rows
from meterweave.protocols.cjt188.content import content, find_layout
from meterweave.protocols.cjt188.formats import YEARS, Metered
from meterweave.protocols.cjt188.frame import DATA_MAX, END, HEADER_SIZE, OVERHEAD, START, decode
from meterweave.protocols.cjt188.items import Layout
from meterweave.protocols.cjt188.meter import meter_kind
from meterweave.protocols.cjt188.readings import Column, columns, readings
from meterweave.protocols.cjt188.units import FIXED_UNITS, UNITS, conversion

Int64s = NDArray[np.int64]
Rows = NDArray[np.uint8]

GROUP_MIN = 4  # fewer frames of one kind are quicker one by one
_PAYLOAD_AT = HEADER_SIZE + 3  # behind DI and SER [octets]
_HEADER_COLUMNS = (1, 9, 11, 12)  # T, C, and DI as sent: what fixes the layout of a frame of known length
_DAY_US = 86_400_000_000


def decode_batch(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings of `frames`, by frame and by place in the frame.

    Parameters
    ----------
    frames : sequence of bytes
        One whole frame each, as `FrameDecoder` gives them. A broken one goes to ``bad``.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        In which the clocks of the meters run.
    """
    sizes = np.fromiter(map(len, frames), np.int64, len(frames))
    batches: list[ReadingBatch] = []
    slow: list[int] = []
    for size in np.unique(sizes).tolist():
        where = np.flatnonzero(sizes == size)
        if len(where) < GROUP_MIN or not _PAYLOAD_AT + 2 < size <= DATA_MAX + OVERHEAD:
            slow += where.tolist()
            continue
        picked = frames if len(where) == len(frames) else [frames[index] for index in where.tolist()]
        rows = np.frombuffer(b"".join(picked), np.uint8).reshape(-1, size)
        good = _good(rows)
        slow += where[~good].tolist()
        for group in _groups(rows, np.flatnonzero(good)):
            layout, found = _layout(rows[group[0]])
            if len(group) < GROUP_MIN:
                slow += where[group].tolist()
            elif layout is not None and found:
                batches.append(_decode(rows[group], where[group], layout, found, received, zone))
    batches.append(_one_by_one(frames, sorted(slow), received, zone))
    return ReadingBatch.concat(batches)


def _one_by_one(frames: Sequence[bytes], indices: Sequence[int], received: int, zone: ZoneInfo) -> ReadingBatch:
    found: list[Reading] = []
    bad: list[BadFrame] = []
    for index in indices:
        try:
            found += readings(decode(frames[index]), index=index, received=received, zone=zone)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=received, bad=tuple(bad))


def _good(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are whole frames with a right checksum."""
    size = rows.shape[1]
    return np.asarray(
        (rows[:, 0] == START)
        & (rows[:, 10] == size - OVERHEAD)
        & (rows[:, -1] == END)
        & (sum8_rows(rows[:, :-2]) == rows[:, -2])
    )


def _groups(rows: Rows, good: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Indices of the good rows, apart by what fixes their layout."""
    if not len(good):
        return []
    heads = np.ascontiguousarray(rows[:, _HEADER_COLUMNS][good]).view(np.uint32).ravel()
    if (heads == heads[0]).all():
        return [good]
    return [good[heads == head] for head in np.unique(heads)]


def _layout(row: Rows) -> tuple[Layout | None, tuple[Column, ...]]:
    """How a frame is laid out, and what it measures."""
    frame = decode(row.tobytes())
    layout = find_layout(frame, content(frame)) if frame.answer and not frame.error else None
    return layout, columns(layout, meter_kind(frame.meter_type).medium) if layout else ()


class _Values(NamedTuple):
    """One column, one value a frame."""

    value: Int64s
    missing: NDArray[np.bool_]
    quality: NDArray[np.int32]
    present: NDArray[np.bool_]  # false where the unit allows no reading


def _decode(
    rows: Rows, frame: Int64s, layout: Layout, found: Sequence[Column], received: int, zone: ZoneInfo
) -> ReadingBatch:
    """The readings of frames that share a layout, by frame and then by place in it."""
    payload = rows[:, _PAYLOAD_AT:-2]
    count, width = len(rows), len(found)
    ts, time_quality = _times(payload, layout, received, zone)
    values = [_values(payload, column) for column in found]
    present = np.stack([one.present for one in values], axis=1).ravel()
    quality = np.stack([one.quality for one in values], axis=1) | time_quality[:, None]

    def spread(column: NDArray[np.int64]) -> Int64s:
        return np.repeat(column, width)[present]

    quantity = np.tile(np.array([column.quantity for column in found], np.int32), count)[present]
    total = len(quantity)
    return ReadingBatch(
        meter=spread(_addresses(rows)),
        quantity=quantity,
        profile=np.full(total, layout.profile, np.int8),
        ts=spread(ts),
        value=np.stack([one.value for one in values], axis=1).ravel()[present],
        missing=np.stack([one.missing for one in values], axis=1).ravel()[present],
        quality=quality.ravel()[present],
        source=np.full(total, Source.READ, np.int8),
        received=np.full(total, received, np.int64),
        frame=spread(frame),
    )


def _addresses(rows: Rows) -> Int64s:
    """The 14 digits A6…A0 as hexadecimal numbers."""
    padded = np.zeros((len(rows), 8), np.uint8)
    padded[:, :7] = rows[:, 2:9]
    return padded.view("<i8").ravel().astype(np.int64)


def _values(payload: Rows, column: Column) -> _Values:
    form, at = column.format, column.at
    end = at + form.size
    if isinstance(form, Metered):
        number, valid = decode_bcd_columns(payload[:, at : end - 1])
        numerators, denominators = _ratios(form.exponent, column.quantity)
        code = payload[:, end - 1]
        numerator, denominator = numerators[code], denominators[code]
        present = ~valid | (numerator > 0)
    else:
        number, valid = decode_bcd_columns(payload[:, at:end])
        ratio = conversion(FIXED_UNITS[form.unit], form.exponent, column.quantity)
        assert ratio is not None, column.item.name  # held by the test of the table
        numerator, denominator = np.full(len(number), ratio[0]), np.full(len(number), ratio[1])
        present = np.ones(len(number), np.bool_)
    value, rest = np.divmod(np.where(valid, number, 0) * numerator, denominator)
    value += 2 * rest >= denominator
    quality = np.where(valid, np.where(rest > 0, int(Quality.ROUNDED), 0), int(Quality.NO_VALUE))
    return _Values(value, ~valid, quality.astype(np.int32), present)


@cache
def _ratios(exponent: int, quantity: int) -> tuple[Int64s, Int64s]:
    """`units.conversion` for every code of a unit; numerator 0 where there is none."""
    numerators, denominators = np.zeros(256, np.int64), np.ones(256, np.int64)
    for code, unit in UNITS.items():
        ratio = conversion(unit, exponent, quantity)
        if ratio is not None:
            numerators[code], denominators[code] = ratio
    return numerators, denominators


def _times(payload: Rows, layout: Layout, received: int, zone: ZoneInfo) -> tuple[Int64s, NDArray[np.int32]]:
    """The instant of every frame, and TIME_INVALID where the clock is impossible."""
    ts = np.full(len(payload), received, np.int64)
    quality = np.zeros(len(payload), np.int32)
    at = layout.clock_at
    if at is None:
        return ts, quality
    octets = payload[:, at : at + 7]
    local, valid = _local_us(octets)
    ts[valid] = to_utc_us(local[valid], zone)
    absent = (octets == 0x00).all(axis=1) | (octets == 0xFF).all(axis=1)
    quality[~valid & ~absent] = Quality.TIME_INVALID
    return ts, quality


def _local_us(octets: Rows) -> tuple[Int64s, NDArray[np.bool_]]:
    """`formats.Clock.moment` of rows of seven octets, as `metering.clock.local_us`; and where there is one."""
    pairs, digits = decode_bcd_columns(octets[..., None])
    second, minute, hour, day, month, low, high = pairs.T
    straight, swapped = 100 * high + low, 100 * low + high
    year = np.where(_in_range(straight), straight, swapped)
    valid = digits.all(axis=1) & _in_range(year) & (month >= 1) & (month <= 12) & (day >= 1)
    valid &= (hour < 24) & (minute < 60) & (second < 60)
    year, month = np.where(valid, year, YEARS.start), np.where(valid, month, 1)
    valid &= day <= days_in_month(year, month)
    days = days_from_civil(year, month, np.where(valid, day, 1))
    return days * _DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000, valid


def _in_range(year: Int64s) -> NDArray[np.bool_]:
    return np.asarray((year >= YEARS.start) & (year < YEARS.stop))
