"""What is to be collected, what is missing, and how well it went: the tables of the collection plans.

collection_plans ─< read_success, collection_gaps (one row a terminal, plan and local day)
                 ─< collection_absences (one row a meter and quantity)

All but the plans follows from the lake and could be made anew from it; it is kept so that it can be asked for, and so
that attempts are not forgotten with the process that made them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from meterweave.metering.batch import Profile
from meterweave.registry.base import Base, Id, UtcDateTime, words
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

REASON_MAX = 500
"""Longest reason in words. [characters]"""


class Series(StrEnum):
    """The profiles that terminals keep for a while, so that they can be read again."""

    CURVE = "curve"
    DAILY = "daily"
    MONTHLY = "monthly"

    @property
    def profile(self) -> Profile:
        """As readings have it."""
        return Profile[self.name]


class GapState(StrEnum):
    """What becomes of what is missing."""

    OPEN = "open"  # it will be asked for
    GIVEN_UP = "given_up"  # asked often enough: once a day from now on; or the device has forgotten it by now


COLLECTION_WORDS: Mapping[StrEnum, Text] = MappingProxyType(
    {
        Series.CURVE: Text("curve", "曲线"),
        Series.DAILY: Text("daily freeze", "日冻结"),
        Series.MONTHLY: Text("monthly freeze", "月冻结"),
        GapState.OPEN: Text("open", "待补召"),
        GapState.GIVEN_UP: Text("given up", "放弃"),
    }
)
"""What series and states are called."""


class CollectionPlan(Base):
    """Which quantities of which meters are wanted, how often, and how soon."""

    __tablename__ = "collection_plans"
    __table_args__ = (
        CheckConstraint("period_s >= 0 AND period_s <= 86400", name="period_possible"),
        CheckConstraint("deadline_s >= 0", name="deadline_possible"),
        CheckConstraint("memory_days BETWEEN 1 AND 3660", name="memory_possible"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    utility: Mapped[Utility] = mapped_column(words(Utility, "utility"))
    district_id: Mapped[int | None] = mapped_column(ForeignKey("transformer_districts.id"))  # null: all
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))  # and those below; null: all
    series: Mapped[Series] = mapped_column(words(Series, "series"))
    period_s: Mapped[int] = mapped_column(Integer)  # of a curve; 0 of freezes
    quantities: Mapped[str] = mapped_column(String(4000))  # OBIS codes with blanks between
    deadline_s: Mapped[int] = mapped_column(Integer)  # after its moment a reading may take so long by itself
    memory_days: Mapped[int] = mapped_column(Integer)  # how long devices keep it
    enabled: Mapped[bool] = mapped_column(Boolean)


class ReadSuccess(Base):
    """How many readings of one terminal were due on one local day, and how many there are."""

    __tablename__ = "read_success"
    __table_args__ = (
        CheckConstraint("expected >= 0 AND first_try >= 0 AND stored >= 0", name="counts_possible"),
        Index("ix_read_success_day_plan_id", "day", "plan_id"),
    )

    terminal_id: Mapped[int] = mapped_column(ForeignKey("terminals.id", ondelete="CASCADE"), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("collection_plans.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    expected: Mapped[int] = mapped_column(Integer)  # readings whose deadline is over
    first_try: Mapped[int] = mapped_column(Integer)  # of these: reported by the device, in time
    stored: Mapped[int] = mapped_column(Integer)  # of these: there now, however they came


class CollectionGap(Base):
    """What of one terminal, plan and local day is missing, and what was done about it; gone when nothing is."""

    __tablename__ = "collection_gaps"
    __table_args__ = (Index("ix_collection_gaps_state_day", "state", "day"),)

    terminal_id: Mapped[int] = mapped_column(ForeignKey("terminals.id", ondelete="CASCADE"), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("collection_plans.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    missing: Mapped[int] = mapped_column(Integer)  # readings
    meters: Mapped[int] = mapped_column(Integer)  # that lack something
    oldest_at: Mapped[datetime] = mapped_column(UtcDateTime)  # the first moment that lacks something
    attempts: Mapped[int] = mapped_column(Integer)  # in a row that brought nothing
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[GapState] = mapped_column(words(GapState, "state"))
    reason_en: Mapped[str] = mapped_column(String(REASON_MAX))  # why the last attempt did not bring all
    reason_zh: Mapped[str] = mapped_column(String(REASON_MAX))


class CollectionAbsence(Base):
    """A quantity that a meter does not have, as its terminal's answers show; it is not expected for a while."""

    __tablename__ = "collection_absences"

    meter_id: Mapped[int] = mapped_column(ForeignKey("meters.id", ondelete="CASCADE"), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("collection_plans.id", ondelete="CASCADE"), primary_key=True)
    quantity: Mapped[int] = mapped_column(Integer, primary_key=True)  # packed OBIS code
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
