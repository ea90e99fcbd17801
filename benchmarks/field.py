"""A building full of buses: 3,000 prepaid Modbus meters on 100 lines at 9600 baud, behind serial servers.

Run: ``python -m benchmarks.field [--lines N] [--meters N] [--periods N] [--json FILE]``. One whole centre (archives,
lake, lines) reads them every three minutes. The meters are simulated in a process of its own, each line behind a TCP
port that lets octets through at the pace of the line and answers after 50 ms, as meters do. Measured is how long it
takes from the start until every meter was read once, whole, and is in the journal; then, over whole periods, how many
readings come and what that costs.
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
from tempfile import TemporaryDirectory

import uvloop
from rich.console import Console
from rich.table import Table
from tests.field.wire import Bus, SerialServer

from meterweave.centre import Centre, CentreSettings
from meterweave.field.schedule import load
from meterweave.lake import Lake
from meterweave.profiles import Device, shipped
from meterweave.registry import Meter, Registry
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalKind, Utility

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


def _archives(folder: Path, ports: Sequence[int], meters: int) -> Registry:
    """A line for each port, and its meters."""
    registry = Registry.open(folder / "registry.sqlite")
    with registry.writing() as session:
        for number, port in enumerate(ports):
            line = enrol(session, "bus", f"line-{number:03d}", kind=TerminalKind.MODULE)
            line.port = f"tcp://127.0.0.1:{port}?period_s={PERIOD_S}"
            session.flush()
            for unit in range(1, meters + 1):
                session.add(
                    Meter(
                        utility=Utility.ELECTRICITY,
                        protocol="modbus",
                        address=f"u{unit}",
                        address_key=unit,
                        local_address=True,
                        model=PROFILE.name,
                        terminal_id=line.id,
                    )
                )
    return registry


async def _read(folder: Path, ports: Sequence[int], meters: int, periods: int) -> dict[str, float]:
    registry = _archives(folder, ports, meters)
    wanted = len(ports) * meters * len(PROFILE.points)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    with Lake.open(folder / "lake") as lake:
        async with Centre(registry, lake, CentreSettings(listeners=())) as centre:
            counters = centre.head_end.counters
            while counters.readings < wanted and time.monotonic() - began_s < LONGEST_S:
                await asyncio.sleep(0.05)
            first_s, first_cpu_s, first = (
                time.monotonic() - began_s,
                time.process_time() - began_cpu_s,
                counters.readings,
            )
            span_s, span_cpu_s = time.monotonic(), time.process_time()
            await asyncio.sleep(periods * PERIOD_S)
            span_s, span_cpu_s = time.monotonic() - span_s, time.process_time() - span_cpu_s
            lanes = centre.lines.collector.lanes
            found = {
                "meters": len(ports) * meters,
                "first_reading_s": first_s,
                "first_reading_cpu_s": first_cpu_s,
                "first_readings": first,
                "later_s": span_s,
                "later_cpu_s": span_cpu_s,
                "later_readings": counters.readings - first,
                "later_readings_wanted": wanted * periods,
                "share_of_a_core": span_cpu_s / span_s if periods else 0.0,
                "rss_max_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "share_of_the_line_used": float(load(next(iter(lanes.values())).plan)),
                "timeouts": sum(lane.counters.timeouts for lane in lanes.values()),
            }
    registry.close()
    return found


def measure(lines: int, meters: int, periods: int) -> dict[str, float]:
    """One run."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_servers, args=(there, lines, meters))
    process.start()
    try:
        with TemporaryDirectory() as folder:
            return uvloop.run(_read(Path(folder), here.recv(), meters, periods))
    finally:
        here.send(None)
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--meters", type=int, default=30, help="on each line")
    parser.add_argument("--periods", type=int, default=2, help="after the first reading")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.lines, given.meters, given.periods)
    table = Table("what", "value", title=f"{given.lines} lines of {given.meters} meters at {BAUD} baud")
    for name, value in found.items():
        table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
