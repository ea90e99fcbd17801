"""Terminals: concentrators, lines, gateways, devices that call by themselves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables.common import district_columns, id_column, of_district, own_scope, words_of
from meterweave.registry.models import Organisation, Terminal, TransformerDistrict
from meterweave.registry.vocabulary import WORDS, Channel, Enrolment, TerminalKind, TerminalState
from meterweave.text import Text

_GATEWAY = aliased(Terminal, name="gateway")


def _joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(Terminal)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .outerjoin(Organisation, Organisation.id == TransformerDistrict.organisation_id)
        .outerjoin(_GATEWAY, _GATEWAY.id == Terminal.collector_id)
    )


TERMINALS = ServerTable(
    name="terminals",
    title=Text("terminals", "终端"),
    model=Terminal,
    key=(id_column(Terminal.id),),
    columns=(
        id_column(Terminal.id),
        Column(name="protocol", title=Text("protocol", "规约"), kind=Kind.TEXT, expression=Terminal.protocol),
        Column(
            name="address", title=Text("address", "地址"), kind=Kind.TEXT, expression=Terminal.address, sortable=True
        ),
        Column(name="name", title=Text("name", "名称"), kind=Kind.TEXT, expression=Terminal.name, sortable=True),
        Column(
            name="kind",
            title=Text("kind", "类型"),
            kind=Kind.WORD,
            expression=Terminal.kind,
            words=words_of(TerminalKind, WORDS),
            members=TerminalKind,
        ),
        Column(
            name="state",
            title=Text("state", "状态"),
            kind=Kind.WORD,
            expression=Terminal.state,
            words=words_of(TerminalState, WORDS),
            members=TerminalState,
        ),
        Column(
            name="channel",
            title=Text("channel", "信道"),
            kind=Kind.WORD,
            expression=Terminal.channel,
            words=words_of(Channel, WORDS),
            members=Channel,
        ),
        Column(
            name="enrolled_by",
            title=Text("enrolled by", "建档方式"),
            kind=Kind.WORD,
            expression=Terminal.enrolled_by,
            words=words_of(Enrolment, WORDS),
            members=Enrolment,
        ),
        *district_columns(of_district(Terminal.district_id)),
        Column(
            name="gateway",
            title=Text("gateway", "采集网关"),
            kind=Kind.TEXT,
            expression=_GATEWAY.address,
            nullable=True,
            through=lambda condition: Terminal.collector_id.in_(select(_GATEWAY.id).where(condition)),
        ),
        Column(
            name="cell_group",
            title=Text("cell group", "小区分组"),
            kind=Kind.TEXT,
            expression=Terminal.cell_group,
            nullable=True,
        ),
        Column(
            name="heartbeat",
            title=Text("heartbeat", "心跳周期"),
            kind=Kind.INTEGER,
            expression=Terminal.heartbeat_s,
            unit="s",
        ),
        *(
            Column(name=name, title=title, kind=Kind.INSTANT, expression=expression, sortable=True, nullable=True)
            for name, title, expression in (
                ("first_seen", Text("first seen", "首次上线"), Terminal.first_seen_at),
                ("last_seen", Text("last seen", "最近在线"), Terminal.last_seen_at),
                ("commissioned", Text("commissioned", "投运时间"), Terminal.commissioned_at),
            )
        ),
    ),
    sort="address",
    permission="archives.read",
    joined=_joined,
    scoped=own_scope(Terminal),
)
