"""How collection went in the part of the network that somebody sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select

from meterweave.manager.identity import Identity, require
from meterweave.manager.place import Part, districts
from meterweave.manager.scope import in_scope
from meterweave.manager.span import Days
from meterweave.registry import Registry, Terminal
from meterweave.registry.collection import CollectionGap, CollectionPlan, ReadSuccess

DAYS_MAX = 400
"""Most local days that one question is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySuccess:
    """One plan on one local day: readings that were due, and what became of them."""

    day: date
    plan: str
    series: str
    expected: int  # their deadline is over
    first_try: int  # of these: reported by the device, in time
    stored: int  # of these: there now
    missing: int  # readings that are asked for again, or were given up
    gaps: int  # terminals that lack something


def success(registry: Registry, identity: Identity, days: Days, part: Part) -> list[DaySuccess]:
    """Read success by day and plan, the newest day first. Blocks.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not see collection, or the part of the network.
    """
    require(identity, "collection.read")
    with registry.reading() as session:
        inside = districts(session, identity, part)
        counts = _each(_counts(), ReadSuccess, identity, days, inside)
        gaps = _each(_gaps(), CollectionGap, identity, days, inside)
        lacking = {(row.day, row.plan_id): (row.missing, row.gaps) for row in session.execute(gaps)}
        found = []
        for row in session.execute(counts):
            missing, holes = lacking.get((row.day, row.plan_id), (0, 0))
            found.append(
                DaySuccess(
                    day=row.day,
                    plan=row.name,
                    series=str(row.series),
                    expected=int(row.expected),
                    first_try=int(row.first_try),
                    stored=int(row.stored),
                    missing=int(missing),
                    gaps=int(holes),
                )
            )
    return found


def _counts() -> Any:
    of = ReadSuccess
    return (
        select(
            of.day,
            of.plan_id,
            CollectionPlan.name,
            CollectionPlan.series,
            func.sum(of.expected).label("expected"),
            func.sum(of.first_try).label("first_try"),
            func.sum(of.stored).label("stored"),
        )
        .join(CollectionPlan, CollectionPlan.id == of.plan_id)
        .group_by(of.day, of.plan_id, CollectionPlan.name, CollectionPlan.series)
        .order_by(of.day.desc(), of.plan_id)
    )


def _gaps() -> Any:
    of = CollectionGap
    return select(of.day, of.plan_id, func.sum(of.missing).label("missing"), func.count().label("gaps")).group_by(
        of.day, of.plan_id
    )


def _each(query: Any, of: Any, identity: Identity, days: Days, inside: list[Any]) -> Any:
    query = query.join(Terminal, Terminal.id == of.terminal_id).where(of.day.between(days.first, days.last))
    query = query.where(*(Terminal.district_id.in_(one) for one in inside))
    return in_scope(query, identity, Terminal)
