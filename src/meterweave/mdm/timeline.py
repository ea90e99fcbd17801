"""What is in force for a meter at an instant: tables of (meter, since), asked with whole columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SINCE_EVER_US = -(1 << 63)
"""The beginning of what has always held. [us since 1970, UTC]"""


class Timeline:
    """Rows (meter, since) that hold from `since` on until the meter's next row.

    Parameters
    ----------
    meter, since : int64[n]
        Ascending by (meter, since); `since` in microseconds since 1970, UTC.
    """

    def __init__(self, meter: NDArray[np.int64], since: NDArray[np.int64]) -> None:
        self._since = since
        self._meters, self._first, self._count = np.unique(meter, return_index=True, return_counts=True)

    def at(self, meter: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row that holds for each (meter, ts); int64[n], -1 where there is none yet."""
        if not len(self._since) or not len(meter):
            return np.full(len(meter), -1, np.int64)
        place, known = self._places(meter)
        first, count = self._first[place], np.where(known, self._count[place], 0)
        found = np.where(known & (self._since[first] <= ts), first, -1)
        several = np.flatnonzero((count > 1) & (found >= 0))
        found[several] = self._last_begun(first[several], count[several], ts[several])
        return found

    def _places(self, meter: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which of our meters each is, and whether it is one; looked up once for every run of the same meter."""
        starts = np.flatnonzero(np.diff(meter, prepend=meter[0] ^ 1))
        place = np.minimum(np.searchsorted(self._meters, meter[starts]), len(self._meters) - 1)
        lengths = np.diff(starts, append=len(meter))
        return np.repeat(place, lengths), np.repeat(self._meters[place] == meter[starts], lengths)

    def _last_begun(
        self, first: NDArray[np.int64], count: NDArray[np.int64], ts: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The last row that has begun, of `count` rows from `first` on, the first of which has."""
        low, high = first, first + count  # rows up to `low` have begun, rows from `high` on have not
        while ((high - low) > 1).any():
            middle = (low + high) // 2
            begun = self._since[middle] <= ts
            low, high = np.where(begun, middle, low), np.where(begun, high, np.maximum(middle, low + 1))
        return low
