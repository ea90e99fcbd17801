"""Commands to devices: the tables, the words, and the one table of moves from state to state.

A command is a row that says who wants what of which device, why, and until when. It moves through `TRANSITIONS`; each
move is one row of `CommandStep` in the same transaction, and steps are only ever added. `command_orders` makes
them, `command_queue` carries them on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, select, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, Session, mapped_column

from meterweave.registry.base import Base, Id, UtcDateTime, words
from meterweave.registry.errors import UnknownRecord
from meterweave.text import Text

LISTED_MAX = 1000
"""Most commands that one question gives."""


class CommandKind(StrEnum):
    """What a device is to do."""

    TRIP = "trip"
    CLOSE = "close"
    KEEP = "keep"
    RELEASE = "release"
    READ = "read"
    READ_STORED = "read_stored"
    READ_RELAY = "read_relay"
    CLOCK = "clock"  # set it
    READ_CLOCK = "read_clock"
    PARAMETERS = "parameters"
    EVENTS = "events"
    SYNC = "sync"  # archives and tasks


RELAY_KINDS = frozenset({CommandKind.TRIP, CommandKind.CLOSE, CommandKind.KEEP, CommandKind.RELEASE})
"""Those that switch somebody's supply: never sent twice, never without a reason. All others may be repeated."""

METER_KINDS = RELAY_KINDS | {CommandKind.READ, CommandKind.READ_STORED, CommandKind.READ_RELAY}
"""Those that are for one meter; all others are for a terminal."""


class CommandState(StrEnum):
    """How far a command is."""

    QUEUED = "queued"
    SENT = "sent"  # written down before anything goes out
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[CommandState, frozenset[CommandState]] = MappingProxyType(
    {
        CommandState.QUEUED: frozenset({CommandState.SENT, CommandState.EXPIRED, CommandState.CANCELLED}),
        CommandState.SENT: frozenset(
            {
                CommandState.CONFIRMED,
                CommandState.REFUSED,
                CommandState.UNKNOWN,
                CommandState.QUEUED,  # nothing went out, or it does no harm to send it again
            }
        ),
        CommandState.UNKNOWN: frozenset(
            {
                CommandState.CONFIRMED,
                CommandState.FAILED,
                CommandState.UNKNOWN,  # it was looked at, and is still not known
            }
        ),
    }
)
"""Every move there is; from a state that is not a key there is none."""

COMMAND_WORDS: Mapping[StrEnum, Text] = MappingProxyType(
    {
        CommandKind.TRIP: Text("trip", "跳闸"),
        CommandKind.CLOSE: Text("close", "合闸"),
        CommandKind.KEEP: Text("keep supplied", "保电"),
        CommandKind.RELEASE: Text("release from keeping", "保电解除"),
        CommandKind.READ: Text("read now", "实时召测"),
        CommandKind.READ_STORED: Text("read stored data", "召测存储数据"),
        CommandKind.READ_RELAY: Text("read the relay", "读继电器状态"),
        CommandKind.CLOCK: Text("set the clock", "对时"),
        CommandKind.READ_CLOCK: Text("read the clock", "读时钟"),
        CommandKind.PARAMETERS: Text("read parameters", "读参数"),
        CommandKind.EVENTS: Text("read events", "读事件"),
        CommandKind.SYNC: Text("send archives and tasks", "下发档案和任务"),
        CommandState.QUEUED: Text("queued", "待发送"),
        CommandState.SENT: Text("sent", "已发送"),
        CommandState.CONFIRMED: Text("confirmed", "已确认"),
        CommandState.REFUSED: Text("refused", "被拒绝"),
        CommandState.UNKNOWN: Text("unknown", "结果未知"),
        CommandState.FAILED: Text("failed", "失败"),
        CommandState.EXPIRED: Text("expired", "已过期"),
        CommandState.CANCELLED: Text("cancelled", "已取消"),
    }
)
"""What kinds and states are called."""


class Command(Base):
    """What somebody wants a device to do, and how far it is."""

    __tablename__ = "commands"
    __table_args__ = (
        Unique("operator", "caller_id"),
        Index("ix_commands_state_not_after", "state", "not_after"),
        # What is left to do is a small part of what was ever commanded, and is looked for several times a second.
        Index(
            "ix_commands_due",
            "id",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_commands_due_terminal",
            "terminal_id",
            "id",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    operator: Mapped[str] = mapped_column(String(64))
    caller_id: Mapped[str] = mapped_column(String(64))  # unique for the operator: sent twice it is one command
    kind: Mapped[CommandKind] = mapped_column(words(CommandKind, "kind"))
    terminal_id: Mapped[int] = mapped_column(ForeignKey("terminals.id"), index=True)
    meter_id: Mapped[int | None] = mapped_column(ForeignKey("meters.id"), index=True)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)  # it is not sent later than this
    state: Mapped[CommandState] = mapped_column(words(CommandState, "state"))
    state_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a head-end has to act from then on; null: nothing
    tries: Mapped[int] = mapped_column(Integer, default=0)  # how often what came of it was looked for
    claimed_by: Mapped[str | None] = mapped_column(String(64))  # the head-end that carries it out
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # without a word from it, it is gone then
    outcome_en: Mapped[str | None] = mapped_column(String(1000))
    outcome_zh: Mapped[str | None] = mapped_column(String(1000))
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class CommandStep(Base):
    """One step of a command's history; only added, never changed."""

    __tablename__ = "command_steps"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    command_id: Mapped[int] = mapped_column(ForeignKey("commands.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[CommandState] = mapped_column(words(CommandState, "state"))  # after the step
    by: Mapped[str] = mapped_column(String(64))  # an operator, or a head-end
    en: Mapped[str] = mapped_column(String(1000))
    zh: Mapped[str] = mapped_column(String(1000))
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandCard:
    """A command as it stood at one moment."""

    id: int
    operator: str
    caller_id: str
    kind: CommandKind
    terminal_id: int
    meter_id: int | None
    arguments: Mapping[str, Any]
    reason: str
    created_at: datetime
    not_after: datetime
    state: CommandState
    state_at: datetime
    due_at: datetime | None
    tries: int
    outcome: Text | None
    facts: Mapping[str, Any] | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it by itself."""
        return self.state not in (CommandState.QUEUED, CommandState.SENT) and self.due_at is None

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        found = {name: _plain(getattr(self, name)) for name in self.__slots__ if name != "outcome"}
        return found | {"outcome": self.outcome._asdict() if self.outcome else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCard:
    """One step of a command's history."""

    id: int
    at: datetime
    state: CommandState
    by: str
    words: Text
    facts: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__} | {"words": self.words._asdict()}


def find_command(session: Session, command: int) -> CommandCard:
    """The command with this id.

    Raises
    ------
    UnknownRecord
        If there is none.
    """
    row = session.get(Command, command, populate_existing=True) if 0 < command < 1 << 63 else None
    if row is None:
        raise UnknownRecord(Text(f"there is no command {command}", f"没有编号为{command}的命令"))
    return card_of(row)


def steps_of(session: Session, command: int, *, after: int = 0) -> list[StepCard]:
    """The history of a command, oldest step first; only the steps behind the one with the id `after`."""
    query = select(CommandStep).where(CommandStep.command_id == command, CommandStep.id > after)
    return [
        StepCard(id=row.id, at=row.at, state=row.state, by=row.by, words=Text(row.en, row.zh), facts=row.facts)
        for row in session.scalars(query.order_by(CommandStep.id))
    ]


def unknown_since(session: Session, command: int) -> datetime | None:
    """When it was first noted that nobody knows what came of a command: it went out before, if at all. None: never."""
    query = select(CommandStep.at).where(CommandStep.command_id == command, CommandStep.state == CommandState.UNKNOWN)
    return session.scalars(query.order_by(CommandStep.id).limit(1)).first()


def list_commands(
    session: Session,
    *,
    state: CommandState | None = None,
    meter: int | None = None,
    terminal: int | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[CommandCard]:
    """Commands, the newest first; at most `LISTED_MAX`."""
    query = select(Command).order_by(Command.id.desc())
    for column, wanted in ((Command.state, state), (Command.meter_id, meter), (Command.terminal_id, terminal)):
        if wanted is not None:
            query = query.where(column == wanted)
    return [card_of(row) for row in session.scalars(query.limit(min(limit, LISTED_MAX)).offset(offset))]


def card_of(row: Command) -> CommandCard:
    """A row as what is handed around."""
    outcome = None if row.outcome_en is None else Text(row.outcome_en, row.outcome_zh or row.outcome_en)
    return CommandCard(
        **{name: getattr(row, name) for name in CommandCard.__slots__ if name != "outcome"}, outcome=outcome
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
