"""Events that devices reported, for who may see them, the newest first."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import select

from meterweave.lake import Lake
from meterweave.manager.errors import AskedWrongly
from meterweave.manager.identity import Identity, require
from meterweave.manager.scope import in_scope, the_visible
from meterweave.manager.span import Days
from meterweave.metering.batch import Source
from meterweave.metering.events import event_codes, event_kinds
from meterweave.registry import Meter, Registry, Terminal
from meterweave.text import Text

PAGE_ROWS_MAX = 1000
"""Most events of a page."""

DAYS_MAX = 400
"""Most local days that one question is about."""

_COLUMNS = "terminal, meter, event, ts, ended, number, detail, source, received"
_NO_METER = -1  # stands in a mark for an event of the terminal itself


class Asked(NamedTuple):
    """Which events; what is None bounds nothing."""

    days: Days
    terminal: int | None = None
    meter: int | None = None
    event: str | None = None  # its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event, as a device reported it."""

    terminal: int
    meter: int | None
    code: int
    name: str | None  # None: a kind that the table does not have
    severity: str | None
    meaning: Text | None
    at: datetime
    ended_at: datetime | None
    number: int | None
    detail: str | None
    source: str
    received_at: datetime


class Page(NamedTuple):
    """Some events, and the mark of the page behind them; None: this is the last."""

    events: tuple[Happening, ...]
    next: str | None


def events(
    registry: Registry, lake: Lake, identity: Identity, asked: Asked, *, limit: int, cursor: str | None = None
) -> Page:
    """A page of events. Blocks.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not see events, or the terminal or meter.
    AskedWrongly
        If there is no event of that name, or `cursor` is no mark.
    LakeError
        If the lake cannot answer.
    """
    require(identity, "events.read")
    limit = max(1, min(limit, PAGE_ROWS_MAX))
    conditions = _conditions(asked) + ([_behind(cursor)] if cursor else [])
    tables: dict[str, pa.Table] = {}
    with registry.reading() as session:
        if asked.terminal is not None:
            the_visible(session, identity, Terminal, asked.terminal)
        if asked.meter is not None:
            the_visible(session, identity, Meter, asked.meter)
        elif asked.terminal is None and not identity.scope.everywhere:
            seen = session.scalars(in_scope(_terminals(), identity, Terminal)).all()
            tables["seen_terminals"] = pa.table({"id": pa.array(seen, pa.int64())})
            conditions.append("terminal IN (SELECT id FROM seen_terminals)")
    rows = lake.query(
        f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(conditions)} "
        f"ORDER BY ts DESC, terminal, coalesce(meter, {_NO_METER}), event LIMIT {limit + 1}",
        tables=tables,
        days=(asked.days.first, asked.days.last),
    ).to_pylist()
    more = len(rows) > limit
    return Page(tuple(map(_happening, rows[:limit])), _mark(rows[limit - 1]) if more else None)


def _terminals() -> Any:
    return select(Terminal.id)


def _conditions(asked: Asked) -> list[str]:
    found = ["true"]
    if asked.terminal is not None:
        found.append(f"terminal = {int(asked.terminal)}")
    if asked.meter is not None:
        found.append(f"meter = {int(asked.meter)}")
    if asked.event is not None:
        code = event_codes().get(asked.event)
        if code is None:
            name = asked.event[:40]
            raise AskedWrongly(Text(f"there is no event {name!r}", f"没有事件“{name}”"))
        found.append(f"event = {code}")
    return found


def _happening(row: dict[str, Any]) -> Happening:
    kind = event_kinds().get(row["event"])
    return Happening(
        terminal=row["terminal"],
        meter=row["meter"],
        code=row["event"],
        name=kind.name if kind else None,
        severity=str(kind.severity) if kind else None,
        meaning=kind.meaning if kind else None,
        at=row["ts"],
        ended_at=row["ended"],
        number=row["number"],
        detail=row["detail"],
        source=Source(row["source"]).name.lower(),
        received_at=row["received"],
    )


def _mark(row: dict[str, Any]) -> str:
    meter = _NO_METER if row["meter"] is None else row["meter"]
    place = [_us(row["ts"]), row["terminal"], meter, row["event"]]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).rstrip(b"=").decode()


def _behind(mark: str) -> str:
    """The condition that rows behind a mark meet."""
    try:
        place = json.loads(base64.b64decode(mark[:200] + "=" * (-len(mark) % 4), b"-_", validate=True))
        ts, terminal, meter, event = (one if type(one) is int and abs(one) < 1 << 63 else None for one in place)
        if None in (ts, terminal, meter, event):
            raise ValueError
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise AskedWrongly(Text("the page mark is none of this list", "分页标记不合法")) from None
    moment = f"make_timestamptz({ts})"
    behind = f"(terminal, coalesce(meter, {_NO_METER}), event) > ({terminal}, {meter}, {event})"
    return f"(ts < {moment} OR (ts = {moment} AND {behind}))"


def _us(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
