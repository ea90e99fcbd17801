"""Frames, garbage and readings as people read them on a terminal."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rich.console import Console
from rich.text import Text as Styled

from meterweave.cli import columns
from meterweave.cli.columns import Cell
from meterweave.errors import KINDS
from meterweave.metering.batch import Profile, Quality, ReadingBatch, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import by_code
from meterweave.protocols.codec import Json, twelve_digits
from meterweave.protocols.explain import Field
from meterweave.protocols.session import Entry
from meterweave.text import Language, Text

_WIDTH_PIPED = 140
_OCTETS_WIDTH = 37  # twelve octets a line, indented
_GARBAGE_SHOWN_MAX = 512  # octets

_WORDS = {
    "frame": Text("frame", "帧"),
    "meter": Text("meter", "表计"),
    "time": Text("time of the value", "数据时间"),
    "quantity": Text("quantity", "数据项"),
    "value": Text("value", "数值"),
    "unit": Text("unit", "单位"),
    "profile": Text("series", "类别"),
    "none": Text("no value", "无数据"),
    "now": Text("when read", "抄读时"),
    "more": Text("… and {} more", "…… 另有{}个"),
    "line": Text("line {}", "第{}行"),
    "and": Text(", ", "，"),
    "0 readings": Text("no readings", "没有读数"),
}
_COUNTS = {
    "frames": (Text("{} frame", "{}帧"), Text("{} frames", "{}帧")),
    "octets": (Text("{} octet", "{}字节"), Text("{} octets", "{}字节")),
    "broken": (
        Text("{} octet, not a good frame", "{}字节，不是有效帧"),
        Text("{} octets, not a good frame", "{}字节，不是有效帧"),
    ),
    "garbage": (Text("{} octet of garbage", "{}个无效字节"), Text("{} octets of garbage", "{}个无效字节")),
    "readings": (Text("{} reading", "{}条读数"), Text("{} readings", "{}条读数")),
    "meters": (Text("{} meter", "{}块表"), Text("{} meters", "{}块表")),
    "absent": (
        Text("{} value the device did not have", "{}项设备无数据"),
        Text("{} values the devices did not have", "{}项设备无数据"),
    ),
}
_REASONS = {  # why a protocol's `probe` finds no frame
    reason.en: reason
    for reason in (
        *KINDS.values(),
        Text("before a start octet", "帧起始符之前的字节"),
        Text("cut short", "帧不完整"),
        Text("an acknowledge inside noise", "噪声中的应答字节"),
        Text("no unit has this address", "从站地址不合法"),
        Text("unknown function", "未知功能码"),
        Text("no end of the envelope", "没有封装结束符"),
    )
}
_PROFILES = {
    Profile.SPOT: Text("spot", "实时"),
    Profile.CURVE: Text("curve", "曲线"),
    Profile.DAILY: Text("daily freeze", "日冻结"),
    Profile.MONTHLY: Text("monthly freeze", "月冻结"),
    Profile.SETTLEMENT: Text("settlement", "结算"),
    Profile.EVENT: Text("event", "事件"),
}
_UNITS = {"1": "", "Cel": "°C", "deg": "°", "m3": "m³", "m3/h": "m³/h"}  # UCUM as people write it
_ARROWS = {"in": "←", "out": "→", "": " "}


def console() -> Console:
    """Standard output, coloured on a terminal; wide enough for a table in a pipe."""
    found = Console(highlight=False, soft_wrap=False)
    if not found.is_terminal:
        found.width = _WIDTH_PIPED
    return found


def entries(found: Sequence[Entry], language: Language) -> None:
    """Every frame field by field, garbage with its reason, and a closing count."""
    out = console()
    for number, entry in enumerate(found, 1):
        frame(out, number, entry, language)
        columns.write(out, [[Cell("")]])
    if len(found) > 1:
        frames = sum(not entry.garbage for entry in found)
        lost = sum(len(entry.octets) for entry in found if entry.garbage)
        out.print(Styled(_count({"frames": frames, "garbage": lost}, language), "bold"))


def frame(out: Console, number: int, entry: Entry, language: Language) -> None:
    """One frame field by field, or garbage with its reason."""
    columns.write(out, [[_heading(number, entry, language)]])
    if entry.codec and not (entry.garbage and not entry.codec.begins(entry.octets)):
        rows = [_row(depth, field, language) for depth, field in _lines(entry.codec.explain(entry.octets))]
        columns.write(out, rows, widest=_OCTETS_WIDTH)
        return
    known = _REASONS.get(entry.garbage)
    reason = known.in_language(language) if known else entry.garbage
    columns.write(out, [[Cell(f"  ✗ {reason}", "red")], [Cell("  " + _hex(entry.octets, language), "dim")]])


def _heading(number: int, entry: Entry, language: Language) -> Cell:
    title = entry.codec.title.in_language(language) if entry.codec else "?"
    broken = bool(entry.garbage and entry.codec and entry.codec.begins(entry.octets))
    word = "broken" if broken else "garbage" if entry.garbage else "octets"
    size = _count({word: len(entry.octets)}, language)
    where = _say("line", language).format(entry.chunk.line) if entry.chunk.line else ""
    parts = [f"#{number}", entry.chunk.time, _ARROWS[entry.chunk.direction], title, size, where]
    return Cell("  ".join(part for part in parts if part.strip()), "bold red" if entry.garbage else "bold cyan")


def _hex(octets: bytes, language: Language) -> str:
    more = len(octets) - _GARBAGE_SHOWN_MAX
    shown = octets[:_GARBAGE_SHOWN_MAX].hex(" ").upper()
    return f"{shown} {_say('more', language).format(more)}" if more > 0 else shown


def _lines(fields: Iterable[Field]) -> Iterator[tuple[int, Field]]:
    for field in fields:
        yield from field.walk()


def _row(depth: int, field: Field, language: Language) -> list[Cell]:
    # A field with parts that have octets of their own shows them there, not twice.
    inside = any(part.octets for part in field.parts)
    octets = "" if inside else "  " + field.octets.hex(" ").upper()
    value = f"{field.value} {_unit(field.unit)}".strip()
    words = field.meaning.in_language(language) if field.meaning else ""
    if field.fault:
        words = f"{words} ✗ {field.fault.in_language(language)}".lstrip()
    name = "  " * depth + field.name.in_language(language)
    return [
        Cell(octets.rstrip(), "dim"),
        Cell(name, "bold" if inside else ""),
        Cell(value, "green"),
        Cell(words, "bold red" if field.fault else ""),
    ]


def readings(found: Sequence[Entry], language: Language, *, as_json: bool, missing: bool = True) -> None:
    """All readings of the good frames, in the order of the frames; with `missing`, those without a value too."""
    rows = list(reading_rows(found, language))
    if as_json:
        for row in rows:
            sys.stdout.buffer.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return
    out = console()
    shown = [_cells(row, language) for row in rows if row["value"] is not None or missing]
    if shown:
        titles = ("frame", "meter", "time", "quantity", "value", "unit", "profile")
        header = [Cell(_say(title, language), "bold cyan") for title in titles]
        columns.write(out, [header, *shown], right=[titles.index("value")])
        out.print()
    absent = sum(row["value"] is None for row in rows)
    counts = {"readings": len(rows) - absent, "meters": len({row["meter"] for row in rows}), "absent": absent}
    out.print(Styled(_count(counts, language) if rows else _say("0 readings", language), "bold"))


def reading_rows(found: Sequence[Entry], language: Language) -> Iterator[Json]:
    """The readings of the good frames as JSON-ready objects, in the order of the frames, which count from 1."""
    frames: defaultdict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(found):
        if entry.codec and not entry.garbage:
            frames[entry.codec.name].append(index)
    places: list[tuple[int, ReadingBatch, int]] = []
    for indexes in frames.values():
        codec = found[indexes[0]].codec
        assert codec is not None
        batch = codec.decode_batch([found[index].octets for index in indexes])
        places += [(indexes[frame], batch, row) for row, frame in enumerate(batch.frame.tolist())]
    places.sort(key=lambda place: place[0])
    for index, batch, row in places:
        yield _reading(index + 1, found[index], batch, row, language)


def _reading(number: int, entry: Entry, batch: ReadingBatch, row: int, language: Language) -> Json:
    assert entry.codec is not None
    quantity = by_code()[int(batch.quantity[row])]
    # Who answered inside another protocol's frame is named by its own protocol: address digits.
    naming = twelve_digits if batch.source[row] == Source.FORWARDED else entry.codec.meter_text
    stamped = batch.ts[row] != batch.received[row]
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(batch.ts[row]))
    return {
        "frame": number,
        "line": entry.chunk.line,
        "logged": entry.chunk.time,
        "meter": naming(int(batch.meter[row])),
        "time": moment.astimezone(SHANGHAI).isoformat(" ", "seconds") if stamped else None,
        "obis": quantity.obis,
        "meaning": quantity.meaning.in_language(language),
        "value": None if batch.missing[row] else to_text(int(batch.value[row]), quantity.exponent),
        "unit": quantity.unit,
        "profile": series(int(batch.profile[row]), language),
        "quality": [flag.name for flag in Quality(int(batch.quality[row]))],
    }


def _cells(row: Json, language: Language) -> list[Cell]:
    """A reading as a row of the table."""
    text, unit = amount(row["value"], str(row["unit"]), language)
    moment = str(row["time"] or row["logged"] or _say("now", language))
    before = [f"#{row['frame']}", str(row["meter"]), moment, str(row["meaning"])]
    return [*map(Cell, before), Cell(text, "bold green"), Cell(unit), Cell(str(row["profile"]))]


def amount(value: str | None, unit: str, language: Language) -> tuple[str, str]:
    """An exact decimal number and its unit as people write them: no needless zeros, and joules as megajoules."""
    if value is None:
        return _say("none", language), _unit(unit)
    if unit == "J":
        value, unit = format(Decimal(value).scaleb(-6), "f"), "MJ"
    return value.rstrip("0").rstrip(".") if "." in value else value, _unit(unit)


def series(profile: int, language: Language) -> str:
    """What the series is called that a reading belongs to."""
    return _PROFILES[Profile(profile)].in_language(language)


def _unit(unit: str) -> str:
    return _UNITS.get(unit, unit)


def _say(word: str, language: Language) -> str:
    return _WORDS[word].in_language(language)


def _count(counts: Mapping[str, int], language: Language) -> str:
    """The counts in words; what there is none of is left out, but for the first."""
    first = next(iter(counts))
    said = [
        _COUNTS[what][count != 1].in_language(language).format(count)
        for what, count in counts.items()
        if count or what == first
    ]
    return _say("and", language).join(said)
