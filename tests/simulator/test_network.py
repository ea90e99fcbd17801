"""The town on real sockets, against a tiny centre that confirms."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pyarrow.parquet as pq

from meterweave.simulator import Address, Faults, Protocol, TownClock, run, truth
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, rows_of, small_town, true_rows

NOW_S = MIDNIGHT_S + DAY_S + 5000


class Listener:
    """A centre for one protocol; one `Centre` a connection, and it hangs up where it is told to."""

    def __init__(self, protocol: Protocol, *, cut_after: int = 0) -> None:
        self.protocol, self.cut_after = protocol, cut_after
        self.centres: list[Centre] = []

    async def open(self) -> Address:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return Address(*self.server.sockets[0].getsockname()[:2])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        centre = Centre(self.protocol)
        self.centres.append(centre)
        first = len(self.centres) == 1
        while octets := await reader.read(4096):
            writer.write(centre.hear(octets))
            if first and self.cut_after and len(centre.frames) >= self.cut_after:
                break
        writer.close()

    def rows(self) -> set[tuple[int, ...]]:
        return {row for centre in self.centres for row in rows_of(centre.readings())}


async def until_idle(fleet, listeners, *, seed: int = 1) -> None:
    centres = {one.protocol: await one.open() for one in listeners}
    clock = TownClock.beginning(NOW_S)
    town = asyncio.create_task(run(fleet, centres, clock, seed))
    async with asyncio.timeout(50):
        while not all(terminal.idle(NOW_S) and terminal.counts.logins for terminal in fleet):
            assert not town.done(), town.exception()
            await asyncio.sleep(0.02)
    town.cancel()
    await asyncio.wait([town])
    async with asyncio.timeout(10):
        while not all(any(centre.logouts for centre in one.centres) for one in listeners):
            await asyncio.sleep(0.02)
    for one in listeners:
        one.server.close()


def test_a_town_back_fills_over_sockets_and_logs_out():
    town, fleet = small_town(meters=12, others=6)
    listeners = [Listener(Protocol.DLT698), Listener(Protocol.GDW1376)]
    asyncio.run(until_idle(fleet, listeners))
    for site, one in zip(town, listeners, strict=True):
        assert one.rows() == true_rows([truth.truth(site, MIDNIGHT_S, NOW_S)])


def test_a_centre_that_hangs_up_and_lines_that_break_cost_nothing():
    town, fleet = small_town(meters=6, others=3, faults=Faults(cut=0.05, duplicate=0.1))
    listeners = [Listener(Protocol.DLT698, cut_after=3), Listener(Protocol.GDW1376, cut_after=2)]
    asyncio.run(until_idle(fleet, listeners))
    for site, one in zip(town, listeners, strict=True):
        assert len(one.centres) > 1
        assert one.rows() == true_rows([truth.truth(site, MIDNIGHT_S, NOW_S)])


def test_the_command_runs_a_town_until_it_is_interrupted(tmp_path):
    listeners = [Listener(Protocol.DLT698), Listener(Protocol.GDW1376)]
    loop = asyncio.new_event_loop()
    addresses = [loop.run_until_complete(one.open()) for one in listeners]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    path = tmp_path / "truth.parquet"
    options = [
        "--terminals",
        "4",
        "--meters",
        "12",
        "--others",
        "6",
        "--days",
        "1",
        "--backlog",
        "1",
        "--truth",
        str(path),
    ]
    for name, address in zip(("--dlt698", "--gdw1376"), addresses, strict=True):
        options += [name, f"{address.host}:{address.port}"]
    command = [sys.executable, "-m", "meterweave.cli", "simulate", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        deadline = time.monotonic() + 50
        for line in process.stdout:
            if re.search(r"4/4 terminals online, 4 with nothing left", line):
                break
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[0]
    finally:
        process.kill()
        process.wait()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
    assert process.returncode == 0
    assert "true readings in" in rest
    true = true_rows([pq.read_table(path)])
    pushed = {row for one in listeners for row in one.rows()}
    assert pushed
    assert pushed <= true
