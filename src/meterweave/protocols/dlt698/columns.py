"""Readings out of many segments laid out alike, a column at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.metering.batch import Quality
from meterweave.metering.clock import days_from_civil, days_in_month, to_utc_us
from meterweave.metering.distinct import distinct
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.layouts import WORD, Mask, Place
from meterweave.protocols.dlt698.measured import Item
from meterweave.protocols.dlt698.readings import VALUE_MAX, VALUE_MIN

Octets = NDArray[np.uint8]
Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

PADDING = 1 << 15
"""Octets that must follow the last frame of a buffer, so that every window that begins in it has an end."""

_TYPES: Mapping[int, np.dtype[Any]] = {
    Tag.DOUBLE_LONG: np.dtype(">i4"),
    Tag.DOUBLE_LONG_UNSIGNED: np.dtype(">u4"),
    Tag.INTEGER: np.dtype("i1"),
    Tag.LONG: np.dtype(">i2"),
    Tag.UNSIGNED: np.dtype("u1"),
    Tag.LONG_UNSIGNED: np.dtype(">u2"),
    Tag.LONG64: np.dtype(">i8"),
    Tag.LONG64_UNSIGNED: np.dtype(">u8"),
}
_DAY_US = 86_400_000_000
_YEAR_MAX = 9999


class Columns(NamedTuple):
    """The readings of segments laid out alike: one row a segment, one column a reading."""

    ts: Int64s
    value: Int64s
    missing: Bools
    quality: NDArray[np.int32]
    quantity: NDArray[np.int32]  # one a column
    profile: NDArray[np.int8]  # one a column


def windows(buffer: Octets, starts: Int64s, size: int) -> Octets:
    """The `size` octets from each of `starts` on, rounded up to whole words; uint8[start, octet]."""
    padded = -(-size // WORD) * WORD
    # One item at every offset, overlapping: picking items of a plain type is a mere copy of their octets.
    every = np.ndarray(len(buffer) - padded + 1, np.dtype((np.void, padded)), buffer.data, 0, (1,))
    return every[starts].view(np.uint8).reshape(len(starts), padded)


def matches(rows: Octets, mask: Mask) -> Bools:
    """Which of the `rows`, as wide as the mask, are laid out as it says."""
    words = rows.view(np.uint64)
    found = np.ones(len(rows), np.bool_)
    for index in np.flatnonzero(mask.bits):
        found &= (words[:, index] & mask.bits[index]) == mask.wanted[index]
    return found


def read_columns(items: Sequence[Item], rows: Octets, received: int, zone: ZoneInfo) -> Columns:
    """The readings of `rows`, segments in which the values of `items` are the places where those values stand.

    Parameters
    ----------
    rows : uint8[segment, octet]
        As `windows` gives them.
    received : int
        When the frames came in. [us since 1970, UTC]
    """
    shape = (len(rows), len(items))
    ts, value = np.empty(shape, np.int64), np.empty(shape, np.int64)
    missing, quality = np.zeros(shape, np.bool_), np.zeros(shape, np.int32)
    instants: dict[Place, tuple[Int64s, NDArray[np.int32]]] = {}
    for column, item in enumerate(items):
        if item.time is None:
            ts[:, column] = received
        else:
            place = item.time[1]
            if place not in instants:
                instants[place] = _instants(rows, place, received, zone)
            ts[:, column], quality[:, column] = instants[place]
        tag, place = item.value
        if tag == Tag.NULL:
            value[:, column], missing[:, column] = 0, True
            quality[:, column] |= int(Quality.NO_VALUE)
        else:
            _read_numbers(rows, item, value[:, column], missing[:, column], quality[:, column])
    return Columns(
        ts=ts,
        value=value,
        missing=missing,
        quality=quality,
        quantity=np.array([item.measure.quantity for item in items], np.int32),
        profile=np.array([item.profile for item in items], np.int8),
    )


def read_addresses(rows: Octets, place: Place, *, reverse: bool = False) -> Int64s:
    """The addresses at `place` as numbers; low octet first where `reverse` is said."""
    padded = np.zeros((len(rows), 8), np.uint8)
    octets = rows[:, place.at : place.at + place.size]
    if reverse:
        padded[:, : place.size] = octets
        return padded.view("<i8").ravel()
    padded[:, 8 - place.size :] = octets
    return padded.view(">i8").ravel().astype(np.int64)


def _read_numbers(rows: Octets, item: Item, value: Int64s, missing: Bools, quality: NDArray[np.int32]) -> None:
    """Fill one column, where it does not say otherwise already."""
    tag, place = item.value
    raw = _strided(rows, _TYPES[tag], place.at)
    shift = item.measure.shift
    if shift < 0:
        divisor = np.uint64(10**-shift)
        # The magnitude of the least int64 is one more than the greatest; as uint64 it has room.
        size = raw.astype(np.uint64) if raw.dtype.kind == "u" else np.abs(raw.astype(np.int64)).view(np.uint64)
        whole, rest = np.divmod(size, divisor)
        rounded = (whole + (2 * rest >= divisor)).astype(np.int64)
        value[:] = np.where(raw < 0, -rounded, rounded)
        quality |= np.where(rest > 0, np.int32(Quality.ROUNDED), np.int32(0))
        return
    factor = 10**shift
    if place.size == 8:
        beyond = raw > VALUE_MAX // factor
        if raw.dtype.kind == "i":
            beyond |= raw < -(-VALUE_MIN // factor)
        missing |= beyond
        quality |= np.where(beyond, np.int32(Quality.OUT_OF_RANGE), np.int32(0))
        raw = np.where(beyond, 0, raw)
    np.multiply(raw, factor, out=value, dtype=np.int64, casting="unsafe")


def _strided(rows: Octets, dtype: np.dtype[Any], at: int) -> NDArray[Any]:
    """The numbers at offset `at` of every row, where they stand."""
    return np.ndarray(len(rows), dtype, rows.data, at, rows.strides[:1])


def _instants(rows: Octets, place: Place, received: int, zone: ZoneInfo) -> tuple[Int64s, NDArray[np.int32]]:
    """The instants that the date_time_s at `place` tell, and TIME_INVALID where they tell none.

    The same days come again and again, so each is looked up in the calendar once.
    """
    date = _strided(rows, np.dtype(">u4"), place.at).astype(np.int64)  # year, month, day
    clock = _strided(rows, np.dtype(">u4"), place.at + 3).astype(np.int64)  # day, hour, minute, second
    dates, where = distinct(date)
    year, month, day = dates >> 16, dates >> 8 & 0xFF, dates & 0xFF
    known = (year >= 1) & (year <= _YEAR_MAX) & (month >= 1) & (month <= 12) & (day >= 1)
    year, month = np.where(known, year, 1970), np.where(known, month, 1)
    known &= day <= days_in_month(year, month)
    days = days_from_civil(year, month, np.where(known, day, 1))
    hour, minute, second = clock >> 16 & 0xFF, clock >> 8 & 0xFF, clock & 0xFF
    valid = known[where] & (hour < 24) & (minute < 60) & (second < 60)
    local = days[where] * _DAY_US + np.where(valid, (hour * 60 + minute) * 60 + second, 0) * 1_000_000
    ts = np.where(valid, to_utc_us(local, zone), received)
    return ts, np.where(valid, np.int32(0), np.int32(Quality.TIME_INVALID))
