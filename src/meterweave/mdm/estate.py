"""The one list of meters: read by people, on lines, behind concentrators or speaking for themselves, side by side.

The archives give a part of the list, in the order of addresses; the lake is then asked for the last readings of that
part alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sqlalchemy import and_, case, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from meterweave.lake import Lake
from meterweave.lake.days import local_days
from meterweave.metering.batch import Quality, Source
from meterweave.metering.quantities import obis_code
from meterweave.registry import Installation, Meter, Registry, Terminal, TransformerDistrict, UnknownRecord, UsagePoint
from meterweave.registry.address import BUS, MANUAL, MQTT, UDP
from meterweave.registry.entered import last_entered
from meterweave.registry.vocabulary import TerminalKind, Utility
from meterweave.text import Text

LOOKED_BACK = (timedelta(days=3), timedelta(days=62))
"""How far back a last reading is looked for: most were heard within days, and the rest is asked for once more."""

_VOID = Quality.TIME_INVALID | Quality.WITHDRAWN  # flags of what is no last reading
_ROWS_AT_ONCE = 20_000  # meters of one question to the lake
_LISTED_AT_ONCE = 1000  # rows fetched at once from the archives


class How(StrEnum):
    """How the readings of a meter come."""

    HAND = "hand"  # people read it
    BUS = "bus"  # a line that the centre or a gateway masters
    CONCENTRATOR = "concentrator"  # a terminal that holds it among others
    DIRECT = "direct"  # it speaks for itself
    NONE = "none"  # the archives know of no way


WORDS: Mapping[How, Text] = MappingProxyType(
    {
        How.HAND: Text("by hand", "人工抄表"),
        How.BUS: Text("bus line", "总线"),
        How.CONCENTRATOR: Text("concentrator", "集中器"),
        How.DIRECT: Text("direct", "直连"),
        How.NONE: Text("none", "无"),
    }
)
"""What each is called."""

_REGISTERS: Mapping[Utility, tuple[int, ...]] = MappingProxyType(
    {
        Utility.ELECTRICITY: (obis_code("1-0:1.8.0"),),
        Utility.WATER: (obis_code("8-0:1.0.0"), obis_code("9-0:1.0.0")),
        Utility.GAS: (obis_code("7-0:3.0.0"),),
        Utility.HEAT: (obis_code("6-0:1.0.0"),),
    }
)
"""Whose last reading is shown: the register that is billed, cold or hot."""


class Wanted(NamedTuple):
    """Which meters are listed; what is left out is no condition."""

    utility: Utility | None = None
    how: How | None = None
    district: str | None = None  # its code
    silent_for: timedelta | None = None  # without a reading for so long
    after: int | None = None  # id of the meter behind which the list goes on
    limit: int | None = None  # None: all


class Last(NamedTuple):
    """The last reading of a meter."""

    quantity: int
    value: int
    ts: datetime
    source: Source


class Listed(NamedTuple):
    """One meter of the list."""

    id: int
    utility: Utility
    protocol: str
    address: str
    asset_number: str | None
    model: str
    how: How
    terminal_protocol: str | None  # of what it hangs on
    terminal: str | None
    terminal_name: str | None
    usage_point: str | None
    district: str | None
    last: Last | None = None


class Part(NamedTuple):
    """A part of the list."""

    meters: list[Listed]
    more: bool  # whether the list goes on


def listed(lake: Lake, registry: Registry, wanted: Wanted, now: datetime) -> Part:
    """A part of the list, by address and id. Blocks.

    Raises
    ------
    UnknownRecord
        If there is no such district, or no meter to go on behind.
    LakeError
        If the lake cannot answer.
    """
    speaking = None if wanted.silent_for is None else _speaking(lake, now - wanted.silent_for, now)
    end = None if wanted.limit is None else wanted.limit + 1
    with registry.reading() as session:
        found = list(islice(_silent(_rows(session, wanted), speaking), end))
        meters = found[: wanted.limit]
        last: dict[int, Last] = {}
        for begin in range(0, len(meters), _ROWS_AT_ONCE):
            last |= _last(lake, session, meters[begin : begin + _ROWS_AT_ONCE], now)
    return Part([one._replace(last=last.get(one.id)) for one in meters], len(found) > len(meters))


def last_readings(lake: Lake, registers: Sequence[tuple[int, int]], since: datetime, now: datetime) -> dict[int, Last]:
    """The last reading of each meter since an instant; meters without one are left out.

    Parameters
    ----------
    registers : sequence of (meter, quantity)
        What is looked for; of several quantities of a meter the one read last.
    """
    meters = [meter for meter, _ in registers]
    if not meters:
        return {}
    asked = pa.table(
        {"meter": pa.array(meters, pa.int64()), "quantity": pa.array([q for _, q in registers], pa.int32())}
    )
    found = lake.query(
        "SELECT r.meter, max(r.ts) AS ts, arg_max(r.quantity, r.ts) AS quantity, arg_max(r.value, r.ts) AS value, "
        "arg_max(r.source, r.ts) AS source FROM readings AS r JOIN asked AS a "
        "ON r.meter = a.meter AND r.quantity = a.quantity "
        f"WHERE r.value IS NOT NULL AND r.quality & {_VOID:d} = 0 "
        f"AND r.meter BETWEEN {min(meters)} AND {max(meters)} GROUP BY r.meter",
        tables={"asked": asked},
        days=_days(lake, since, now),
    )
    return {
        row["meter"]: Last(row["quantity"], row["value"], row["ts"], Source(row["source"])) for row in found.to_pylist()
    }


def _last(lake: Lake, session: Session, meters: Sequence[Listed], now: datetime) -> dict[int, Last]:
    found: dict[int, Last] = {}
    for back in LOOKED_BACK:
        lacking = [(one.id, code) for one in meters if one.id not in found for code in _REGISTERS[one.utility]]
        found |= last_readings(lake, lacking, now - back, now)
    # What people read once a year is in the archives.
    silent = [one.id for one in meters if one.id not in found]
    entered = last_entered(session, silent, [code for codes in _REGISTERS.values() for code in codes])
    for meter, kept in entered.items():
        entry = kept.entry
        found[meter] = Last(
            entry.quantity, entry.value, entry.ts, Source.ESTIMATED if entry.estimated else Source.ENTERED
        )
    return found


def _speaking(lake: Lake, since: datetime, now: datetime) -> frozenset[int]:
    """The meters of which something was read since an instant; what was estimated or taken back was not."""
    since_us, now_us = (
        (one - datetime.fromtimestamp(0, one.tzinfo)) // timedelta(microseconds=1) for one in (since, now)
    )
    found = lake.query(
        f"SELECT DISTINCT meter FROM readings WHERE ts BETWEEN make_timestamptz({since_us}) "
        f"AND make_timestamptz({now_us}) AND value IS NOT NULL AND quality & {_VOID:d} = 0 "
        f"AND source <> {Source.ESTIMATED:d}",
        days=_days(lake, since, now),
    )
    return frozenset(found.column("meter").to_pylist())


def _silent(rows: Iterator[Listed], speaking: frozenset[int] | None) -> Iterator[Listed]:
    return rows if speaking is None else (one for one in rows if one.id not in speaking)


def _rows(session: Session, wanted: Wanted) -> Iterator[Listed]:
    how = case(
        (Meter.protocol == MANUAL, How.HAND.value),
        (Meter.terminal_id.is_(None), How.NONE.value),
        (Terminal.protocol == BUS, How.BUS.value),
        (Terminal.protocol.in_((MQTT, UDP)), How.DIRECT.value),
        (Terminal.kind == TerminalKind.METER, How.DIRECT.value),
        else_=How.CONCENTRATOR.value,
    )
    place = func.coalesce(UsagePoint.district_id, Terminal.district_id)
    district = aliased(TransformerDistrict)
    query = (
        select(
            Meter.id,
            Meter.utility,
            Meter.protocol,
            Meter.address,
            Meter.asset_number,
            Meter.model,
            how.label("how"),
            Terminal.protocol.label("terminal_protocol"),
            Terminal.address.label("terminal"),
            Terminal.name.label("terminal_name"),
            UsagePoint.code.label("usage_point"),
            district.code.label("district"),
        )
        .outerjoin(Terminal, Terminal.id == Meter.terminal_id)
        .outerjoin(Installation, and_(Installation.meter_id == Meter.id, Installation.removed_at.is_(None)))
        .outerjoin(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        .outerjoin(district, district.id == place)
        .order_by(Meter.address, Meter.id)
    )
    conditions: list[Any] = []
    if wanted.utility is not None:
        conditions.append(Meter.utility == wanted.utility)
    if wanted.how is not None:
        conditions.append(how == wanted.how.value)
    if wanted.district is not None:
        conditions.append(place == _district(session, wanted.district))
    if wanted.after is not None:
        conditions.append(tuple_(Meter.address, Meter.id) > tuple_(*_behind(session, wanted.after)))
    rows = session.execute(query.where(*conditions), execution_options={"yield_per": _LISTED_AT_ONCE})
    return (Listed(*row)._replace(how=How(row.how)) for row in rows)


def _district(session: Session, code: str) -> int:
    found = session.scalars(select(TransformerDistrict.id).where(TransformerDistrict.code == code)).one_or_none()
    if found is None:
        raise UnknownRecord(
            Text(f"no transformer district is called {code!r}", f"没有编码为“{code}”的台区")
        )  # fmt: skip
    return found


def _behind(session: Session, meter: int) -> tuple[str, int]:
    address = session.scalars(select(Meter.address).where(Meter.id == meter)).one_or_none()
    if address is None:
        raise UnknownRecord(Text(f"there is no meter with id {meter}", f"没有id为{meter}的表"))
    return address, meter


def _days(lake: Lake, since: datetime, until: datetime) -> Any:
    epoch = datetime.fromtimestamp(0, since.tzinfo)
    ends = [(one - epoch) // timedelta(microseconds=1) for one in (since, until + timedelta(days=1))]
    first, last = local_days(np.array(ends, np.int64), lake.settings.zone).astype("datetime64[D]").tolist()
    return first, last
