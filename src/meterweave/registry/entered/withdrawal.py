"""A reading taken back, of the wrong meter or the wrong time: it stays to be seen, and counts for nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from meterweave.registry.entered.book import COLUMNS, kept_of, row_of
from meterweave.registry.entered.entry import Kept
from meterweave.registry.errors import UnknownRecord
from meterweave.registry.models import EnteredReading
from meterweave.text import Text

_MICROSECOND = timedelta(microseconds=1)


class Withdrawn(NamedTuple):
    """What became of it."""

    kept: Kept  # the reading, as the archives now have it
    again: bool  # whether it had been taken back before


def withdraw(session: Session, number: int, *, note: str | None, entered_by: str, now: datetime) -> Withdrawn:
    """Take back the reading of the row with this id, whichever revision of it that is.

    Raises
    ------
    UnknownRecord
        If there is none.
    """
    chosen = session.execute(select(*COLUMNS).where(EnteredReading.id == number)).one_or_none()
    if chosen is None:
        raise UnknownRecord(Text(f"no reading has the number {number}", f"没有编号为{number}的读数"))
    same = (
        EnteredReading.meter_id == chosen.meter_id,
        EnteredReading.quantity == chosen.quantity,
        EnteredReading.ts == chosen.ts,
    )
    last = kept_of(session.execute(select(*COLUMNS).where(*same).order_by(EnteredReading.revision.desc())).first())
    if last.withdrawn:
        return Withdrawn(last, again=True)
    found = last._replace(
        entry=last.entry if note is None else last.entry._replace(note=note),
        revision=last.revision + 1,
        entered_by=entered_by,
        entered_at=max(now, last.entered_at + _MICROSECOND),
        withdrawn=True,
    )
    number = session.scalars(insert(EnteredReading).returning(EnteredReading.id), row_of(found)).one()
    return Withdrawn(found._replace(id=number), again=False)
