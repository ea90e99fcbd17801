"""A real Mosquitto of a test's own, on a free port, that can be stopped, killed and started again."""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

BINARY = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
WAIT_S = 60.0


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker whose sessions and retained messages survive its end.

    Parameters
    ----------
    more : str
        Further lines of its configuration, before those of the listener.
    listener : str
        Further lines of the listener.
    """

    def __init__(self, folder: Path, *, more: str = "", listener: str = "allow_anonymous true\n") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user {getpass.getuser()}\nper_listener_settings false\nautosave_interval 1\n"
            f"persistence true\npersistence_location {folder}/\n"
            f"max_queued_messages 0\nmax_queued_bytes 0\nlog_dest none\n{more}\n"
            f"listener {self.port} 127.0.0.1\n{listener}",
            encoding="utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        assert BINARY is not None
        self._process = subprocess.Popen(
            [BINARY, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                if self._process.poll() is not None:
                    assert self._process.stderr is not None
                    raise AssertionError(self._process.stderr.read().decode()) from None
                time.sleep(0.02)
        raise AssertionError("Mosquitto takes no connections")

    @property
    def process(self) -> int:
        """Its number."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """An orderly end: it writes down what it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.communicate(timeout=WAIT_S)
            self._process = None
