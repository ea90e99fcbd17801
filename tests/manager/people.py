"""Users, a small network and a trail to test with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from meterweave.manager.door import Door
from meterweave.manager.identity import Identity, at_the_machine
from meterweave.manager.own import change_password
from meterweave.manager.password import Passwords
from meterweave.manager.sessions import Caller
from meterweave.manager.users import Wish, add_user
from meterweave.registry import Organisation, Registry, TransformerDistrict
from meterweave.registry.audit import POSTGRESQL_GUARD, SQLITE_GUARD

PASSWORDS = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""Hashes that take no time."""

ROOT = at_the_machine("tests")
HOME = Caller("192.0.2.7", "browser")
SECRET = "four kettles sing loudly"
"""A good password."""


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)


def network(session: Session) -> dict[str, int]:
    """A province with two counties, a station below each, and a district at each station; ids by codes."""
    ids: dict[str, int] = {}
    for code, parent in (("P", None), ("K1", "P"), ("K2", "P"), ("S1", "K1"), ("S2", "K2")):
        one = Organisation(code=code, name=code, parent_id=None if parent is None else ids[parent])
        session.add(one)
        session.flush()
        ids[code] = one.id
    for code, owner in (("D1", "S1"), ("D2", "S2"), ("D0", None)):
        district = TransformerDistrict(code=code, name=code, organisation_id=None if owner is None else ids[owner])
        session.add(district)
        session.flush()
        ids[code] = district.id
    return ids


def settled(
    door: Door, name: str, *roles: str, organisations: tuple[str, ...] = (), everywhere: bool = False
) -> Identity:
    """A user who has chosen `SECRET` as password, in a session of theirs."""
    wish = Wish(name, roles=roles, organisations=organisations, everywhere=everywhere)
    given = add_user(door.registry, PASSWORDS, ROOT, wish)
    entered = door.login(name, given.password, HOME)
    return change_password(door, entered.identity, given.password, SECRET, HOME).identity


@contextmanager
def unguarded(registry: Registry) -> Iterator[Connection]:
    """The database as its owner has it: without the triggers of the audit trail."""
    engine = registry.engine
    names = [statement.split()[2] for statement in SQLITE_GUARD]
    with engine.connect().execution_options(meterweave_writing=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE audit_entries DISABLE TRIGGER USER")
            yield connection
            connection.exec_driver_sql("ALTER TABLE audit_entries ENABLE TRIGGER USER")
            assert len(POSTGRESQL_GUARD) == 3
            return
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield connection
        for statement in SQLITE_GUARD:
            connection.exec_driver_sql(statement)
