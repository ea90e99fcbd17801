"""The install history in columns: which meter's register counts for which usage point, from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import ConfigError
from meterweave.mdm.timeline import SINCE_EVER_US, Timeline

STILL_THERE_US = (1 << 63) - 1
"""The end of a span without an end. [us since 1970, UTC]"""


class Placed(NamedTuple):
    """Readings that count for a usage point, ordered by usage point, span and time."""

    reading: NDArray[np.intp]  # its row
    span: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Times of meters on usage points, ascending by (meter, start); use `of` or `of_meters`."""

    point: NDArray[np.int64]
    meter: NDArray[np.int64]
    start: NDArray[np.int64]  # [us since 1970, UTC]
    end: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int, int]]) -> Spans:
        """From (usage point, meter, start, end) in any order. [us since 1970, UTC]

        Raises
        ------
        ConfigError
            If a span ends before it begins, or two of one meter or one usage point overlap.
        """
        matrix = np.array([*rows], np.int64).reshape(-1, 4)
        point, meter, start, end = matrix[np.lexsort((matrix[:, 2], matrix[:, 1]))].T.copy()
        if (start >= end).any():
            row = int(np.argmax(start >= end))
            raise ConfigError(f"meter {meter[row]}: a span from {start[row]} us ends later, not at {end[row]} us")
        _no_overlap("meter", meter, start, end)
        order = np.lexsort((start, point))
        _no_overlap("usage point", point[order], start[order], end[order])
        return cls(point, meter, start, end)

    @classmethod
    def of_meters(cls, meters: Iterable[int]) -> Spans:
        """Every meter for itself and for ever: the consumption of meters, wherever they hang."""
        meter = np.unique(np.array([*meters], np.int64))
        return cls(meter, meter, np.full_like(meter, SINCE_EVER_US), np.full_like(meter, STILL_THERE_US))

    def of_points(self, points: NDArray[np.int64]) -> Spans:
        """Those on some usage points; `points` ascending."""
        wanted = np.isin(self.point, points)
        return Spans(self.point[wanted], self.meter[wanted], self.start[wanted], self.end[wanted])

    def place(self, meter: NDArray[np.int64], ts: NDArray[np.int64]) -> Placed:
        """Where readings belong; those of meters that hung nowhere just then are left out.

        Both ends of a span belong to it, so that the reading at the instant of an exchange closes one span and, if it
        is of a meter that moved, opens another.

        Parameters
        ----------
        meter, ts : int64[n]
            Ascending by (meter, ts).
        """
        span = Timeline(self.meter, self.start).at(meter, ts)
        at = np.maximum(span, 0)
        if not len(self.meter):
            return Placed(np.empty(0, np.intp), np.empty(0, np.int64))
        inside = (span >= 0) & (ts <= self.end[at])
        before = np.maximum(at - 1, 0)
        closes = (at > 0) & (span >= 0) & (self.meter[before] == meter) & (self.end[before] == ts)
        # A reading that closes a span is the last in it: the stable sort leaves it behind the others.
        reading = np.concatenate([np.flatnonzero(inside), np.flatnonzero(closes)])
        spans = np.concatenate([at[inside], before[closes]])
        rank = np.empty(len(self.meter), np.int64)
        rank[np.lexsort((self.start, self.point))] = np.arange(len(self.meter))
        order = np.argsort(rank[spans], kind="stable")
        return Placed(reading[order], spans[order])


def _no_overlap(name: str, key: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]) -> None:
    wrong = (key[1:] == key[:-1]) & (start[1:] < end[:-1])
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ConfigError(f"{name} {key[row]}: a span begins at {start[row + 1]} us, before the last one's end")
