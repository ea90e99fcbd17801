"""The last events of a meter or a terminal, in words."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

from rich.console import Console

from meterweave.cli import moment, page
from meterweave.lake import Lake
from meterweave.metering.events import event_kinds
from meterweave.text import Language, Text

SHOWN_MAX = 10
"""Events on a page; `meterweave query` has the rest."""

_HEADING, _NONE = Text("Last events", "最近事件"), Text("none reported", "无上报事件")
_TABLE = (
    Text("local time", "时间"),
    Text("event", "事件"),
    Text("severity", "级别"),
    Text("ended", "结束"),
    Text("detail", "详情"),
)
_SEVERITIES = {
    "alarm": Text("alarm", "告警"),
    "warning": Text("warning", "预警"),
    "notice": Text("notice", "通知"),
}
_UNLISTED = Text("event {}", "事件{}")


class Happened(NamedTuple):
    """One row of the view ``events``."""

    event: int
    ts: datetime
    ended: datetime | None
    number: int | None
    detail: str | None
    received: datetime

    def to_json(self, language: Language) -> dict[str, Any]:
        """As one JSON object; times are local, with their offset."""
        kind = event_kinds().get(self.event)
        return {
            "code": self.event,
            "name": kind.name if kind else None,
            "meaning": meaning(self.event, language),
            "severity": str(kind.severity) if kind else None,
            "time": moment.local_iso(self.ts),
            "ended": moment.local_iso(self.ended) if self.ended else None,
            "number": self.number,
            "detail": json.loads(self.detail) if self.detail else None,
            "received": moment.local_iso(self.received),
        }


def last_events(
    lake: Lake, *, meter: int | None = None, terminal: int | None = None, until_us: int | None = None
) -> list[Happened]:
    """The last events of a meter, or those of a terminal itself, newest first.

    Parameters
    ----------
    until_us : int, optional
        Only those that began before. [us since 1970, UTC]
    """
    whose = f"meter = {meter}" if meter is not None else f"terminal = {terminal} AND meter IS NULL"
    before = "" if until_us is None else f"AND ts < make_timestamptz({until_us})"
    found = lake.query(
        f"SELECT {', '.join(Happened._fields)} FROM events WHERE {whose} {before} "
        f"ORDER BY ts DESC, event, number LIMIT {SHOWN_MAX}"
    )
    return [Happened(**row) for row in found.to_pylist()]


def show(out: Console, found: list[Happened], language: Language) -> None:
    """The events as a table."""
    rows = [
        [
            moment.local(one.ts),
            meaning(one.event, language),
            severity(one.event, language),
            moment.local(one.ended) if one.ended else "",
            one.detail or "",
        ]
        for one in found
    ]
    page.table(out, _HEADING, _TABLE, rows, language, none=_NONE)


def meaning(event: int, language: Language) -> str:
    """What an event is called; one that nobody knows keeps its number."""
    kind = event_kinds().get(event)
    return kind.meaning.in_language(language) if kind else _UNLISTED.in_language(language).format(event)


def severity(event: int, language: Language) -> str:
    """How bad an event is; nothing where nobody knows."""
    kind = event_kinds().get(event)
    return _SEVERITIES[kind.severity].in_language(language) if kind else ""
