"""A ten-fold burst: terminals report at a steady rate, then ten times as fast, then as before.

Run: ``python -m benchmarks.burst [--rate N] [--factor N] [--calm S] [--burst S] [--json FILE]``. The centre is
``meterweave serve`` in a process of its own, the terminals are one more with prepared one-row pushes (five values).
They offer a rate, and not as much as they are let: what the centre does not take at once waits at the terminals.
Every second: how many pushes were due and are not acknowledged, how much the journal's files take, the memory of the
centre. Recovered is when, after the burst, all that is not acknowledged came within the last two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import signal
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.push import VALUES_A_ROW, Caller, fill, resident_mib, start_centre
from meterweave.lake import Lake

TERMINALS = 200
_TICK_S = 0.02


class Second(NamedTuple):
    """One second of the run."""

    at_s: float
    offered: int  # due since the start
    acknowledged: int
    rss_mib: float
    journal_mib: float


async def _offer(pipe: Connection, port: int, rate: float, factor: float, spans: tuple[float, float, float]) -> None:
    loop = asyncio.get_running_loop()
    callers = [Caller(number, 0, 1) for number in range(1, TERMINALS + 1)]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(caller.online for caller in callers))
    calm_s, burst_s, after_s = spans
    start = loop.time()
    offered = due = 0.0
    told = 0
    place = 0
    while (now := loop.time() - start) < calm_s + burst_s + after_s:
        in_burst = max(0.0, min(now, calm_s + burst_s) - calm_s)
        due = rate * (now + (factor - 1) * in_burst)
        while offered < due:
            caller = callers[place % TERMINALS]
            place += 1
            some = min(16, int(due - offered) + 1)
            caller.send(some)
            offered += some
        if now >= told:
            told += 1
            pipe.send((now, int(due), sum(one.acknowledged for one in callers)))
        await asyncio.sleep(_TICK_S)
    until = loop.time() + 60
    while any(caller.sent for caller in callers) and loop.time() < until:
        await asyncio.sleep(_TICK_S)
    pipe.send((loop.time() - start, int(offered), sum(one.acknowledged for one in callers)))
    pipe.send(None)


def _offerer(pipe: Connection, *given: object) -> None:
    uvloop.run(_offer(pipe, *given))  # type: ignore[arg-type]


def _journal_mib(data: Path) -> float:
    return sum(one.stat().st_size for one in (data / "lake" / "journal").iterdir()) / 2**20


def measure(rate: float, factor: float, spans: tuple[float, float, float]) -> tuple[list[Second], int]:
    """The seconds of one run, in a folder that is thrown away, and how many readings were stored."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        fill(data, TERMINALS)
        centre, port = start_centre(folder)
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_offerer, args=(there, port, rate, factor, spans))
        process.start()
        seconds = []
        while (told := here.recv()) is not None:
            at_s, due, acknowledged = told
            seconds.append(Second(at_s, due, acknowledged, resident_mib(centre.pid), _journal_mib(data)))
        process.join()
        centre.send_signal(signal.SIGTERM)
        centre.communicate()
        with Lake.open(data / "lake", write=False) as lake:
            stored: int = lake.query("SELECT count(*) AS n FROM raw_readings").to_pylist()[0]["n"]
    return seconds, stored


def recovery_s(seconds: list[Second], rate: float, burst_end_s: float) -> float | None:
    """How long after the burst until all that waits came within the last two seconds; None: not in this run."""
    for one in seconds:
        if one.at_s >= burst_end_s and one.offered - one.acknowledged <= 2 * rate:
            return one.at_s - burst_end_s
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5000.0, help="pushes a second before and after")
    parser.add_argument("--factor", type=float, default=10.0)
    parser.add_argument("--calm", type=float, default=20.0)
    parser.add_argument("--burst", type=float, default=300.0)
    parser.add_argument("--after", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    began = time.time()
    seconds, stored = measure(given.rate, given.factor, (given.calm, given.burst, given.after))
    table = Table("at, s", "due", "acknowledged", "waiting", "memory, MiB", "journal, MiB")
    step = max(1, len(seconds) // 20)
    for one in [*seconds[::step], seconds[-1]]:
        table.add_row(
            f"{one.at_s:.0f}",
            f"{one.offered:,}",
            f"{one.acknowledged:,}",
            f"{max(0, one.offered - one.acknowledged):,}",
            f"{one.rss_mib:,.0f}",
            f"{one.journal_mib:,.0f}",
        )
    out = Console()
    out.print(table)
    last = seconds[-1]
    recovered = recovery_s(seconds, given.rate, given.calm + given.burst)
    out.print(
        f"{last.acknowledged:,} pushes acknowledged, {last.acknowledged * VALUES_A_ROW:,} readings in them, "
        f"{stored:,} stored; "
        f"recovered after {'never' if recovered is None else f'{recovered:.0f} s'}; {time.time() - began:.0f} s in all"
    )
    if given.json:
        given.json.write_text(json.dumps([one._asdict() for one in seconds]))


if __name__ == "__main__":
    main()
