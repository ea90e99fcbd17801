"""A part of the network that somebody names: an organisation with all below it, or one district."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from meterweave.manager.identity import Identity
from meterweave.manager.scope import below, the_visible
from meterweave.registry import Installation, Meter, Organisation, Terminal, TransformerDistrict, UsagePoint


class Part(NamedTuple):
    """Which part of what the caller sees; nothing named: all of it."""

    organisation: int | None = None  # with all below it
    district: int | None = None


def districts(session: Session, identity: Identity, part: Part) -> list[Any]:
    """Questions for the ids of the districts that `part` names, all of which bound it; none: it names nothing.

    Raises
    ------
    NotVisible
        If the caller may not see the organisation or the district.
    """
    found: list[Any] = []
    if part.organisation is not None:
        the_visible(session, identity, Organisation, part.organisation)
        inside = sorted(below(session, [part.organisation]))
        found.append(select(TransformerDistrict.id).where(TransformerDistrict.organisation_id.in_(inside)))
    if part.district is not None:
        the_visible(session, identity, TransformerDistrict, part.district)
        found.append(select(TransformerDistrict.id).where(TransformerDistrict.id == part.district))
    return found


def in_part(session: Session, identity: Identity, query: Any, part: Part) -> Any:
    """A question about meters, only of those in `part`; the caller's scope is for the caller to apply.

    Raises
    ------
    NotVisible
        As `districts`.
    """
    return query.where(*(_in_districts(one) for one in districts(session, identity, part)))


def _in_districts(wanted: Select[int]) -> ColumnElement[bool]:
    """A meter is where its terminal is; without one that has a place, where its usage point is."""
    homeless = select(Terminal.id).where(Terminal.district_id.is_(None))
    supplied = exists(
        select(Installation.id)
        .join(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        .where(Installation.meter_id == Meter.id, Installation.removed_at.is_(None), UsagePoint.district_id.in_(wanted))
    )
    return or_(
        Meter.terminal_id.in_(select(Terminal.id).where(Terminal.district_id.in_(wanted))),
        and_(or_(Meter.terminal_id.is_(None), Meter.terminal_id.in_(homeless)), supplied),
    )
