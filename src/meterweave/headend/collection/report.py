"""How collection went, as it is written down: for people and programs that are not the centre itself.

Works beside a running centre, and after it; what is told is at most some seconds old.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from meterweave.registry.collection import CollectionGap, CollectionPlan, GapState, ReadSuccess, Series
from meterweave.registry.models import Terminal
from meterweave.text import Text


class Standing(NamedTuple):
    """Readings that were due, and those that are there."""

    expected: int
    first_try: int
    stored: int

    @property
    def first_try_rate(self) -> float | None:
        """Share that devices reported by themselves in time; None where nothing was due."""
        return self.first_try / self.expected if self.expected else None

    @property
    def final_rate(self) -> float | None:
        """Share that is there; None where nothing was due."""
        return self.stored / self.expected if self.expected else None


class Open(NamedTuple):
    """What is missing."""

    gaps: int  # days of meters that are asked for
    oldest_at: datetime | None  # the first moment among them
    given_up: int  # readings that are not asked for any more


NOTHING = Open(0, None, 0)


class PlanStanding(NamedTuple):
    """One plan."""

    name: str
    series: Series
    standing: Standing
    open: Open


class TerminalStanding(NamedTuple):
    """One terminal, over all plans."""

    id: int
    protocol: str
    address: str
    name: str
    standing: Standing
    open: Open
    reason: Text | None  # why its newest gap is one


class Status(NamedTuple):
    """All of it."""

    plans: tuple[PlanStanding, ...]
    worst: tuple[TerminalStanding, ...]  # those that lack most, first


class GapRow(NamedTuple):
    """What is missing of one terminal, plan and day."""

    protocol: str
    address: str
    plan: str
    day: date
    missing: int
    meters: int
    oldest_at: datetime
    attempts: int
    next_try_at: datetime
    state: GapState
    reason: Text


class Gaps(NamedTuple):
    """A part of the gaps that were asked for."""

    rows: tuple[GapRow, ...]
    total: int
    missing: int  # readings, in all of them


def status(session: Session, *, day: date | None = None, terminal: int | None = None, worst: int = 10) -> Status:
    """How collection stands.

    Parameters
    ----------
    day : date, optional
        One local day; without it, all days that devices remember.
    terminal : int, optional
        One terminal, by its id.
    worst : int
        How many of the terminals that lack most are listed.
    """
    newest = session.scalar(select(func.max(ReadSuccess.day)))
    plans = session.scalars(select(CollectionPlan).where(CollectionPlan.enabled).order_by(CollectionPlan.id)).all()
    found = []
    for plan in plans:
        counts = [*_wanted(ReadSuccess, day, terminal), ReadSuccess.plan_id == plan.id]
        gaps = [*_wanted(CollectionGap, day, terminal), CollectionGap.plan_id == plan.id]
        if day is None and newest is not None:
            oldest = newest - timedelta(days=plan.memory_days)
            counts.append(ReadSuccess.day >= oldest)
            gaps.append(CollectionGap.day >= oldest)
        found.append(PlanStanding(plan.name, plan.series, _standing(session, counts), _open(session, gaps)))
    return Status(tuple(found), _worst(session, day, terminal, worst))


def gaps(
    session: Session,
    *,
    state: GapState | None = None,
    terminal: int | None = None,
    limit: int,
    offset: int,
) -> Gaps:
    """What is missing, newest day first."""
    wanted = _wanted(CollectionGap, None, terminal)
    if state is not None:
        wanted.append(CollectionGap.state == state)
    total, missing = session.execute(
        select(func.count(), func.coalesce(func.sum(CollectionGap.missing), 0)).where(*wanted)
    ).one()
    query = (
        select(CollectionGap, Terminal.protocol, Terminal.address, CollectionPlan.name)
        .join(Terminal, Terminal.id == CollectionGap.terminal_id)
        .join(CollectionPlan, CollectionPlan.id == CollectionGap.plan_id)
        .where(*wanted)
        .order_by(CollectionGap.day.desc(), Terminal.protocol, Terminal.address, CollectionPlan.id)
        .limit(limit)
        .offset(offset)
    )
    rows = tuple(
        GapRow(
            protocol,
            address,
            plan,
            gap.day,
            gap.missing,
            gap.meters,
            gap.oldest_at,
            gap.attempts,
            gap.next_try_at,
            gap.state,
            Text(gap.reason_en, gap.reason_zh),
        )
        for gap, protocol, address, plan in session.execute(query)
    )
    return Gaps(rows, total, missing)


def _wanted(
    table: type[ReadSuccess] | type[CollectionGap], day: date | None, terminal: int | None
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if day is not None:
        wanted.append(table.day == day)
    if terminal is not None:
        wanted.append(table.terminal_id == terminal)
    return wanted


def _standing(session: Session, wanted: Sequence[ColumnElement[bool]]) -> Standing:
    sums = (
        func.coalesce(func.sum(one), 0) for one in (ReadSuccess.expected, ReadSuccess.first_try, ReadSuccess.stored)
    )
    return Standing(*map(int, session.execute(select(*sums).where(*wanted)).one()))


def _open(session: Session, wanted: Sequence[ColumnElement[bool]]) -> Open:
    meters, oldest = session.execute(
        select(func.sum(CollectionGap.meters), func.min(CollectionGap.oldest_at)).where(
            *wanted, CollectionGap.state == GapState.OPEN
        )
    ).one()
    given_up = session.scalar(
        select(func.sum(CollectionGap.missing)).where(*wanted, CollectionGap.state == GapState.GIVEN_UP)
    )
    return Open(int(meters or 0), oldest, int(given_up or 0))


def _worst(session: Session, day: date | None, terminal: int | None, count: int) -> tuple[TerminalStanding, ...]:
    """The terminals with most readings missing on the days of their gaps."""
    missing = func.sum(CollectionGap.missing)
    ranked = session.execute(
        select(Terminal.id, Terminal.protocol, Terminal.address, Terminal.name)
        .join(CollectionGap, CollectionGap.terminal_id == Terminal.id)
        .where(*_wanted(CollectionGap, day, terminal))
        .group_by(Terminal.id, Terminal.protocol, Terminal.address, Terminal.name)
        .order_by(missing.desc(), Terminal.id)
        .limit(count)
    ).all()
    found = []
    for one in ranked:
        newest = session.execute(
            select(CollectionGap.reason_en, CollectionGap.reason_zh)
            .where(*_wanted(CollectionGap, day, one.id))
            .order_by(CollectionGap.day.desc(), CollectionGap.plan_id)
            .limit(1)
        ).first()
        found.append(
            TerminalStanding(
                *one,
                _standing(session, _wanted(ReadSuccess, day, one.id)),
                _open(session, _wanted(CollectionGap, day, one.id)),
                Text(*newest) if newest else None,
            )
        )
    return tuple(found)
