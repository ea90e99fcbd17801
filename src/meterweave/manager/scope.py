"""The part of the network that somebody sees, as a filter on every question to the archives.

A district belongs to an organisation. A terminal is where its district is. A meter is where its terminal is; where the
terminal has no district, or there is no terminal, it is where the usage point is that it hangs on now. What is in no
district, and a district of no organisation, is seen by those alone who see everywhere.

A scope holds the ids of organisations, those below among them; districts are looked up in the database by each
question. So a district that moves to another organisation changes hands at once, the filter has hundreds of ids and not
tens of thousands, and no table repeats what another one says (docs/decisions/0013).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, inspect, or_, select, true
from sqlalchemy.orm import Session, aliased

from meterweave.manager.errors import NotVisible
from meterweave.manager.identity import Identity, Scope
from meterweave.registry.base import Base
from meterweave.registry.commands import Command
from meterweave.registry.models import Installation, Meter, Organisation, Terminal, TransformerDistrict, UsagePoint
from meterweave.text import Text

ASKED_MAX = 10_000
"""Most ids whose visibility one question tells."""

Entity = Any
"""A mapped class of `SCOPED`, or an alias of one."""

Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])
Row = TypeVar("Row", bound=Base)


def below(session: Session, organisations: Iterable[int]) -> frozenset[int]:
    """Ids of organisations and of all below them; circles, which the import refuses, do no harm."""
    roots = sorted(set(organisations))
    if not roots:
        return frozenset()
    tree = select(Organisation.id).where(Organisation.id.in_(roots)).cte("tree", recursive=True)
    child = aliased(Organisation)
    tree = tree.union(select(child.id).where(child.parent_id == tree.c.id))
    return frozenset(session.scalars(select(tree.c.id)))


def districts_of(session: Session, scope: Scope) -> frozenset[int]:
    """Ids of the districts in a scope, for what is compared in memory, such as a live feed."""
    return frozenset(session.scalars(select(TransformerDistrict.id).where(within(TransformerDistrict, scope))))


def in_scope(query: Q, identity: Identity, *entities: Entity) -> Q:
    """`query` with only those rows that the caller may see.

    Parameters
    ----------
    query : Select
        A question to the archives.
    entities : classes of `SCOPED`, or aliases of such
        Whose rows are filtered. None given: all of them among the columns asked for; a row that an outer join left
        without one of them is not shown then.

    Raises
    ------
    ValueError
        If nothing is to be filtered: a question without a filter is never what was meant.
    """
    found = entities or tuple(
        {id(one["entity"]): one["entity"] for one in query.column_descriptions if _scoped(one["entity"])}.values()
    )
    if not found:
        raise ValueError(f"say which of {', '.join(one.__name__ for one in SCOPED)} is to be filtered")
    return query.where(*(within(one, identity.scope) for one in found))


def within(entity: Entity, scope: Scope) -> ColumnElement[bool]:
    """The condition under which a row of `entity` is in `scope`.

    Raises
    ------
    ValueError
        If rows of `entity` belong to no part of the network.
    """
    if not _scoped(entity):
        raise ValueError(f"{entity!r} has no place in the network")
    if scope.everywhere:
        return true()
    if not scope.organisations:
        return false()
    return SCOPED[inspect(entity).mapper.class_](entity, scope)


def _scoped(entity: Entity) -> bool:
    return entity is not None and inspect(entity).mapper.class_ in SCOPED


def _organisation(organisation: Entity, scope: Scope) -> ColumnElement[bool]:
    return _one_of(organisation.id, scope)


def _district(district: Entity, scope: Scope) -> ColumnElement[bool]:
    return _one_of(district.organisation_id, scope)


def _one_of(column: ColumnElement[Any], scope: Scope) -> ColumnElement[bool]:
    return column.in_(sorted(scope.organisations))


def _districts(scope: Scope) -> Select[Any]:
    own = aliased(TransformerDistrict)
    return select(own.id).where(_district(own, scope))


def _in_district(row: Entity, scope: Scope) -> ColumnElement[bool]:
    """Of a terminal or a usage point."""
    inside: ColumnElement[bool] = row.district_id.in_(_districts(scope))
    return inside


def _meter(meter: Entity, scope: Scope) -> ColumnElement[bool]:
    # Of the forms measured this one has no bad case, be the part of the network small or large; see the decision note.
    terminal, homeless = aliased(Terminal), aliased(Terminal)
    span, point = aliased(Installation), aliased(UsagePoint)
    hangs_there = meter.terminal_id.in_(select(terminal.id).where(_in_district(terminal, scope)))
    hangs_nowhere = or_(
        meter.terminal_id.is_(None), meter.terminal_id.in_(select(homeless.id).where(homeless.district_id.is_(None)))
    )
    supplies_there = exists(
        select(span.id)
        .join(point, point.id == span.usage_point_id)
        .where(span.meter_id == meter.id, span.removed_at.is_(None), _in_district(point, scope))
        .correlate(meter)
    )
    return or_(hangs_there, and_(hangs_nowhere, supplies_there))


def _command(command: Entity, scope: Scope) -> ColumnElement[bool]:
    meter, terminal = aliased(Meter), aliased(Terminal)
    of_meter = exists(select(meter.id).where(meter.id == command.meter_id, _meter(meter, scope)).correlate(command))
    of_terminal = exists(
        select(terminal.id).where(terminal.id == command.terminal_id, _in_district(terminal, scope)).correlate(command)
    )
    return case((command.meter_id.is_not(None), of_meter), else_=of_terminal)


SCOPED: Mapping[type[Base], Callable[[Entity, Scope], ColumnElement[bool]]] = {
    Organisation: _organisation,
    TransformerDistrict: _district,
    Terminal: _in_district,
    UsagePoint: _in_district,
    Meter: _meter,
    Command: _command,
}
"""Whatever has a place in the network, and how that is found."""

_NAMES: Mapping[type[Base], Text] = {
    Organisation: Text("organisation", "单位"),
    TransformerDistrict: Text("district", "台区"),
    Terminal: Text("terminal", "终端"),
    UsagePoint: Text("usage point", "用电点"),
    Meter: Text("meter", "表"),
    Command: Text("command", "命令"),
}


def the_visible(session: Session, identity: Identity, kind: type[Row], number: int) -> Row:
    """The one row of `kind` with the id `number`.

    Raises
    ------
    NotVisible
        If there is none, or the caller may not see it: in the same words.
    """
    id_column: Any = inspect(kind).primary_key[0]
    found = session.scalars(in_scope(select(kind).where(id_column == number), identity, kind)).one_or_none()
    if found is None:
        name = _NAMES[kind]
        raise NotVisible(
            Text(f"there is no {name.en} with id {number} that you may see", f"没有您可查看的id为{number}的{name.zh}")
        )
    return found


def visible(session: Session, identity: Identity, kind: type[Base], numbers: Iterable[int]) -> frozenset[int]:
    """Which of these ids the caller may see; those that are not stored are not among them.

    Raises
    ------
    ValueError
        If there are more than `ASKED_MAX`.
    """
    asked = sorted(set(numbers))
    if len(asked) > ASKED_MAX:
        raise ValueError(f"{len(asked)} ids are asked for, {ASKED_MAX} are possible")
    id_column: Any = inspect(kind).primary_key[0]
    return frozenset(session.scalars(in_scope(select(id_column).where(id_column.in_(asked)), identity, kind)))


def count_in_scope(session: Session, identity: Identity, kind: type[Base]) -> int:
    """How many rows of `kind` the caller may see."""
    return session.scalar(in_scope(select(func.count()).select_from(kind), identity, kind)) or 0
