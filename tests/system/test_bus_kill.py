"""kill -9 of a centre that masters lines: nothing kept is lost, nothing is stored twice, nothing told twice."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from meterweave.cli.folder import Folder
from meterweave.lake import Lake
from meterweave.metering.events import event_codes
from meterweave.profiles import Device, shipped
from tests.centre.buses import QUICK, Hung, add_line, meters_of
from tests.field.wire import Bus, SerialServer
from tests.system.test_kill import Process

PREPAID = "prepaid-modbus-single-phase"
ENERGY = shipped(PREPAID).points[0].quantity.code
OVERLOAD = event_codes()["overload"]
UNITS = (1, 2, 3, 4)
KILLS, WAIT_S = 3, 90.0


class CountingBus(Bus):
    """Meters that show how often they were asked: no two answers are alike."""

    def __init__(self) -> None:
        super().__init__([Device(shipped(PREPAID), str(unit)) for unit in UNITS])
        self.times = 0
        for device, _ in self.devices:
            device.lasting = {OVERLOAD}

    def feed(self, octets: bytes, now_s: float = 0.0) -> bytes:
        self.times += 1
        for device, _ in self.devices:
            device.set(ENERGY, self.times * 100)
        return super().feed(octets, now_s)


class Meters(threading.Thread):
    """The serial server, beside the test."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.server = SerialServer(CountingBus())
        self.loop, self.ready = asyncio.new_event_loop(), threading.Event()

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.server.start())
        self.ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(self.server.stop())
        self.loop.close()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(WAIT_S)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_kept_is_there_once_however_the_centre_ends(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    meters = Meters()
    meters.start()
    assert meters.ready.wait(WAIT_S)
    with Folder(tmp_path).registry() as registry:
        port = f"tcp://127.0.0.1:{meters.server.port}?{QUICK}&period_s=1"
        add_line(registry, "a", port, *(Hung(f"u{unit}", PREPAID) for unit in UNITS))
        ids = meters_of(registry, "a")
    seen: set[tuple[int, int]] = set()
    for _ in range(KILLS):
        process = Process(tmp_path)
        enough = len(seen) + chance.randrange(2, 9)
        _until(lambda: len(_energies(tmp_path)) >= enough)  # noqa: B023
        seen = _energies(tmp_path)
        time.sleep(chance.random())
        process.kill()
        assert seen <= _energies(tmp_path)
    process = Process(tmp_path)
    _until(lambda: len(_energies(tmp_path)) > len(seen) + 3)
    process.stop()
    meters.end()
    with Lake.open(tmp_path / "lake", write=False) as lake:
        rows = lake.query(f"SELECT meter, value FROM raw_readings WHERE quantity = {ENERGY}").to_pylist()
        events = lake.query("SELECT meter, event FROM events ORDER BY meter").to_pylist()
    stored = [(row["meter"], row["value"]) for row in rows]
    assert seen <= set(stored)
    assert len(stored) == len(set(stored))
    assert [(row["meter"], row["event"]) for row in events] == [(meter, OVERLOAD) for meter in sorted(ids.values())]


def _energies(data: Path) -> set[tuple[int, int]]:
    """Meter and value of all that is kept; the values are all different."""
    with Lake.open(data / "lake", write=False) as lake:
        found = lake.query(f"SELECT meter, value FROM readings WHERE quantity = {ENERGY}").to_pylist()
    return {(row["meter"], row["value"]) for row in found}


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
