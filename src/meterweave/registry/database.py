"""The relational database: SQLite in a file by default, PostgreSQL in production; both behave alike from here on.

SQLite runs with a write-ahead log, foreign keys and a busy timeout; a writing transaction takes the one writer's lock
at its beginning, so that it never fails half-way for want of it. On PostgreSQL writers take turns on the counter's row
for the same effect: what a writer has checked still holds when it commits. Readers wait for nobody on either engine
and see one snapshot for the whole of their transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from meterweave.errors import ConfigError
from meterweave.registry.changes import ArchiveSession, RegistryClock
from meterweave.registry.errors import RegistryBusy
from meterweave.registry.schema import upgrade
from meterweave.text import Text

BUSY_TIMEOUT_S = 90.0
"""How long a writer waits for another by default. [s] The largest import may take longer; who waits then is told so."""

_WRITING = {"meterweave_writing": True}
_LOCK_NOT_AVAILABLE = "55P03"


def open_engine(where: str | Path | URL, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """An engine for a SQLite file or a PostgreSQL URL (``postgresql://user@host/database``).

    Parameters
    ----------
    where : str, Path or URL
        A path (the file is made when first used), or a URL ``sqlite:///…`` or ``postgresql://…``.
    busy_timeout_s : float
        How long a writer waits for another. [s]

    Raises
    ------
    ConfigError
        If the URL is not one of a database supported, or names an SQLite database in memory.
    """
    try:
        url = where if isinstance(where, URL) else _url(str(where))
    except ArgumentError as error:
        raise ConfigError(f"{str(where)!r} is no database URL: {error}") from error
    kind = url.get_backend_name()
    if kind == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise ConfigError("the registry needs a file, not an SQLite database in memory")
        return _open_sqlite(url, busy_timeout_s)
    if kind == "postgresql":
        return _open_postgresql(url, busy_timeout_s)
    raise ConfigError(f"{kind!r} is no database supported; wanted a path, sqlite:/// or postgresql://")


def _url(where: str) -> URL:
    return make_url(where) if "://" in where else URL.create("sqlite", database=where)


def _open_sqlite(url: URL, busy_timeout_s: float) -> Engine:
    engine = create_engine(url, connect_args={"timeout": busy_timeout_s, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself: `begin` below does
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("meterweave_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _open_postgresql(url: URL, busy_timeout_s: float) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={"options": f"-c timezone=UTC -c lock_timeout={int(busy_timeout_s * 1000)}"},
    )


class Registry:
    """The archives in a database: reading and writing transactions on tables that are up to date.

    Parameters
    ----------
    engine : Engine
        Of `open_engine`, its tables made by `upgrade`; `Registry.open` does both.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, where: str | Path | URL, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Registry:
        """Open the archives at `where` and bring the tables up to date.

        Raises
        ------
        ConfigError
            As `open_engine`.
        SchemaError
            If the tables are newer than this program.
        """
        engine = open_engine(where, busy_timeout_s=busy_timeout_s)
        try:
            upgrade(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that sees one snapshot; whatever it changes is thrown away."""
        options = {"isolation_level": "REPEATABLE READ"} if self.engine.dialect.name == "postgresql" else {}
        with self.engine.connect().execution_options(**options) as connection, Session(connection) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[ArchiveSession]:
        """A transaction that changes the archives; commits at the end, rolls back on any exception. One at a time.

        Raises
        ------
        RegistryBusy
            If another writer held the archives for longer than the busy timeout.
        """
        with self.engine.connect().execution_options(**_WRITING) as connection:
            session = ArchiveSession(connection)
            with session:
                self._take_turn(session)
                yield session
                session.commit()

    def _take_turn(self, session: Session) -> None:
        try:
            session.execute(select(RegistryClock.id).with_for_update())
        except OperationalError as error:
            code = getattr(error.orig, "sqlstate", None)
            if code == _LOCK_NOT_AVAILABLE or "database is locked" in str(error.orig):
                raise RegistryBusy(
                    Text("another writer is holding the archives; try again later", "档案正被其他操作占用，请稍后再试")
                ) from error
            raise
