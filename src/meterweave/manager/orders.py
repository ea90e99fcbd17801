"""Commands, given, looked at and taken back by who may; each deed stands in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from meterweave.manager.change import note
from meterweave.manager.errors import AskedWrongly
from meterweave.manager.identity import Identity, require
from meterweave.manager.scope import the_visible
from meterweave.registry import Meter, Registry, Terminal
from meterweave.registry.command_orders import Given, Order, cancel, give
from meterweave.registry.commands import METER_KINDS, RELAY_KINDS, Command, CommandCard, CommandKind, StepCard, steps_of
from meterweave.registry.commands import card_of as _card_of
from meterweave.text import Text


class Wish(NamedTuple):
    """What somebody wants of a device.

    Attributes
    ----------
    caller_id : str
        Theirs: given twice it is one command.
    meter, terminal : int or None
        Whose it is, by its id; the one of the two that `kind` is for.
    """

    kind: CommandKind
    caller_id: str
    not_after: datetime
    meter: int | None = None
    terminal: int | None = None
    arguments: Mapping[str, Any] = MappingProxyType({})
    reason: str = ""


def give_command(registry: Registry, identity: Identity, wish: Wish, *, now: datetime) -> Given:
    """Have a device do something. Blocks.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not, or may not see the device.
    AskedWrongly
        If it is not said for which one device.
    CommandError, UnknownRecord
        As `command_orders.give`.
    """
    require(identity, _permission(wish.kind))
    _check_device(wish)
    with registry.reading() as session:
        if wish.meter is not None:
            the_visible(session, identity, Meter, wish.meter)
        if wish.terminal is not None:
            the_visible(session, identity, Terminal, wish.terminal)
    order = Order(
        operator=identity.name,
        caller_id=wish.caller_id,
        kind=wish.kind,
        not_after=wish.not_after,
        meter=wish.meter,
        terminal=wish.terminal,
        arguments=wish.arguments,
        reason=wish.reason,
    )

    def tell(session: Session, card: CommandCard) -> None:
        told = {"kind": str(card.kind), "meter": card.meter_id, "terminal": card.terminal_id, "reason": card.reason}
        note(session, identity, "command.give", "command", str(card.id), after=told, at=now)

    return give(registry, order, now=now, also=tell)


def command(registry: Registry, identity: Identity, number: int) -> tuple[CommandCard, list[StepCard]]:
    """A command and its history. Blocks.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not see commands, or this one.
    """
    require(identity, "commands.read")
    with registry.reading() as session:
        row = the_visible(session, identity, Command, number)
        return _card_of(row), steps_of(session, number)


def cancel_command(registry: Registry, identity: Identity, number: int, *, now: datetime) -> CommandCard:
    """Take a command back before it is sent. Blocks.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not give such a command, or may not see this one.
    CommandError
        If it is no longer waiting.
    """
    with registry.reading() as session:
        require(identity, "commands.read")
        kind = the_visible(session, identity, Command, number).kind
    require(identity, _permission(kind))

    def tell(session: Session, card: CommandCard) -> None:
        note(session, identity, "command.cancel", "command", str(card.id), after={"state": str(card.state)}, at=now)

    return cancel(registry, number, by=identity.name, now=now, also=tell)


def _permission(kind: CommandKind) -> str:
    return "commands.relay" if kind in RELAY_KINDS else "commands.give"


def _check_device(wish: Wish) -> None:
    of_meter = wish.kind in METER_KINDS
    if (wish.meter is not None, wish.terminal is not None) != (of_meter, not of_meter):
        wanted = Text("meter", "表") if of_meter else Text("terminal", "终端")
        raise AskedWrongly(
            Text(
                f"{wish.kind} is for one {wanted.en}: give its id, and nothing else",
                f"命令{wish.kind}只针对一个{wanted.zh}，请只给出其id",
            )
        )
