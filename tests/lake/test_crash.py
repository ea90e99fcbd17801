"""Real processes, killed or starved at any moment: what was acknowledged is there, once."""

import os
import random
import select
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meterweave.lake import Lake, LakeSettings
from meterweave.lake.lake import table_path
from meterweave.lake.maintenance import Maintenance
from tests.lake.rows import NOON_US

ROOT = Path(__file__).parents[2]
ROUNDS = 6
PATIENCE_S = 60


class Writer:
    """The process of `crash_writer`, and what it was acknowledged."""

    def __init__(self, folder: Path, first: int, *prefix: str) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.lake.crash_writer", str(folder), str(first)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout.fileno()
        self._octets = b""

    def lines(self) -> list[bytes]:
        """Every whole line so far."""
        while select.select([self._out], [], [], 0)[0] and (octets := os.read(self._out, 1 << 16)):
            self._octets += octets
        return self._octets.split(b"\n")[:-1]

    def acknowledged(self) -> set[tuple[int, int, int]]:
        found = [line.split() for line in self.lines() if line != b"refused"]
        return {(int(meter), int(turn), int(value)) for meter, turn, value in found}

    def wait(self, true) -> None:  # type: ignore[no-untyped-def]
        patience = time.monotonic() + PATIENCE_S
        while not true():
            assert self.process.poll() is None, "the writer ended by itself"
            assert time.monotonic() < patience, "the writer does not get there"
            time.sleep(0.005)

    def kill(self) -> set[tuple[int, int, int]]:
        self.process.kill()
        self.process.wait()
        found = self.acknowledged()
        self.process.stdout.close()  # type: ignore[union-attr]
        return found


def verify(folder: Path, acknowledged: set[tuple[int, int, int]]) -> None:
    """Each acknowledged batch of four rows is in `raw_readings` once, and `readings` has the last of each key."""
    with Lake.open(folder, LakeSettings(commit_interval_s=3600), maintain=False) as lake:
        for _ in range(2):
            raw = lake.query("SELECT meter, epoch_us(received) AS received, value FROM raw_readings ORDER BY ALL")
            rows = list(zip(*(column.to_pylist() for column in raw.columns), strict=True))
            assert len(rows) == len(set(rows)), "a row is there twice"
            stored = set(rows)
            for meter, turn, value in acknowledged:
                for step in range(4):
                    assert (meter, NOON_US + turn, value + step) in stored
            found = lake.query("SELECT meter, epoch_us(received) AS received, epoch_us(ts) AS ts, value FROM readings")
            readings = list(zip(*(column.to_pylist() for column in found.columns), strict=True))
            keys = {(meter, ts): (received, value) for meter, received, ts, value in readings}
            assert len(keys) == len(readings), "a key has two readings"
            newest: dict[tuple[int, int], tuple[int, int]] = {}
            for meter, received, value in stored:
                turn = received - NOON_US
                ts = NOON_US + turn // 2 * 3_600_000_000 + value % 1000 * 900_000_000
                newest[meter, ts] = max(newest.get((meter, ts), (0, 0)), (received, value))
            assert keys == newest
            lake.commit()
            Maintenance(table_path(folder), LakeSettings(late_wait_s=1e-6)).run_once(datetime(2200, 1, 1, tzinfo=UTC))


def test_killed_at_any_moment_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    acknowledged: set[tuple[int, int, int]] = set()
    for number in range(ROUNDS):
        writer = Writer(tmp_path / "lake", number * 100)
        wanted = chance.randrange(1, 400)
        writer.wait(lambda: len(writer.lines()) >= wanted)  # noqa: B023 - called before the next round begins
        time.sleep(chance.random() * 0.1)
        acknowledged |= writer.kill()
    assert len(acknowledged) >= ROUNDS
    verify(tmp_path / "lake", acknowledged)


def test_a_missing_lake_is_outlived_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    writer = Writer(folder, 0)
    writer.wait(lambda: (table_path(folder) / "_delta_log").is_dir() and len(writer.lines()) > 20)
    table_path(folder).rename(folder / "unmounted")
    before = len(writer.acknowledged())
    writer.wait(lambda: len(writer.acknowledged()) > before + 200)
    assert not table_path(folder).exists()
    (folder / "unmounted").rename(table_path(folder))
    before = len(writer.acknowledged())
    writer.wait(lambda: len(writer.acknowledged()) > before + 50)
    verify(folder, writer.kill())


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes anywhere without setpriv")
def test_a_read_only_lake_is_outlived(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    writer = Writer(folder, 0, *prefix)
    writer.wait(lambda: (table_path(folder) / "_delta_log").is_dir() and len(writer.lines()) > 20)
    folders = [path for path in [table_path(folder), *table_path(folder).rglob("*")] if path.is_dir()]
    for path in folders:
        path.chmod(0o555)
    before = len(writer.acknowledged())
    writer.wait(lambda: len(writer.acknowledged()) > before + 200)
    for path in folders:
        path.chmod(0o755)
    before = len(writer.acknowledged())
    writer.wait(lambda: len(writer.acknowledged()) > before + 50)
    verify(folder, writer.kill())
