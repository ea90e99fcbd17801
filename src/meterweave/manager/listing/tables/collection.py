"""Collection plans, and what of them is missing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, or_, select

from meterweave.manager.identity import Identity
from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables.common import (
    district_columns,
    id_column,
    of_district,
    of_terminal,
    of_terminals_district,
    scope_by,
    terminal_columns,
    words_of,
)
from meterweave.manager.scope import within
from meterweave.registry.collection import COLLECTION_WORDS, CollectionGap, CollectionPlan, GapState, Series
from meterweave.registry.models import Organisation, Terminal, TransformerDistrict
from meterweave.registry.vocabulary import WORDS, Utility
from meterweave.text import Text


def _plans_in_scope(query: Select[Any], identity: Identity) -> Select[Any]:
    """Plans for everybody, and those of the caller's part of the network."""
    if identity.scope.everywhere:
        return query
    organisations = select(Organisation.id).where(within(Organisation, identity.scope))
    districts = select(TransformerDistrict.id).where(within(TransformerDistrict, identity.scope))
    return query.where(
        and_(
            or_(CollectionPlan.organisation_id.is_(None), CollectionPlan.organisation_id.in_(organisations)),
            or_(CollectionPlan.district_id.is_(None), CollectionPlan.district_id.in_(districts)),
        )
    )


def _plans_joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(CollectionPlan)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == CollectionPlan.district_id)
        .outerjoin(Organisation, Organisation.id == CollectionPlan.organisation_id)
    )


def _gaps_joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(CollectionGap)
        .join(Terminal, Terminal.id == CollectionGap.terminal_id)
        .join(CollectionPlan, CollectionPlan.id == CollectionGap.plan_id)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .outerjoin(Organisation, Organisation.id == TransformerDistrict.organisation_id)
    )


PLANS = ServerTable(
    name="collection_plans",
    title=Text("collection plans", "采集方案"),
    model=CollectionPlan,
    key=(id_column(CollectionPlan.id),),
    columns=(
        id_column(CollectionPlan.id),
        Column(name="name", title=Text("name", "名称"), kind=Kind.TEXT, expression=CollectionPlan.name, sortable=True),
        Column(
            name="utility",
            title=Text("utility", "能源类型"),
            kind=Kind.WORD,
            expression=CollectionPlan.utility,
            words=words_of(Utility, WORDS),
            members=Utility,
            sortable=True,
        ),
        Column(
            name="series",
            title=Text("series", "数据类型"),
            kind=Kind.WORD,
            expression=CollectionPlan.series,
            words=words_of(Series, COLLECTION_WORDS),
            members=Series,
            sortable=True,
        ),
        Column(
            name="period",
            title=Text("period", "周期"),
            kind=Kind.INTEGER,
            expression=CollectionPlan.period_s,
            unit="s",
            sortable=True,
        ),
        Column(
            name="deadline",
            title=Text("deadline", "时限"),
            kind=Kind.INTEGER,
            expression=CollectionPlan.deadline_s,
            unit="s",
            sortable=True,
        ),
        Column(
            name="memory",
            title=Text("kept by devices", "设备保存"),
            kind=Kind.INTEGER,
            expression=CollectionPlan.memory_days,
            unit="d",
        ),
        Column(
            name="quantities", title=Text("quantities", "数据项"), kind=Kind.TEXT, expression=CollectionPlan.quantities
        ),
        Column(
            name="district",
            title=Text("district", "台区编码"),
            kind=Kind.TEXT,
            expression=TransformerDistrict.code,
            nullable=True,
            through=of_district(CollectionPlan.district_id),
        ),
        Column(
            name="organisation",
            title=Text("organisation", "所属单位"),
            kind=Kind.TEXT,
            expression=Organisation.code,
            nullable=True,
            through=lambda condition: CollectionPlan.organisation_id.in_(select(Organisation.id).where(condition)),
        ),
        Column(name="enabled", title=Text("enabled", "启用"), kind=Kind.FLAG, expression=CollectionPlan.enabled),
    ),
    sort="name",
    permission="collection.read",
    joined=_plans_joined,
    scoped=_plans_in_scope,
)

_DAY = Column(name="day", title=Text("day", "日期"), kind=Kind.DAY, expression=CollectionGap.day, sortable=True)
_TERMINAL_ID = Column(
    name="terminal_id", title=Text("terminal id", "终端编号"), kind=Kind.INTEGER, expression=CollectionGap.terminal_id
)
_PLAN_ID = Column(
    name="plan_id", title=Text("plan id", "方案编号"), kind=Kind.INTEGER, expression=CollectionGap.plan_id
)

GAPS = ServerTable(
    name="gaps",
    title=Text("gaps", "缺数"),
    model=CollectionGap,
    key=(_TERMINAL_ID, _PLAN_ID, _DAY),
    columns=(
        _DAY,
        _TERMINAL_ID,
        _PLAN_ID,
        Column(
            name="plan",
            title=Text("plan", "采集方案"),
            kind=Kind.TEXT,
            expression=CollectionPlan.name,
            through=lambda condition: CollectionGap.plan_id.in_(select(CollectionPlan.id).where(condition)),
        ),
        *terminal_columns(of_terminal(CollectionGap.terminal_id)),
        *district_columns(of_terminals_district(CollectionGap.terminal_id)),
        Column(
            name="missing",
            title=Text("missing readings", "缺数"),
            kind=Kind.INTEGER,
            expression=CollectionGap.missing,
            sortable=True,
        ),
        Column(name="meters", title=Text("meters", "表数"), kind=Kind.INTEGER, expression=CollectionGap.meters),
        Column(
            name="oldest",
            title=Text("oldest", "最早缺数"),
            kind=Kind.INSTANT,
            expression=CollectionGap.oldest_at,
        ),
        Column(
            name="attempts",
            title=Text("attempts in vain", "失败次数"),
            kind=Kind.INTEGER,
            expression=CollectionGap.attempts,
        ),
        Column(
            name="next_try", title=Text("next try", "下次补召"), kind=Kind.INSTANT, expression=CollectionGap.next_try_at
        ),
        Column(
            name="state",
            title=Text("state", "状态"),
            kind=Kind.WORD,
            expression=CollectionGap.state,
            words=words_of(GapState, COLLECTION_WORDS),
            members=GapState,
        ),
        Column(
            name="reason_en",
            title=Text("reason (English)", "原因（英文）"),
            kind=Kind.TEXT,
            expression=CollectionGap.reason_en,
        ),
        Column(
            name="reason_zh",
            title=Text("reason (Chinese)", "原因（中文）"),
            kind=Kind.TEXT,
            expression=CollectionGap.reason_zh,
        ),
    ),
    sort="-day",
    permission="collection.read",
    joined=_gaps_joined,
    scoped=scope_by(CollectionGap.terminal_id, Terminal),
)
