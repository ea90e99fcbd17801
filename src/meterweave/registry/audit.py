"""The audit trail: one table to which rows are only added, each bound to the one before it by a hash.

A row's hash is the SHA-256 of the canonical JSON of all it says, its number and the hash of the row before among it.
Whoever alters, removes, inserts or reorders a row has to rewrite the hashes of all rows behind it. The database refuses
UPDATE and DELETE (triggers on both engines), so that nobody does it by mistake or through a hole in this program; who
owns the database can drop the triggers, and then the hashes tell.

An entry is written in the transaction of the change it tells of: there is none without the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Index, String, Table, Text, event, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from meterweave.registry.base import Base, Id, UtcDateTime

FIRST_PREVIOUS = "0" * 64
"""What the first row has for the hash of the row before it."""

STATE_OCTETS_MAX = 65_536
"""The longest ``before`` or ``after``, as UTF-8 of JSON: an entry tells of a change, it is no copy of the archives."""

REFUSAL = "audit_entries only grows"
"""What the triggers say."""

_CHAIN_LOCK = 0x61756469  # "audi": on PostgreSQL writers of the trail take turns; SQLite has one writer anyway

Facts = Mapping[str, Any]
"""What stands in ``before`` and ``after``: text, integers, booleans, null, and lists and objects of these."""


class AuditEntry(Base):
    """Who did what to what, what it was before and after, from where, and when."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_kind_object", "kind", "object"),)

    number: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)  # 1, 2, 3, …: none is left out
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    who: Mapped[str] = mapped_column(String(80), index=True)  # a user's name, or local:NAME of this machine
    means: Mapped[str] = mapped_column(String(40))  # how they came in: session, key PREFIX, command line
    source: Mapped[str] = mapped_column(String(64))  # from where: an address; empty: this machine
    action: Mapped[str] = mapped_column(String(40), index=True)
    kind: Mapped[str] = mapped_column(String(40))  # of the object
    object: Mapped[str] = mapped_column(String(200))  # its name, as people call it
    before: Mapped[str | None] = mapped_column(Text)  # canonical JSON; null: there was nothing
    after: Mapped[str | None] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Deed(NamedTuple):
    """What an entry is to tell, before it has its place in the chain."""

    at: datetime
    who: str
    means: str
    source: str
    action: str
    kind: str
    object: str
    before: Facts | None = None
    after: Facts | None = None


def canonical(facts: Facts) -> str:
    """`facts` as the one JSON text they have: keys sorted, no blanks.

    Raises
    ------
    ValueError
        If there is a float among them, which is written differently here and there, or they are too long.
    """
    _refuse_floats(facts)
    written = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    if len(written.encode()) > STATE_OCTETS_MAX:
        raise ValueError(f"an audit entry holds {STATE_OCTETS_MAX} octets before and after, not {len(written)}")
    return written


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise ValueError(f"{value!r} has no canonical form; write it as text")
    if isinstance(value, Mapping):
        for one in value.values():
            _refuse_floats(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _refuse_floats(one)


HASHED = ("number", "who", "means", "source", "action", "kind", "object", "before", "after", "previous")
"""The columns that go into a row's hash as they are; `at` does as `written_time`."""


def entry_hash(row: Mapping[str, Any]) -> str:
    """The hash that a row has to have, from all else that it says, by the names of the columns. [hexadecimal digits]"""
    said = {name: row[name] for name in HASHED} | {"at": written_time(row["at"])}
    octets = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(octets).hexdigest()


def written_time(moment: datetime) -> str:
    """An instant as it goes into the hash: UTC, always with six digits of a second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def hold_chain(session: Session) -> None:
    """Keep all others from adding to the trail until this transaction ends; `session` has to be a writing one."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CHAIN_LOCK})


def append(session: Session, deed: Deed) -> int:
    """Add an entry, and give its number; it is there when the transaction of `session` commits.

    Others who have something to tell wait until then: call it last.

    Raises
    ------
    ValueError
        If `before` or `after` cannot be written as they have to be.
    """
    hold_chain(session)
    newest = session.execute(
        select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
    ).one_or_none()
    number, previous = (0, FIRST_PREVIOUS) if newest is None else (newest[0], newest[1])
    row: dict[str, Any] = deed._asdict() | {
        "number": number + 1,
        "before": None if deed.before is None else canonical(deed.before),
        "after": None if deed.after is None else canonical(deed.after),
        "previous": previous,
    }
    session.execute(insert(AuditEntry).values(row | {"hash": entry_hash(row)}))
    return number + 1


POSTGRESQL_GUARD = (
    f"CREATE OR REPLACE FUNCTION audit_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$",
    "CREATE TRIGGER audit_entries_kept BEFORE UPDATE OR DELETE ON audit_entries"
    " FOR EACH ROW EXECUTE FUNCTION audit_entries_refuse()",
    "CREATE TRIGGER audit_entries_kept_whole BEFORE TRUNCATE ON audit_entries"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_refuse()",
)

_REFUSE = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
SQLITE_GUARD = (
    f"CREATE TRIGGER audit_entries_kept_update BEFORE UPDATE ON audit_entries\n{_REFUSE}",
    f"CREATE TRIGGER audit_entries_kept_delete BEFORE DELETE ON audit_entries\n{_REFUSE}",
    # INSERT OR REPLACE takes a row away without asking the trigger above.
    "CREATE TRIGGER audit_entries_kept_replace BEFORE INSERT ON audit_entries"
    f" WHEN EXISTS (SELECT 1 FROM audit_entries WHERE number = NEW.number)\n{_REFUSE}",
)


@event.listens_for(AuditEntry.__table__, "after_create")
def _guard(table: Table, connection: Connection, **_: object) -> None:
    for statement in POSTGRESQL_GUARD if connection.dialect.name == "postgresql" else SQLITE_GUARD:
        connection.exec_driver_sql(statement)
