"""What a session costs: terminals that log in all at once, and keep their sessions with heartbeats.

Run: ``python -m benchmarks.sessions [--sessions N …] [--seconds S] [--json FILE]``. The centre is ``meterweave
serve`` in a process of its own; the terminals are two more processes. Every connection is opened at once (the storm),
logs in, and is held with heartbeats. One process may have no more open files than ``ulimit -n`` allows; more sessions
are not tried.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import signal
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, cast

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.frames import dlt698_frame
from benchmarks.push import fill, resident_mib, start_centre

SPARE_FILES = 100  # that the centre opens for everything else
CALLERS = 2  # processes
HEARTBEAT_S = 30
_LOGIN = bytes.fromhex("01000000") + HEARTBEAT_S.to_bytes(1, "big") + bytes.fromhex("07EA0B14050000000000")
_HEARTBEAT = bytes.fromhex("01000100") + HEARTBEAT_S.to_bytes(1, "big") + bytes.fromhex("07EA0B14050000000000")


class Seen(NamedTuple):
    """What one process of terminals saw."""

    online: int
    storm_s: float
    redialled: int
    answers: int


class Link(asyncio.Protocol):
    """One connection of a terminal: logs in, and answers nothing."""

    def __init__(self, address: bytes) -> None:
        self.address = address
        self.online: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(dlt698_frame(0x81, self.address, _LOGIN))

    def data_received(self, data: bytes) -> None:
        if self.online.done():
            self.answers += 1
        else:
            self.online.set_result(True)

    def connection_lost(self, error: Exception | None) -> None:
        self.address = b""
        if not self.online.done():
            self.online.set_result(False)


class Caller:
    """A terminal that logs in, dials again where that fails, and stays."""

    def __init__(self, terminal: int) -> None:
        self.terminal, self.dials = terminal, 0
        self.link: Link | None = None

    async def log_in(self, port: int, here: str) -> None:
        """Dial until the centre takes it."""
        loop = asyncio.get_running_loop()
        address = bytes.fromhex(f"{self.terminal:012d}")[::-1]
        while self.link is None:
            self.dials += 1
            with suppress(OSError):
                _, link = await loop.create_connection(lambda: Link(address), "127.0.0.1", port, local_addr=(here, 0))
                if await link.online:
                    self.link = link
                    return
            await asyncio.sleep(1.0)

    @property
    def online(self) -> bool:
        """Whether its session stands."""
        return self.link is not None and bool(self.link.address)

    def beat(self) -> None:
        """Send a heartbeat."""
        if self.link is not None and self.online:
            self.link.transport.write(dlt698_frame(0x81, self.link.address, _HEARTBEAT))


async def _hold(pipe: Connection, port: int, first: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    callers = [Caller(number) for number in range(first, first + count)]
    start = time.perf_counter()
    # Each process has its own source address, because one has only 28,000 ports to call from.
    await asyncio.gather(*(one.log_in(port, f"127.0.0.{2 + first % 250}") for one in callers))
    storm_s = time.perf_counter() - start
    pipe.send(None)
    while not pipe.poll():
        round_s = loop.time()
        for caller in callers:
            caller.beat()
            await asyncio.sleep(0)
        await asyncio.sleep(max(0.1, HEARTBEAT_S / 3 - (loop.time() - round_s)))
    redialled = sum(one.dials - 1 for one in callers)
    answers = sum(one.link.answers for one in callers if one.link is not None)
    pipe.send(Seen(sum(one.online for one in callers), storm_s, redialled, answers))


def _caller(pipe: Connection, port: int, first: int, count: int) -> None:
    uvloop.run(_hold(pipe, port, first, count))


def measure(sessions: int, seconds: float) -> dict[str, float]:
    """One run with so many sessions, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), sessions, meters=0)
        centre, port = start_centre(folder)
        before = resident_mib(centre.pid)
        context = multiprocessing.get_context("spawn")
        pipes, processes, first = [], [], 1
        for number in range(CALLERS):
            count = sessions // CALLERS + (number < sessions % CALLERS)
            here, there = multiprocessing.Pipe()
            process = context.Process(target=_caller, args=(there, port, first, count))
            process.start()
            first += count
            pipes.append(here)
            processes.append(process)
        for pipe in pipes:
            pipe.recv()
        time.sleep(seconds)
        held = resident_mib(centre.pid)
        for pipe in pipes:
            pipe.send(None)
        seen: list[Seen] = [pipe.recv() for pipe in pipes]
        for process in processes:
            process.join()
        centre.send_signal(signal.SIGTERM)
        centre.communicate()
    return {
        "sessions": sessions,
        "online": sum(one.online for one in seen),
        "storm_s": max(one.storm_s for one in seen),
        "dialled_again": sum(one.redialled for one in seen),
        "heartbeats_answered": sum(one.answers for one in seen),
        "rss_before_mib": before,
        "rss_mib": held,
        "kib_per_session": (held - before) * 1024 / sessions,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1000, 5000, 20_000])
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the sessions are held")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_FILES
    found = [measure(min(sessions, most), given.seconds) for sessions in given.sessions]
    table = Table(*found[0], title=f"sessions held for {given.seconds:g} s; at most {most:,} open files here")
    for row in found:
        table.add_row(*(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in row.values()))
    Console(width=160).print(table)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
