"""Usage points, and which meter hung on them when."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, select

from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables.common import (
    district_columns,
    id_column,
    of_district,
    of_meter,
    own_alternatives,
    own_scope,
    scope_by,
    words_of,
)
from meterweave.registry.models import Installation, Meter, Organisation, TransformerDistrict, UsagePoint
from meterweave.registry.vocabulary import WORDS, Utility
from meterweave.text import Text


def _with_district(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(UsagePoint)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == UsagePoint.district_id)
        .outerjoin(Organisation, Organisation.id == TransformerDistrict.organisation_id)
    )


def _with_both_ends(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(Installation)
        .join(Meter, Meter.id == Installation.meter_id)
        .join(UsagePoint, UsagePoint.id == Installation.usage_point_id)
    )


def _of_point(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return Installation.usage_point_id.in_(select(UsagePoint.id).where(condition))


USAGE_POINTS = ServerTable(
    name="usage_points",
    title=Text("usage points", "用电点"),
    model=UsagePoint,
    key=(id_column(UsagePoint.id),),
    columns=(
        id_column(UsagePoint.id),
        Column(name="code", title=Text("code", "编码"), kind=Kind.TEXT, expression=UsagePoint.code, sortable=True),
        Column(name="name", title=Text("name", "名称"), kind=Kind.TEXT, expression=UsagePoint.name, sortable=True),
        *district_columns(of_district(UsagePoint.district_id)),
    ),
    sort="code",
    permission="archives.read",
    joined=_with_district,
    scoped=own_scope(UsagePoint),
)

INSTALLATIONS = ServerTable(
    name="installations",
    title=Text("installations", "装拆记录"),
    model=Installation,
    key=(id_column(Installation.id),),
    columns=(
        id_column(Installation.id),
        Column(
            name="utility",
            title=Text("utility", "能源类型"),
            kind=Kind.WORD,
            expression=Installation.utility,
            words=words_of(Utility, WORDS),
            members=Utility,
        ),
        Column(
            name="meter",
            title=Text("meter", "表地址"),
            kind=Kind.TEXT,
            expression=Meter.address,
            through=of_meter(Installation.meter_id),
        ),
        Column(
            name="asset_number",
            title=Text("asset number", "资产编号"),
            kind=Kind.TEXT,
            expression=Meter.asset_number,
            nullable=True,
            through=of_meter(Installation.meter_id),
        ),
        Column(
            name="usage_point",
            title=Text("usage point", "用电点编码"),
            kind=Kind.TEXT,
            expression=UsagePoint.code,
            through=_of_point,
        ),
        Column(
            name="usage_point_name",
            title=Text("usage point name", "用电点名称"),
            kind=Kind.TEXT,
            expression=UsagePoint.name,
            through=_of_point,
        ),
        Column(
            name="installed",
            title=Text("installed", "安装时间"),
            kind=Kind.INSTANT,
            expression=Installation.installed_at,
            sortable=True,
        ),
        Column(
            name="removed",
            title=Text("removed", "拆除时间"),
            kind=Kind.INSTANT,
            expression=Installation.removed_at,
            nullable=True,
        ),
    ),
    sort="-installed",
    permission="archives.read",
    joined=_with_both_ends,
    scoped=scope_by(Installation.meter_id, Meter),
    gathered=own_alternatives(Installation),
)
