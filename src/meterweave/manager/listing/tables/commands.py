"""Commands to devices, and how far they are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables.common import (
    id_column,
    of_meter,
    of_terminal,
    own_alternatives,
    own_scope,
    terminal_columns,
    words_of,
)
from meterweave.registry.commands import COMMAND_WORDS, Command, CommandKind, CommandState
from meterweave.registry.models import Meter, Terminal
from meterweave.text import Text


def _joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(Command)
        .outerjoin(Terminal, Terminal.id == Command.terminal_id)
        .outerjoin(Meter, Meter.id == Command.meter_id)
    )


COMMANDS = ServerTable(
    name="commands",
    title=Text("commands", "命令"),
    model=Command,
    key=(id_column(Command.id),),
    columns=(
        id_column(Command.id),
        Column(
            name="created",
            title=Text("given", "下达时间"),
            kind=Kind.INSTANT,
            expression=Command.created_at,
            sortable=True,
        ),
        Column(
            name="kind",
            title=Text("command", "命令"),
            kind=Kind.WORD,
            expression=Command.kind,
            words=words_of(CommandKind, COMMAND_WORDS),
            members=CommandKind,
        ),
        Column(
            name="state",
            title=Text("state", "状态"),
            kind=Kind.WORD,
            expression=Command.state,
            words=words_of(CommandState, COMMAND_WORDS),
            members=CommandState,
        ),
        Column(name="state_at", title=Text("since", "状态时间"), kind=Kind.INSTANT, expression=Command.state_at),
        Column(name="operator", title=Text("operator", "操作员"), kind=Kind.TEXT, expression=Command.operator),
        *terminal_columns(of_terminal(Command.terminal_id)),
        Column(
            name="meter",
            title=Text("meter", "表地址"),
            kind=Kind.TEXT,
            expression=Meter.address,
            nullable=True,
            through=of_meter(Command.meter_id),
        ),
        Column(name="reason", title=Text("reason", "原因"), kind=Kind.TEXT, expression=Command.reason),
        Column(name="not_after", title=Text("not after", "截止时间"), kind=Kind.INSTANT, expression=Command.not_after),
        Column(name="tries", title=Text("looked for", "查询次数"), kind=Kind.INTEGER, expression=Command.tries),
        Column(
            name="outcome_en",
            title=Text("outcome (English)", "结果（英文）"),
            kind=Kind.TEXT,
            expression=Command.outcome_en,
            nullable=True,
        ),
        Column(
            name="outcome_zh",
            title=Text("outcome (Chinese)", "结果（中文）"),
            kind=Kind.TEXT,
            expression=Command.outcome_zh,
            nullable=True,
        ),
    ),
    sort="-created",
    permission="commands.read",
    joined=_joined,
    scoped=own_scope(Command),
    gathered=own_alternatives(Command),
)
