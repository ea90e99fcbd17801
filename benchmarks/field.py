"""A building full of buses: 3,000 prepaid Modbus meters on 100 lines at 9600 baud, behind serial servers.

Run: ``python -m benchmarks.field [--lines N] [--meters N] [--json FILE]``. The meters are simulated in a process of
its own, each line behind a TCP port that lets octets through at the pace of the line and answers after 50 ms, as
meters do. Measured is how long it takes until every meter was read once, whole, and what that costs the collector.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table
from tests.field.wire import Bus, SerialServer

from meterweave.field.collector import Collector
from meterweave.field.plan import DevicePlan, LinePlan
from meterweave.field.ports import TcpPort
from meterweave.field.schedule import load
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.events import Event
from meterweave.profiles import Device, shipped

BAUD, ANSWER_S, PERIOD_S = 9600, 0.05, 180
LONGEST_S = 200.0
PROFILE = shipped("prepaid-modbus-single-phase")


class QuickBus(Bus):
    """The meters of a line; only the one that is meant hears, so that the load costs little beside what is measured."""

    def __init__(self, meters: int) -> None:
        super().__init__(())
        self.by_unit = {number: Device(PROFILE, str(number)) for number in range(1, meters + 1)}

    def feed(self, octets: bytes, now_s: float = 0.0) -> bytes:
        """What comes back."""
        return self.by_unit[octets[0]].feed(octets)


async def _serve(pipe: Connection, lines: int, meters: int) -> None:
    servers = [SerialServer(QuickBus(meters), baud=BAUD, delay_s=ANSWER_S) for _ in range(lines)]
    for server in servers:
        await server.start()
    pipe.send([server.port for server in servers])
    while not pipe.poll():
        await asyncio.sleep(0.5)


def _servers(pipe: Connection, lines: int, meters: int) -> None:
    uvloop.run(_serve(pipe, lines, meters))


async def _read(ports: Sequence[int], meters: int) -> dict[str, float]:
    plans = [
        LinePlan(
            name=f"line-{line}",
            devices=tuple(
                DevicePlan(meter=line * 1000 + unit, profile=PROFILE, address=str(unit), period_s=PERIOD_S)
                for unit in range(1, meters + 1)
            ),
        )
        for line in range(len(ports))
    ]
    read = 0

    async def keep(readings: ReadingBatch, events: Sequence[Event]) -> None:
        nonlocal read
        read += len(readings)

    collector = Collector([(plan, TcpPort("127.0.0.1", port)) for plan, port in zip(plans, ports, strict=True)], keep)
    wanted = len(ports) * meters * len(PROFILE.points)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    running = asyncio.create_task(collector.run())
    while read < wanted and time.monotonic() - began_s < LONGEST_S:
        await asyncio.sleep(0.1)
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    running.cancel()
    await asyncio.wait((running,))
    return {
        "meters": len(ports) * meters,
        "readings": read,
        "seconds": took_s,
        "collector_cpu_s": cpu_s,
        "rss_max_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "share_of_the_line_used": float(load(plans[0])),
        "timeouts": sum(lane.counters.timeouts for lane in collector.lanes.values()),
    }


def measure(lines: int, meters: int) -> dict[str, float]:
    """One run."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_servers, args=(there, lines, meters))
    process.start()
    try:
        return uvloop.run(_read(here.recv(), meters))
    finally:
        here.send(None)
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--meters", type=int, default=30, help="on each line")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.lines, given.meters)
    table = Table("what", "value", title=f"{given.lines} lines of {given.meters} meters at {BAUD} baud")
    for name, value in found.items():
        table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
