"""Whose the readings and events of a tick are: wire keys looked up in the archives, and which pushes lack a meter."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.headend.lake_rows import TERMINAL
from meterweave.metering.batch import ReadingBatch, Source
from meterweave.metering.events import Event, EventBatch
from meterweave.registry.directory import Snapshot
from meterweave.registry.key_table import UNKNOWN

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Stranger(NamedTuple):
    """A meter that the archives do not have."""

    push: int  # its index
    key: int
    quantity: int  # one of those measured; 0: an event told of it
    forwarded: bool


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What pushes hold. Readings and events name their push by its index in `frame`, and meters by wire keys."""

    readings: ReadingBatch
    events: tuple[Event, ...]
    reading_meter: Ints
    """Ids; `UNKNOWN` where the archives have no such meter."""
    event_meter: Ints
    """Ids as of `reading_meter`, `TERMINAL` where an event is the terminal's own."""
    event_frame: Ints
    bad: frozenset[int]
    """Pushes that are broken."""

    def holding(self) -> set[int]:
        """The pushes that hold something."""
        return set(np.unique(np.concatenate([self.readings.frame, self.event_frame])).tolist())

    def strangers(self) -> list[Stranger]:
        """The unknown meters, once for each push that tells of them, however much it tells."""
        return [*self._unread(), *self._untold()]

    def _unread(self) -> list[Stranger]:
        """The unknown meters that readings are of; a push may carry thousands of one meter."""
        rows = np.flatnonzero(self.reading_meter == UNKNOWN)
        frame, key = self.readings.frame[rows], self.readings.meter[rows]
        forwarded = self.readings.source[rows] == Source.FORWARDED
        order = np.lexsort((forwarded, key, frame))
        new = np.ones(len(rows), np.bool_)
        new[1:] = np.logical_or.reduce([np.diff(one[order]) != 0 for one in (frame, key, forwarded)])
        first = order[new]
        columns = (frame, key, self.readings.quantity[rows], forwarded)
        return [Stranger(*one) for one in zip(*(one[first].tolist() for one in columns), strict=True)]

    def _untold(self) -> list[Stranger]:
        """The unknown meters that events are of."""
        unknown = [self.events[at] for at in np.flatnonzero(self.event_meter == UNKNOWN).tolist()]
        found = (Stranger(one.frame, one.key, 0, one.source == Source.FORWARDED) for one in unknown)
        return list(dict.fromkeys(found))

    def without(self, pushes: Collection[int]) -> Named:
        """The rest, when these pushes wait for something."""
        if not pushes:
            return self
        waiting = list(pushes)
        return self._selected(~np.isin(self.readings.frame, waiting), ~np.isin(self.event_frame, waiting))

    def known(self) -> Named:
        """All that is of meters in the archives, or of the terminals themselves."""
        return self._selected(self.reading_meter != UNKNOWN, self.event_meter != UNKNOWN)

    def _selected(self, readings: Bools, events: Bools) -> Named:
        if readings.all() and events.all():
            return self
        columns = (field.name for field in fields(ReadingBatch) if field.name != "bad")
        return Named(
            ReadingBatch(**{column: getattr(self.readings, column)[readings] for column in columns}),
            tuple(self.events[at] for at in np.flatnonzero(events).tolist()),
            self.reading_meter[readings],
            self.event_meter[events],
            self.event_frame[events],
            self.bad,
        )


def name(readings: ReadingBatch, told: EventBatch, terminals: Ints, snapshot: Snapshot) -> Named:
    """Whose the readings and events of pushes are, that came from these terminals.

    Parameters
    ----------
    terminals : int64[push]
        Ids.
    """
    events = told.events
    frame = np.array([one.frame for one in events], np.int64)
    keys = np.array([one.key for one in events], np.int64)
    forwarded = np.array([one.source == Source.FORWARDED for one in events], np.bool_)
    own = np.array([one.own for one in events], np.bool_)
    found = _meters(terminals[frame], keys, forwarded, snapshot)
    return Named(
        readings,
        events,
        _meters(terminals[readings.frame], readings.meter, readings.source == Source.FORWARDED, snapshot),
        np.where(own & (found == UNKNOWN), TERMINAL, found),
        frame,
        frozenset(one.frame for one in (*readings.bad, *told.bad)),
    )


def _meters(terminals: Ints, keys: Ints, forwarded: Bools, snapshot: Snapshot) -> Ints:
    """The ids of meters behind these terminals; `UNKNOWN` where the archives have none."""
    if not len(keys):
        return keys
    found = snapshot.meters_of_many(terminals, keys)
    if not forwarded.any():
        return found
    return np.where(forwarded, snapshot.forwarded_meters_of_many(terminals, keys), found)
