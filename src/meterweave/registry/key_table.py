"""Wire keys to meter ids, for every terminal at once: sorted columns, searched in bulk.

The keys of one terminal lie side by side and sorted; ``start`` and ``count`` say where, by terminal id. A changed
terminal gets a new place in the *tail*, a second set of columns, so that a change costs what it changes and not what
there is; when the tail has grown to an eighth of the whole, everything is put in order once. A table never changes:
`replaced` gives a new one that shares the columns of the old.

Memory: 16 octets a meter (key and id), 12 octets a terminal up to the highest id; at most an eighth more for the tail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
"""What stands for a meter that is not in the archives."""

TAIL_MIN = 65_536
"""Entries the tail may hold whatever the size of the whole. [entries]"""

TAIL_SHARE = 8
"""The tail may hold one part in so many of the whole."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Meters in columns of equal length: int64[entry] each, in any order."""

    terminal: Ints
    key: Ints
    meter: Ints

    @classmethod
    def empty(cls) -> Entries:
        """No meters."""
        return cls(*(np.empty(0, np.int64) for _ in range(3)))

    def sorted(self) -> Entries:
        """The same, by terminal and key."""
        order = np.lexsort((self.key, self.terminal))
        return Entries(self.terminal[order], self.key[order], self.meter[order])


@dataclass(frozen=True, slots=True, eq=False)
class KeyTable:
    """Which meter a terminal means by a key; made by `build`."""

    key: Ints
    meter: Ints
    tail_key: Ints
    tail_meter: Ints
    start: Ints  # by terminal id; a start at or above len(key) lies in the tail
    count: NDArray[np.int32]  # by terminal id

    @classmethod
    def build(cls, entries: Entries) -> KeyTable:
        """A table of `entries`, whose pairs of terminal and key are unique."""
        ordered = entries.sorted()
        none = np.empty(0, np.int64)
        size = int(ordered.terminal[-1]) + 1 if len(ordered.terminal) else 0
        start, count = _places(ordered.terminal, size)
        return cls(ordered.key, ordered.meter, none, none, start, count)

    def __len__(self) -> int:
        return int(self.count.sum())

    @property
    def octets(self) -> int:
        """Memory of the columns. [octets]"""
        return sum(getattr(self, name).nbytes for name in self.__slots__)

    def lookup(self, terminal: int, keys: Ints) -> Ints:
        """The meter of each of `keys` on one terminal.

        Parameters
        ----------
        terminal : int
            Its id.
        keys : int64[n]
            Wire keys.

        Returns
        -------
        meter : int64[n]
            Ids; `UNKNOWN` where the terminal has no such meter.
        """
        if not 0 <= terminal < len(self.count) or not self.count[terminal]:
            return np.full(len(keys), UNKNOWN, np.int64)
        own_keys, own_meters = self._segment(terminal)
        at = np.searchsorted(own_keys, keys)
        at[at == len(own_keys)] = 0
        return np.where(own_keys[at] == keys, own_meters[at], UNKNOWN)

    def lookup_many(self, terminals: Ints, keys: Ints) -> Ints:
        """As `lookup`, of rows that came from many terminals: int64[n] of ids each."""
        found = np.full(len(keys), UNKNOWN, np.int64)
        known = (terminals >= 0) & (terminals < len(self.count))
        rows = np.flatnonzero(known)
        low = self.start[terminals[rows]]
        count = self.count[terminals[rows]]
        in_tail = low >= len(self.key)
        for where, base, key, meter in (
            (~in_tail, 0, self.key, self.meter),
            (in_tail, len(self.key), self.tail_key, self.tail_meter),
        ):
            some = rows[where]
            if len(some) and len(key):
                found[some] = _search(key, meter, low[where] - base, count[where], keys[some])
        return found

    def replaced(self, terminals: Ints, entries: Entries) -> KeyTable:
        """A table in which exactly `entries` hang on `terminals`, and all else is as it was.

        Parameters
        ----------
        terminals : int64[m]
            Ids of the terminals to look different, those that lose all their meters too.
        entries : Entries
            All meters of these terminals, and of no other.
        """
        ordered = entries.sorted()
        size = max(len(self.count), int(terminals.max(initial=-1)) + 1)
        start, count = np.zeros(size, np.int64), np.zeros(size, np.int32)
        start[: len(self.start)], count[: len(self.count)] = self.start, self.count
        new_start, new_count = _places(ordered.terminal, size)
        start[terminals] = new_start[terminals] + len(self.key) + len(self.tail_key)
        count[terminals] = new_count[terminals]
        table = KeyTable(
            self.key,
            self.meter,
            np.concatenate((self.tail_key, ordered.key)),
            np.concatenate((self.tail_meter, ordered.meter)),
            start,
            count,
        )
        return table._in_order() if len(table.tail_key) > max(TAIL_MIN, len(self.key) // TAIL_SHARE) else table

    def entries(self) -> Entries:
        """What the table holds, by terminal and key."""
        terminals = np.repeat(np.arange(len(self.count)), self.count)
        first = np.concatenate(([0], np.cumsum(self.count, dtype=np.int64)))[:-1]
        at = np.repeat(self.start - first, self.count) + np.arange(len(terminals))
        in_tail = at >= len(self.key)
        key, meter = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
        key[~in_tail], meter[~in_tail] = self.key[at[~in_tail]], self.meter[at[~in_tail]]
        key[in_tail] = self.tail_key[at[in_tail] - len(self.key)]
        meter[in_tail] = self.tail_meter[at[in_tail] - len(self.key)]
        return Entries(terminals, key, meter)

    def _in_order(self) -> KeyTable:
        whole = self.entries()
        size = len(self.count)
        start, count = _places(whole.terminal, size)
        none = np.empty(0, np.int64)
        return KeyTable(whole.key, whole.meter, none, none, start, count)

    def _segment(self, terminal: int) -> tuple[Ints, Ints]:
        start, count = int(self.start[terminal]), int(self.count[terminal])
        if start < len(self.key):
            return self.key[start : start + count], self.meter[start : start + count]
        start -= len(self.key)
        return self.tail_key[start : start + count], self.tail_meter[start : start + count]


def _places(terminals: Ints, size: int) -> tuple[Ints, NDArray[np.int32]]:
    """Start and count of each terminal's run in a sorted column, by terminal id below `size`."""
    count = np.bincount(terminals, minlength=size).astype(np.int32)
    start = np.concatenate(([0], np.cumsum(count, dtype=np.int64)))[:-1]
    return start, count


def _search(key: Ints, meter: Ints, low: Ints, count: NDArray[np.int32], wanted: Ints) -> Ints:
    """Bisect all rows at once, each in its own run of `key`; as many rounds as the longest run has binary digits."""
    end = low + count
    high = end.copy()
    for _ in range(int(count.max(initial=0)).bit_length()):
        open_rows = low < high
        middle = (low + high) >> 1
        middle[~open_rows] = 0
        right = open_rows & (key[middle] < wanted)
        low = np.where(right, middle + 1, low)
        high = np.where(open_rows & ~right, middle, high)
    hit = low < end
    at = np.where(hit, low, 0)
    return np.where(hit & (key[at] == wanted), meter[at], UNKNOWN)
