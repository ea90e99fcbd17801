"""The events that a command asked for, in words, as the lake has them by now: read or reported."""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.console import Console
from sqlalchemy import select

from meterweave.cli import happened, moment, page
from meterweave.cli.folder import Folder
from meterweave.cli.happened import Happened
from meterweave.headend.command_operations import events_span
from meterweave.registry import Meter
from meterweave.registry.commands import CommandCard, CommandKind, CommandState
from meterweave.text import Language, Text

SHOWN_MAX = 1000
"""Most events of one command that are shown; `meterweave query` has the rest."""

_HEADING, _NONE = Text("Events of the span", "时段内事件"), Text("none", "无")
_ITSELF = Text("the terminal", "终端")
_TABLE = (
    Text("local time", "时间"),
    Text("device", "设备"),
    Text("event", "事件"),
    Text("severity", "级别"),
    Text("ended", "结束"),
    Text("detail", "详情"),
)


class DeviceEvent(NamedTuple):
    """An event, and of which meter it is."""

    meter: str | None  # protocol and address; None: the terminal's own
    what: Happened

    def to_json(self, language: Language) -> dict[str, Any]:
        """As one JSON object; times are local, with their offset."""
        return {"meter": self.meter} | self.what.to_json(language)


def events_of(folder: Folder, command: CommandCard) -> list[DeviceEvent]:
    """The events of a command's terminal and of the meters behind it, within the span it asked for, oldest first.

    None of a command that asks for no events, or was not carried out.
    """
    wanted = command.kind is CommandKind.EVENTS and command.state is CommandState.CONFIRMED
    if not wanted or not folder.lake_path.is_dir():
        return []
    from_us, to_us = events_span(command)
    with folder.lake() as lake:
        rows = lake.query(
            f"SELECT meter, {', '.join(Happened._fields)} FROM events WHERE terminal = {command.terminal_id} "
            f"AND ts >= make_timestamptz({from_us}) AND ts < make_timestamptz({to_us}) "
            f"ORDER BY ts, meter NULLS FIRST, event, number LIMIT {SHOWN_MAX}"
        ).to_pylist()
    names = _names(folder, {row["meter"] for row in rows} - {None})
    return [DeviceEvent(names.get(row.pop("meter")), Happened(**row)) for row in rows]


def show(out: Console, found: list[DeviceEvent], language: Language) -> None:
    """The events as a table."""
    rows = [
        [
            moment.local(one.what.ts),
            one.meter or _ITSELF.in_language(language),
            happened.meaning(one.what.event, language),
            happened.severity(one.what.event, language),
            moment.local(one.what.ended) if one.what.ended else "",
            one.what.detail or "",
        ]
        for one in found
    ]
    page.table(out, _HEADING, _TABLE, rows, language, none=_NONE)


def _names(folder: Folder, meters: set[int]) -> dict[int, str]:
    """Protocol and address of meters, by their ids."""
    with folder.archives() as registry, registry.reading() as session:
        rows = session.execute(select(Meter.id, Meter.protocol, Meter.address).where(Meter.id.in_(meters)))
        return {row.id: f"{row.protocol} {row.address}" for row in rows}
