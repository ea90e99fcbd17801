"""Lines of four protocols from a file of archives to readings and orders, as users run it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from meterweave.profiles import shipped
from tests.centre.buses import QUICK, Hung, bus_of
from tests.field.wire import SerialServer
from tests.system.test_commands import ask
from tests.system.test_kill import Process

WAIT_S = 90.0
LINES: Mapping[str, tuple[Hung, ...]] = {
    "electricity": (Hung("000012345678", "dlt645-single-phase"),),
    "water": (Hung("00000000012345", "cjt188-water-valve"),),
    "heat": (Hung("7", "mbus-heat"),),
    "prepaid": (Hung("u1", "prepaid-modbus-single-phase"), Hung("u2", "prepaid-modbus-single-phase")),
}


class Site(threading.Thread):
    """The serial servers of all lines, beside the test."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.servers = {name: SerialServer(bus_of(*meters)) for name, meters in LINES.items()}
        self.loop, self.ready = asyncio.new_event_loop(), threading.Event()

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        for server in self.servers.values():
            self.loop.run_until_complete(server.start())
        self.ready.set()
        self.loop.run_forever()
        for server in self.servers.values():
            self.loop.run_until_complete(server.stop())
        self.loop.close()


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    found.start()
    assert found.ready.wait(WAIT_S)
    yield found
    found.loop.call_soon_threadsafe(found.loop.stop)
    found.join(WAIT_S)


def told(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> Any:
    """What a command says as JSON."""
    line = [sys.executable, "-m", "meterweave.cli", *words, "--data", str(folder), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode in codes, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


def archives(folder: Path, site: Site, *lines: str, meters: int | None = None) -> None:
    """Import these lines, and so many meters of each, from two files."""
    head = "protocol,address,port\n"
    bus = {"heat": "&bus=mbus"}
    rows = [f"bus,{n},tcp://127.0.0.1:{site.servers[n].port}?{QUICK}{bus.get(n, '')}\n" for n in lines]
    (folder / "terminals.csv").write_text(head + "".join(rows), encoding="utf-8")
    table = "utility,protocol,address,terminal,model\n"
    for name in lines:
        for one in LINES[name][:meters]:
            profile = shipped(one.model)
            table += f"{profile.utility},{profile.protocol},{one.address},{name},{one.model}\n"
    (folder / "meters.csv").write_text(table, encoding="utf-8")
    for kind in ("terminals", "meters"):
        told(folder, "archives", "import", str(folder / f"{kind}.csv"))


def read(folder: Path) -> set[str]:
    """The addresses of the meters that have readings."""
    sql = "SELECT DISTINCT m.address FROM readings r JOIN meters m ON m.id = r.meter"
    return {row["address"] for row in json.loads(ask(folder, sql))}


def until_read(folder: Path, wanted: set[str]) -> None:
    until = time.monotonic() + WAIT_S
    while read(folder) != wanted:
        assert time.monotonic() < until, read(folder)
        time.sleep(0.1)


def test_four_protocols_are_read_followed_and_obey(tmp_path: Path, site: Site) -> None:
    archives(tmp_path, site, *LINES, meters=1)
    process = Process(tmp_path)
    try:
        until_read(tmp_path, {meters[0].address for meters in LINES.values()})
        archives(tmp_path, site, "prepaid")  # a meter is added while the centre runs
        until_read(tmp_path, {one.address for meters in LINES.values() for one in meters})
        for meter in ("000012345678", "00000000012345", "u2"):
            trip = told(tmp_path, "command", "trip", meter, "--reason", "a test", "--yes")
            assert trip["command"]["state"] == "confirmed"
            state = told(tmp_path, "command", "relay", meter)
            assert state["command"]["facts"] == {"closed": False}
        closed = told(tmp_path, "command", "close", "u2", "--reason", "a test", "--yes")
        assert closed["command"]["state"] == "confirmed"
        now = told(tmp_path, "command", "read", "7", "heat_energy")
        assert now["command"]["state"] == "confirmed"
        kept = told(tmp_path, "command", "keep", "u1", "--reason", "a test", "--yes", codes=(1,))
        assert kept["command"]["state"] == "refused"
    finally:
        process.stop()
    found = {one["name"]: one for one in told(tmp_path, "line", "list")["lines"]}
    assert {name: one["meters"] for name, one in found.items()} == {name: len(some) for name, some in LINES.items()}
    assert all(one["last_heard"] and one["state"] == "active" and not one["problem"] for one in found.values())
    assert [one.name for one in site.servers["prepaid"].bus.devices[1][0].given] == ["trip", "close"]
