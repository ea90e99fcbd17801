"""Every test of the registry runs on both engines: SQLite in a file, PostgreSQL in a database of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Engine, text

from meterweave.registry.base import Base
from meterweave.registry.database import Registry, open_engine

SERVER = os.environ.get("METERWEAVE_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")


def _new_database() -> str:
    """The name of a new, empty PostgreSQL database; skips where no server answers."""
    name = f"meterweave_{uuid.uuid4().hex[:12]}"
    try:
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=3) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
    except psycopg.OperationalError as error:
        if os.environ.get("METERWEAVE_CI"):
            raise
        pytest.skip(f"no PostgreSQL at {SERVER}: {error}")
    return name


def _drop_database(name: str) -> None:
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | URL]:
    """Where an empty database is."""
    if request.param == "sqlite":
        yield str(tmp_path / "registry.sqlite")
        return
    name = _new_database()
    try:
        yield f"{SERVER}/{name}"
    finally:
        _drop_database(name)


@pytest.fixture
def engine(place: str) -> Iterator[Engine]:
    """An engine on an empty database."""
    found = open_engine(place)
    yield found
    found.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def _shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    if request.param == "sqlite":
        registry = Registry.open(tmp_path_factory.mktemp("registry") / "registry.sqlite")
        yield registry
        registry.close()
        return
    name = _new_database()
    try:
        registry = Registry.open(f"{SERVER}/{name}")
        yield registry
        registry.close()
    finally:
        _drop_database(name)


@pytest.fixture
def registry(_shared: Registry) -> Registry:
    """Empty archives; the database behind them is made once a module."""
    empty(_shared)
    return _shared


def empty(registry: Registry) -> None:
    """Delete every row but the counter's."""
    with registry.engine.connect().execution_options(meterweave_writing=True) as connection, connection.begin():
        for table in reversed(Base.metadata.sorted_tables):
            if table.name == "organisations":
                connection.execute(table.update().values(parent_id=None))
            if table.name != "registry_clock":
                connection.execute(table.delete())
        connection.execute(text("UPDATE registry_clock SET number = 0"))


def dump(registry: Registry) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, for comparing before and after."""
    with registry.reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
        }
