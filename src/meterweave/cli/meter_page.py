"""All that is known of one meter, on a page for people or as one object for programs."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any, NamedTuple

import typer
from rich.console import Console
from sqlalchemy import select

from meterweave.cli import completeness, happened, measured, moment, page, render, trace
from meterweave.cli.choice import search_word, the_one
from meterweave.cli.completeness import Counts, Day
from meterweave.cli.folder import Folder
from meterweave.cli.happened import Happened
from meterweave.cli.measured import Reading
from meterweave.cli.trace import Trace
from meterweave.errors import ConfigError
from meterweave.headend.collection.moments import instant_us
from meterweave.registry import Meter
from meterweave.registry.lookup import MeterCard, find_meters
from meterweave.registry.vocabulary import WORDS, Phase, TerminalState, Utility, Wiring
from meterweave.text import Language, Text

_TITLE = Text("{utility} meter {protocol} {address}", "{utility}表 {protocol} {address}")
_LATEST, _NO_LATEST = Text("Latest values", "最新数据"), Text("no readings yet", "尚无读数")
_NO_VALUE = Text("… and {} that the meter has no value of; --json has them", "…… 另有{}项表计无数据，见 --json")
_DAYS = Text("Readings there of those expected", "近日采集完整性（已有/应有）")
_NO_PLAN = Text("no collection plan wants anything of it", "没有采集方案涉及该表")
_HISTORY, _NO_HISTORY = Text("Installed", "安装记录"), Text("on no usage point so far", "未安装在任何用电点")
_DIRECT, _STILL = Text("direct", "直接接入"), Text("still there", "至今")
_NEVER_HEARD = Text("never heard", "从未通信")
_HEARD = Text("heard {}", "{}通信")
_QUALITIES = {
    "no_value": Text("no value", "无数据"),
    "rounded": Text("rounded", "已舍入"),
    "time_invalid": Text("the meter's time is wrong", "时间无效"),
    "out_of_range": Text("out of range", "超出范围"),
    "withdrawn": Text("taken back", "已撤回"),
}
_GOOD = Text("good", "正常")
_SOURCES = {
    "read": Text("read", "召测"),
    "pushed": Text("pushed", "上报"),
    "forwarded": Text("forwarded", "透传"),
    "entered": Text("entered", "录入"),
    "estimated": Text("estimated", "估算"),
}
_LATEST_TABLE = (
    Text("quantity", "数据项"),
    Text("value", "数值"),
    Text("unit", "单位"),
    Text("series", "类别"),
    Text("local time", "时间"),
    Text("ago", "距今"),
    Text("quality", "质量"),
    Text("came by", "来源"),
)
_DAYS_TABLE = (
    Text("day", "日期"),
    Text("load curve", "曲线"),
    Text("daily freeze", "日冻结"),
    Text("missing most", "缺失最多"),
)
_HISTORY_TABLE = (Text("usage point", "用电点"), Text("from", "自"), Text("to", "至"))


class Wanted(NamedTuple):
    """What is asked of which meter."""

    meter: str
    until: date | None  # last local day that is looked at; None: today
    days: int
    quantity: str | None
    frames: bool


class Portrait(NamedTuple):
    """What there is to say of a meter."""

    card: MeterCard
    latest: list[Reading]
    days: list[Day]
    events: list[Happened]
    trace: Trace | None
    seen: datetime  # the moment ages are counted from

    def to_json(self, language: Language) -> dict[str, Any]:
        """As one JSON object."""
        found = {
            "meter": self.card.to_json(),
            "latest": [one.to_json(self.seen, language) for one in self.latest],
            "days": [one.to_json() for one in self.days],
            "events": [one.to_json(language) for one in self.events],
        }
        return found if self.trace is None else found | {"trace": self.trace.to_json(self.seen, language)}


def portrait(folder: Folder, wanted: Wanted, language: Language) -> Portrait:
    """Look everything up.

    Raises
    ------
    MeterweaveError
        If no meter, or several, are called so, or archives or lake cannot be read.
    """
    only = _only(wanted.quantity)
    with folder.archives() as registry, registry.reading() as session:
        card = the_one(find_meters(session, search_word(wanted.meter)), wanted.meter, language)
        keys = session.execute(select(Meter.wire_key, Meter.address_key).where(Meter.id == card.id)).one()
        asked = completeness.wants(session, card)
    now = moment.now()
    end_us = None if wanted.until is None else instant_us(moment.midnight(wanted.until + moment.DAY))
    last = wanted.until or moment.today(now)
    with folder.lake() as lake:
        latest = measured.latest(lake, card.id, until=wanted.until, only=only)
        days = completeness.last_days(lake, card, asked, last=last, days=wanted.days, now=now)
        events = happened.last_events(lake, meter=card.id, until_us=end_us)
        traced = None
        if wanted.frames and latest and card.terminal is not None:
            newest = max(_with_value(latest), key=lambda one: (one.ts, one.received))
            traced = trace.trace(lake, newest, card.terminal.id, [key for key in keys if key is not None])
    return Portrait(card, latest, days if asked else [], events, traced, now)


def _with_value(latest: list[Reading]) -> list[Reading]:
    """Those that have a value; where none has, all."""
    return [one for one in latest if one.value is not None] or latest


def _only(quantity: str | None) -> tuple[int, ...]:
    if quantity is None:
        return ()
    code = measured.quantity_named(quantity)
    if code is None:
        raise ConfigError(
            f"no quantity is called {quantity!r}; names and OBIS codes are those of "
            'meterweave query "SELECT obis, name, meaning_en FROM quantities"'
        )
    return (code,)


def show(found: Portrait, language: Language, *, as_json: bool) -> None:
    """Print the page."""
    if as_json:
        typer.echo(json.dumps(found.to_json(language), ensure_ascii=False))
        return
    out, card = render.console(), found.card
    utility = WORDS[Utility(card.utility)].in_language(language)
    page.title(out, _TITLE.in_language(language).format(utility=utility, protocol=card.protocol, address=card.address))
    page.facts(out, _facts(card, language), language)
    _show_history(out, card, language)
    _show_latest(out, found, language)
    _show_days(out, found.days, language)
    happened.show(out, found.events, language)
    if found.trace is not None:
        trace.show(out, found.trace, language)


def _facts(card: MeterCard, language: Language) -> list[page.Fact]:
    return [
        (Text("asset number", "资产编号"), card.asset_number or ""),
        (Text("model", "型号"), card.model),
        (Text("terminal", "终端"), _terminal(card, language)),
        (Text("measuring point", "测量点"), str(card.point_number or "")),
        (Text("port", "端口"), card.port or ""),
        (Text("collector", "采集器"), card.collector or ""),
        (Text("baud rate", "波特率"), str(card.baud or "")),
        (Text("tariffs", "费率数"), str(card.tariff_count or "")),
        (Text("CT ratio", "CT变比"), _ratio(card.ct_primary, card.ct_secondary, language)),
        (Text("PT ratio", "PT变比"), _ratio(card.pt_primary, card.pt_secondary, language)),
        (Text("wiring", "接线方式"), WORDS[Wiring(card.wiring)].in_language(language) if card.wiring else ""),
        (Text("phase", "相别"), WORDS[Phase(card.phase)].in_language(language) if card.phase else ""),
        (Text("id", "id"), str(card.id)),
    ]


def _terminal(card: MeterCard, language: Language) -> str:
    terminal = card.terminal
    if terminal is None:
        return ""
    heard = terminal.last_seen_at
    parts = [
        f"{terminal.protocol} {terminal.address}",
        terminal.name,
        WORDS[TerminalState(terminal.state)].in_language(language),
        _HEARD.in_language(language).format(moment.age(heard, moment.now(), language))
        if heard
        else _NEVER_HEARD.in_language(language),
    ]
    return Text(", ", "，").in_language(language).join(part for part in parts if part)


def _ratio(primary: int, secondary: int, language: Language) -> str:
    return _DIRECT.in_language(language) if primary == secondary else f"{primary}/{secondary}"


def _show_history(out: Console, card: MeterCard, language: Language) -> None:
    rows = [
        [
            span.usage_point,
            moment.local(span.installed_at),
            moment.local(span.removed_at) if span.removed_at else _STILL.in_language(language),
        ]
        for span in card.history
    ]
    page.table(out, _HISTORY, _HISTORY_TABLE, rows, language, none=_NO_HISTORY)


def _show_latest(out: Console, found: Portrait, language: Language) -> None:
    rows, shown = [], _with_value(found.latest)
    for one in shown:
        said = one.to_json(found.seen, language)
        value, unit = render.amount(said["value"], said["unit"] or "", language)
        quality = [_QUALITIES[flag].in_language(language) for flag in said["quality"]]
        rows.append(
            [
                said["meaning"] or said["obis"],
                value,
                unit,
                render.series(one.profile, language),
                moment.local(one.ts),
                moment.age(one.ts, found.seen, language),
                Text(", ", "，").in_language(language).join(quality) or _GOOD.in_language(language),
                _SOURCES[said["source"]].in_language(language),
            ]
        )
    page.table(out, _LATEST, _LATEST_TABLE, rows, language, right=[1], none=_NO_LATEST)
    left_out = len(found.latest) - len(shown)
    if left_out:
        page.note(out, _NO_VALUE.in_language(language).format(left_out))


def _show_days(out: Console, days: list[Day], language: Language) -> None:
    rows = [[one.day.isoformat(), _share(one.curve), _share(one.freeze), _missing_most(one, language)] for one in days]
    page.table(out, _DAYS, _DAYS_TABLE, rows, language, right=[1, 2], none=_NO_PLAN)


def _share(counts: Counts) -> str:
    """What is there of what was expected; nothing where nothing was."""
    found = completeness.total(counts)
    return f"{found.stored}/{found.expected}" if found.expected else "–"


def _missing_most(day: Day, language: Language) -> str:
    """The quantity that lacks most, with its own numbers."""
    for counts in (day.curve, day.freeze):
        code = completeness.missing_most(counts)
        if code is not None:
            return f"{measured.meaning(code, language)} {counts[code].stored}/{counts[code].expected}"
    return ""
