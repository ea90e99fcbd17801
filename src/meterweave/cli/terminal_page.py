"""Terminals as the archives know them: a list of many, a page of one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import typer
from sqlalchemy import ColumnElement, func, or_, select

from meterweave.cli import columns, happened, moment, page, render
from meterweave.cli.choice import search_word, the_one
from meterweave.cli.columns import Cell
from meterweave.cli.folder import Folder
from meterweave.cli.happened import Happened
from meterweave.registry import Meter, Registry, Terminal, TransformerDistrict
from meterweave.registry.address import NAMED
from meterweave.registry.lookup import TerminalCard, find_terminals
from meterweave.registry.vocabulary import WORDS, TerminalState
from meterweave.text import Language, Text

Json = dict[str, Any]

_ADDRESS, _PROTOCOL, _DISTRICT = Text("address", "地址"), Text("protocol", "规约"), Text("district", "台区")
_STATE, _HEARTBEAT, _NAME = Text("state", "状态"), Text("heartbeat", "心跳"), Text("name", "名称")
_LAST_HEARD, _METERS, _ID = Text("last heard", "最近通信"), Text("meters", "表计"), Text("id", "id")
_LIST = (_ADDRESS, _PROTOCOL, _NAME, _DISTRICT, _STATE, _HEARTBEAT, _LAST_HEARD, Text("ago", "距今"), _METERS)
_METER_LIST = (
    _ADDRESS,
    _PROTOCOL,
    Text("utility", "能源"),
    Text("model", "型号"),
    Text("point", "测量点"),
    Text("port", "端口"),
    Text("asset number", "资产编号"),
    _ID,
)
_NEVER = Text("never", "从未")
_SHOWN = Text("{first} to {last} of {total} terminals", "共{total}台终端，第{first}至{last}台")
_NONE = Text("no terminal is like that", "没有符合条件的终端")
_TITLE = Text("terminal {protocol} {address}", "终端 {protocol} {address}")
_BEHIND = Text("Meters behind it", "下挂表计")
_NO_METERS = Text("none in the archives", "档案中没有")
_MORE = Text("… and {} more; --limit lists them", "…… 另有{}块，见 --limit")


class Listed(NamedTuple):
    """A part of the terminals that were asked for."""

    terminals: list[Json]
    total: int
    offset: int
    seen: datetime  # when they were looked at


class Portrait(NamedTuple):
    """One terminal and what hangs on it."""

    card: TerminalCard
    meters: list[Json]  # the first of them
    counts: dict[str, int]  # of all of them, by utility
    events: list[Happened]  # its own
    seen: datetime


def listed(registry: Registry, *, state: str | None, unseen_h: float | None, limit: int, offset: int) -> Listed:
    """Terminals by protocol and address: those in a state, and not heard for some hours, where that is asked."""
    seen = moment.now()
    wanted: list[ColumnElement[bool]] = []
    if state is not None:
        wanted.append(Terminal.state == TerminalState(state))
    if unseen_h is not None:
        wanted.append(or_(Terminal.last_seen_at.is_(None), Terminal.last_seen_at < seen - timedelta(hours=unseen_h)))
    own = ("id", "protocol", "address", "name", "state", "heartbeat_s", "first_seen_at", "last_seen_at")
    meters = select(func.count()).where(Meter.terminal_id == Terminal.id).correlate(Terminal).scalar_subquery()
    query = (
        select(*(getattr(Terminal, one) for one in own), TransformerDistrict.code.label("district"), meters)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .where(*wanted)
        .order_by(Terminal.protocol, Terminal.address)
        .limit(limit)
        .offset(offset)
    )
    with registry.reading() as session:
        total = session.scalar(select(func.count()).select_from(Terminal).where(*wanted)) or 0
        rows = [dict(zip((*own, "district", "meters"), row, strict=True)) for row in session.execute(query)]
    return Listed(rows, total, offset, seen)


def show_list(found: Listed, language: Language, *, as_json: bool) -> None:
    """Print the list."""
    if as_json:
        _print_json({"total": found.total, "offset": found.offset, "terminals": found.terminals})
        return
    if not found.terminals:
        typer.echo(_NONE.in_language(language))
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _LIST]
    rows = [list(map(Cell, _cells(one, found.seen, language))) for one in found.terminals]
    columns.write(render.console(), [header, *rows], right=[_LIST.index(_HEARTBEAT), _LIST.index(_METERS)])
    last = found.offset + len(found.terminals)
    typer.echo(_SHOWN.in_language(language).format(first=found.offset + 1, last=last, total=found.total))


def _cells(row: Json, seen: datetime, language: Language) -> list[str]:
    heard: datetime | None = row["last_seen_at"]
    return [
        row["address"],
        row["protocol"],
        row["name"],
        row["district"] or "",
        WORDS[row["state"]].in_language(language),
        _heartbeat(row["protocol"], row["heartbeat_s"]),
        moment.local(heard) if heard else _NEVER.in_language(language),
        moment.age(heard, seen, language) if heard else "",
        str(row["meters"]),
    ]


def portrait(folder: Folder, word: str, language: Language, *, limit: int) -> Portrait:
    """The one terminal that `word` means, up to `limit` of its meters, and its own last events.

    Raises
    ------
    MeterweaveError
        If no terminal, or several, are called so, or archives or lake cannot be read.
    """
    own = ("id", "utility", "protocol", "address", "model", "point_number", "port", "asset_number")
    with folder.archives() as registry, registry.reading() as session:
        card = the_one(find_terminals(session, search_word(word)), word, language)
        of_it = Meter.terminal_id == card.id
        query = select(*(getattr(Meter, one) for one in own)).where(of_it).order_by(Meter.point_number, Meter.id)
        meters = [dict(zip(own, row, strict=True)) for row in session.execute(query.limit(limit))]
        grouped = session.execute(select(Meter.utility, func.count()).where(of_it).group_by(Meter.utility))
        counts = {str(utility): count for utility, count in grouped}
    with folder.lake() as lake:
        events = happened.last_events(lake, terminal=card.id)
    return Portrait(card, meters, counts, events, moment.now())


def show(found: Portrait, language: Language, *, as_json: bool) -> None:
    """Print the page of one terminal."""
    if as_json:
        _print_json(
            {
                "terminal": found.card.to_json(),
                "meter_counts": found.counts,
                "meters": found.meters,
                "events": [one.to_json(language) for one in found.events],
            }
        )
        return
    out = render.console()
    card = found.card
    page.title(out, _TITLE.in_language(language).format(protocol=card.protocol, address=card.address))
    page.facts(out, facts(card, found.seen, language), language)
    rows = [
        [
            one["address"],
            one["protocol"],
            WORDS[one["utility"]].in_language(language),
            one["model"],
            str(one["point_number"] or ""),
            one["port"] or "",
            one["asset_number"] or "",
            str(one["id"]),
        ]
        for one in found.meters
    ]
    page.table(out, _BEHIND, _METER_LIST, rows, language, none=_NO_METERS)
    more = sum(found.counts.values()) - len(rows)
    if more:
        page.note(out, _MORE.in_language(language).format(more))
    happened.show(out, found.events, language)


def facts(card: TerminalCard, seen: datetime, language: Language) -> list[page.Fact]:
    """What the archives say of a terminal."""
    heard = card.last_seen_at
    return [
        (_NAME, card.name),
        (Text("kind", "类型"), _word(card.kind, language)),
        (_STATE, _word(card.state, language)),
        (Text("came by", "来源"), _word(card.enrolled_by, language)),
        (_DISTRICT, card.district or ""),
        (Text("organisation", "单位"), card.organisation or ""),
        (Text("line port", "线路端口"), card.port or ""),
        (Text("collector", "所属采集器"), card.collector or ""),
        (_HEARTBEAT, _heartbeat(card.protocol, card.heartbeat_s)),
        (Text("first heard", "首次通信"), moment.local(card.first_seen_at) if card.first_seen_at else ""),
        (
            _LAST_HEARD,
            f"{moment.local(heard)}, {moment.age(heard, seen, language)}" if heard else _NEVER.in_language(language),
        ),
        (_ID, str(card.id)),
    ]


def _heartbeat(protocol: str, heartbeat_s: int) -> str:
    """Of terminals that hold a session; lines, gateways and devices that only report have none."""
    return "" if protocol in NAMED else f"{heartbeat_s} s"


def _word(word: Any, language: Language) -> str:
    return WORDS[word].in_language(language)


def _print_json(whole: Json) -> None:
    typer.echo(json.dumps(whole, ensure_ascii=False, default=_json_value))


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
