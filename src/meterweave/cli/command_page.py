"""Commands for people and programs: a list of many, the whole story of one, what it brought."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import typer
from sqlalchemy import select

from meterweave.cli import columns, command_events, moment, page, render
from meterweave.cli.columns import Cell
from meterweave.cli.command_events import DeviceEvent
from meterweave.cli.folder import Folder
from meterweave.cli.measured import Reading
from meterweave.headend.collection.moments import instant_us
from meterweave.metering.batch import Profile, Source
from meterweave.metering.quantities import obis_code
from meterweave.registry import Meter, Registry, Terminal
from meterweave.registry.commands import (
    COMMAND_WORDS,
    CommandCard,
    CommandKind,
    CommandState,
    StepCard,
    find_command,
    list_commands,
    steps_of,
)
from meterweave.text import Language, Text

Json = dict[str, Any]

VALUES_MAX = 10_000
"""Most values of one command that are shown."""

_TITLE = Text("command {id}: {kind}", "命令{id}：{kind}")
_HISTORY, _VALUES = Text("History", "过程"), Text("Values", "数据")
_NONE, _NO_VALUES = Text("no command is like that", "没有符合条件的命令"), Text("none", "无")
_METER, _TERMINAL = Text("meter", "表计"), Text("terminal", "终端")
_OPERATOR, _REASON, _STATE = Text("operator", "操作员"), Text("reason", "原因"), Text("state", "状态")
_OUTCOME = Text("outcome", "结果")
_LIST = (
    Text("number", "编号"),
    Text("given", "下达时间"),
    Text("what", "命令"),
    Text("device", "设备"),
    _OPERATOR,
    _STATE,
    _OUTCOME,
)
_STEPS = (Text("local time", "时间"), _STATE, Text("by", "执行者"), Text("what happened", "说明"))
_VALUE_TABLE = (
    Text("quantity", "数据项"),
    Text("value", "数值"),
    Text("unit", "单位"),
    Text("series", "类别"),
    Text("local time", "时间"),
)
_FACTS = {
    "closed": Text("relay closed", "合闸状态"),
    "kept": Text("supply kept", "保电状态"),
    "offset_s": Text("clock ahead [s]", "时钟超前[秒]"),
    "added": Text("added", "新增"),
    "changed": Text("changed", "修改"),
    "removed": Text("removed", "删除"),
    "tasks": Text("tasks", "任务数"),
    "values": Text("values", "数据个数"),
    "events": Text("events read", "读到事件数"),
    "rows": Text("rows", "记录数"),
    "refusals": Text("refused meters", "被拒绝的表计"),
}
_YES, _NO = Text("yes", "是"), Text("no", "否")

_READS = (CommandKind.READ, CommandKind.READ_STORED)


class Portrait(NamedTuple):
    """One command, its history, and the values or events it brought."""

    command: CommandCard
    terminal: str
    meter: str
    steps: list[StepCard]
    values: list[Reading]
    events: list[DeviceEvent]

    def to_json(self, language: Language) -> Json:
        """As one JSON object."""
        seen = moment.now()
        return {
            "command": self.command.to_json(),
            "terminal": self.terminal,
            "meter": self.meter or None,
            "steps": [step.to_json() for step in self.steps],
            "values": [one.to_json(seen, language) for one in self.values],
            "events": [one.to_json(language) for one in self.events],
        }


def listed(folder: Folder, *, state: str | None, limit: int, offset: int) -> list[tuple[CommandCard, str]]:
    """Commands, the newest first, each with the device it is for."""
    wanted = None if state is None else CommandState(state)
    with folder.archives() as registry:
        with registry.reading() as session:
            found = list_commands(session, state=wanted, limit=limit, offset=offset)
        names = _names(registry, found)
    return [(one, names[one.id][1] or names[one.id][0]) for one in found]


def portrait(folder: Folder, number: int) -> Portrait:
    """One command with all there is to tell.

    Raises
    ------
    MeterweaveError
        If there is none, or archives or lake cannot be read.
    """
    with folder.archives() as registry:
        with registry.reading() as session:
            command, steps = find_command(session, number), steps_of(session, number)
        terminal, meter = _names(registry, [command])[command.id]
    values, events = _values(folder, command, steps), command_events.events_of(folder, command)
    return Portrait(command, terminal, meter, steps, values, events)


def show_list(found: list[tuple[CommandCard, str]], language: Language, *, as_json: bool) -> None:
    """Print a list."""
    if as_json:
        rows = [command.to_json() | {"device": device} for command, device in found]
        typer.echo(json.dumps({"commands": rows}, ensure_ascii=False))
        return
    if not found:
        typer.echo(_NONE.in_language(language))
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _LIST]
    body = [
        [
            str(one.id),
            moment.local(one.created_at),
            COMMAND_WORDS[one.kind].in_language(language),
            device,
            one.operator,
            COMMAND_WORDS[one.state].in_language(language),
            one.outcome.in_language(language) if one.outcome else "",
        ]
        for one, device in found
    ]
    columns.write(render.console(), [header, *(list(map(Cell, row)) for row in body)], right=[0])


def show(found: Portrait, language: Language, *, as_json: bool) -> None:
    """Print the page of one command."""
    if as_json:
        typer.echo(json.dumps(found.to_json(language), ensure_ascii=False))
        return
    out, command = render.console(), found.command
    kind = COMMAND_WORDS[command.kind].in_language(language)
    page.title(out, _TITLE.in_language(language).format(id=command.id, kind=kind))
    facts = [
        (_STATE, COMMAND_WORDS[command.state].in_language(language)),
        (_METER, found.meter),
        (_TERMINAL, found.terminal),
        (_OPERATOR, command.operator),
        (_REASON, command.reason),
        (Text("operator's id", "命令标识"), command.caller_id),
        (Text("given", "下达时间"), moment.local(command.created_at)),
        (Text("not sent after", "发送期限"), moment.local(command.not_after)),
    ]
    page.facts(out, facts, language)
    rows = [
        [
            moment.local(step.at),
            COMMAND_WORDS[step.state].in_language(language),
            step.by,
            step.words.in_language(language),
        ]
        for step in found.steps
    ]
    page.table(out, _HISTORY, _STEPS, rows, language, none=_NO_VALUES)
    show_outcome(found, language)


def show_step(step: StepCard, language: Language) -> None:
    """Print one step, on a line."""
    state = COMMAND_WORDS[step.state].in_language(language)
    line = [moment.local(step.at), f"{state}:", step.words.in_language(language)]
    columns.write(render.console(), [[Cell(" ".join(line))]])


def show_outcome(found: Portrait, language: Language) -> None:
    """Print what a command brought: facts of the device, values, events."""
    out = render.console()
    facts = [(_FACTS.get(name, Text(name, name)), _fact(value, language)) for name, value in _told(found.command)]
    page.facts(out, facts, language)
    if found.command.state is not CommandState.CONFIRMED:
        return
    if found.command.kind is CommandKind.EVENTS:
        command_events.show(out, found.events, language)
    elif found.command.kind in _READS:
        _show_values(found, language)


def _show_values(found: Portrait, language: Language) -> None:
    seen = moment.now()
    rows = []
    for one in found.values:
        said = one.to_json(seen, language)
        value, unit = render.amount(said["value"], said["unit"] or "", language)
        series = render.series(one.profile, language)
        rows.append([said["meaning"] or said["obis"], value, unit, series, moment.local(one.ts)])
    page.table(render.console(), _VALUES, _VALUE_TABLE, rows, language, right=[1], none=_NO_VALUES)


def _told(command: CommandCard) -> list[tuple[str, Any]]:
    return list((command.facts or {}).items())


def _fact(value: Any, language: Language) -> str:
    if isinstance(value, bool):
        return (_YES if value else _NO).in_language(language)
    if isinstance(value, list):
        return Text("; ", "；").in_language(language).join(f"id:{one['meter']} {one[language]}" for one in value)
    return str(value)


def _names(registry: Registry, commands: list[CommandCard]) -> dict[int, tuple[str, str]]:
    """Of each command, by its id, the terminal and the meter by protocol and address."""
    terminals, meters = {one.terminal_id for one in commands}, {one.meter_id for one in commands} - {None}
    with registry.reading() as session:
        of_terminal = {
            row.id: f"{row.protocol} {row.address}"
            for row in session.execute(
                select(Terminal.id, Terminal.protocol, Terminal.address).where(Terminal.id.in_(terminals))
            )
        }
        of_meter = {
            row.id: f"{row.protocol} {row.address}"
            for row in session.execute(select(Meter.id, Meter.protocol, Meter.address).where(Meter.id.in_(meters)))
        }
    return {one.id: (of_terminal.get(one.terminal_id, ""), of_meter.get(one.meter_id or 0, "")) for one in commands}


def _values(folder: Folder, command: CommandCard, steps: list[StepCard]) -> list[Reading]:
    """The values that a reading brought: what came of its meter, asked for and not reported, while it was under way."""
    if command.kind not in _READS or command.state is not CommandState.CONFIRMED or not folder.lake_path.is_dir():
        return []
    sent = max(step.at for step in steps if step.state is CommandState.SENT)
    quantities = ", ".join(str(obis_code(one)) for one in command.arguments.get("quantities", ()))
    profile = Profile[command.arguments["profile"].upper()] if "profile" in command.arguments else Profile.SPOT
    with folder.lake() as lake:
        found = lake.query(
            f"SELECT {', '.join(Reading._fields)} FROM readings WHERE meter = {command.meter_id} "
            f"AND profile = {profile:d} AND source <> {Source.PUSHED:d} "
            + (f"AND quantity IN ({quantities}) " if quantities else "AND value IS NOT NULL ")
            + f"AND received BETWEEN make_timestamptz({instant_us(sent)}) "
            f"AND make_timestamptz({instant_us(command.state_at)}) ORDER BY ts, quantity LIMIT {VALUES_MAX}"
        )
    return [Reading(**row) for row in found.to_pylist()]
