"""What PostgreSQL is told about planning, for one transaction; SQLite needs none of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session


def plan_for_these_values(session: Session) -> None:
    """Plan each question for its own values, which decide what is quick, and do not compile it: it is over before."""
    if _is_postgresql(session):
        session.execute(
            text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)")
        )


@contextmanager
def sorts_avoided(session: Session, *, avoided: bool = True) -> Iterator[None]:
    """Read by an index that has the order asked for, rather than all rows to sort them."""
    if not avoided or not _is_postgresql(session):
        yield
        return
    session.execute(text("SET LOCAL enable_sort = off"))
    yield
    session.execute(text("SET LOCAL enable_sort = on"))


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
