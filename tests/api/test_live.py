"""Live readings: what comes in reaches who may see it, and nobody else; who is slow is let go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

from meterweave.api.app import ROOT
from meterweave.api.live import PENDING_MAX, Live
from meterweave.api.problem import Trouble
from meterweave.metering.batch import Profile, Reading, ReadingBatch, Source, from_readings
from tests.api.conftest import Running
from tests.api.town import POWER, START_US, client

WAIT_S = 90.0


def batch(*meters: int) -> ReadingBatch:
    rows = [Reading(0, meter, POWER, Profile.CURVE, START_US, 1234, 0, Source.PUSHED) for meter in meters]
    return from_readings(rows, received=START_US + 1)


@contextmanager
def listening(running: Running, key: str, query: str) -> Iterator[Iterator[str]]:
    """The lines of a stream that is open."""
    with (
        client(running.server, running.town.keys[key]) as caller,
        caller.stream("GET", f"{ROOT}/live/readings?{query}", timeout=httpx.Timeout(WAIT_S)) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        assert next(lines) == ": here"
        yield lines


def keep(running: Running, *readings: ReadingBatch) -> None:
    """Have the head-end keep readings, one batch after the other."""
    api = running.server.api
    assert api is not None
    assert api.collecting is not None
    intake = api.collecting.intake

    async def kept() -> None:
        for one in readings:
            await intake.keep(one, None)

    asyncio.run(kept())


def told(lines: Iterator[str]) -> list[dict[str, object]]:
    """The next readings."""
    for line in lines:
        if line.startswith("data: "):
            return list(json.loads(line.removeprefix("data: ")))
    raise AssertionError("the stream has ended")


def test_readings_reach_who_may_see_them(running: Running) -> None:
    ids = running.town.ids
    with listening(running, "county", "") as county, listening(running, "root", f"meter={ids['M21']}") as root:
        keep(running, batch(ids["M21"], ids["M11"]), batch(ids["M12"]))
        (first,), (second,) = told(county), told(county)
        assert (first["meter"], second["meter"]) == (ids["M11"], ids["M12"])
        assert (first["value"], first["unit"], first["at"]) == ("123.4", "W", "2026-06-01T00:00:00+08:00")
        assert [one["meter"] for one in told(root)] == [ids["M21"]]


def test_a_slow_reader_is_told_and_let_go() -> None:
    async def main() -> None:
        live = Live(2, 1, 3)
        with live.watching("a", np.array([1, 5], np.int64)) as watcher:
            for number in range(10):
                live.take(batch(5, 7, number))
            await asyncio.sleep(0)
            got = [await watcher.next(WAIT_S) for _ in range(3)]
            assert all(one is not None and one.batch.meter[one.rows].tolist() in ([5], [5, 1], [5, 5]) for one in got)
            assert await watcher.next(WAIT_S) is None
            assert watcher.missed
        assert live.missed == 1
        assert len(live) == 0

    asyncio.run(main())


def test_a_loop_that_is_held_up_owes_no_more_than_so_many_batches() -> None:
    async def main() -> None:
        live = Live(2, 1, 1000)
        with live.watching("a", np.array([5], np.int64)) as watcher:
            for _ in range(PENDING_MAX + 5):
                live.take(batch(5))
            while not watcher.missed:
                await asyncio.sleep(0)

    asyncio.run(main())


def test_so_many_streams_and_no_more() -> None:
    async def main() -> None:
        live = Live(2, 1, 3)
        none = np.empty(0, np.int64)
        with live.watching("a", none):
            with pytest.raises(Trouble):
                live.watching("a", none).__enter__()
            with live.watching("b", none), pytest.raises(Trouble):
                live.watching("c", none).__enter__()
        with live.watching("a", none):
            pass

    asyncio.run(main())
