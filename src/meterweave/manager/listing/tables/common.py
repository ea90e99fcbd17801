"""Columns and filters that several tables have."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute

from meterweave.manager.alternatives import alternatives
from meterweave.manager.identity import Identity
from meterweave.manager.listing.column import Column, Kind, Through
from meterweave.manager.listing.table import Gathered, Scoped
from meterweave.manager.scope import in_scope
from meterweave.registry.base import Base
from meterweave.registry.models import Meter, Organisation, Terminal, TransformerDistrict
from meterweave.text import Text

Word = TypeVar("Word", bound=StrEnum)


def words_of(kind: type[Word], words: Mapping[Word, Text] | Mapping[StrEnum, Text]) -> dict[str, Text]:
    """What the members of a closed list are called, by the words that are stored."""
    return {member.value: words[member] for member in kind}


def own_scope(model: type[Base]) -> Scoped:
    """Rows that themselves have a place in the network."""

    def scoped(query: Select[Any], identity: Identity) -> Select[Any]:
        return query if identity.scope.everywhere else in_scope(query, identity, model)

    return scoped


def own_alternatives(model: type[Base]) -> Gathered:
    """The same, for gathering."""

    def gathered(query: Select[Any], identity: Identity) -> list[Select[Any]]:
        return alternatives(query, identity, model)

    return gathered


def scope_by(reference: InstrumentedAttribute[Any], model: type[Base]) -> Scoped:
    """Rows that are where the record is that they refer to."""

    def scoped(query: Select[Any], identity: Identity) -> Select[Any]:
        if identity.scope.everywhere:
            return query
        place: Any = model.__table__.c.id
        return query.where(reference.in_(in_scope(select(place), identity, model)))

    return scoped


def of_terminal(reference: InstrumentedAttribute[Any]) -> Through:
    """By the terminal that a row refers to."""
    return lambda condition: reference.in_(select(Terminal.id).where(condition))


def of_district(reference: InstrumentedAttribute[Any]) -> Through:
    """By the district that a row refers to."""
    return lambda condition: reference.in_(select(TransformerDistrict.id).where(condition))


def of_terminals_district(reference: InstrumentedAttribute[Any]) -> Through:
    """By the district of the terminal that a row refers to."""
    district = of_district(Terminal.district_id)
    return lambda condition: reference.in_(select(Terminal.id).where(district(condition)))


def of_meter(reference: InstrumentedAttribute[Any]) -> Through:
    """By the meter that a row refers to."""
    return lambda condition: reference.in_(select(Meter.id).where(condition))


def of_organisation(district: Through) -> Through:
    """By the organisation of the district that `district` leads to."""

    def through(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return district(TransformerDistrict.organisation_id.in_(select(Organisation.id).where(condition)))

    return through


def id_column(expression: Any) -> Column:
    """The number of a row."""
    return Column(name="id", title=Text("id", "编号"), kind=Kind.INTEGER, expression=expression, sortable=True)


def district_columns(through: Through) -> tuple[Column, ...]:
    """Code and name of a joined district, and the code of its organisation."""
    return (
        Column(
            name="district",
            title=Text("district", "台区编码"),
            kind=Kind.TEXT,
            expression=TransformerDistrict.code,
            nullable=True,
            through=through,
        ),
        Column(
            name="district_name",
            title=Text("district name", "台区名称"),
            kind=Kind.TEXT,
            expression=TransformerDistrict.name,
            nullable=True,
            through=through,
        ),
        Column(
            name="organisation",
            title=Text("organisation", "所属单位"),
            kind=Kind.TEXT,
            expression=Organisation.code,
            nullable=True,
            through=of_organisation(through),
        ),
    )


def terminal_columns(through: Through) -> tuple[Column, ...]:
    """Protocol and address of a joined terminal."""
    return (
        Column(
            name="terminal",
            title=Text("terminal", "终端地址"),
            kind=Kind.TEXT,
            expression=Terminal.address,
            nullable=True,
            through=through,
        ),
        Column(
            name="terminal_protocol",
            title=Text("terminal protocol", "终端规约"),
            kind=Kind.TEXT,
            expression=Terminal.protocol,
            nullable=True,
            through=through,
        ),
    )
