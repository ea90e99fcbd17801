"""Every test of the managers that touches the database runs on both engines, as those of the registry do."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterweave.manager.door import Door
from meterweave.registry import Registry
from tests.manager.people import PASSWORDS, Clock, unguarded
from tests.registry.conftest import _shared, empty, engine, place  # noqa: F401 - fixtures


@pytest.fixture
def registry(_shared: Registry) -> Registry:  # noqa: F811 - it is the fixture
    """Empty archives, and nobody who may see them; the database behind them is made once a module."""
    with unguarded(_shared) as connection:
        connection.exec_driver_sql("DELETE FROM audit_entries")
    empty(_shared)
    return _shared


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(registry: Registry, tmp_path: Path, clock: Clock) -> Door:
    return Door(registry, tmp_path, PASSWORDS, clock=clock)
