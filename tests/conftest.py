"""Settings for all tests: how long an example takes decides nothing; in CI the same examples are tried each time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.mosquitto import BINARY, Mosquitto

# Centres of tests that run at the same time must not want the same port.
os.environ.setdefault("METERWEAVE_API__PORT", "0")

settings.register_profile("meterweave", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("meterweave")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker of this test's own; skips where Mosquitto is not installed."""
    need_mosquitto()
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


def need_mosquitto() -> None:
    """Skip where Mosquitto is not installed; in CI that is a failure."""
    if BINARY is None:
        if os.environ.get("METERWEAVE_CI"):
            pytest.fail("Mosquitto is not installed")
        pytest.skip("Mosquitto is not installed")
