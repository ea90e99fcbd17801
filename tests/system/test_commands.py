"""``meterweave serve`` and ``meterweave query`` as users run them, at the same time."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meterweave.cli import answer
from tests.headend import frames
from tests.system.test_kill import WAIT_S, Process, _frame


def ask(data: Path, sql: str) -> bytes:
    command = [sys.executable, "-m", "meterweave.cli", "query", "--data", str(data), "--format", "json", sql]
    return subprocess.run(command, capture_output=True, check=True, timeout=WAIT_S).stdout


def test_a_reading_can_be_asked_for_while_the_centre_runs(tmp_path: Path) -> None:
    process = Process(tmp_path)
    try:
        with socket.create_connection(("127.0.0.1", process.port), timeout=WAIT_S) as link:
            incoming = link.makefile("rb")
            link.sendall(frames.link_request(100))
            assert _frame(incoming)
            link.sendall(frames.report(100, [55], 1, 1234))
            assert _frame(incoming)
            sql = (
                "SELECT m.address, q.name, r.ts, r.value * power(10, q.exponent) AS value, q.unit FROM readings r "
                "JOIN quantities q USING (quantity) JOIN meters m ON m.id = r.meter"
            )
            (row,) = json.loads(ask(tmp_path, sql))
            assert row == {
                "address": "000000000055",
                "name": "active_import_energy",
                "ts": "2026-11-20T16:00:00+00:00",
                "value": pytest.approx(12.34),
                "unit": "kWh",
            }
    finally:
        said = process.stop()
    assert "1 readings stored" in said


def test_an_answer_in_every_form(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    found = pa.table({"meter": [1, 2], "ts": [datetime(2026, 11, 20), None]})
    written = {}
    for form in ("table", "csv", "json", "parquet"):
        answer.write(found, form)
        written[form] = capsysbinary.readouterr().out
    assert b"2026-11-20 00:00:00" in written["table"]
    assert written["csv"].startswith(b'"meter","ts"\n1,2026-11-20')
    assert json.loads(written["json"]) == [{"meter": 1, "ts": "2026-11-20T00:00:00"}, {"meter": 2, "ts": None}]
    assert pq.read_table(io.BytesIO(written["parquet"])) == found


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.process.send_signal(signal.SIGINT)
    said, logged = process.process.communicate(timeout=WAIT_S)
    assert process.process.returncode == 0
    assert "stopped" in said
    assert "Traceback" not in logged


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--data", "there", "--dlt698", "nowhere"], "HOST:PORT"),
        (["query", "--data", "nowhere", "SELECT 1"], "no readings"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "meterweave.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=WAIT_S, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
