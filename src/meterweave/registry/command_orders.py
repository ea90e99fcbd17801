"""Commands as they are given and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from meterweave.registry.command_moves import Step, changing, move, note
from meterweave.registry.commands import (
    COMMAND_WORDS,
    METER_KINDS,
    RELAY_KINDS,
    Command,
    CommandCard,
    CommandKind,
    CommandState,
    card_of,
    find_command,
)
from meterweave.registry.database import Registry
from meterweave.registry.errors import CommandError, UnknownRecord
from meterweave.registry.models import Meter, Terminal
from meterweave.text import Text

WITHIN_MAX = timedelta(days=30)
"""The furthest deadline: a command that nobody remembers must not be carried out."""

ARGUMENTS_OCTETS_MAX = 16_384
_NAME_MAX, _REASON_MAX = 64, 500  # characters


class Order(NamedTuple):
    """What somebody wants; the same operator and caller's id stand for the same command, however often it is given."""

    operator: str
    caller_id: str
    kind: CommandKind
    not_after: datetime
    meter: int | None = None  # id; of `METER_KINDS`
    terminal: int | None = None  # id; of the others
    arguments: Mapping[str, Any] = MappingProxyType({})
    reason: str = ""


class Given(NamedTuple):
    """A command that is stored, and whether it was not before."""

    command: CommandCard
    new: bool


Also = Callable[[Session, CommandCard], None]
"""What else is to be written in the same transaction, such as an entry of the audit trail."""


def give(registry: Registry, order: Order, *, now: datetime, also: Also | None = None) -> Given:
    """Store a command for a head-end to carry out; `also` is called where it was not stored before.

    Raises
    ------
    CommandError
        If it cannot be given as it is, or its caller's id stands for another command already.
    UnknownRecord
        If there is no such meter or terminal, or the meter hangs on no terminal.
    """
    _check(order, now)
    try:
        return _give(registry, order, now, also)
    except IntegrityError:  # somebody gave it in this very moment
        return _give(registry, order, now, also)


def cancel(registry: Registry, command: int, *, by: str, now: datetime, also: Also | None = None) -> CommandCard:
    """Take a command back before it is sent; `also` is called when that was done.

    Raises
    ------
    CommandError
        If it is no longer waiting.
    UnknownRecord
        If there is none.
    """
    with changing(registry) as session:
        found = find_command(session, command)
        words = Text("taken back before it was sent", "发送前已撤回")
        if not move(session, command, CommandState.QUEUED, CommandState.CANCELLED, Step(by, now, words)):
            state = COMMAND_WORDS[found.state]
            raise CommandError(
                Text(
                    f"command {command} is {state.en}; only one that is queued can be cancelled",
                    f"命令{command}{state.zh}，只能取消待发送的命令",
                )
            )
        cancelled = find_command(session, command)
        if also is not None:
            also(session, cancelled)
        return cancelled


def _check(order: Order, now: datetime) -> None:
    for name, value, most in (
        (Text("the operator", "操作员"), order.operator, _NAME_MAX),
        (Text("the caller's id", "命令标识"), order.caller_id, _NAME_MAX),
        (Text("the reason", "原因"), order.reason, _REASON_MAX),
    ):
        if len(value) > most or not (value.strip() or value is order.reason):
            raise CommandError(
                Text(f"{name.en} must have 1 to {most} characters, not {len(value)}", f"{name.zh}须为1至{most}个字符")
            )
    if order.kind in RELAY_KINDS and not order.reason.strip():
        raise CommandError(Text(f"{order.kind} needs a reason", f"{COMMAND_WORDS[order.kind].zh}必须说明原因"))
    if not now < order.not_after <= now + WITHIN_MAX:
        days = WITHIN_MAX.days
        raise CommandError(Text(f"the deadline must be ahead, by {days} days at most", f"期限须在未来{days}天以内"))
    if (order.kind in METER_KINDS) == (order.meter is None):
        raise CommandError(
            Text(f"{order.kind} is for a meter", "此命令须指定电表")
            if order.meter is None
            else Text(f"{order.kind} is for a terminal, not for a meter", "此命令须指定终端")
        )
    if len(json.dumps(dict(order.arguments))) > ARGUMENTS_OCTETS_MAX:
        raise CommandError(Text("the arguments are too long", "参数过长"))


def _give(registry: Registry, order: Order, now: datetime, also: Also | None) -> Given:
    with changing(registry) as session:
        same = (Command.operator == order.operator, Command.caller_id == order.caller_id)
        stored = session.scalars(select(Command).where(*same)).one_or_none()
        if stored is not None:
            return Given(_unchanged(stored, order), new=False)
        row = Command(
            operator=order.operator,
            caller_id=order.caller_id,
            kind=order.kind,
            terminal_id=_terminal_of(session, order),
            meter_id=order.meter,
            arguments=dict(order.arguments),
            reason=order.reason,
            created_at=now,
            not_after=order.not_after,
            state=CommandState.QUEUED,
            state_at=now,
            due_at=now,
        )
        session.add(row)
        session.flush()
        note(session, row.id, CommandState.QUEUED, Step(order.operator, now, Text("given", "已下达")))
        card = card_of(row)
        if also is not None:
            also(session, card)
        return Given(card, new=True)


def _unchanged(stored: Command, order: Order) -> CommandCard:
    """The stored command, if it is the one that is given again; when, and until when, does not matter."""
    asked = (order.kind, order.meter, dict(order.arguments), order.reason)
    if asked != (stored.kind, stored.meter_id, stored.arguments, stored.reason) or (
        order.meter is None and order.terminal != stored.terminal_id
    ):
        raise CommandError(
            Text(
                f"the id {order.caller_id!r} of {order.operator} stands for another command already: "
                f"{stored.id}, {stored.kind}",
                f"{order.operator}的命令标识“{order.caller_id}”已用于另一命令{stored.id}（{COMMAND_WORDS[stored.kind].zh}）",
            )
        )
    return card_of(stored)


def _terminal_of(session: Session, order: Order) -> int:
    if order.meter is None:
        found = session.scalar(select(Terminal.id).where(Terminal.id == order.terminal))
        if found is None:
            raise UnknownRecord(
                Text(f"there is no terminal with id {order.terminal}", f"没有id为{order.terminal}的终端")
            )
        return found
    meter = session.get(Meter, order.meter)
    if meter is None:
        raise UnknownRecord(Text(f"there is no meter with id {order.meter}", f"没有id为{order.meter}的表"))
    if meter.terminal_id is None:
        raise UnknownRecord(
            Text(
                f"meter {meter.address} hangs on no terminal, so nobody can reach it",
                f"表{meter.address}未接入任何终端，无法召测或控制",
            )
        )
    return meter.terminal_id
