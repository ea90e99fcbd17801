"""One meter's readings, for who may see them: curves of a few days, exact and with their units."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa

from meterweave.lake import Lake
from meterweave.manager.errors import AskedWrongly
from meterweave.manager.identity import Identity, require
from meterweave.manager.scope import the_visible
from meterweave.manager.span import Days, local_text
from meterweave.metering.batch import Profile, Quality, Source
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import Kind, Quantity, by_code, obis_text, quantities
from meterweave.registry import Meter, Registry
from meterweave.text import Text

PAGE_DAYS_MAX = 31
"""Most local days on one page."""

DAYS_MAX = 3660
"""Most local days that one question is about."""

POINTS_MAX = 200_000
"""Most readings on one page."""

SERIES = {profile.name.lower(): profile for profile in Profile}
"""The series by what people call them."""


class Point(NamedTuple):
    """One reading."""

    at: str  # local time with its offset, ISO 8601
    value: str | None  # in the curve's unit, exact; None: the device said that it has none
    quality: tuple[str, ...]  # what is known about it; empty: a plain good reading
    source: str


@dataclass(frozen=True, slots=True)
class Curve:
    """What was read of one quantity, in one series, oldest first."""

    quantity: Quantity
    series: str
    points: Sequence[Point]


class Rows(NamedTuple):
    """Some days of one meter, as the lake has them; the same `table` again, as long as nothing changed."""

    meter: int
    days: Days
    table: pa.Table
    next: date | None  # where the next page begins; None: this is the last one


class Wanted(NamedTuple):
    """Which of a meter's curves; what is empty bounds nothing."""

    quantities: frozenset[int] = frozenset()
    series: frozenset[int] = frozenset()


def wanted(names: Collection[str] = (), series: Collection[str] = ()) -> Wanted:
    """The curves that people name.

    Parameters
    ----------
    names : collection of str
        Of quantities: ``active_power`` or ``1-0:16.7.0``.
    series : collection of str
        Of `SERIES`.

    Raises
    ------
    AskedWrongly
        If there is no such quantity or series.
    """
    for one in series:
        if one not in SERIES:
            known = ", ".join(SERIES)
            raise AskedWrongly(Text(f"{one[:40]!r} is no series; {known} are", f"没有系列“{one[:40]}”，可选：{known}"))
    return Wanted(frozenset(map(quantity_code, names)), frozenset(int(SERIES[one]) for one in series))


def quantity_code(name: str) -> int:
    """The number of a quantity in stored columns, by its name or OBIS code.

    Raises
    ------
    AskedWrongly
        If there is none of that name.
    """
    found = quantities().get(name) or _by_name().get(name)
    if found is None:
        raise AskedWrongly(Text(f"there is no quantity {name[:40]!r}", f"没有数据项“{name[:40]}”"))
    return found.code


def meter_rows(registry: Registry, lake: Lake, identity: Identity, meter: int, days: Days, *, page_days: int) -> Rows:
    """A page of a meter's readings: whole local days, as many of `days` as `page_days`. Blocks.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not see them, or the meter.
    AskedWrongly
        If there are too many on one page: ask for fewer days.
    LakeError
        If the lake cannot answer.
    """
    require(identity, "readings.read")
    with registry.reading() as session:
        the_visible(session, identity, Meter, meter)
    last = min(days.last, days.first + timedelta(days=min(page_days, PAGE_DAYS_MAX) - 1))
    table = lake.meter_days(meter, days.first, last)
    if table.num_rows > POINTS_MAX:
        raise AskedWrongly(
            Text(
                f"a page holds {POINTS_MAX} readings, not {table.num_rows}: ask for fewer days",
                f"单页最多{POINTS_MAX}条，请减少天数",
            )
        )
    return Rows(meter, Days(days.first, last), table, None if last == days.last else last + timedelta(days=1))


def curves_of(rows: pa.Table, curves: Wanted, zone: ZoneInfo) -> tuple[Curve, ...]:
    """The curves in a meter's rows, by quantity and series."""
    names = ("quantity", "profile", "ts", "value", "quality", "source")
    columns: list[list[Any]] = [
        (rows[name].cast(pa.int64()) if name == "ts" else rows[name]).to_pylist() for name in names
    ]
    found = []
    for (code, profile), part in groupby(zip(*columns, strict=True), itemgetter(0, 1)):
        if (curves.quantities and code not in curves.quantities) or (curves.series and profile not in curves.series):
            continue
        quantity = described(code)
        exponent = quantity.exponent
        points = [
            Point(
                local_text(ts, zone),
                None if value is None else to_text(value, exponent),
                quality_words(flags),
                _SOURCES[source],
            )
            for _, _, ts, value, flags, source in part
        ]
        found.append(Curve(quantity, _PROFILES[profile], points))
    return tuple(found)


def described(code: int) -> Quantity:
    """What a quantity's number stands for; one that the table does not have is bare numbers."""
    return by_code().get(code) or _unlisted(code)


def quality_words(flags: int) -> tuple[str, ...]:
    """The names of quality flags; empty: good."""
    return tuple(flag.name.lower() for flag in Quality if flag and flags & flag and flag.name) if flags else ()


@cache
def _by_name() -> dict[str, Quantity]:
    return {quantity.name: quantity for quantity in quantities().values()}


@cache
def _unlisted(code: int) -> Quantity:
    obis = obis_text(code)
    return Quantity(obis, obis, "", 0, Kind.INSTANT, "", "", 0, Text(f"not in the table: {obis}", f"未收录：{obis}"))


_SOURCES = {int(source): source.name.lower() for source in Source}
_PROFILES = {int(profile): profile.name.lower() for profile in Profile}
