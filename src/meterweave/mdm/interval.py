"""Consumption of intervals from steps: what the registers gained between two instants, and how well that is known.

The register is *pinned* at an instant if there is a reading at it, or it stood still from the reading before to the
one after, or, where interpolation was asked for, in between by the clock. Readings further apart than `reach_us` pin
nothing between them: so it is enough to look that far beyond the boundaries.

An interval has a value if both its ends are pinned and every step in between is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.mdm.register import VALUE_MAX
from meterweave.mdm.step import Flag, Steps

_CHUNK_BITS = 12
_DURATION_MAX_US = 1 << 50  # 35 years; with chunks of 12 bits the products below stay in 63 bits


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Consumption of each usage point in each interval; arrays of [point, interval]."""

    points: NDArray[np.int64]  # ids, ascending
    boundaries: NDArray[np.int64]  # [us since 1970, UTC], one more than there are intervals
    value: NDArray[np.int64]  # 0 where there is none, see `known`
    known: NDArray[np.bool_]
    part: NDArray[np.int64]  # what is measured of it: the sum of the known steps that lie inside
    covered_us: NDArray[np.int64]  # how much of the interval is measured [us]
    flags: NDArray[np.int16]  # `Flag`

    def widened(self, points: NDArray[np.int64]) -> Intervals:
        """The same with rows for usage points nobody knows anything of; `points` ascending, ours among them."""
        if len(points) == len(self.points):
            return self
        wide = _nothing(points, self.boundaries)
        row = np.searchsorted(points, self.points)
        for name in ("value", "known", "part", "covered_us", "flags"):
            getattr(wide, name)[row] = getattr(self, name)
        return wide

    def to_arrow(self, owner: str = "usage_point") -> pa.Table:
        """One row a point and interval: `owner`, start, end, value, part, flags, completeness."""
        count = len(self.boundaries) - 1
        clock = pa.timestamp("us", tz="UTC")
        lengths = np.diff(self.boundaries)
        return pa.table(
            {
                owner: np.repeat(self.points, count),
                "start": pa.array(np.tile(self.boundaries[:-1], len(self.points))).cast(clock),
                "end": pa.array(np.tile(self.boundaries[1:], len(self.points))).cast(clock),
                "value": pa.array(self.value.ravel(), mask=~self.known.ravel()),
                "part": self.part.ravel(),
                "flags": self.flags.ravel(),
                "completeness": (self.covered_us / lengths).ravel(),
            }
        )


def intervals(
    found: Steps, points: NDArray[np.int64], boundaries: NDArray[np.int64], *, reach_us: int, interpolate: bool
) -> Intervals:
    """What was used in every interval.

    Parameters
    ----------
    found : Steps
        Of usage points given by their index in `points`.
    boundaries : int64[k + 1]
        Ascending. [us since 1970, UTC]
    reach_us : int
        The longest step inside which an instant may be pinned. [us]
    interpolate : bool
        Whether to share out a step over its time where a boundary falls into it. The shares add up to the step.
    """
    if not len(found.ts):
        return _nothing(points, boundaries)
    pins = _pinned(found, len(points), boundaries, min(reach_us, _DURATION_MAX_US), interpolate)
    unknown = _before(~found.known)
    amount, duration = _before(found.amount), _before(np.where(found.known, found.duration, 0))

    start, end = pins.row[:, :-1], pins.row[:, 1:]
    known = pins.pinned[:, :-1] & pins.pinned[:, 1:] & (unknown[end] == unknown[start])
    value = np.where(known, np.diff(amount[pins.row] + pins.share), 0)
    inner = pins.next[:, :-1]  # the first reading from which steps lie inside the interval
    part = np.where(end >= inner, amount[end] - amount[inner], 0)
    covered = np.where(end >= inner, duration[end] - duration[inner], 0)
    covered = np.maximum(covered + pins.still_us[:, 1:] - pins.still_us[:, :-1], 0)
    overflow = _overflows(found, inner, end)
    known, part = known & ~overflow, np.where(overflow, 0, part)

    flags = _step_flags(found, len(points), boundaries) | np.where(overflow, np.int16(Flag.ANOMALOUS), np.int16(0))
    estimated = pins.bridged[:, :-1] | pins.bridged[:, 1:]
    flags |= np.where(known, np.where(estimated, np.int16(Flag.ESTIMATED), np.int16(Flag.MEASURED)), np.int16(0))
    reasons = flags & np.int16(Flag.ANOMALOUS | Flag.MULTIPLIER)
    flags |= np.where(~known & (reasons == 0), np.int16(Flag.GAP), np.int16(0))
    flags |= np.where(~known & (covered > 0), np.int16(Flag.PARTIAL), np.int16(0))
    return Intervals(points, boundaries, np.where(known, value, 0), known, part, covered, flags)


class _Pins(NamedTuple):
    """The register at each boundary; arrays of [point, boundary]."""

    row: NDArray[np.int64]  # the last reading at or before it; before the first one, the first
    next: NDArray[np.int64]  # the first reading that is not before it, or `row` where the register stood still
    pinned: NDArray[np.bool_]
    bridged: NDArray[np.bool_]  # pinned by interpolation
    share: NDArray[np.int64]  # what was used since `row`
    still_us: NDArray[np.int64]  # how long the register has stood still since `row`


def _pinned(found: Steps, points: int, boundaries: NDArray[np.int64], reach_us: int, interpolate: bool) -> _Pins:
    count = len(boundaries)
    slot = np.searchsorted(boundaries, found.ts)  # the first boundary at or after the reading
    table = np.bincount(found.point * (count + 1) + slot, minlength=points * (count + 1))
    read = np.cumsum(table.reshape(points, count + 1)[:, :count], axis=1)
    first = np.searchsorted(found.point, np.arange(points))
    row = first[:, None] + np.maximum(read - 1, 0)
    safe = np.minimum(row, len(found.ts) - 1)
    elapsed = np.where(read > 0, boundaries - found.ts[safe], -1)
    inside = (elapsed > 0) & (found.duration[safe] > elapsed)
    short = inside & (found.duration[safe] <= reach_us) & found.known[safe]
    still = short & found.still[safe]
    bridged = short & ~still if interpolate else np.zeros_like(short)
    share = np.zeros_like(row)
    share[bridged] = _shared(found.amount[safe[bridged]], elapsed[bridged], found.duration[safe[bridged]])
    return _Pins(
        row=row,
        next=row + (inside & ~still),
        pinned=(elapsed == 0) | still | bridged,
        bridged=bridged,
        share=share,
        still_us=np.where(still, elapsed, 0),
    )


def _shared(amount: NDArray[np.int64], elapsed: NDArray[np.int64], duration: NDArray[np.int64]) -> NDArray[np.int64]:
    """``amount · elapsed / duration`` rounded down, exactly, by long division; elapsed < duration <= 2^50."""
    quotient = amount // duration * elapsed
    rest, whole, left = amount % duration, np.zeros_like(amount), np.zeros_like(amount)
    for shift in range(48, -1, -_CHUNK_BITS):
        digit = (elapsed >> shift) & ((1 << _CHUNK_BITS) - 1)
        step = (left << _CHUNK_BITS) + rest * digit
        whole, left = (whole << _CHUNK_BITS) + step // duration, step % duration
    return quotient + whole


def _step_flags(found: Steps, points: int, boundaries: NDArray[np.int64]) -> NDArray[np.int16]:
    """The flags of steps on the intervals they touch; a step of no length on the one that begins with it."""
    count = len(boundaries) - 1
    flags = np.zeros((points, count), np.int16)
    rows = np.flatnonzero(found.flags)
    ts = found.ts[rows]
    first = np.searchsorted(boundaries, ts, "right") - 1
    last = np.maximum(np.searchsorted(boundaries, ts + found.duration[rows]) - 1, first)
    first, last = np.maximum(first, 0), np.minimum(last, count - 1)
    touched = np.maximum(last - first + 1, 0)
    step = np.repeat(np.arange(len(rows)), touched)
    column = first[step] + np.arange(len(step)) - np.repeat(np.cumsum(touched) - touched, touched)
    np.bitwise_or.at(flags, (found.point[rows][step], column), found.flags[rows][step])
    return flags


def _overflows(found: Steps, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where the sum of the steps between two readings may not fit 64 bits."""
    size = np.abs(found.amount.astype(np.float64))
    if size.sum() < VALUE_MAX:
        return np.zeros(start.shape, np.bool_)
    total = _before(size)
    return np.asarray(total[np.minimum(end + 1, len(size))] - total[np.maximum(start - 1, 0)] >= VALUE_MAX)


def _before(column: NDArray[Any]) -> NDArray[Any]:
    """The sum of all that stands before each row, and of everything; one longer than `column`."""
    sums = np.zeros(len(column) + 1, np.float64 if column.dtype == np.float64 else np.int64)
    np.cumsum(column, out=sums[1:])
    return sums


def _nothing(points: NDArray[np.int64], boundaries: NDArray[np.int64]) -> Intervals:
    shape = (len(points), len(boundaries) - 1)
    return Intervals(
        points,
        boundaries,
        value=np.zeros(shape, np.int64),
        known=np.zeros(shape, np.bool_),
        part=np.zeros(shape, np.int64),
        covered_us=np.zeros(shape, np.int64),
        flags=np.full(shape, Flag.GAP, np.int16),
    )
