"""What was wanted of a meter on its last days, by the collection plans, and what of it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.cli import moment
from meterweave.cli.measured import name_of
from meterweave.headend.collection.moments import day_moments, due_until_us, instant_us
from meterweave.headend.collection.plan import MeterKind, Plan, read_plans
from meterweave.lake import Lake
from meterweave.registry import Meter, Terminal, TransformerDistrict
from meterweave.registry.collection import CollectionAbsence, Series
from meterweave.registry.lookup import MeterCard

Ints = NDArray[np.int64]

_DAY = timedelta(days=1)
_SERIES = (Series.CURVE, Series.DAILY)


class Want(NamedTuple):
    """A plan, and the quantities it wants of the meter."""

    plan: Plan
    quantities: tuple[int, ...]


class Count(NamedTuple):
    """Readings of one quantity on one day."""

    stored: int
    expected: int  # those that are overdue, and those that came before they were

    def __add__(self, other: object) -> Count:
        """Of both together."""
        if not isinstance(other, Count):
            return NotImplemented
        return Count(self.stored + other.stored, self.expected + other.expected)


NOTHING = Count(0, 0)

Counts = Mapping[int, Count]
"""By quantity, which is a packed OBIS code."""


class Day(NamedTuple):
    """How complete one local day is; its daily freeze is the one at the midnight that ends it."""

    day: date
    curve: Counts
    freeze: Counts

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {"day": self.day.isoformat(), "curve": _json(self.curve), "daily_freeze": _json(self.freeze)}


def wants(session: Session, card: MeterCard) -> list[Want]:
    """The plans that want something of the meter, without the quantities that it is known not to have."""
    kind, district, organisation = _place(session, card.id)
    query = select(CollectionAbsence.plan_id, CollectionAbsence.quantity).where(CollectionAbsence.meter_id == card.id)
    absent = {(row.plan_id, row.quantity) for row in session.execute(query)}
    found = []
    for plan in read_plans(session):
        here = plan.district in (None, district) and (plan.organisations is None or organisation in plan.organisations)
        codes = tuple(code for code in plan.wanted(kind) if (plan.id, code) not in absent)
        if here and codes and plan.enabled and plan.series in _SERIES:
            found.append(Want(plan, codes))
    return found


def _place(session: Session, meter: int) -> tuple[MeterKind, int | None, int | None]:
    """What decides which plans are a meter's: its kind, and the district and organisation of its terminal."""
    query = (
        select(
            Meter.utility,
            Meter.wiring,
            Meter.phase,
            Meter.tariff_count,
            Terminal.district_id,
            TransformerDistrict.organisation_id,
        )
        .outerjoin(Terminal, Terminal.id == Meter.terminal_id)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .where(Meter.id == meter)
    )
    row = session.execute(query).one()
    return MeterKind(row.utility, row.wiring, row.phase, row.tariff_count), row.district_id, row.organisation_id


def last_days(
    lake: Lake, card: MeterCard, wanted: Sequence[Want], *, last: date, days: int, now: datetime
) -> list[Day]:
    """How complete the `days` local days up to `last` are, newest first.

    A reading counts for its own moment only: what a meter recorded between two does not make up for a gap.
    """
    shown = [last - back * _DAY for back in range(days)]
    there = _moments_there(lake, card.id, wanted, shown[-1], last + _DAY)
    return [
        Day(
            day,
            _counts(wanted, Series.CURVE, day, card, there, now),
            # A freeze is filed under the day that its midnight begins.
            _counts(wanted, Series.DAILY, day + _DAY, card, there, now),
        )
        for day in shown
    ]


def _moments_there(
    lake: Lake, meter: int, wanted: Sequence[Want], first: date, last: date
) -> dict[tuple[int, int], Ints]:
    """The moments for which there are values, by profile and quantity. [us since 1970, UTC]"""
    if not wanted:
        return {}
    codes = sorted({code for want in wanted for code in want.quantities})
    profiles = sorted({int(want.plan.profile) for want in wanted})
    found = lake.query(
        "SELECT profile, quantity, list(epoch_us(ts)) AS moments FROM readings "
        f"WHERE meter = {meter} AND value IS NOT NULL AND day BETWEEN '{first}' AND '{last}' "
        f"AND profile IN ({', '.join(map(str, profiles))}) AND quantity IN ({', '.join(map(str, codes))}) "
        "GROUP BY ALL",
        days=(first, last),
    )
    return {(row["profile"], row["quantity"]): np.array(row["moments"], np.int64) for row in found.to_pylist()}


def _counts(
    wanted: Sequence[Want],
    series: Series,
    day: date,
    card: MeterCard,
    there: Mapping[tuple[int, int], Ints],
    now: datetime,
) -> Counts:
    counts: dict[int, Count] = {}
    for plan, codes in wanted:
        if plan.series is not series:
            continue
        moments = day_moments(plan, day, moment.zone())
        overdue = _while_there(moments, card) & (moments <= due_until_us(plan, instant_us(now)))
        for code in codes:
            stored = np.isin(moments, there.get((int(plan.profile), code), ()))
            found = Count(int(stored.sum()), int((stored | overdue).sum()))
            counts[code] = counts.get(code, NOTHING) + found
    return counts


def _while_there(moments: Ints, card: MeterCard) -> NDArray[np.bool_]:
    """At which moments the meter was installed where it was last, or, if nowhere, its terminal had been heard."""
    since = card.terminal.first_seen_at if card.terminal else None
    until = None
    if card.history:
        since, until = card.history[-1].installed_at, card.history[-1].removed_at
    if since is None:
        return np.zeros(len(moments), np.bool_)
    there = moments >= instant_us(since)
    return there if until is None else there & (moments < instant_us(until))


def total(counts: Counts) -> Count:
    """Over all quantities."""
    return sum(counts.values(), NOTHING)


def missing_most(counts: Counts) -> int | None:
    """The quantity that lacks most; None where nothing is missing."""
    worst = max(counts, key=lambda code: counts[code].expected - counts[code].stored, default=None)
    return None if worst is None or counts[worst].stored == counts[worst].expected else worst


def _json(counts: Counts) -> dict[str, Any]:
    by_name = {name_of(code): count._asdict() for code, count in counts.items()}
    return total(counts)._asdict() | {"quantities": by_name}
