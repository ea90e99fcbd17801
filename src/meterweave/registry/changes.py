"""The log of changes that the head-end's directory follows: which terminals look different since transaction N.

Each transaction that changes what the directory shows (a terminal, or a meter on it) gets the next number of one
counter, and leaves one row for each terminal concerned. The counter's row stays locked from its increment, the last
act before the commit, until the commit: numbers become visible in their order, so that a follower who has seen N has
missed nothing up to N. (A sequence cannot promise this: its numbers become visible in the order of the commits.)

Rows written through an `ArchiveSession` are noted by themselves. Statements in bulk are not: who writes them calls
`touch`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import CheckConstraint, Connection, Integer, Table, delete, event, insert, select, update
from sqlalchemy.orm import Mapped, Mapper, Session, mapped_column, object_session
from sqlalchemy.orm.attributes import get_history

from meterweave.registry.address import GDW1376, GDW_POINT_MAX, point_key
from meterweave.registry.base import Base, Id
from meterweave.registry.errors import PlacementError, UnknownRecord
from meterweave.registry.models import Meter, Terminal
from meterweave.text import Text

KEPT_NUMBERS = 10_000
"""How many numbers back the log reaches; a follower further behind reads everything anew."""

_TOUCHED = "meterweave.touched"


class RegistryClock(Base):
    """The counter of changes: one row."""

    __tablename__ = "registry_clock"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(Id)


class RegistryChange(Base):
    """A terminal that a transaction changed; null: everything may have changed."""

    __tablename__ = "registry_changes"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Id, index=True)
    terminal_id: Mapped[int | None] = mapped_column(Id)


class Changes(NamedTuple):
    """What happened after a number."""

    number: int  # the newest there is
    terminals: frozenset[int] | None  # ids, of those no longer stored too; None: read everything anew


class ArchiveSession(Session):
    """A session that notes which terminals it changes and numbers its transaction at the commit."""


def touch(session: Session, terminals: Iterable[int | None]) -> None:
    """Note that these terminals look different once `session` commits; None among them: everything may."""
    session.info.setdefault(_TOUCHED, set()).update(terminals)


def newest(session: Session) -> int:
    """The number of the newest transaction; cheap, one row by its key."""
    return session.scalars(select(RegistryClock.number)).one()


def changes_since(session: Session, known: int) -> Changes:
    """What changed after the transaction `known`; `session` must see one snapshot throughout."""
    number = newest(session)
    if number == known:
        return Changes(number, frozenset())
    if known > number or number - known > KEPT_NUMBERS:  # a restored backup, or too far behind
        return Changes(number, None)
    ids = frozenset(session.scalars(select(RegistryChange.terminal_id).where(RegistryChange.number > known).distinct()))
    return Changes(number, None if None in ids else frozenset(found for found in ids if found is not None))


@event.listens_for(ArchiveSession, "before_commit")
def _number_transaction(session: Session) -> None:
    session.flush()
    touched = session.info.pop(_TOUCHED, None)
    if not touched:
        return
    number = session.scalars(
        update(RegistryClock).values(number=RegistryClock.number + 1).returning(RegistryClock.number)
    ).one()
    session.execute(
        insert(RegistryChange), [{"number": number, "terminal_id": terminal} for terminal in sorted(touched, key=_rank)]
    )
    session.execute(delete(RegistryChange).where(RegistryChange.number <= number - KEPT_NUMBERS))


@event.listens_for(ArchiveSession, "after_soft_rollback")
def _forget(session: Session, previous: object) -> None:
    # What a savepoint rolled back stays noted while the transaction lives: reading a terminal anew does no harm.
    if not session.in_transaction():
        session.info.pop(_TOUCHED, None)


@event.listens_for(RegistryClock.__table__, "after_create")
def _first_number(table: Table, connection: Connection, **_: object) -> None:
    connection.execute(table.insert().values(id=1, number=0))


def _rank(terminal: int | None) -> int:
    return -1 if terminal is None else terminal


def wire_key(
    address_key: int, terminal: tuple[str, int] | None, point_number: int | None, *, named: str = ""
) -> int | None:
    """The key under which stored data name a meter.

    Parameters
    ----------
    address_key : int
        Key of the meter's own address.
    terminal : (protocol, address key) or None
        The terminal it hangs on.
    point_number : int or None
        Its measuring point or configuration number there.
    named : str
        What to call the meter in an error.

    Raises
    ------
    PlacementError
        If the terminal speaks Q/GDW 1376.1 and the point number is missing or above 2040.
    """
    if terminal is None:
        return None
    protocol, terminal_key = terminal
    if protocol != GDW1376:
        return address_key
    if point_number is None or point_number > GDW_POINT_MAX:
        seen_en, seen_zh = ("none", "无") if point_number is None else (str(point_number), str(point_number))
        raise PlacementError(
            Text(
                f"meter {named}: a {GDW1376} terminal names its meters by measuring points 1 to {GDW_POINT_MAX}, "
                f"found {seen_en}",
                f"电表{named}：{GDW1376}终端按测量点1至{GDW_POINT_MAX}命名电表，现为{seen_zh}",
            )
        )
    return point_key(terminal_key, point_number)


@event.listens_for(Meter, "before_insert")
@event.listens_for(Meter, "before_update")
def _fill_wire_key(mapper: Mapper[Meter], connection: Connection, meter: Meter) -> None:
    terminal = None
    if meter.terminal_id is not None:
        found = connection.execute(
            select(Terminal.protocol, Terminal.address_key).where(Terminal.id == meter.terminal_id)
        ).one_or_none()
        if found is None:
            raise UnknownRecord(
                Text(f"there is no terminal with id {meter.terminal_id}", f"没有id为{meter.terminal_id}的终端")
            )
        terminal = (found[0], found[1])
    key = wire_key(meter.address_key, terminal, meter.point_number, named=f"{meter.protocol} {meter.address}")
    if meter.wire_key != key:
        meter.wire_key = key


SHOWN_OF_METER = frozenset({"terminal_id", "wire_key", "address_key", "protocol", "model"})
"""The columns of a meter that the directory shows, or that a line is planned from."""

_SHOWN_OF_TERMINAL = (
    "protocol", "address_key", "kind", "state", "heartbeat_s", "district_id", "port", "collector_id", "key_digest",
)  # fmt: skip


@event.listens_for(Meter, "after_insert")
@event.listens_for(Meter, "after_update")
def _note_meter(mapper: Mapper[Meter], connection: Connection, meter: Meter) -> None:
    if any(get_history(meter, name).has_changes() for name in SHOWN_OF_METER):
        _note(meter, *get_history(meter, "terminal_id").sum())


@event.listens_for(Meter, "after_delete")
def _note_deleted_meter(mapper: Mapper[Meter], connection: Connection, meter: Meter) -> None:
    _note(meter, *get_history(meter, "terminal_id").sum())


@event.listens_for(Terminal, "after_insert")
@event.listens_for(Terminal, "after_update")
def _note_terminal(mapper: Mapper[Terminal], connection: Connection, terminal: Terminal) -> None:
    if any(get_history(terminal, name).has_changes() for name in _SHOWN_OF_TERMINAL):
        # The gateway that had the line and the one that gets it look different too.
        _note(terminal, terminal.id, *get_history(terminal, "collector_id").sum())


@event.listens_for(Terminal, "after_delete")
def _note_deleted_terminal(mapper: Mapper[Terminal], connection: Connection, terminal: Terminal) -> None:
    _note(terminal, terminal.id, terminal.collector_id)


def _note(row: Meter | Terminal, *terminals: int | None) -> None:
    session = object_session(row)
    if session is not None:
        touch(session, {terminal for terminal in terminals if terminal is not None})
