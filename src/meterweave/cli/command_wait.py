"""A command given, and waited for: each step as it happens, and the exit code that says what came of it."""

from __future__ import annotations

import getpass
import json
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import typer

from meterweave.cli import command_page, moment
from meterweave.cli.choice import search_word, the_one
from meterweave.cli.folder import Folder
from meterweave.registry import Registry
from meterweave.registry.command_orders import Order, give
from meterweave.registry.command_orders import cancel as take_back
from meterweave.registry.command_queue import tidy
from meterweave.registry.commands import (
    COMMAND_WORDS,
    METER_KINDS,
    RELAY_KINDS,
    CommandCard,
    CommandKind,
    CommandState,
    find_command,
    steps_of,
)
from meterweave.registry.lookup import MeterCard, TerminalCard, find_meters, find_terminals
from meterweave.text import Language, Text

CONFIRMED, NOT_DONE, MISTAKE, UNKNOWN, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes."""

LOOK_EVERY_S = 0.2
WAIT_ON = timedelta(minutes=3)
"""How long after its deadline a command is still waited for: one that was sent just in time is answered by then."""

_CODES = {CommandState.CONFIRMED: CONFIRMED, CommandState.UNKNOWN: UNKNOWN, CommandState.SENT: UNKNOWN}

_ASK = Text("{kind} {device}?", "确定对{device}执行“{kind}”？")
_NOT_MEANT = Text("nothing was done", "未执行任何操作")
_GIVEN = Text("command {id}: {kind}, {device}", "命令{id}：{kind}，{device}")
_BEFORE = Text("command {id} was given before: {kind}, {device}", "命令{id}此前已下达：{kind}，{device}")
_GOES_ON = Text(
    "the command goes on; see what comes of it with: meterweave command show {id} --data {data}",
    "命令继续执行；查看结果：meterweave command show {id} --data {data}",
)


class Wish(NamedTuple):
    """What the command line asks for."""

    kind: CommandKind
    whom: str  # meter or terminal, as people call it
    operator: str
    caller_id: str | None
    within: timedelta
    reason: str
    yes: bool  # whether it is meant need not be asked
    arguments: Mapping[str, Any]


def this_user() -> str:
    """The user of this machine."""
    return getpass.getuser()


def carry_through(folder: Folder, wish: Wish, language: Language, *, wait: bool, as_json: bool) -> int:
    """Give a command and, where that is wanted, wait for what comes of it; the exit code.

    Raises
    ------
    MeterweaveError
        If it cannot be given.
    """
    with folder.archives() as registry:
        device = _device(registry, wish, language)
        if not (wish.yes or wish.kind not in RELAY_KINDS or _meant(wish, device, language)):
            typer.echo(_NOT_MEANT.in_language(language), err=True)
            return NOT_DONE
        now = moment.now()
        meter = wish.kind in METER_KINDS
        order = Order(
            operator=wish.operator,
            caller_id=wish.caller_id or uuid.uuid4().hex,
            kind=wish.kind,
            not_after=now + wish.within,
            meter=device.id if meter else None,
            terminal=None if meter else device.id,
            arguments=wish.arguments,
            reason=wish.reason,
        )
        command, new = give(registry, order, now=now)
        if not as_json:
            words = (_GIVEN if new else _BEFORE).in_language(language)
            kind = COMMAND_WORDS[command.kind].in_language(language)
            typer.echo(words.format(id=command.id, kind=kind, device=_name(device)))
        if wait:
            try:
                command = _watch(registry, command, language, silent=as_json)
            except KeyboardInterrupt:
                typer.echo(f"\n{_goes_on(command, folder, language)}", err=True)
                return INTERRUPTED
    found = command_page.portrait(folder, command.id)
    if as_json:
        typer.echo(json.dumps(found.to_json(language), ensure_ascii=False))
    else:
        command_page.show_outcome(found, language)
        if not command.ended:
            typer.echo(_goes_on(command, folder, language), err=True)
    return _CODES.get(command.state, NOT_DONE) if wait else CONFIRMED


def cancel(folder: Folder, number: int, operator: str) -> None:
    """Take a command back.

    Raises
    ------
    MeterweaveError
        If there is none, or it is too late.
    """
    with folder.archives() as registry:
        take_back(registry, number, by=operator, now=moment.now())


def _device(registry: Registry, wish: Wish, language: Language) -> MeterCard | TerminalCard:
    """The meter or terminal that is meant."""
    word = search_word(wish.whom)
    with registry.reading() as session:
        if wish.kind in METER_KINDS:
            return the_one(find_meters(session, word), wish.whom, language)
        return the_one(find_terminals(session, word), wish.whom, language)


def _meant(wish: Wish, device: MeterCard | TerminalCard, language: Language) -> bool:
    """Whether who sits at the terminal means it; who does not sit there has said so by calling."""
    if not sys.stdin.isatty():
        return True
    kind = COMMAND_WORDS[wish.kind].in_language(language)
    return typer.confirm(_ASK.in_language(language).format(kind=kind, device=_name(device)))


def _name(device: MeterCard | TerminalCard) -> str:
    """A device in the words of its name plate and of where it is."""
    parts = [f"{device.protocol} {device.address}"]
    if isinstance(device, TerminalCard):
        return " ".join([*parts, device.name]).rstrip()
    parts += [device.asset_number or ""]
    parts += [span.usage_point for span in device.history if span.removed_at is None]
    return " ".join(part for part in parts if part)


def _watch(registry: Registry, command: CommandCard, language: Language, *, silent: bool) -> CommandCard:
    """Show each step as it happens, until nothing more will come of it or it has been waited for long enough."""
    seen = 0
    while True:
        with registry.reading() as session:
            command, steps = find_command(session, command.id), steps_of(session, command.id, after=seen)
        for step in steps:
            seen = step.id
            if not silent:
                command_page.show_step(step, language)
        late = moment.now() - command.not_after
        if command.ended or late > WAIT_ON:
            return command
        if late >= timedelta() and command.state is CommandState.QUEUED:
            tidy(registry, now=moment.now())  # where no centre runs nobody else says that it is too late
        time.sleep(LOOK_EVERY_S)


def _goes_on(command: CommandCard, folder: Folder, language: Language) -> str:
    return _GOES_ON.in_language(language).format(id=command.id, data=folder.path)
