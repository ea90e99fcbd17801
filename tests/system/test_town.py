"""A simulated town reports over real sockets in both protocols, and what is stored is what was true."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from meterweave.cli.answer import ask
from meterweave.cli.folder import Folder
from tests.system.test_kill import WAIT_S, Process


def test_what_is_stored_is_what_was_true(tmp_path: Path) -> None:
    begun = datetime.now(UTC)
    centre = Process(tmp_path / "centre", "--gdw1376", "127.0.0.1:0")
    assert centre.process.stdout is not None
    other = centre.process.stdout.readline().strip().rpartition(" ")[2]
    town = subprocess.Popen(
        [
            *(sys.executable, "-m", "meterweave.cli", "simulate"),
            *("--dlt698", f"127.0.0.1:{centre.port}", "--gdw1376", other),
            *("--terminals", "4", "--meters", "20", "--others", "6", "--days", "1", "--backlog", "1"),
            *("--truth", str(tmp_path / "truth.parquet")),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert town.stdout is not None
    for line in town.stdout:
        if re.search(r"4/4 terminals online, 4 with nothing left to send", line):
            break
    town.send_signal(signal.SIGINT)
    town.communicate(timeout=WAIT_S)
    centre.stop()
    true = pq.read_table(tmp_path / "truth.parquet")
    true = true.filter(pc.less_equal(true["ts"], begun))
    stored = {
        (int(row["address"], 16), row["quantity"], row["profile"], row["ts"]): row["value"]
        for row in ask(
            Folder(tmp_path / "centre"),
            "SELECT m.address, r.quantity, r.profile, r.ts, r.value FROM readings r JOIN meters m ON m.id = r.meter",
        ).to_pylist()
    }
    assert true.num_rows > 1000
    for row in true.to_pylist():
        assert stored[row["wire_key"], row["quantity"], row["profile"], row["ts"]] == row["value"]
