"""Commands as head-ends see them: what is to be done, whose it is, what came of it.

A head-end that claims a command holds it until `claimed_until` and keeps pushing that instant ahead; when it no longer
does it is gone, and another finds what it left behind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from meterweave.registry.command_moves import Step, changing, hold, move
from meterweave.registry.commands import (
    RELAY_KINDS,
    Command,
    CommandCard,
    CommandState,
    find_command,
)
from meterweave.registry.database import Registry
from meterweave.text import Text

LOOKED_FOR = timedelta(days=7)
"""How long after its deadline what came of a command is still looked for, where its terminal does not call."""

_CENTRE = "centre"  # who makes the moves that no head-end makes in its own name


def terminals_with_work(registry: Registry, *, now: datetime, after: int, limit: int) -> tuple[list[int], list[int]]:
    """Terminals (ids) for which there is something to do: those with the newest commands, and the next after `after`.

    Both are short lists from an index. Going round by `after` finds every terminal however much waits for others.
    """
    due = (Command.due_at.is_not(None), Command.due_at <= now)
    with registry.reading() as session:
        newest = session.scalars(select(Command.terminal_id).where(*due).order_by(Command.id.desc()).limit(limit))
        round_ = select(Command.terminal_id).where(*due, Command.terminal_id > after).distinct()
        return list(dict.fromkeys(newest)), list(session.scalars(round_.order_by(Command.terminal_id).limit(limit)))


def claim(registry: Registry, terminal: int, *, by: str, now: datetime, lease: timedelta) -> CommandCard | None:
    """Take over what is to be done next for a terminal; None: nothing.

    The oldest command that waits is ``sent`` from here on, before an octet has gone out. If none waits, the oldest of
    which nobody knows what came is given as it is, to be looked at.
    """
    with changing(registry) as session:
        query = (
            select(Command)
            .where(
                Command.terminal_id == terminal,
                Command.due_at.is_not(None),
                Command.due_at <= now,
                or_(Command.claimed_until.is_(None), Command.claimed_until <= now),
                or_(Command.state != CommandState.QUEUED, Command.not_after > now),
            )
            .order_by(Command.state, Command.id)  # "queued" stands before "unknown"
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        found = session.scalars(query).one_or_none()
        if found is None:
            return None
        claimed = {"claimed_by": by, "claimed_until": now + lease}
        if found.state is CommandState.UNKNOWN:
            hold(session, found.id, CommandState.UNKNOWN, claimed)
        else:
            words = Text("claimed; it goes out now", "已领取，即将发送")
            move(session, found.id, found.state, CommandState.SENT, Step(by, now, words), claim=claimed)
            _supersede(session, found, by=by, now=now)
        return find_command(session, found.id)


def conclude(
    registry: Registry,
    command: CommandCard,
    after: CommandState,
    *,
    by: str,
    now: datetime,
    words: Text,
    facts: Mapping[str, Any] | None = None,
    look_at: datetime | None = None,
) -> bool:
    """Write down what came of a command that `by` had claimed; False: somebody else has decided meanwhile.

    Parameters
    ----------
    command : CommandCard
        As `claim` gave it.
    look_at : datetime, optional
        When to look what came of it; only with ``unknown``.
    """
    step = Step(by, now, words, facts, now if after is CommandState.QUEUED else look_at)
    with changing(registry) as session:
        if move(session, command.id, command.state, after, step, Command.claimed_by == by):
            looked = command.state is CommandState.UNKNOWN
            return not looked or hold(session, command.id, after, {"tries": command.tries + 1})
        if command.state is not CommandState.SENT or after not in (CommandState.CONFIRMED, CommandState.REFUSED):
            return False
        # We were taken for gone, and the answer came after all.
        late = CommandState.FAILED if after is CommandState.REFUSED else after
        return move(session, command.id, CommandState.UNKNOWN, late, step)


def put_off(registry: Registry, command: CommandCard, *, by: str, until: datetime) -> None:
    """Leave a command of which nobody knows what came as it was claimed, to be looked at later."""
    with changing(registry) as session:
        values = {"claimed_by": None, "claimed_until": None, "due_at": until}
        hold(session, command.id, CommandState.UNKNOWN, values, Command.claimed_by == by)


def renew(registry: Registry, commands: Collection[int], *, by: str, until: datetime) -> None:
    """Say that `by` still works on these commands (ids)."""
    with changing(registry) as session:
        session.execute(
            update(Command)
            .where(Command.id.in_(commands), Command.claimed_by == by)
            .values(claimed_until=until)
            .execution_options(synchronize_session=False)
        )


def tidy(registry: Registry, *, now: datetime, but: Collection[int] = (), limit: int = 200) -> int:
    """Do what time alone brings about, at most `limit` of each kind; how much it was.

    Commands past their deadline expire. What a head-end that is gone had sent becomes unknown if it switches a
    supply, and is queued again if it may be repeated. What was looked for too long is left unknown.

    Parameters
    ----------
    but : collection of int
        Commands (ids) that are being worked on for certain.
    """
    with changing(registry) as session:
        late = _some(session, limit, Command.state == CommandState.QUEUED, Command.not_after <= now)
        for one in late:
            words = Text("its deadline passed before it could be sent", "未能在期限前发送")
            move(session, one.id, CommandState.QUEUED, CommandState.EXPIRED, Step(_CENTRE, now, words))
        gone = _some(session, limit, Command.state == CommandState.SENT, Command.claimed_until <= now)
        left = [one for one in gone if one.id not in but]
        for one in left:
            _leave_behind(session, one, now)
        old = _some(
            session,
            limit,
            Command.state == CommandState.UNKNOWN,
            Command.due_at.is_not(None),
            Command.not_after <= now - LOOKED_FOR,
        )
        for one in old:
            words = Text("nobody could find out in time; it stays unknown", "未能在时限内查明，结果仍未知")
            move(session, one.id, CommandState.UNKNOWN, CommandState.UNKNOWN, Step(_CENTRE, now, words))
        return len(late) + len(left) + len(old)


# Inside --------------------------------------------------------------------------------------------------------------


def _supersede(session: Session, sent: Command, *, by: str, now: datetime) -> None:
    """What came of earlier switching of the same meter cannot be read any more once it is switched again."""
    if sent.kind not in RELAY_KINDS:
        return
    earlier = (
        Command.meter_id == sent.meter_id,
        Command.state == CommandState.UNKNOWN,
        Command.due_at.is_not(None),
        Command.id < sent.id,
    )
    words = Text(
        f"command {sent.id} switches the meter again, so it stays unknown what came of this one",
        f"命令{sent.id}再次操作该表，本命令结果仍未知",
    )
    for command in session.scalars(select(Command.id).where(*earlier)).all():
        move(session, command, CommandState.UNKNOWN, CommandState.UNKNOWN, Step(by, now, words))


def _leave_behind(session: Session, left: Command, now: datetime) -> None:
    """Deal with a command whose head-end is gone."""
    sent = CommandState.SENT
    if left.kind in RELAY_KINDS:
        words = Text(
            "the head-end stopped before the answer came; the relay will be read",
            "前置机在应答前停止，将读取继电器状态",
        )
        move(session, left.id, sent, CommandState.UNKNOWN, Step(_CENTRE, now, words, due_at=now))
    elif left.not_after > now:
        words = Text(
            "the head-end stopped before the answer came; it may be repeated, so it is queued again",
            "前置机在应答前停止，命令可重复，已重新排队",
        )
        move(session, left.id, sent, CommandState.QUEUED, Step(_CENTRE, now, words, due_at=now))
    else:
        words = Text(
            "the head-end stopped before the answer came, and the deadline has passed",
            "前置机在应答前停止，且期限已过",
        )
        move(session, left.id, sent, CommandState.UNKNOWN, Step(_CENTRE, now, words))


def _some(session: Session, limit: int, *wanted: ColumnElement[bool]) -> Sequence[Command]:
    query = select(Command).where(*wanted).order_by(Command.id).limit(limit).with_for_update(skip_locked=True)
    return session.scalars(query).all()
