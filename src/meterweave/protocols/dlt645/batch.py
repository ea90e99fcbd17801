"""Many frames to readings in columns.

Frames of the same size, control code and identifier share a layout: they are stacked as one matrix, their checksums
verified, and their values decoded a column at a time. Whatever is not an ordinary read reply in such a layout goes
through `readings`, message by message; both ways give the same.

The wire key of a meter is its address, 12 digits, read as one hexadecimal number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Quality, Reading, ReadingBatch, Source, from_readings
from meterweave.metering.clock import SHANGHAI, days_from_civil, days_in_month, to_utc_us
from meterweave.protocols.bcd import decode_bcd_columns
from meterweave.protocols.checksum import sum8_rows
from meterweave.protocols.dlt645.formats import Number
from meterweave.protocols.dlt645.frame import CONTROL, DATA, END, LENGTH, OVERHEAD, SECOND_START, START, decode
from meterweave.protocols.dlt645.items import Element, find, split
from meterweave.protocols.dlt645.load_record import asked_class
from meterweave.protocols.dlt645.readings import readings

_IDENTIFIER = {0x91: 4, 0x81: 2}
"""The replies to a read, whole and without error, 2007 and 1997, with the size of their identifier. [octets]"""
_OFFSET = np.uint8(0x33)
_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000


class _Column(NamedTuple):
    """One measured value in all frames of a layout."""

    element: Element
    at: int
    """Its offset in the frame. [octets]"""
    time_at: int
    """The offset of the time at which it holds; 0: none."""


def decode_batch(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings in `frames`, ordered by frame and within a frame as sent; broken frames are listed as bad.

    Parameters
    ----------
    frames : sequence of bytes
        Whole frames, as `FrameDecoder` gives them; wake-up octets in front are allowed.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        Where the meters' clocks are set.
    """
    batches: list[ReadingBatch] = []
    odd: list[NDArray[np.int64]] = []
    sizes = np.fromiter(map(len, frames), np.int64, len(frames))
    for size in np.unique(sizes):
        where = np.flatnonzero(sizes == size)
        if size <= OVERHEAD:
            odd.append(where)
            continue
        chosen = frames if len(where) == len(frames) else [frames[index] for index in where.tolist()]
        rows = np.frombuffer(b"".join(chosen), np.uint8).reshape(-1, size)
        for columns, members in _layouts(rows):
            if columns is None:
                odd.append(where[members])
            elif columns:
                batches.append(_decode_rows(rows[members], columns, where[members], received, zone))
    batches.append(_decode_odd(frames, np.sort(np.concatenate([*odd, np.empty(0, np.int64)])), received, zone))
    return ReadingBatch.concat(batches)


def _layouts(rows: NDArray[np.uint8]) -> list[tuple[tuple[_Column, ...] | None, NDArray[np.int64]]]:
    """The rows of each layout with its columns; None are the columns of rows that are odd."""
    size = rows.shape[1]
    good = (
        (rows[:, 0] == START)
        & (rows[:, SECOND_START] == START)
        & (rows[:, LENGTH] == size - OVERHEAD)
        & (rows[:, -1] == END)
        & (sum8_rows(rows[:, :-2]) == rows[:, -2])
    )
    found: list[tuple[tuple[_Column, ...] | None, NDArray[np.int64]]] = [(None, np.flatnonzero(~good))]
    for control, width in _IDENTIFIER.items():
        asked = good & (rows[:, CONTROL] == control) & (size >= OVERHEAD + width)
        good &= ~asked
        members = np.flatnonzero(asked)
        if len(members):
            identifiers = _numbers(rows[members, DATA : DATA + width] - _OFFSET)
            for identifier in np.unique(identifiers):
                di = f"{identifier:0{2 * width}x}"
                found.append((_columns(di, int(size) - OVERHEAD - width), members[identifiers == identifier]))
    found.append((None, np.flatnonzero(good)))
    return found


def _numbers(octets: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of up to 8 octets, low octet first, as integers."""
    padded = np.zeros((len(octets), 8), np.uint8)
    padded[:, : octets.shape[1]] = octets
    return padded.view("<i8")[:, 0]


@lru_cache(1024)
def _columns(di: str, size: int) -> tuple[_Column, ...] | None:
    """The measured values in `size` octets of the item `di`; None where they are to be decoded one by one."""
    if asked_class(di) is not None:
        return None
    item = find(di)
    values = split(item.elements if item else (), bytes(size))[0]
    ends = np.cumsum([len(value.octets) for value in values], dtype=np.int64)
    starts = [DATA + len(di) // 2 + int(end) - len(value.octets) for end, value in zip(ends, values, strict=True)]
    columns = []
    for at, (element, _) in enumerate(values):
        if element.quantity:
            if not isinstance(element.format, Number):
                return None
            dated = element.time_from > 0 and at + element.time_from < len(values)
            columns.append(_Column(element, starts[at], starts[at + element.time_from] if dated else 0))
    return tuple(columns)


def _decode_rows(
    rows: NDArray[np.uint8], columns: Sequence[_Column], where: NDArray[np.int64], received: int, zone: ZoneInfo
) -> ReadingBatch:
    """The columns of frames that share a layout."""
    shape = (len(rows), len(columns))
    value = np.zeros(shape, np.int64)
    missing = np.empty(shape, np.bool_)
    ts = np.full(shape, received, np.int64)
    quality = np.zeros(shape, np.int32)
    for at, column in enumerate(columns):
        number, valid = _decode_column(rows, column)
        value[:, at] = np.where(valid, number * column.element.factor, 0)
        missing[:, at] = ~valid
        quality[:, at] = np.where(valid, Quality.GOOD, Quality.NO_VALUE)
        if column.time_at:
            local, dated = _decode_time(rows[:, column.time_at : column.time_at + 5] - _OFFSET)
            ts[dated, at] = to_utc_us(local[dated], zone)
            quality[~dated, at] |= Quality.TIME_INVALID
    count = value.size
    return ReadingBatch(
        meter=np.repeat(_numbers(rows[:, 1:7]), len(columns)),
        quantity=np.tile(np.array([column.element.quantity for column in columns], np.int32), len(rows)),
        profile=np.tile(np.array([column.element.profile for column in columns], np.int8), len(rows)),
        ts=ts.ravel(),
        value=value.ravel(),
        missing=missing.ravel(),
        quality=quality.ravel(),
        source=np.full(count, Source.READ, np.int8),
        received=np.full(count, received, np.int64),
        frame=np.repeat(where, len(columns)),
    )


def _decode_column(rows: NDArray[np.uint8], column: _Column) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The numbers of one column, and where they are numbers."""
    format_ = column.element.format
    octets = rows[:, column.at : column.at + format_.size] - _OFFSET
    if not (isinstance(format_, Number) and format_.signed):
        return decode_bcd_columns(octets)
    negative = octets[:, -1] >= 0x80
    octets[:, -1] &= 0x7F
    number, valid = decode_bcd_columns(octets)
    return np.where(negative, -number, number), valid


def _decode_time(octets: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Times YYMMDDhhmm as microseconds on the meter's own clock, and where they can be."""
    parts, valid = decode_bcd_columns(octets[:, :, np.newaxis])
    minute, hour, day, month, year = parts.T
    valid = valid.all(axis=1) & (minute <= 59) & (hour <= 23) & (month >= 1) & (month <= 12) & (day >= 1)
    month = np.where(valid, month, 1)
    valid &= day <= days_in_month(2000 + year, month)
    local = days_from_civil(2000 + year, month, day) * _DAY_US + (60 * hour + minute) * _MINUTE_US
    return local, valid


def _decode_odd(frames: Sequence[bytes], where: NDArray[np.int64], received: int, zone: ZoneInfo) -> ReadingBatch:
    """The frames at `where`, one by one."""
    found: list[Reading] = []
    bad: list[BadFrame] = []
    for index in where.tolist():
        try:
            found += readings(decode(frames[index]), index=index, received=received, zone=zone)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=received, bad=tuple(bad))
