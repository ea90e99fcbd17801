"""The disk of the log is full: the centre goes on, and says what it has to say to terminals."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.headend import frames
from tests.headend.centre import add_terminal
from tests.system.test_kill import WAIT_S, _frame


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, a disk that is always full, is Linux's")
def test_a_log_that_cannot_be_written_costs_nobody_anything(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "000000000100", {"000000000101": None})
    command = [sys.executable, "-m", "meterweave.cli", "serve", "--data", str(tmp_path), "--dlt698", "127.0.0.1:0"]
    with Path("/dev/full").open("w") as log:
        centre = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert centre.stdout is not None
    found = re.search(r":(\d+)$", centre.stdout.readline().strip())
    assert found is not None
    where = ("127.0.0.1", int(found[1]))
    try:
        with socket.create_connection(where, timeout=WAIT_S) as stranger:
            stranger.sendall(frames.link_request(999))
            assert _frame(stranger.makefile("rb")), "a refusal is logged, and still given"
        with socket.create_connection(where, timeout=WAIT_S) as link:
            incoming = link.makefile("rb")
            link.sendall(frames.link_request(100))
            assert _frame(incoming)
            # The report of an unknown meter is logged; the one beside it is acknowledged all the same.
            link.sendall(frames.report(100, [777], 1, 1, 1) + frames.report(100, [101], 2, 2, 2))
            assert _frame(incoming)
        assert centre.poll() is None
    finally:
        centre.send_signal(signal.SIGTERM)
        centre.communicate(timeout=WAIT_S)
    assert centre.returncode == 0
