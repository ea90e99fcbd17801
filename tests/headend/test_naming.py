"""Whose readings and events are: the unknown meters of a tick, each once for a push."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from meterweave.headend.naming import Named, Stranger
from meterweave.metering.batch import ReadingBatch, Source
from meterweave.metering.events import Event
from meterweave.registry.key_table import UNKNOWN

READ, FORWARDED = int(Source.READ), int(Source.FORWARDED)
KNOWN = 1


def named(rows: list[tuple[int, int, int, int, int]], events: tuple[Event, ...] = ()) -> Named:
    """Readings by push, key, quantity, source and the meter that was found; events of meters that were not."""
    columns: dict[str, Any] = {one.name: np.zeros(len(rows), np.int64) for one in fields(ReadingBatch)}
    columns["bad"] = ()
    *given, found = np.array(rows, np.int64).reshape(-1, 5).T
    columns |= dict(zip(("frame", "meter", "quantity", "source"), given, strict=True))
    unknown, frames = np.full(len(events), UNKNOWN, np.int64), np.array([one.frame for one in events], np.int64)
    return Named(ReadingBatch(**columns), events, found, unknown, frames, frozenset())


def told(frame: int, key: int, number: int) -> Event:
    given: dict[str, Any] = dict.fromkeys(Event._fields)
    return Event(**given | {"frame": frame, "key": key, "number": number, "source": READ})


@pytest.mark.parametrize("values", [1, 100])
@pytest.mark.parametrize("by_value", [False, True])
def test_an_unknown_meter_is_one_however_many_values_a_push_carries(values: int, by_value: bool) -> None:
    rows = [(push, key, 10 + n, READ, UNKNOWN) for push in (0, 1) for key in (7, 5) for n in range(values)]
    if by_value:  # a decoder of columns gives the first value of all, then the second
        rows.sort(key=lambda row: row[2])
    found = named(rows).strangers()
    assert found == [Stranger(push, key, 10, False) for push in (0, 1) for key in (5, 7)]


def test_only_unknown_meters_and_those_behind_a_meter_apart() -> None:
    rows = [(0, 5, 10, READ, KNOWN), (0, 6, 11, READ, UNKNOWN), (0, 6, 12, FORWARDED, UNKNOWN)]
    assert named(rows).strangers() == [Stranger(0, 6, 11, False), Stranger(0, 6, 12, True)]
    assert named(rows[:1]).strangers() == []


def test_events_tell_of_a_meter_once() -> None:
    events = tuple(told(3, 9, number) for number in range(50))
    assert named([], events).strangers() == [Stranger(3, 9, 0, False)]
