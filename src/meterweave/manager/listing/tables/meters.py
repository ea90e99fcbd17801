"""Meters, with what they hang on and where they are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, not_, or_, select

from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables.common import (
    district_columns,
    id_column,
    of_terminal,
    of_terminals_district,
    own_alternatives,
    own_scope,
    terminal_columns,
    words_of,
)
from meterweave.mdm.estate import WORDS as HOW_WORDS
from meterweave.mdm.estate import How
from meterweave.registry.address import BUS, MANUAL, MQTT, UDP
from meterweave.registry.models import Installation, Meter, Organisation, Terminal, TransformerDistrict, UsagePoint
from meterweave.registry.vocabulary import WORDS, Phase, TerminalKind, Utility, Wiring
from meterweave.text import Text


def _hangs_on(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return Meter.terminal_id.in_(select(Terminal.id).where(*conditions))


_BY_ITSELF = or_(Terminal.protocol.in_((MQTT, UDP)), Terminal.kind == TerminalKind.METER)
_ON_A_LINE = Terminal.protocol == BUS
_NOT_BY_HAND = Meter.protocol != MANUAL
_HOW_TOLD: dict[str, ColumnElement[bool]] = {
    How.HAND: Meter.protocol == MANUAL,
    How.NONE: and_(Meter.terminal_id.is_(None), _NOT_BY_HAND),
    How.BUS: and_(_hangs_on(_ON_A_LINE), _NOT_BY_HAND),
    How.DIRECT: and_(_hangs_on(not_(_ON_A_LINE), _BY_ITSELF), _NOT_BY_HAND),
    How.CONCENTRATOR: and_(_hangs_on(not_(_ON_A_LINE), not_(_BY_ITSELF)), _NOT_BY_HAND),
}
_HOW: ColumnElement[str] = case(
    (Meter.protocol == MANUAL, How.HAND.value),
    (Meter.terminal_id.is_(None), How.NONE.value),
    (_ON_A_LINE, How.BUS.value),
    (_BY_ITSELF, How.DIRECT.value),
    else_=How.CONCENTRATOR.value,
)


def _by_usage_point(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    there = (
        select(Installation.meter_id)
        .join(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        .where(Installation.removed_at.is_(None), condition)
    )
    return Meter.id.in_(there)


def _joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(Meter)
        .outerjoin(Terminal, Terminal.id == Meter.terminal_id)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .outerjoin(Organisation, Organisation.id == TransformerDistrict.organisation_id)
        .outerjoin(Installation, and_(Installation.meter_id == Meter.id, Installation.removed_at.is_(None)))
        .outerjoin(UsagePoint, UsagePoint.id == Installation.usage_point_id)
    )


METERS = ServerTable(
    name="meters",
    title=Text("meters", "表计"),
    model=Meter,
    key=(id_column(Meter.id),),
    columns=(
        id_column(Meter.id),
        Column(
            name="utility",
            title=Text("utility", "能源类型"),
            kind=Kind.WORD,
            expression=Meter.utility,
            words=words_of(Utility, WORDS),
            members=Utility,
            sortable=True,
        ),
        Column(
            name="protocol", title=Text("protocol", "规约"), kind=Kind.TEXT, expression=Meter.protocol, sortable=True
        ),
        Column(
            name="address", title=Text("address", "表地址"), kind=Kind.TEXT, expression=Meter.address, sortable=True
        ),
        Column(
            name="asset_number",
            title=Text("asset number", "资产编号"),
            kind=Kind.TEXT,
            expression=Meter.asset_number,
            sortable=True,
            nullable=True,
        ),
        Column(name="model", title=Text("model", "型号"), kind=Kind.TEXT, expression=Meter.model, sortable=True),
        Column(
            name="how",
            title=Text("how collected", "采集方式"),
            kind=Kind.WORD,
            expression=_HOW,
            words=words_of(How, HOW_WORDS),
            told=_HOW_TOLD,
        ),
        *terminal_columns(of_terminal(Meter.terminal_id)),
        Column(
            name="point_number",
            title=Text("measuring point", "测量点号"),
            kind=Kind.INTEGER,
            expression=Meter.point_number,
            nullable=True,
        ),
        *district_columns(of_terminals_district(Meter.terminal_id)),
        Column(
            name="usage_point",
            title=Text("usage point", "用电点编码"),
            kind=Kind.TEXT,
            expression=UsagePoint.code,
            nullable=True,
            through=_by_usage_point,
        ),
        Column(
            name="usage_point_name",
            title=Text("usage point name", "用电点名称"),
            kind=Kind.TEXT,
            expression=UsagePoint.name,
            nullable=True,
            through=_by_usage_point,
        ),
        Column(
            name="wiring",
            title=Text("wiring", "接线方式"),
            kind=Kind.WORD,
            expression=Meter.wiring,
            words=words_of(Wiring, WORDS),
            members=Wiring,
            nullable=True,
        ),
        Column(
            name="phase",
            title=Text("phase", "相别"),
            kind=Kind.WORD,
            expression=Meter.phase,
            words=words_of(Phase, WORDS),
            members=Phase,
            nullable=True,
        ),
        *(
            Column(name=name, title=title, kind=Kind.INTEGER, expression=expression)
            for name, title, expression in (
                ("ct_primary", Text("CT primary", "CT一次"), Meter.ct_primary),
                ("ct_secondary", Text("CT secondary", "CT二次"), Meter.ct_secondary),
                ("pt_primary", Text("PT primary", "PT一次"), Meter.pt_primary),
                ("pt_secondary", Text("PT secondary", "PT二次"), Meter.pt_secondary),
            )
        ),
    ),
    sort="address",
    permission="archives.read",
    joined=_joined,
    scoped=own_scope(Meter),
    gathered=own_alternatives(Meter),
)
