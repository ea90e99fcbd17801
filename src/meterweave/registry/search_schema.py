"""What the database keeps ready so that records are found by text, whoever writes them.

SQLite has an FTS5 table of trigrams beside each table, ``<table>_text``, filled by triggers; two blanks at the end of
what it holds make every character begin a trigram, so that one and two characters are found through the list of its
terms, ``<table>_terms``. PostgreSQL has a trigram index (pg_trgm), ``ix_<table>_text``, over an expression that puts a
blank before each Chinese character: each becomes a word, so that names of two characters are found by the index too.
Where the extension cannot be made the index is left out (docs/decisions/0014).

What can be found is one tuple, `TEXTS`. A further kind of record is one more entry, and its SQL in a migration. The
triggers are part of the metadata, so tables made from the models carry them; a migration that makes a table anew has
to make them anew too, which a test sees.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, event

from meterweave.registry.base import Base
from meterweave.registry.models import Meter, Organisation, Terminal, TransformerDistrict, UsagePoint

CHINESE = "[㐀-鿿]"
"""The characters that are words of their own, as a regular expression."""


class SearchedText(NamedTuple):
    """What of a table is found by text."""

    model: type[Base]
    columns: tuple[str, ...]  # the first is what the record is called by

    @property
    def table(self) -> str:
        """The name of the table."""
        return str(self.model.__tablename__)

    def field(self, name: str) -> ColumnElement[Any]:
        """One of the table's columns."""
        found: ColumnElement[Any] = self.model.__table__.c[name]
        return found

    def joined(self, row: str, char: str) -> str:
        """SQL: all columns of `row` as one text, a line each; what is looked for has no line ends and spans no two."""
        return f" || {char}(10) || ".join(
            f"coalesce({row}.{name}, '')" if self.model.__table__.c[name].nullable else f"{row}.{name}"
            for name in self.columns
        )

    def spaced(self, row: str) -> str:
        """SQL of PostgreSQL: the same in small letters, with a blank before each Chinese character."""
        return f"lower(regexp_replace({self.joined(row, 'chr')}, '({CHINESE})', ' \\1', 'g'))"


TEXTS: tuple[SearchedText, ...] = (
    SearchedText(Meter, ("address", "asset_number")),
    SearchedText(UsagePoint, ("code", "name")),
    SearchedText(Terminal, ("address", "name")),
    SearchedText(TransformerDistrict, ("code", "name")),
    SearchedText(Organisation, ("code", "name")),
)


def sqlite_statements(of: SearchedText) -> tuple[str, ...]:
    """What makes the trigrams of a table and keeps them: SQL of SQLite."""
    name = f"{of.table}_text"
    old, new = (f"{of.joined(row, 'char')} || '  '" for row in ("OLD", "NEW"))
    forget = f"INSERT INTO {name}({name}, rowid, held) VALUES ('delete', OLD.id, {old});"
    note = f"INSERT INTO {name}(rowid, held) VALUES (NEW.id, {new});"
    return (
        f"CREATE VIRTUAL TABLE {name} USING fts5(held, content='', columnsize=0, detail='none', tokenize='trigram')",
        f"CREATE VIRTUAL TABLE {of.table}_terms USING fts5vocab({name}, 'row')",
        f"CREATE TRIGGER {name}_insert AFTER INSERT ON {of.table} BEGIN {note} END",
        f"CREATE TRIGGER {name}_update AFTER UPDATE OF {', '.join(of.columns)} ON {of.table} BEGIN {forget} {note} END",
        f"CREATE TRIGGER {name}_delete AFTER DELETE ON {of.table} BEGIN {forget} END",
    )


def postgresql_statement(of: SearchedText) -> str:
    """What makes the trigram index of a table: SQL of PostgreSQL; without the extension it does nothing."""
    index = f"CREATE INDEX ix_{of.table}_text ON {of.table} USING gin (({of.spaced(of.table)}) gin_trgm_ops)"
    return (
        "DO $make$ BEGIN\n"
        f"  CREATE EXTENSION IF NOT EXISTS pg_trgm;\n  {index};\n"
        "EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN\n"
        "  RAISE NOTICE 'pg_trgm cannot be made here: finding by text reads whole tables';\n"
        "END $make$"
    )


def _keep_ready(table: Table, connection: Connection, **_: object) -> None:
    of = next(one for one in TEXTS if one.table == table.name)
    for statement in sqlite_statements(of) if connection.dialect.name == "sqlite" else (postgresql_statement(of),):
        connection.exec_driver_sql(statement)


def _drop_ready(table: Table, connection: Connection, **_: object) -> None:
    if connection.dialect.name == "sqlite":  # PostgreSQL drops an index with its table
        for name in ("terms", "text"):
            connection.exec_driver_sql(f"DROP TABLE {table.name}_{name}")


for _of in TEXTS:
    event.listen(_of.model.__table__, "after_create", _keep_ready)
    event.listen(_of.model.__table__, "before_drop", _drop_ready)
