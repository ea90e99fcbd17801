"""What a meter measured last: the latest value of each quantity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from meterweave.cli import moment
from meterweave.headend.collection.moments import instant_us
from meterweave.lake import Lake
from meterweave.metering.batch import Profile, Quality, Source
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import by_code, obis_text, quantities
from meterweave.text import Language

LOOK_BACK_DAYS = 62
"""How far back a latest value is looked for; two months of freezes. [days]"""

_LAST_DAY = date(2199, 12, 31)

Json = dict[str, Any]


class Reading(NamedTuple):
    """One row of the view ``readings``, of a meter that is known."""

    quantity: int
    profile: int
    ts: datetime
    value: int | None
    quality: int
    source: int
    received: datetime

    def to_json(self, seen: datetime, language: Language) -> Json:
        """As one JSON object; times are local, with their offset."""
        known = by_code().get(self.quantity)
        exact = None if self.value is None else to_text(self.value, known.exponent) if known else str(self.value)
        return {
            "obis": obis_text(self.quantity),
            "name": known.name if known else None,
            "meaning": known.meaning.in_language(language) if known else None,
            "value": exact,
            "unit": known.unit if known else None,
            "profile": Profile(self.profile).name.lower(),
            "time": moment.local_iso(self.ts),
            "age_s": round((seen - self.ts).total_seconds()),
            "quality": [flag.name.lower() for flag in Quality(self.quality) if flag.name],
            "source": Source(self.source).name.lower(),
            "received": moment.local_iso(self.received),
        }


def latest(lake: Lake, meter: int, *, until: date | None, only: Sequence[int] = ()) -> list[Reading]:
    """The latest reading of each quantity, by OBIS code; one without a value only where there is none with one.

    Parameters
    ----------
    until : date or None
        Last local day that is looked at, its freeze included; None: no matter how far ahead a meter's clock is.
    only : sequence of int
        Quantities, by their codes; none: all.
    """
    first = (until or moment.today(moment.now())) - timedelta(days=LOOK_BACK_DAYS)
    after = _LAST_DAY if until is None else until + timedelta(days=1)
    of_these = f"AND quantity IN ({', '.join(map(str, only))})" if only else ""
    found = lake.query(
        f"SELECT {', '.join(Reading._fields)} FROM readings WHERE meter = {meter} {of_these} "
        f"AND quality & {Quality.WITHDRAWN:d} = 0 AND ts <= make_timestamptz({instant_us(moment.midnight(after))}) "
        "QUALIFY row_number() OVER (PARTITION BY quantity ORDER BY value IS NOT NULL DESC, ts DESC, profile) = 1 "
        "ORDER BY quantity",
        days=(first, after),
    )
    return [Reading(**row) for row in found.to_pylist()]


def quantity_named(word: str) -> int | None:
    """The code of the quantity that `word` means, an OBIS code or our name for it; None: there is none."""
    return next((one.code for one in quantities().values() if word in (one.obis, one.name)), None)


def name_of(quantity: int) -> str:
    """Our name of a quantity; its OBIS code where our table does not have it."""
    known = by_code().get(quantity)
    return known.name if known else obis_text(quantity)


def meaning(quantity: int, language: Language) -> str:
    """What a quantity is called; its OBIS code where our table does not have it."""
    known = by_code().get(quantity)
    return known.meaning.in_language(language) if known else obis_text(quantity)
