"""One town a module: it is read far more than written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from meterweave.api.server import ApiServer
from meterweave.lake import Lake
from meterweave.registry import Registry
from tests.api.town import Town, build, served
from tests.registry.conftest import SERVER, _drop_database, _new_database


class Running(NamedTuple):
    """A town and the API over it."""

    server: ApiServer
    town: Town
    registry: Registry
    lake: Lake
    folder: Path


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The API over a town, on both engines."""
    folder = tmp_path_factory.mktemp("town")
    name = _new_database() if request.param == "postgresql" else None
    try:
        registry = Registry.open(f"{SERVER}/{name}" if name else folder / "registry.sqlite")
        with Lake.open(folder / "lake", maintain=False) as lake:
            town = build(registry, lake, folder)
            with served(registry, lake, folder) as server:
                yield Running(server, town, registry, lake, folder)
        registry.close()
    finally:
        if name:
            _drop_database(name)
