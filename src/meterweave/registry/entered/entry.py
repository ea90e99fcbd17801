"""One reading that a person enters, and one that is kept."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from meterweave.registry.vocabulary import Purpose


class Entry(NamedTuple):
    """What somebody read off a meter."""

    meter: int  # id
    quantity: int  # packed OBIS code
    ts: datetime  # when it was read off
    value: int  # in the quantity's stored steps
    estimated: bool = False
    purpose: Purpose = Purpose.ROUTINE
    reader: str | None = None  # who read it off; None: not said
    photo: str | None = None  # where a picture of it is
    note: str | None = None

    @property
    def key(self) -> tuple[int, int, datetime]:
        """What there is one value of."""
        return self.meter, self.quantity, self.ts


class Kept(NamedTuple):
    """An entry in the archives."""

    id: int
    entry: Entry
    revision: int  # how often it had been corrected before
    entered_by: str
    entered_at: datetime
    withdrawn: bool = False  # it was taken back, and counts for nothing
