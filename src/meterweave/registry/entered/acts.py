"""A meter taken out at reading X, another put in at reading Y: install history and readings in one act.

Both are in the archives or neither is: everything is looked at before anything is written. An act that was done
already, with the same readings, changes nothing, so that one that was interrupted may be done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.metering.clock import SHANGHAI
from meterweave.registry import installation
from meterweave.registry.entered.book import Book, Key, Point, Remark
from meterweave.registry.entered.entry import Entry, Kept
from meterweave.registry.entered.roll import facts_of
from meterweave.registry.errors import HistoryError, ReadingError, UnknownRecord
from meterweave.registry.importing.column import write_instant
from meterweave.registry.models import Installation, UsagePoint
from meterweave.registry.vocabulary import Purpose
from meterweave.text import Text

_NOT_FOR_CERTAIN = frozenset({"reading.below_last", "reading.above_next", "reading.device_differs"})
"""What may be on a round, and may not where a meter comes or goes: consumption would have a hole for good."""


class Act(NamedTuple):
    """Somebody at a usage point, at one instant."""

    at: datetime
    entered_by: str
    now: datetime
    zone: ZoneInfo = SHANGHAI
    reader: str | None = None  # who was there
    photo: str | None = None
    note: str | None = None


Stand = Mapping[int, int]
"""Where the registers of a meter stand, by quantity; in stored steps."""


class Done(NamedTuple):
    """What an act did."""

    usage_point: str  # code
    kept: list[Kept]  # the readings, as the archives have them
    notes: list[Remark]
    again: bool  # whether the archives had it all before


def exchange(
    session: Session,
    old: int,
    new: int,
    act: Act,
    *,
    out: Stand,
    into: Stand,
    others: Mapping[Key, Sequence[Point]] | None = None,
) -> Done:
    """Put the meter `new` in the place of `old`.

    Parameters
    ----------
    old, new : int
        Ids.
    out, into : mapping
        The last readings of the old meter and the first ones of the new. Empty: nobody could read it; consumption has
        no value across the exchange then.
    others : mapping, optional
        Readings of the two that came in otherwise.

    Raises
    ------
    ReadingError
        If a reading cannot be, or is below the one before or above the one after it.
    HistoryError
        If the install history cannot hold it.
    UnknownRecord
        If a meter is not stored.
    """
    _not_to_come(act)
    if old == new:
        raise HistoryError(
            "history.meter_elsewhere", Text("a meter does not take its own place", "换表的新表不能是旧表自身")
        )
    before = _ended(session, old, act.at)
    after = None if before is None else _begun(session, new, before.usage_point_id, act.at)
    found = after or installation.replace(session, old, new, act.at)
    entries = [*_entries(old, out, Purpose.FINAL, act), *_entries(new, into, Purpose.INITIAL, act)]
    return _done(session, found, entries, act, others, again=after is not None)


def take_out(
    session: Session, meter: int, act: Act, *, out: Stand, others: Mapping[Key, Sequence[Point]] | None = None
) -> Done:
    """Take a meter off its usage point, where none follows it; as `exchange`."""
    _not_to_come(act)
    before = _ended(session, meter, act.at)
    found = before or installation.remove(session, meter, act.at)
    return _done(session, found, _entries(meter, out, Purpose.FINAL, act), act, others, again=before is not None)


def put_in(
    session: Session,
    meter: int,
    usage_point: str,
    act: Act,
    *,
    into: Stand,
    others: Mapping[Key, Sequence[Point]] | None = None,
) -> Done:
    """Put a meter on the usage point with this code, where there is none; as `exchange`.

    Raises
    ------
    UnknownRecord
        If there is no such usage point.
    """
    _not_to_come(act)
    point = session.scalars(select(UsagePoint).where(UsagePoint.code == usage_point)).one_or_none()
    if point is None:
        raise UnknownRecord(
            Text(
                f"no usage point is called {usage_point!r}; an import of archives makes usage points",
                f"没有编号为“{usage_point}”的用电点；请先导入档案",
            )
        )
    before = _begun(session, meter, point.id, act.at)
    found = before or installation.install(session, meter, point.id, act.at)
    return _done(session, found, _entries(meter, into, Purpose.INITIAL, act), act, others, again=before is not None)


def _not_to_come(act: Act) -> None:
    if act.at > act.now:
        said = write_instant("en", act.at, act.zone)
        raise ReadingError("reading.in_future", Text(f"{said} is still to come", f"{said}在将来"))


def _ended(session: Session, meter: int, at: datetime) -> Installation | None:
    wanted = (Installation.meter_id == meter, Installation.removed_at == at)
    return session.scalars(select(Installation).where(*wanted)).one_or_none()


def _begun(session: Session, meter: int, point: int, at: datetime) -> Installation | None:
    wanted = (Installation.meter_id == meter, Installation.usage_point_id == point, Installation.installed_at == at)
    return session.scalars(select(Installation).where(*wanted)).one_or_none()


def _entries(meter: int, stand: Stand, purpose: Purpose, act: Act) -> list[Entry]:
    return [
        Entry(meter, quantity, act.at, value, False, purpose, act.reader, act.photo, act.note)
        for quantity, value in stand.items()
    ]


def _done(
    session: Session,
    found: Installation,
    entries: list[Entry],
    act: Act,
    others: Mapping[Key, Sequence[Point]] | None,
    *,
    again: bool,
) -> Done:
    meters = facts_of(session, {one.meter for one in entries})
    book = Book(session, meters, None, others, act.zone)
    verdicts = book.judge(entries, now=act.now, act=True)
    notes = []
    for verdict in verdicts:
        for remark in verdict.remarks:
            if remark.is_problem or remark.code in _NOT_FOR_CERTAIN:
                name = meters[verdict.entry.meter].name
                raise ReadingError(remark.code, Text(f"{name}: {remark.text.en}", f"{name}：{remark.text.zh}"))
            notes.append(remark)
    kept = book.write(verdicts, entered_by=act.entered_by, now=act.now)
    code = session.scalars(select(UsagePoint.code).where(UsagePoint.id == found.usage_point_id)).one()
    again = again and all(verdict.before is not None for verdict in verdicts)
    return Done(code, kept, notes, again)
