"""kill -9 at random moments under load: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from meterweave.cli.answer import archives
from meterweave.cli.folder import Folder
from meterweave.lake import Lake
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698.access import ReportResponseRecordList
from tests.headend import frames

TERMINALS = 4
WAIT_S = 60.0
PIIDS = 64


class Process:
    """``meterweave serve`` as users run it."""

    def __init__(self, data: Path, *more: str) -> None:
        command = [sys.executable, "-m", "meterweave.cli", "serve", "--data", str(data), "--enrol"]
        self.process = subprocess.Popen(
            [*command, "--dlt698", "127.0.0.1:0", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, (line, self.process.stderr.read() if self.process.stderr else "")
        self.port = int(found[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0
        return said


class Caller(threading.Thread):
    """A terminal that reports day after day, the next when it has room for it, and again what was not acknowledged."""

    WINDOW = 8

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self.address = 1000 + number
        self.port = 0
        self.acknowledged: set[int] = set()
        self.next_day = 0
        self.ending = threading.Event()

    @staticmethod
    def energy(address: int, day: int) -> int:
        return address * 1000 + day

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as link:
                    self._session(link.makefile("rb"), link)
            except OSError:
                time.sleep(0.01)

    def _session(self, incoming: object, link: socket.socket) -> None:
        link.sendall(frames.link_request(self.address))
        if not _frame(incoming):
            return
        sent: list[int] = []
        while not self.ending.is_set():
            while len(sent) < self.WINDOW:
                day = next(
                    one for one in range(self.next_day, 10**9) if one not in self.acknowledged and one not in sent
                )
                meters = [self.address, self.address + 100]
                link.sendall(frames.report(self.address, meters, day, self.energy(self.address, day), day % PIIDS))
                sent.append(day)
            octets = _frame(incoming)
            if not octets:
                return
            apdu = dlt698.decode(octets).apdu
            assert isinstance(apdu, ReportResponseRecordList)
            (day,) = [one for one in sent if one % PIIDS == apdu.piid]
            sent.remove(day)
            self.acknowledged.add(day)
            while self.next_day in self.acknowledged:
                self.next_day += 1


def _frame(incoming: object) -> bytes:
    """The next frame; nothing where the line was cut."""
    read = incoming.read  # type: ignore[attr-defined]
    head = read(3)
    if len(head) < 3:
        return b""
    rest = read(int.from_bytes(head[1:], "little") - 1)
    return head + rest if rest.endswith(b"\x16") else b""


KILLS = 4
"""With each of five seeds: twenty moments."""


@pytest.mark.parametrize("seed", range(1, 6))
def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    callers = [Caller(number) for number in range(TERMINALS)]
    for turn in range(KILLS):
        process = Process(tmp_path)
        before = sum(len(caller.acknowledged) for caller in callers)
        for caller in callers:
            caller.port = process.port
            if turn == 0:
                caller.start()
        # After a seeded number of acknowledgements, so that the work done decides and not the clock.
        enough = before + chance.randrange(20, 400)
        _wait_for(lambda: sum(len(caller.acknowledged) for caller in callers) >= enough)  # noqa: B023
        process.kill()
    process = Process(tmp_path)
    for caller in callers:
        caller.port = process.port
    enough = sum(len(caller.acknowledged) for caller in callers) + 20
    _wait_for(lambda: sum(len(caller.acknowledged) for caller in callers) >= enough)
    for caller in callers:
        caller.ending.set()
    for caller in callers:
        caller.join(WAIT_S)
    said = process.stop()
    assert "stopped" in said
    stored = _stored(tmp_path)
    for caller in callers:
        for day in caller.acknowledged:
            for meter in (caller.address, caller.address + 100):
                assert stored.get((f"{meter:012d}", day)) == caller.energy(caller.address, day) * 100


def _stored(data: Path) -> dict[tuple[str, int], int]:
    """Value by meter and day; no key twice."""

    with Lake.open(data / "lake", write=False) as lake:
        rows = lake.query(
            "SELECT m.address, date_diff('day', DATE '2026-11-20', r.day) AS n, r.value FROM readings r "
            "JOIN meters m ON m.id = r.meter",
            tables=archives(Folder(data)),
        ).to_pylist()
    found = {(row["address"], row["n"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


def _wait_for(true: object) -> None:
    until = time.monotonic() + WAIT_S
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.002)
