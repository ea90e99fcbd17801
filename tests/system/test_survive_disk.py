"""A disk that fails under ``meterweave serve``, full, torn, or with the lake's folder gone, while terminals call.

What is acknowledged is kept, what cannot be kept is not acknowledged, and all goes on by itself when the disk is back.
"""

from __future__ import annotations

import random
import resource
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from meterweave.lake import Lake
from meterweave.lake.lake import journal_folder, table_path
from tests.headend import frames
from tests.system.test_kill import TERMINALS, WAIT_S, Caller, Process, _frame, _stored, _wait_for

NOT_KEPT, KEPT_AGAIN = "cannot be kept", "kept again"


class Watched(Process):
    """`Process` whose log is read as it comes."""

    def __init__(self, data: Path, *more: str) -> None:
        super().__init__(data, *more)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(iter(self.process.stderr.readline, ""))

    def said(self, words: str) -> int:
        """How many lines of the log have these words."""
        return sum(words in line for line in list(self.log))

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def stop(self) -> str:
        self.process.terminate()
        self._end()
        assert self.process.returncode == 0, self.log
        return ""

    def _end(self) -> None:
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


class Patient(Caller):
    """A terminal that dials anew, and sends again, where it hears nothing for a second."""

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as link:
                    self._session(link.makefile("rb"), link)
            except OSError:
                time.sleep(0.01)


@contextmanager
def calling(process: Process) -> Iterator[Sequence[Caller]]:
    """Terminals that call until the end."""
    callers = [Patient(number) for number in range(TERMINALS)]
    for caller in callers:
        caller.port = process.port
        caller.start()
    try:
        yield callers
    finally:
        for caller in callers:
            caller.ending.set()
        for caller in callers:
            caller.join(WAIT_S)


def acknowledged(callers: Sequence[Caller]) -> int:
    return sum(len(caller.acknowledged) for caller in callers)


def more(callers: Sequence[Caller], count: int) -> None:
    """Wait for that many more acknowledgements."""
    enough = acknowledged(callers) + count
    _wait_for(lambda: acknowledged(callers) >= enough)


def is_there(data: Path, callers: Sequence[Caller]) -> None:
    """Each acknowledged reading is stored, with the value that was sent, and no frame of one moment twice."""
    stored = _stored(data)
    for caller in callers:
        for day in caller.acknowledged:
            for meter in (caller.address, caller.address + 100):
                assert stored.get((f"{meter:012d}", day)) == caller.energy(caller.address, day) * 100


def heartbeat(port: int) -> bool:
    """Whether a terminal that only logs in is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as link:
        link.sendall(frames.link_request(1000))
        return bool(_frame(link.makefile("rb")))


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """No file of the process may grow any more, which it sees as it sees a full disk."""
    process = Watched(tmp_path)
    with calling(process) as callers:
        more(callers, 100)
        _, hard = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE)
        for turn in range(1, 3):
            resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (0, hard))
            _wait_for(lambda: process.said(NOT_KEPT) == turn)  # noqa: B023
            # What was on its way when the disk filled up is answered before this is.
            assert heartbeat(process.port)
            before = acknowledged(callers)
            time.sleep(2.5)  # long enough for every terminal to send all again, twice
            assert heartbeat(process.port)
            assert acknowledged(callers) == before
            resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            more(callers, 100)
            assert process.said(KEPT_AGAIN) == turn
    process.stop()
    is_there(tmp_path, callers)


SMALL = """
[lake]
journal_octets_max = 400000
commit_interval_s = 0.05
retry_max_s = 0.2
"""


@pytest.mark.parametrize("how", ["a file in its place", "away"])
def test_without_its_lake_the_centre_keeps_until_the_bound_then_refuses_then_goes_on(tmp_path: Path, how: str) -> None:
    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    process = Watched(tmp_path, "--config", str(config))
    table, away = table_path(tmp_path / "lake"), tmp_path / "away"
    with calling(process) as callers:
        more(callers, 100)
        _wait_for((table / "_delta_log").is_dir)
        table.rename(away)
        if how != "away":
            table.write_text("no folder")
        more(callers, 50)
        _wait_for(lambda: process.said("the lake takes no readings") == 1)
        _wait_for(lambda: process.said(NOT_KEPT) == 1)
        assert any("400000" in line for line in process.log if NOT_KEPT in line), "it says which bound"
        assert heartbeat(process.port)
        table.unlink(missing_ok=True)
        away.rename(table)
        more(callers, 100)
        _wait_for(lambda: process.said("the lake takes readings again") == 1)
        assert process.said(KEPT_AGAIN) >= 1
    process.stop()
    is_there(tmp_path, callers)


@pytest.mark.parametrize("seed", range(2))
def test_a_page_torn_by_a_kill_costs_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """Behind the last transaction stands the beginning of another, as a power cut leaves it."""
    chance = random.Random(seed)
    process = Watched(tmp_path)
    with calling(process) as callers:
        more(callers, chance.randrange(50, 300))
        process.kill()
        wal = journal_folder(tmp_path / "lake") / "main.journal-wal"
        octets = wal.read_bytes()
        with wal.open("ab") as file:
            file.write(octets[32 : 32 + chance.randrange(24, min(len(octets) - 32, 8192))])
        process = Watched(tmp_path)
        for caller in callers:
            caller.port = process.port
        more(callers, 50)
    process.stop()
    is_there(tmp_path, callers)
    with Lake.open(tmp_path / "lake", write=False) as lake:
        twice = lake.query(
            "SELECT terminal, received, octets, count(*) AS n FROM frames GROUP BY ALL HAVING count(*) > 1"
        )
    assert twice.num_rows == 0
