"""A caller's part of the network as alternatives that exclude each other, each of which an index answers.

`in_scope` says it in one condition, which is right for a row at hand. To gather the few rows of a county from a
million, a database wants one way in at a time: PostgreSQL uses no index for conditions with *or* between them. Together
the alternatives have just the rows that `in_scope` has, each once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import aliased

from meterweave.manager.identity import Identity, Scope
from meterweave.manager.scope import in_scope, within
from meterweave.registry.base import Base
from meterweave.registry.commands import Command
from meterweave.registry.models import Installation, Meter, Terminal, UsagePoint


def alternatives(query: Select[Any], identity: Identity, model: type[Base]) -> list[Select[Any]]:
    """`query` about rows of `model` as several, which together have the rows that the caller may see."""
    if identity.scope.everywhere:
        return [query]
    if model is Meter:
        return [query.where(one) for one in _meters(identity.scope)]
    if model is Installation:
        return [query.where(Installation.meter_id.in_(one)) for one in _meter_ids(identity.scope)]
    if model is Command:
        terminal = aliased(Terminal)
        of_terminal = Command.terminal_id.in_(select(terminal.id).where(within(terminal, identity.scope)))
        of_meter = [query.where(Command.meter_id.in_(one)) for one in _meter_ids(identity.scope)]
        return [query.where(Command.meter_id.is_(None), of_terminal), *of_meter]
    return [in_scope(query, identity, model)]


def _meter_ids(scope: Scope) -> Iterator[Select[Any]]:
    for one in _meters(scope):
        yield select(Meter.id).where(one)


def _meters(scope: Scope) -> list[ColumnElement[bool]]:
    """Where its terminal is; without a terminal, or if that has no district, where its usage point is."""
    terminal, homeless = aliased(Terminal), aliased(Terminal)
    span, point = aliased(Installation), aliased(UsagePoint)
    supplies_there = exists(
        select(span.id)
        .join(point, point.id == span.usage_point_id)
        .where(span.meter_id == Meter.id, span.removed_at.is_(None), within(point, scope))
        .correlate(Meter)
    )
    return [
        Meter.terminal_id.in_(select(terminal.id).where(within(terminal, scope))),
        Meter.terminal_id.is_(None) & supplies_there,
        Meter.terminal_id.in_(select(homeless.id).where(homeless.district_id.is_(None))) & supplies_there,
    ]
