"""What collection writes down: read success, gaps and absences, in transactions of their own.

These are no changes of the archives that the head-end's directory would follow, so they are not numbered with those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from meterweave.headend.collection.counting import Pair
from meterweave.headend.collection.gap import FORGOTTEN, Gap
from meterweave.headend.collection.moments import instant, instant_us
from meterweave.registry.base import Base
from meterweave.registry.collection import (
    REASON_MAX,
    CollectionAbsence,
    CollectionGap,
    GapState,
    ReadSuccess,
)
from meterweave.registry.database import Registry
from meterweave.text import Text

_SUCCESS, _GAPS, _ABSENCES = (
    Base.metadata.tables[model.__tablename__] for model in (ReadSuccess, CollectionGap, CollectionAbsence)
)


class Key(NamedTuple):
    """What a row of read success, or of a gap, is about."""

    terminal: int
    plan: int
    day: date


class Counts(NamedTuple):
    """Readings of one key."""

    expected: int
    first_try: int
    stored: int


class Remembered(NamedTuple):
    """What an earlier process, or an earlier look, had done about a gap."""

    attempts: int
    next_us: int
    state: GapState
    reason: Text


class Record:
    """The tables of collection in one database. Every method blocks."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        engine = self._registry.engine
        with engine.connect().execution_options(meterweave_writing=True) as connection, connection.begin():
            yield connection

    def success_of(self, plan: int, day: date) -> dict[int, Counts]:
        """What is written of one plan and day, by terminal."""
        columns = select(_SUCCESS.c.terminal_id, _SUCCESS.c.expected, _SUCCESS.c.first_try, _SUCCESS.c.stored)
        with self._registry.reading() as session:
            rows = session.execute(columns.where(_SUCCESS.c.day == day, _SUCCESS.c.plan_id == plan)).all()
        return {terminal: Counts(*counts) for terminal, *counts in rows}

    def remembered(self) -> dict[Key, Remembered]:
        """All gaps that are written."""
        with self._registry.reading() as session:
            return {
                Key(row.terminal_id, row.plan_id, row.day): Remembered(
                    row.attempts, instant_us(row.next_try_at), GapState(row.state), Text(row.reason_en, row.reason_zh)
                )
                for row in session.execute(select(_GAPS))
            }

    def absences(self, since: datetime) -> dict[int, list[Pair]]:
        """What was noted to be absent since an instant, by plan."""
        found: dict[int, list[Pair]] = {}
        with self._registry.reading() as session:
            for row in session.execute(select(_ABSENCES).where(_ABSENCES.c.noted_at >= since)):
                found.setdefault(row.plan_id, []).append(Pair(row.meter_id, row.quantity))
        return found

    def write(self, success: Mapping[Key, Counts], gaps: Mapping[Key, Gap | None]) -> None:
        """Write what changed; a gap that is None is closed."""
        rows = [
            {"terminal_id": key.terminal, "plan_id": key.plan, "day": key.day, **counts._asdict()}
            for key, counts in success.items()
        ]
        with self._writing() as connection:
            _upsert(connection, _SUCCESS, rows, ("terminal_id", "plan_id", "day"))
            _upsert(connection, _GAPS, [_row(gap) for gap in gaps.values() if gap], ("terminal_id", "plan_id", "day"))
            closed = [key._asdict() for key, gap in gaps.items() if gap is None]
            if closed:
                one = delete(_GAPS).where(
                    _GAPS.c.terminal_id == bindparam("terminal"),
                    _GAPS.c.plan_id == bindparam("plan"),
                    _GAPS.c.day == bindparam("day"),
                )
                connection.execute(one, closed)

    def note_absent(self, plan: int, pairs: Sequence[Pair], at: datetime) -> None:
        """Write that meters lack quantities."""
        rows = [{"meter_id": one.meter, "plan_id": plan, "quantity": one.quantity, "noted_at": at} for one in pairs]
        with self._writing() as connection:
            _upsert(connection, _ABSENCES, rows, ("meter_id", "plan_id", "quantity"))

    def forget_absent(self, plan: int, pairs: Sequence[Pair]) -> None:
        """These are not absent after all."""
        one = delete(_ABSENCES).where(
            _ABSENCES.c.plan_id == plan,
            _ABSENCES.c.meter_id == bindparam("meter"),
            _ABSENCES.c.quantity == bindparam("code"),
        )
        with self._writing() as connection:
            connection.execute(one, [{"meter": pair.meter, "code": pair.quantity} for pair in pairs])

    def sweep(self, forgotten: Mapping[int, date], kept_since: date, absent_since: datetime) -> None:
        """Give up gaps older than what devices remember, and drop what nobody needs any more.

        Parameters
        ----------
        forgotten : mapping
            The oldest day that devices still remember, by plan; gaps of other plans are dropped.
        """
        with self._writing() as connection:
            connection.execute(delete(_GAPS).where(_GAPS.c.plan_id.not_in(list(forgotten))))
            for plan, oldest in forgotten.items():
                connection.execute(
                    update(_GAPS)
                    .where(_GAPS.c.plan_id == plan, _GAPS.c.day < oldest, _GAPS.c.state == GapState.OPEN)
                    .values(state=GapState.GIVEN_UP, reason_en=FORGOTTEN.en, reason_zh=FORGOTTEN.zh)
                )
            connection.execute(delete(_GAPS).where(_GAPS.c.day < kept_since))
            connection.execute(delete(_SUCCESS).where(_SUCCESS.c.day < kept_since))
            connection.execute(delete(_ABSENCES).where(_ABSENCES.c.noted_at < absent_since))


def _row(gap: Gap) -> dict[str, Any]:
    return {
        "terminal_id": gap.terminal,
        "plan_id": gap.plan,
        "day": gap.day,
        "missing": gap.missing,
        "meters": gap.meters,
        "oldest_at": instant(gap.oldest_us),
        "attempts": gap.attempts,
        "next_try_at": instant(gap.next_us),
        "state": gap.state,
        "reason_en": gap.reason.en[:REASON_MAX],
        "reason_zh": gap.reason.zh[:REASON_MAX],
    }


def _upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], key: Sequence[str]) -> None:
    """Insert `rows`, or write over those with the same key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    if rows:
        statement = insert(table)
        others = {name: statement.excluded[name] for name in rows[0] if name not in key}
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=others), rows)
