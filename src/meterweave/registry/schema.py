"""The tables' versions: one chain of migrations for everything relational, shipped inside the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, text

from meterweave.registry.errors import SchemaError
from meterweave.text import Text

HEAD = "head"
_UPGRADE_LOCK = 0x6D657465  # "mete": processes that start together upgrade one after the other


def upgrade(engine: Engine, revision: str = HEAD) -> None:
    """Bring the tables of `engine` to `revision`, in one transaction; nothing happens when they are there already.

    Raises
    ------
    SchemaError
        If the database is at a revision this program does not know, because a newer one made it.
    """
    with (
        engine.connect().execution_options(meterweave_writing=True) as connection,
        _references_unguarded(connection),
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        with _config(connection) as config:
            known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
            found = current(connection)
            if found is not None and found not in known:
                raise SchemaError(
                    Text(
                        f"the database is at revision {found!r}, which this version of Meterweave does not know",
                        f"数据库版本{found}新于本程序所知",
                    )
                )
            try:
                command.upgrade(config, revision)
            except CommandError as error:
                raise SchemaError(
                    Text(f"cannot bring the tables to {revision!r}: {error}", f"无法将数据表升级到{revision}：{error}")
                ) from error
        if engine.dialect.name == "sqlite" and (
            orphans := connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        ):
            raise SchemaError(
                Text(
                    f"the migration would leave references to nothing: {orphans[:5]}",
                    f"迁移会留下悬空引用：{orphans[:5]}",
                )
            )


@contextmanager
def _references_unguarded(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by making it anew, which foreign keys must not hinder."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def current(connection: Connection) -> str | None:
    """The revision at which the tables are; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _config(connection: Connection) -> Iterator[Config]:
    with as_file(files("meterweave.registry") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        yield config
