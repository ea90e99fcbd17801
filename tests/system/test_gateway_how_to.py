"""What the page on gateways says is what happens, word for word; only the ports are free ones."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.test_bus_how_to import _said, _squeezed, _until_said, _words

PAGE = (Path(__file__).parents[2] / "docs/how-to/run-a-gateway.md").read_text(encoding="utf-8")
METERS, CENTRE, WAIT_S = "127.0.0.1:4001", "127.0.0.1:9175", 90.0


def test_the_page_leads_from_nothing_to_readings_and_through_an_outage(tmp_path: Path) -> None:
    blocks = [block.strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)]
    simulate, invite, imports, serve, collect, query, trip, status = blocks
    here = f"127.0.0.1:{free_port()}"
    with running(simulate.replace(METERS, "127.0.0.1:0"), tmp_path) as meters:
        there = meters.removeprefix("tcp://")
        _said(invite.replace(CENTRE, here), tmp_path)
        assert (tmp_path / "mill.toml").stat().st_mode & 0o077 == 0
        for name, text in re.findall(r"`(\w+\.csv)`.*?```csv\n(.*?)```", PAGE, re.DOTALL):
            (tmp_path / name).write_text(text.replace(METERS, there), encoding="utf-8")
        for line in imports.splitlines():
            _said(line, tmp_path)
        quiet = "--dlt698 127.0.0.1:0"
        with running(collect, tmp_path) as said:
            assert said == f"gateway mill reads for the centre at {here}"
            with running(f"{serve.replace(CENTRE, here)} {quiet}", tmp_path):
                _until_said(query, shown("address  name"), tmp_path)
                assert "confirmed" in _said(trip, tmp_path)
            until_away(status, tmp_path)
            assert "not connected" in _said(status, tmp_path)
            with running(f"{serve.replace(CENTRE, here)} {quiet}", tmp_path):
                until_empty(status, tmp_path)


def until_away(status: str, here: Path) -> None:
    """Wait until the gateway knows that the centre is gone."""
    wait_for(lambda: not json.loads(_said(f"{status} --json", here))["contact"]["online"])


def until_empty(status: str, here: Path) -> None:
    """Wait until the centre has everything."""

    def done() -> bool:
        found = json.loads(_said(f"{status} --json", here))
        return bool(found["contact"]["online"]) and found["waiting"]["rows"] == 0

    wait_for(done)


def wait_for(true: object) -> None:
    until = time.monotonic() + WAIT_S
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(line: str, here: Path) -> Iterator[str]:
    """A command that goes on until it is told to stop; the first line that it says."""
    process = subprocess.Popen(_words(line), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=here)
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        assert said, process.communicate()
        yield said
    finally:
        process.send_signal(signal.SIGINT if "collector" in line else signal.SIGTERM)
        _, logged = process.communicate(timeout=WAIT_S)
        sys.stderr.write(logged)


def shown(begin: str) -> str:
    """The block of the page that begins so."""
    (block,) = [part for part in re.findall(r"(?:^ {4}.*\n)+", PAGE, re.MULTILINE) if part.strip().startswith(begin)]
    assert _squeezed(block)
    return block
