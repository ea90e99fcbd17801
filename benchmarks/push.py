"""How fast terminals can report: one-row pushes of DL/T 698.45 from socket to disk to acknowledgement.

Run: ``python -m benchmarks.push [--terminals N] [--window N] [--seconds S] [--rows N] [--json FILE]``. The centre is
``meterweave serve`` in a process of its own, on archives prepared with all terminals and meters; the terminals are one
more process with prepared frames, each of which has at most ``--window`` pushes unacknowledged. Time to acknowledge is
from the write of a push to the arrival of its REPORT-Response in the process of the terminals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.frames import dlt698_frame
from meterweave.lake import Lake
from meterweave.protocols.dlt698 import FrameDecoder
from meterweave.registry import Meter, Registry, Terminal
from meterweave.registry.address import read_address
from meterweave.registry.changes import touch
from meterweave.registry.vocabulary import TerminalState, Utility

METERS_A_TERMINAL = 20
VALUES_A_ROW = 5
_FRAMES = 2048  # prepared for each terminal
_LOGIN = bytes.fromhex("010000003C07EA0B14050000000000")  # LINK-Request: login, a heartbeat of 60 s, a time
_COLUMNS = bytes.fromhex("07 00202A0200 0020210200") + b"".join(
    b"\x00" + bytes.fromhex(oad) for oad in ("00100201", "00200201", "00300201", "00400201", "00500201")
)


class Seen(NamedTuple):
    """What the terminals saw."""

    acknowledged: int
    seconds: float
    latencies_s: list[float]


def fill(data: Path, terminals: int, meters: int = METERS_A_TERMINAL) -> None:
    """The archives, by bulk statements: so many terminals, and meters behind each."""
    registry = Registry.open(data / "registry.sqlite")
    with registry.writing() as session:
        for number in range(1, terminals + 1):
            address = read_address("dlt698", str(number))
            session.add(
                Terminal(
                    id=number,
                    protocol="dlt698",
                    address=address.text,
                    address_key=address.key,
                    state=TerminalState.ACTIVE,
                )
            )
        session.flush()
        rows = [
            {
                "utility": Utility.ELECTRICITY,
                "protocol": "dlt645",
                "address": (known := read_address("dlt645", str(terminal * 1000 + number))).text,
                "address_key": known.key,
                "wire_key": known.key,
                "terminal_id": terminal,
            }
            for terminal in range(1, terminals + 1)
            for number in range(meters)
        ]
        session.bulk_insert_mappings(Meter.__mapper__, rows)
        touch(session, [None])
    registry.close()


def reports(terminal: int, rows: int) -> tuple[bytes, int]:
    """`_FRAMES` reports of one terminal end to end, all of one size, and that size."""
    address = bytes.fromhex(f"{terminal:012d}")[::-1]
    frames = []
    for number in range(_FRAMES):
        lines = []
        for row in range(rows):
            meter = bytes.fromhex(f"{terminal * 1000 + (number + row) % METERS_A_TERMINAL:012d}")
            minute = number // METERS_A_TERMINAL * 15
            when = struct.pack(">HBBBBB", 2026, 11, 20 + minute // 1440, minute // 60 % 24, minute % 60, 0)
            energies = b"".join(b"\x06" + struct.pack(">I", 1000 * number + item) for item in range(VALUES_A_ROW))
            lines.append(b"\x55\x07\x05" + meter + b"\x1c" + when + energies)
        head = b"\x88\x02" + bytes([number % 64]) + b"\x01\x50\x02\x02\x00" + _COLUMNS + b"\x01" + bytes([rows])
        frames.append(dlt698_frame(0x83, address, head + b"".join(lines) + b"\x00\x00"))
    return b"".join(frames), len(frames[0])


class Caller(asyncio.Protocol):
    """One terminal: logs in, then keeps a window of pushes under way."""

    def __init__(self, terminal: int, window: int, rows: int) -> None:
        self.terminal, self.window = terminal, window
        self.frames, self.size = reports(terminal, rows)
        self.at = 0  # next frame
        self.sent: deque[tuple[float, int]] = deque()  # when, how many
        self.acknowledged = 0
        self.latencies_s: list[float] = []
        self.running = False
        self.online = asyncio.get_running_loop().create_future()
        self.rest = 0  # octets of an acknowledgement that came in part
        self.acknowledgement_size = 0
        self.decoder = FrameDecoder()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        address = bytes.fromhex(f"{self.terminal:012d}")[::-1]
        self.transport.write(dlt698_frame(0x81, address, _LOGIN))

    def start(self) -> None:
        """Send the first window."""
        self.running = True
        self.send(self.window)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.online.done():
            self.online.set_result(None)
            return
        if not self.acknowledgement_size:
            self.acknowledgement_size = int.from_bytes(data[1:3], "little") + 2  # all are of one size
        octets = self.rest + len(data)
        count, self.rest = divmod(octets, self.acknowledgement_size)
        self.acknowledged += count
        left = count
        while left:
            when, many = self.sent.popleft()
            some = min(many, left)
            self.latencies_s += [now - when] * some
            left -= some
            if some < many:
                self.sent.appendleft((when, many - some))
        if self.running and count:
            self.send(count)

    def send(self, count: int) -> None:
        """Send the next `count` pushes."""
        while count:
            some = min(count, _FRAMES - self.at)
            self.transport.write(self.frames[self.at * self.size : (self.at + some) * self.size])
            self.sent.append((time.perf_counter(), some))
            self.at = (self.at + some) % _FRAMES
            count -= some


async def _call(port: int, terminals: int, window: int, rows: int, seconds: float) -> Seen:
    loop = asyncio.get_running_loop()
    callers = [Caller(number, window, rows) for number in range(1, terminals + 1)]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(caller.online for caller in callers))
    start = time.perf_counter()
    for caller in callers:
        caller.start()
    await asyncio.sleep(seconds)
    for caller in callers:
        caller.running = False
    took = time.perf_counter() - start
    acknowledged = sum(caller.acknowledged for caller in callers)
    while any(caller.sent for caller in callers):  # the last windows, not counted
        await asyncio.sleep(0.01)
    latencies = np.concatenate([np.array(caller.latencies_s, np.float32) for caller in callers])
    return Seen(acknowledged, took, np.quantile(latencies, (0.5, 0.99)).tolist())


def _callers(pipe: Connection, port: int, terminals: int, window: int, rows: int, seconds: float) -> None:
    pipe.send(uvloop.run(_call(port, terminals, window, rows, seconds)))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process; `what` as in /proc: VmRSS now, VmHWM at the peak."""
    found = re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def start_centre(folder: str) -> tuple[subprocess.Popen[str], int]:
    """``meterweave serve`` on archives in `folder`, and its port for DL/T 698.45."""
    command = [sys.executable, "-m", "meterweave.cli", "serve", "--data", folder, "--dlt698", "127.0.0.1:0"]
    centre = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert centre.stdout is not None
    found = re.search(r":(\d+)$", centre.stdout.readline().strip())
    assert found is not None
    return centre, int(found[1])


def measure(terminals: int, window: int, rows: int, seconds: float) -> dict[str, float]:
    """One run, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        fill(data, terminals)
        centre, port = start_centre(folder)
        here, there = multiprocessing.Pipe()
        before = _cpu_s(centre.pid)
        process = multiprocessing.get_context("spawn").Process(
            target=_callers, args=(there, port, terminals, window, rows, seconds)
        )
        process.start()
        seen: Seen = here.recv()
        process.join()
        cpu_s = _cpu_s(centre.pid) - before
        rss_mib = resident_mib(centre.pid, "VmHWM")
        centre.send_signal(signal.SIGTERM)
        centre.communicate()
        with Lake.open(data / "lake", write=False) as lake:
            stored = lake.query("SELECT count(*) AS n FROM raw_readings").to_pylist()[0]["n"]
    packets_s = seen.acknowledged / seen.seconds
    return {
        "packets_s": packets_s,
        "readings_s": packets_s * rows * VALUES_A_ROW,
        "p50_ms": 1000 * seen.latencies_s[0],
        "p99_ms": 1000 * seen.latencies_s[1],
        "cpu_s_per_million_packets": cpu_s / (stored / rows / VALUES_A_ROW) * 1e6,
        "rss_max_mib": rss_mib,
        "readings_stored": stored,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--terminals", type=int, default=200)
    parser.add_argument("--window", type=int, default=32, help="pushes of a terminal under way")
    parser.add_argument("--rows", type=int, default=1, help="meters in a push")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.terminals, given.window, given.rows, given.seconds)
    table = Table(
        "what", "value", title=f"{given.terminals} terminals, window {given.window}, {given.rows} rows a push"
    )
    for name, value in found.items():
        table.add_row(name, f"{value:,.1f}")
    Console().print(table)
    if given.json:
        given.json.write_text(json.dumps(found | {"terminals": given.terminals, "window": given.window}))


if __name__ == "__main__":
    main()
