"""kill -9 of gateway and centre at seeded moments: nothing the gateway kept is lost, nothing is there twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from meterweave.cli.collector_invite import invited
from meterweave.cli.folder import Folder
from meterweave.gateway.store import JOURNAL
from meterweave.lake import Lake
from meterweave.lake.journal import JournalReader, decode
from meterweave.lake.kind import Kind
from meterweave.registry.address import N5
from meterweave.registry.terminals import enrol
from tests.centre.buses import QUICK, Hung, add_line, meters_of
from tests.system.test_bus_kill import ENERGY, OVERLOAD, PREPAID, UNITS, Meters
from tests.system.test_gateway_how_to import free_port

WAIT_S = 120.0
KILLS = 6
Key = tuple[int, int, int]
"""Meter, time and value: no two readings of these meters are alike."""


class Site:
    """A centre and a gateway as processes, each of which may be killed."""

    def __init__(self, folder: Path) -> None:
        self.centre_data, self.gateway_data = folder / "centre", folder / "site"
        self.place = f"127.0.0.1:{free_port()}"
        self.config = folder / "gateway.toml"
        self.centre: subprocess.Popen[bytes] | None = None
        self.gateway: subprocess.Popen[bytes] | None = None

    def start_centre(self) -> None:
        self.centre = self._start(
            "serve", "--data", str(self.centre_data), "--dlt698", "127.0.0.1:0", "--collectors", self.place
        )

    def start_gateway(self) -> None:
        self.gateway = self._start("collector", "run", "--data", str(self.gateway_data), "--config", str(self.config))

    def end(self) -> list[int]:
        """Tell both to stop; their exit codes."""
        running = [process for process in (self.gateway, self.centre) if process is not None]
        for process in running:
            process.terminate()
        return [process.wait(WAIT_S) for process in running]

    def stored(self) -> set[Key]:
        """The readings of the lake."""
        with Lake.open(self.centre_data / "lake", write=False) as lake:
            found = lake.query(f"SELECT meter, epoch_us(ts) AS ts, value FROM readings WHERE quantity = {ENERGY}")
        return {(row["meter"], row["ts"], row["value"]) for row in found.to_pylist()}

    def waiting(self) -> set[Key]:
        """The readings in the gateway's journal."""
        if not (self.gateway_data / JOURNAL).exists():
            return set()
        reader = JournalReader(self.gateway_data / JOURNAL)
        blobs = reader.after(0, count_max=1_000_000, octets_max=1 << 40)
        reader.close()
        rows = [row for blob in blobs if blob.kind is Kind.READINGS for row in decode(blob.octets).to_pylist()]
        wanted = [row for row in rows if row["quantity"] == ENERGY]
        return {(row["meter"], round(row["ts"].timestamp() * 1e6), row["value"]) for row in wanted}

    @staticmethod
    def _start(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "meterweave.cli", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        assert process.stdout.readline()  # it runs
        return process


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_gateway_kept_reaches_the_lake_once_whoever_is_killed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    meters = Meters()
    meters.start()
    assert meters.ready.wait(WAIT_S)
    site = Site(tmp_path)
    invitation = invited(Folder(site.centre_data), "mill", site.place)
    site.config.write_text(f"{invitation}tick_s = 0.02\nagain_s = 0.1\nagain_max_s = 0.2\nrefused_pause_s = 0.1\n")
    with Folder(site.centre_data).registry() as registry:
        with registry.writing() as session:
            gateway = enrol(session, N5, "mill").id
        port = f"tcp://127.0.0.1:{meters.server.port}?{QUICK}&period_s=1"
        add_line(registry, "cellar", port, *(Hung(f"u{unit}", PREPAID) for unit in UNITS), collector=gateway)
        ids = meters_of(registry, "cellar")
    seen: set[Key] = set()

    def look() -> int:
        seen.update(site.stored() | site.waiting())
        return len(seen)

    try:
        site.start_centre()
        site.start_gateway()
        _until(lambda: bool(site.stored()))
        for _ in range(KILLS):
            enough = look() + chance.randrange(1, 9)
            _until(lambda: look() >= enough)  # noqa: B023
            time.sleep(chance.random() / 4)
            if chance.random() < 0.5:
                _kill(site.gateway)
                site.start_gateway()
            else:
                _kill(site.centre)
                enough = look() + chance.randrange(1, 9)
                _until(lambda: look() >= enough)  # noqa: B023 - what is read meanwhile waits
                site.start_centre()
        enough = look() + 4
        _until(lambda: look() >= enough)
        _until(lambda: seen <= site.stored())
    finally:
        codes = site.end()
        meters.end()
    assert codes == [0, 0]
    stored = site.stored()
    assert seen <= stored
    values = [(meter, value) for meter, _, value in stored]
    assert len(values) == len(set(values))
    with Lake.open(site.centre_data / "lake", write=False) as lake:
        rows = lake.query("SELECT meter, event FROM events ORDER BY meter").to_pylist()
    assert [(row["meter"], row["event"]) for row in rows] == [(meter, OVERLOAD) for meter in sorted(ids.values())]


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    assert process is not None
    process.kill()
    process.wait(WAIT_S)


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
