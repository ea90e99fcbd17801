"""What finding by text keeps: made for rows that are stored already, by whoever owns the database, and taken away."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from sqlalchemy import Engine, make_url, text

from meterweave.registry import Registry, UsagePoint, schema
from meterweave.registry.database import open_engine
from meterweave.registry.schema import upgrade
from meterweave.registry.search import search
from tests.registry.conftest import SERVER, _drop_database, _new_database

ROWS = (
    "INSERT INTO usage_points (id, code, name) VALUES (1, 'P1', '幸福小区')",
    "INSERT INTO meters (id, utility, protocol, address, address_key, local_address, model, ct_primary, ct_secondary,"
    " pt_primary, pt_secondary) VALUES (5, 'water', 'dlt645', '000000123456', 1, false, '', 1, 1, 1, 1)",
)


def found(engine: Engine, wanted: str) -> list[str]:
    with Registry(engine).reading() as session:
        return [hit.name for hit in search(session, wanted).hits]


def test_what_is_stored_already_is_found_after_the_upgrade(engine: Engine) -> None:
    upgrade(engine, "0005")
    with engine.begin() as connection:
        for row in ROWS:
            connection.execute(text(row))
    upgrade(engine)
    assert found(engine, "福小") == ["P1"]
    assert found(engine, "3456") == ["000000123456"]
    with engine.begin() as connection:
        connection.execute(text("UPDATE usage_points SET name = '东风里' WHERE id = 1"))
        connection.execute(text("DELETE FROM meters"))
    assert found(engine, "福小") == []
    assert found(engine, "东风") == ["P1"]
    assert found(engine, "3456") == []
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
        with connection.begin(), schema._config(connection) as config:
            command.downgrade(config, "0005")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO usage_points (id, code, name) VALUES (2, 'P2', '建设路')"))
    upgrade(engine)
    assert found(engine, "建设") == ["P2"]


@pytest.fixture
def owner() -> Iterator[tuple[str, str]]:
    """An ordinary user of PostgreSQL and an empty database that is theirs: name and URL."""
    name, database = f"plain_{uuid.uuid4().hex[:8]}", _new_database()
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        try:
            yield name, str(make_url(f"{SERVER}/{database}").set(username=name, password=name).render_as_string(False))
        finally:
            _drop_database(database)
            connection.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("owns", [True, False])
def test_an_ordinary_owner_can_make_it_and_others_do_without(owner: tuple[str, str], owns: bool) -> None:
    name, url = owner
    database = make_url(url).database
    with psycopg.connect(f"{SERVER}/{database}", autocommit=True) as connection:
        if owns:
            connection.execute(f'ALTER DATABASE "{database}" OWNER TO {name}')
        connection.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    engine = open_engine(url)
    try:
        upgrade(engine)
        with engine.begin() as connection:
            assert connection.scalar(text("SELECT NOT rolsuper FROM pg_roles WHERE rolname = current_user"))
            made = connection.scalar(text("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'ix_%_text'"))
            assert made == (5 if owns else 0)
            connection.execute(UsagePoint.__table__.insert().values(code="P1", name="幸福小区 100%"))
        assert found(engine, "福小") == ["P1"]
        assert found(engine, "0%") == ["P1"]
        assert found(engine, "1%0") == []
    finally:
        engine.dispose()
