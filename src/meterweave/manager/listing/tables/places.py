"""Organisations and districts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables.common import id_column, own_scope
from meterweave.registry.models import Organisation, TransformerDistrict
from meterweave.text import Text

_PARENT = aliased(Organisation, name="parent")


def _with_parent(query: Select[Any]) -> Select[Any]:
    return query.select_from(Organisation).outerjoin(_PARENT, _PARENT.id == Organisation.parent_id)


def _with_organisation(query: Select[Any]) -> Select[Any]:
    return query.select_from(TransformerDistrict).outerjoin(
        Organisation, Organisation.id == TransformerDistrict.organisation_id
    )


ORGANISATIONS = ServerTable(
    name="organisations",
    title=Text("organisations", "单位"),
    model=Organisation,
    key=(id_column(Organisation.id),),
    columns=(
        id_column(Organisation.id),
        Column(name="code", title=Text("code", "编码"), kind=Kind.TEXT, expression=Organisation.code, sortable=True),
        Column(name="name", title=Text("name", "名称"), kind=Kind.TEXT, expression=Organisation.name, sortable=True),
        Column(
            name="parent",
            title=Text("above it", "上级单位"),
            kind=Kind.TEXT,
            expression=_PARENT.code,
            nullable=True,
            filtered=False,
        ),
    ),
    sort="code",
    permission="archives.read",
    joined=_with_parent,
    scoped=own_scope(Organisation),
)

DISTRICTS = ServerTable(
    name="districts",
    title=Text("districts", "台区"),
    model=TransformerDistrict,
    key=(id_column(TransformerDistrict.id),),
    columns=(
        id_column(TransformerDistrict.id),
        Column(
            name="code", title=Text("code", "编码"), kind=Kind.TEXT, expression=TransformerDistrict.code, sortable=True
        ),
        Column(
            name="name", title=Text("name", "名称"), kind=Kind.TEXT, expression=TransformerDistrict.name, sortable=True
        ),
        Column(
            name="organisation",
            title=Text("organisation", "所属单位"),
            kind=Kind.TEXT,
            expression=Organisation.code,
            nullable=True,
            through=lambda condition: TransformerDistrict.organisation_id.in_(select(Organisation.id).where(condition)),
        ),
        Column(
            name="rating",
            title=Text("transformer rating", "变压器容量"),
            kind=Kind.INTEGER,
            expression=TransformerDistrict.rating_va,
            unit="VA",
            sortable=True,
            nullable=True,
        ),
        Column(
            name="ct_primary",
            title=Text("CT primary", "CT一次电流"),
            kind=Kind.INTEGER,
            expression=TransformerDistrict.ct_primary_a,
            unit="A",
        ),
        Column(
            name="ct_secondary",
            title=Text("CT secondary", "CT二次电流"),
            kind=Kind.INTEGER,
            expression=TransformerDistrict.ct_secondary_a,
            unit="A",
        ),
    ),
    sort="code",
    permission="archives.read",
    joined=_with_organisation,
    scoped=own_scope(TransformerDistrict),
)
