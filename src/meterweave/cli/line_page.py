"""Lines as archives and lake know them: a list of all, a page of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import typer

from meterweave.cli import columns, moment, page, render
from meterweave.cli.choice import BY_ID
from meterweave.cli.columns import Cell
from meterweave.cli.folder import Folder
from meterweave.cli.line_lore import Json, KnownLine, known_lines
from meterweave.errors import ConfigError
from meterweave.lake import Lake, LakeError
from meterweave.profiles.mistake import nearest
from meterweave.registry.lines import LineMeter
from meterweave.registry.vocabulary import WORDS
from meterweave.text import Language, Text

DAYS = 31
"""How far back the last reading of a meter is looked for. [d]"""
LATE_PERIODS = 3
"""A meter is late when so many of its periods went by without a reading."""

_NAME, _PORT, _BUS, _STATE = Text("line", "线路"), Text("port", "端口"), Text("bus", "总线"), Text("state", "状态")
_GATEWAY, _METERS, _BUSY = Text("mastered by", "采集方"), Text("meters", "表计"), Text("busy", "占用率")
_HEARD, _AGO, _AMISS = Text("last heard", "最近通信"), Text("ago", "距今"), Text("what is amiss", "问题")
_LIST = (_NAME, _PORT, _BUS, _GATEWAY, _STATE, _METERS, _BUSY, _HEARD, _AGO, _AMISS)
_DEVICES = (
    Text("address", "地址"),
    Text("utility", "能源"),
    Text("profile", "设备配置"),
    Text("every", "周期"),
    Text("last read", "最近读数"),
    _AGO,
    Text("id", "id"),
    _AMISS,
)
_CENTRE, _NEVER = Text("the centre", "中心"), Text("never", "从未")
_NO_LINES = Text(
    "the archives have no line; docs/how-to/connect-a-bus.md tells how to add one",
    "档案中没有线路；见docs/how-to/connect-a-bus.md",
)
_TOO_BUSY = Text(
    "it cannot keep its plan; meterweave line check shows the arithmetic", "无法按计划抄读，见meterweave line check"
)
_NOT_READ = Text("{} meters are not read", "{}块表未抄读")
_NO_READING = Text("no reading in the last {} days", "近{}天无读数")
_LATE = Text("no reading for {}", "已{}无读数")
_TITLE, _ON_IT, _NONE = (
    Text("line {}", "线路 {}"),
    Text("Meters on it", "线路上的表计"),
    Text("none in the archives", "档案中没有"),
)


class Portrait(NamedTuple):
    """One line, and when each meter on it was read last."""

    known: KnownLine
    read: Mapping[int, datetime]
    seen: datetime


def listed(folder: Folder) -> list[KnownLine]:
    """All lines by name."""
    return known_lines(folder)


def show_list(found: Sequence[KnownLine], language: Language, *, as_json: bool) -> None:
    """Print the list."""
    if as_json:
        _print_json({"lines": [one.to_json() for one in found]})
        return
    if not found:
        typer.echo(_NO_LINES.in_language(language))
        return
    seen = moment.now()
    header = [Cell(one.in_language(language), "bold cyan") for one in _LIST]
    rows = [[*map(Cell, _cells(one, seen, language)), _amiss(one, language)] for one in found]
    columns.write(render.console(), [header, *rows], right=[_LIST.index(_METERS), _LIST.index(_BUSY)], whole=(0, 1))


def _cells(known: KnownLine, seen: datetime, language: Language) -> list[str]:
    entry, plan = known.line.entry, known.line.plan
    return [
        entry.name,
        entry.port.place if entry.port else "",
        plan.bus.value if plan else "",
        known.gateway or _CENTRE.in_language(language),
        WORDS[entry.state].in_language(language),
        str(len(entry.meters)),
        percent(known.share),
        moment.local(known.heard) if known.heard else _NEVER.in_language(language),
        moment.age(known.heard, seen, language) if known.heard else "",
    ]


def percent(share: float | None) -> str:
    """A share of a line's time for people; empty: it is not known."""
    return "" if share is None else f"{share:.1%}"


def _amiss(known: KnownLine, language: Language) -> Cell:
    if known.share is not None and known.share > 1 and known.line.entry.runs:
        return Cell(_TOO_BUSY.in_language(language), "red")
    if known.line.problem is not None:
        return Cell(known.line.problem.in_language(language), "red" if known.line.entry.runs else "dim")
    count = len(known.line.problems)
    return Cell(_NOT_READ.in_language(language).format(count), "red") if count else Cell("")


def portrait(folder: Folder, word: str) -> Portrait:
    """The line that `word` means, and when its meters were read last.

    Raises
    ------
    MeterweaveError
        If no line is called so, or archives or lake cannot be read.
    """
    found = known_lines(folder)
    known = next(
        (one for one in found if word.lower() in (one.line.entry.name, f"{BY_ID}{one.line.entry.terminal}")), None
    )
    if known is None:
        hint = nearest(word, [one.line.entry.name for one in found]).en or "meterweave line list shows them"
        raise ConfigError(f"no line is called {word!r}; {hint}")
    with folder.lake() as lake:
        read = _last_read(lake, [meter.id for meter in known.line.entry.meters])
    return Portrait(known, read, moment.now())


def _last_read(lake: Lake, meters: Sequence[int]) -> dict[int, datetime]:
    if not meters:
        return {}
    today = moment.now().astimezone(moment.zone()).date()
    days = today - timedelta(days=DAYS), today + timedelta(days=1)
    sql = f"SELECT meter, max(ts) AS ts FROM raw_readings WHERE meter IN ({', '.join(map(str, meters))}) GROUP BY meter"
    try:
        return {row["meter"]: row["ts"] for row in lake.query(sql, days=days).to_pylist()}
    except LakeError as error:
        raise ConfigError(f"the readings cannot be asked for: {error}") from error


def show(found: Portrait, language: Language, *, as_json: bool) -> None:
    """Print the page of one line."""
    known = found.known
    if as_json:
        _print_json(known.to_json() | {"devices": [_device_json(one, found) for one in known.line.entry.meters]})
        return
    out = render.console()
    page.title(out, _TITLE.in_language(language).format(known.line.entry.name))
    cells = _cells(known, found.seen, language)
    page.facts(out, [*zip(_LIST[1:], cells[1:], strict=False), (_AMISS, _amiss(known, language).text)], language)
    rows = [_row(one, found, language) for one in known.line.entry.meters]
    page.table(out, _ON_IT, _DEVICES, rows, language, right=[3, 6], none=_NONE)


def _row(meter: LineMeter, found: Portrait, language: Language) -> list[str]:
    read, every_s = found.read.get(meter.id), _every_s(meter, found)
    amiss = _amiss_with(meter, found)
    return [
        meter.address,
        WORDS[meter.utility].in_language(language),
        meter.model,
        f"{every_s:g} s" if every_s else "",
        moment.local(read) if read else "",
        moment.age(read, found.seen, language) if read else "",
        str(meter.id),
        amiss.in_language(language) if amiss else "",
    ]


def _every_s(meter: LineMeter, found: Portrait) -> float | None:
    plan = found.known.line.plan
    return next((one.every_s for one in plan.devices if one.meter == meter.id), None) if plan else None


def _amiss_with(meter: LineMeter, found: Portrait) -> Text | None:
    """What is amiss with a meter, as far as archives and lake tell."""
    problem, read, every_s = found.known.line.problems.get(meter.id), found.read.get(meter.id), _every_s(meter, found)
    if problem is not None or every_s is None:
        return problem
    if not found.known.line.entry.runs:
        return None  # nobody reads it, so no reading is late
    if read is None:
        return Text(*(one.format(DAYS) for one in _NO_READING))
    late = found.seen - read
    if late <= timedelta(seconds=LATE_PERIODS * every_s):
        return None
    return Text(*(one.format(_span(late, language)) for one, language in zip(_LATE, _LANGUAGES, strict=True)))


_LANGUAGES: tuple[Language, Language] = ("en", "zh")


def _span(span: timedelta, language: Language) -> str:
    seconds = round(span.total_seconds())
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} h {minutes} min" if language == "en" else f"{hours}小时{minutes}分钟"
    return f"{minutes} min {seconds % 60} s" if language == "en" else f"{minutes}分{seconds % 60}秒"


def _device_json(meter: LineMeter, found: Portrait) -> Json:
    amiss = _amiss_with(meter, found)
    return {
        "id": meter.id,
        "utility": meter.utility,
        "protocol": meter.protocol,
        "address": meter.address,
        "model": meter.model,
        "every_s": _every_s(meter, found),
        "last_read": found.read.get(meter.id),
        "problem": amiss._asdict() if amiss else None,
    }


def _print_json(whole: Json) -> None:
    typer.echo(json.dumps(whole, ensure_ascii=False, default=lambda value: value.isoformat()))
