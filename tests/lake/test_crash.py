"""Real processes, killed or starved at any moment: what was acknowledged is there, once, with all that it came with."""

import os
import random
import select
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meterweave.lake import Lake, LakeSettings
from meterweave.lake.lake import journal_folder, table_path
from meterweave.lake.maintenance import Maintenance
from tests.lake.rows import NOON_US, as_rows, curve, frames, outage

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
            verify_the_rest(lake, acknowledged, {(meter, received - NOON_US) for meter, received, _ in stored})
            lake.commit()
            rules = LakeSettings(late_wait_s=1e-6, frames_days=100_000)
            Maintenance(folder, rules).run_once(datetime(2200, 1, 1, tzinfo=UTC))


def verify_the_rest(lake: Lake, acknowledged: set[tuple[int, int, int]], turns: set[tuple[int, int]]) -> None:
    """Each turn, acknowledged or not, is there with its frame, once, and its outage; or without either."""
    found = lake.query("SELECT terminal, epoch_us(received) AS received, octets FROM frames")
    wire = list(zip(*(column.to_pylist() for column in found.columns), strict=True))
    assert len(wire) == len(set(wire)), "a frame is there twice"
    assert {(terminal, int(octets)) for terminal, _, octets in wire} == turns
    assert turns >= {(meter, turn) for meter, turn, _ in acknowledged}
    found = lake.query("SELECT terminal, epoch_us(ts) AS ts, epoch_us(ended) AS ended FROM events")
    outages = {
        (terminal, ts): ended for terminal, ts, ended in zip(*(c.to_pylist() for c in found.columns), strict=True)
    }
    assert len(outages) == found.num_rows, "an event is there twice"
    ends = {(meter, turn // 2): NOON_US + turn if turn % 2 else None for meter, turn in sorted(turns)}
    assert outages == {(meter, NOON_US + number): ended for (meter, number), ended in ends.items()}


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
    assert not (table_path(folder) / "_delta_log" / f"{0:020}.json").exists(), "a lake was made anew"
    shutil.rmtree(table_path(folder), ignore_errors=True)  # where a write was under way just then, it left a file
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


TEARS = {
    "cut": lambda octets, at, _: octets[:at],
    "garbled": lambda octets, at, chance: octets[:at] + chance.randbytes(len(octets) - at),
    "a page of zeros": lambda octets, at, _: octets[:at] + bytes(8192) + octets[at + 8192 :],
    "half a page too much": lambda octets, _, chance: octets + chance.randbytes(4000),
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[tuple[int, int, int]]]:
    """A lake whose writer was killed, and what the writer was acknowledged."""
    folder = tmp_path_factory.mktemp("killed") / "lake"
    writer = Writer(folder, 0)
    writer.wait(lambda: len(writer.lines()) >= 300)
    return folder, writer.kill()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_page_costs_only_what_follows_it(
    killed: tuple[Path, set[tuple[int, int, int]]], tmp_path: Path, tear: str, seed: int
) -> None:
    """What came before it is there, nothing twice, and what is acknowledged afterwards is not taken for it."""
    chance = random.Random(f"{tear} {seed}")
    folder = shutil.copytree(killed[0], tmp_path / "lake")
    wal = journal_folder(folder) / "main.journal-wal"
    octets = wal.read_bytes()
    wal.write_bytes(TEARS[tear](octets, chance.randrange(len(octets) // 2, len(octets)), chance))
    with Lake.open(folder, LakeSettings(commit_interval_s=3600), maintain=False) as lake:
        left, wires = turns_of(lake, "raw_readings", "meter"), turns_of(lake, "frames", "terminal")
        # The kill may have come when the lake had a blob's readings and not yet its frames; the tear took those.
        for turns in (*left.values(), *wires.values()):
            assert turns == set(range(len(turns))), "a hole in what was acknowledged"
        if tear == "half a page too much":
            assert all(turn in left[meter] and turn in wires[meter] for meter, turn, _ in killed[1])
        again = curve(range(500, 510), received_us=NOON_US)
        reported, wire = outage(range(500, 501)), frames(range(500, 501))
        lake.append_blocking(again.slice(0, 4), events=reported, frames=wire)
        lake.append_blocking(again.slice(4))
        lake.commit()
        found = lake.query("SELECT * FROM raw_readings")
        assert len(as_rows(found)) == len(set(as_rows(found))), "a row is there twice"
        assert found.num_rows == sum(map(len, left.values())) * 4 + again.num_rows
        assert lake.query("SELECT * FROM events WHERE terminal = 500").num_rows == 1
        assert lake.query("SELECT * FROM frames").num_rows == sum(map(len, wires.values())) + 1


def turns_of(lake: Lake, view: str, owner: str) -> dict[int, set[int]]:
    """The turns of each caller that are there."""
    found = lake.query(f"SELECT DISTINCT {owner}, epoch_us(received) AS received FROM {view}")
    turns: dict[int, set[int]] = defaultdict(set)
    for meter, received in zip(*(column.to_pylist() for column in found.columns), strict=True):
        turns[meter].add(received - NOON_US)
    return turns
