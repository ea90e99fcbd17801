"""What the page on connecting a bus says is what happens, word for word; only the ports are free ones."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from tests.system.test_kill import Process

PAGE = (Path(__file__).parents[2] / "docs/how-to/connect-a-bus.md").read_text(encoding="utf-8")
PORT, WAIT_S = "127.0.0.1:4001", 90.0


def test_the_page_leads_from_nothing_to_readings_and_orders(tmp_path: Path) -> None:
    blocks = [block.strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)]
    simulate, scan, imports, serve, query, commands = blocks
    assert serve == "meterweave serve --data centre"
    meters = subprocess.Popen(_words(simulate.replace(PORT, "127.0.0.1:0")), stdout=subprocess.PIPE, text=True)
    try:
        assert meters.stdout is not None
        there = meters.stdout.readline().strip().removeprefix("tcp://")
        for name, text in re.findall(r"`(\w+\.csv)`.*?```csv\n(.*?)```", PAGE, re.DOTALL):
            (tmp_path / name).write_text(text.replace(PORT, there), encoding="utf-8")
        table = _said(scan.replace(PORT, there), tmp_path)
        assert [line.split(",")[:3] for line in table.splitlines()[1:]] == [
            ["electricity", "modbus", "u1"],
            ["electricity", "modbus", "u2"],
        ]
        imported = [_said(line, tmp_path) for line in imports.splitlines()]
        assert _squeezed(_shown("line    profile")) == _squeezed(imported[2])
        process = Process(tmp_path / "centre")
        try:
            _until_said(query, _shown("address  name"), tmp_path)
            read, trip, relay = commands.splitlines()
            assert "4821.37" in _said(read, tmp_path)
            assert "confirmed" in _said(trip, tmp_path)
            assert "relay closed  no" in _said(relay, tmp_path)
        finally:
            process.stop()
    finally:
        meters.terminate()
        meters.communicate()


def _words(line: str) -> list[str]:
    first, *words = shlex.split(line)
    assert first == "meterweave"
    return [sys.executable, "-m", "meterweave.cli", *words]


def _said(line: str, here: Path) -> str:
    done = subprocess.run(_words(line), capture_output=True, text=True, timeout=WAIT_S, cwd=here, check=False)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


def _shown(begin: str) -> str:
    """The block of the page that begins so."""
    (block,) = [part for part in re.findall(r"(?:^ {4}.*\n)+", PAGE, re.MULTILINE) if part.strip().startswith(begin)]
    return block


def _squeezed(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def _until_said(line: str, shown: str, here: Path) -> None:
    until = time.monotonic() + WAIT_S
    while True:
        done = subprocess.run(_words(line), capture_output=True, text=True, timeout=WAIT_S, cwd=here, check=False)
        if done.returncode == 0 and _squeezed(done.stdout)[: len(_squeezed(shown))] == _squeezed(shown):
            return
        assert time.monotonic() < until, (done.stdout, done.stderr)
        time.sleep(0.2)
