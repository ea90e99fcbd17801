"""Models and migrations say the same, down to the last check, trigger and exclusion."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

import meterweave.registry  # noqa: F401 - all its tables
from meterweave.registry import schema
from meterweave.registry.base import Base
from meterweave.registry.database import Registry, open_engine
from meterweave.registry.errors import SchemaError
from meterweave.registry.migrations import versions
from meterweave.registry.schema import current, upgrade

_STEPS = Path(versions.__file__).parent
_POSTGRESQL = (
    "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
)
_SQLITE = ("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'sqlite_%'",)


def _described(engine: Engine) -> set[tuple[object, ...]]:
    """All the database knows of its tables, the table of revisions left out."""
    found: set[tuple[object, ...]] = set()
    with engine.connect() as connection:
        for query in _SQLITE if engine.dialect.name == "sqlite" else _POSTGRESQL:
            for row in connection.execute(text(query)):
                if not any("alembic_version" in str(cell) for cell in row):
                    found.add(tuple(_plain(cell) for cell in row))
    return found


def _plain(cell: object) -> object:
    """SQL text without the freedom of layout, and the clauses of a table in one order."""
    if not isinstance(cell, str) or not cell.startswith("CREATE TABLE"):
        return cell
    cell = re.sub(r'^CREATE TABLE "(\w+)"', r"CREATE TABLE \1", cell)  # SQLite quotes the name of a table it made anew
    clauses = [re.sub(r"\s+", " ", line).strip(" ,\t") for line in cell.splitlines()]
    return tuple(sorted(clauses))


def _is_of_the_metadata(name: str | None, kind: str, parents: object) -> bool:
    """What finding by text keeps beside a table is SQL of one engine, which `_described` compares word for word."""
    return kind not in ("table", "index") or re.search(r"_(text|terms)(_[a-z]+)?$", name or "") is None


def test_models_and_migrations_make_the_same_tables(engine: Engine) -> None:
    upgrade(engine)
    migrated = _described(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _is_of_the_metadata})
        assert compare_metadata(context, Base.metadata) == []
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)
    assert _described(engine) == set()
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    made = _described(engine)
    assert len(made) >= 40 or engine.dialect.name == "sqlite"
    assert migrated == made


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    before = _described(engine)
    upgrade(engine)
    assert _described(engine) == before
    with engine.connect() as connection:
        assert current(connection) == max(path.stem[1:5] for path in _STEPS.glob("r*.py"))


def _downgrade(engine: Engine, revision: str) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
        with connection.begin(), schema._config(connection) as config:
            command.downgrade(config, revision)


def test_lines_come_and_go_and_the_archives_stay(engine: Engine) -> None:
    """Revision 0004 there, back and there again, with rows in the tables it makes anew."""
    upgrade(engine, "0003")
    before = _described(engine)
    rows = (
        "INSERT INTO terminals (id, protocol, address, address_key, kind, state, enrolled_by, name, heartbeat_s)"
        " VALUES (1, 'dlt698', '000000000001', 1, 'concentrator', 'active', 'entered', 'north', 900)",
        "INSERT INTO meters (id, utility, protocol, address, address_key, local_address, model, terminal_id, wire_key,"
        " ct_primary, ct_secondary, pt_primary, pt_secondary)"
        " VALUES (5, 'electricity', 'dlt645', '000000000077', 119, false, 'DDS-1', 1, 119, 40, 1, 1, 1)",
        "INSERT INTO usage_points (id, code, name) VALUES (1, 'P1', '')",
        "INSERT INTO installations (meter_id, usage_point_id, utility, installed_at)"
        " VALUES (5, 1, 'electricity', '2026-01-01 00:00:00')",
    )
    with engine.begin() as connection:
        for row in rows:
            connection.execute(text(row))
    kept = ("SELECT * FROM terminals", "SELECT * FROM meters", "SELECT * FROM installations")

    def stored() -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for query in kept for row in connection.execute(text(query))]

    old = stored()
    upgrade(engine, "0004")
    assert [row[: len(was)] for row, was in zip(stored(), old, strict=True)] == old
    with engine.begin() as connection:
        connection.execute(text("UPDATE meters SET register_digits = 8, register_decimals = 2"))
        connection.execute(
            text(
                "INSERT INTO entered_readings (meter_id, quantity, ts, value, estimated, purpose, reader, note,"
                " entered_by, entered_at)"
                " VALUES (5, 1, '2026-01-02', 7, false, 'final', 'wang', '', 'li', '2026-01-03')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO terminals (id, protocol, address, address_key, kind, state, enrolled_by, name,"
                " heartbeat_s, port, collector_id) VALUES"
                " (2, 'bus', 'cellar', 7, 'module', 'active', 'entered', '', 900, 'tcp://a:1', 1)"
            )
        )
    for impossible in (
        "UPDATE meters SET register_digits = 19",
        "UPDATE meters SET register_decimals = 9",
        "UPDATE meters SET register_digits = NULL",
        "UPDATE terminals SET collector_id = id",
        "UPDATE terminals SET collector_id = 4711",
        "UPDATE entered_readings SET purpose = 'joke'",
    ):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(impossible))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM terminals WHERE id = 2"))
    _downgrade(engine, "0003")
    assert stored() == old
    assert _described(engine) == before
    upgrade(engine, "0004")
    assert [row[: len(was)] for row, was in zip(stored(), old, strict=True)] == old


def test_processes_that_start_together_upgrade_once(place: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            Registry.open(place).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_tables_of_a_newer_program_are_left_alone(engine: Engine) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999"):
        upgrade(engine)


def test_sqlite_keeps_foreign_keys_and_the_log_ahead(tmp_path: object) -> None:
    engine = open_engine(f"{tmp_path}/registry.sqlite")
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 90_000
    engine.dispose()
