"""Storms on the listener: thousands of connections in a second, slow ones, nonsense; others are served meanwhile."""

from __future__ import annotations

import random
import resource
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.headend import frames
from tests.system.test_kill import WAIT_S, Process, _frame

CONNECTS = 10_000
FILES = CONNECTS + 1000
"""Descriptors that the test needs, and the centre too."""


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """Let this process, and what it starts, have so many descriptors open; what is usual is a tenth of that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"{CONNECTS:,} connections need {FILES:,} descriptors; no more than {hard:,} may be opened here")
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Steady(threading.Thread):
    """An honest terminal that reports all the time."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.acknowledged = port, 0
        self.ending = threading.Event()

    def run(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as link:
            incoming = link.makefile("rb")
            link.sendall(frames.link_request(1000))
            assert _frame(incoming)
            while not self.ending.is_set():
                link.sendall(frames.report(1000, [1000], self.acknowledged, self.acknowledged, self.acknowledged % 64))
                if not _frame(incoming):
                    return
                self.acknowledged += 1


def storm(port: int, count: int, say: bytes) -> list[socket.socket]:
    """Open so many connections as fast as they are taken, say something on each; those that stand."""
    selector = selectors.DefaultSelector()
    stood: list[socket.socket] = []
    for number in range(count):
        link = socket.socket()
        link.setblocking(False)
        # A source address has 28,000 ports to call from, and the last test's are still closing.
        link.bind((f"127.0.0.{2 + number % 8}", 0))
        link.connect_ex(("127.0.0.1", port))
        selector.register(link, selectors.EVENT_WRITE)
    until = time.monotonic() + WAIT_S
    while selector.get_map() and time.monotonic() < until:
        for key, _ in selector.select(1.0):
            link = key.fileobj  # type: ignore[assignment]
            selector.unregister(link)
            if link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                with suppress(OSError):
                    link.send(say)
                stood.append(link)
    return stood


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(b"", id="and say nothing"),
        pytest.param(random.Random(1).randbytes(600), id="and talk nonsense"),
        pytest.param(b"\x68\xff\x3f" + b"\x83" * 20, id="and claim the longest frame there is"),
    ],
)
def test_ten_thousand_connect_in_a_second(tmp_path: Path, say: bytes) -> None:
    stood: list[socket.socket] = []
    process = Process(tmp_path)
    steady = Steady(process.port)
    steady.start()
    try:
        _wait_for_more(steady, 5)
        stood = storm(process.port, CONNECTS, say)
        assert len(stood) >= CONNECTS * 0.99
        _wait_for_more(steady, 20)
        with socket.create_connection(("127.0.0.1", process.port), timeout=WAIT_S) as link:
            link.sendall(frames.link_request(1001))
            assert _frame(link.makefile("rb"))
    finally:
        steady.ending.set()
        steady.join(WAIT_S)
        for link in stood:
            link.close()
        said = process.stop()
    assert f"{steady.acknowledged:,} readings stored" in said


def _wait_for_more(steady: Steady, count: int) -> None:
    enough = steady.acknowledged + count
    until = time.monotonic() + WAIT_S
    while steady.acknowledged < enough:
        assert time.monotonic() < until
        time.sleep(0.005)
