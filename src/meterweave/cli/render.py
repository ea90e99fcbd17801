"""Frames, garbage and readings as people read them on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from meterweave.errors import DecodeError
from meterweave.metering.batch import Profile, Quality, ReadingBatch, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import by_code
from meterweave.protocols.codec import Codec, twelve_digits
from meterweave.protocols.explain import Field
from meterweave.protocols.session import Entry
from meterweave.text import Language, Text

_WIDTH_PIPED = 140
_OCTETS_WIDTH = 36  # twelve octets a line

_WORDS = {
    "octets": Text("octets", "字节"),
    "frames": Text("frames", "帧"),
    "garbage": Text("octets of garbage", "个无效字节"),
    "broken": Text("octets, not a good frame", "字节，不是有效帧"),
    "line": Text("line", "行"),
    "frame": Text("frame", "帧"),
    "meter": Text("meter", "表计"),
    "time": Text("time of the value", "数据时间"),
    "quantity": Text("quantity", "数据项"),
    "value": Text("value", "数值"),
    "unit": Text("unit", "单位"),
    "profile": Text("series", "类别"),
    "readings": Text("readings", "条读数"),
    "meters": Text("meters", "块表"),
    "absent": Text("values the devices did not have", "个设备无数据"),
    "none": Text("no value", "无数据"),
    "now": Text("when read", "抄读时"),
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
        out.print(_heading(number, entry, language))
        if entry.codec is None:
            out.print(Styled(f"  ✗ {DecodeError('not_recognised')}", "red"))
        else:
            _body(out, entry.codec, entry, language)
        out.print()
    if len(found) > 1:
        frames = sum(not entry.garbage for entry in found)
        lost = sum(len(entry.octets) for entry in found if entry.garbage)
        out.print(Styled(f"{frames} {_say('frames', language)}, {lost} {_say('garbage', language)}", "bold"))


def _heading(number: int, entry: Entry, language: Language) -> Styled:
    title = entry.codec.title.in_language(language) if entry.codec else "?"
    broken = bool(entry.garbage and entry.codec and entry.codec.begins(entry.octets))
    word = "broken" if broken else "garbage" if entry.garbage else "octets"
    size = f"{len(entry.octets)} {_say(word, language)}"
    where = f"{_say('line', language)} {entry.chunk.line}"
    parts = [f"#{number}", entry.chunk.time, _ARROWS[entry.chunk.direction], title, size, where]
    return Styled("  ".join(part for part in parts if part.strip()), "bold red" if entry.garbage else "bold cyan")


def _body(out: Console, codec: Codec, entry: Entry, language: Language) -> None:
    if entry.garbage and not codec.begins(entry.octets):
        out.print(Styled(f"  ✗ {entry.garbage}", "red"))
        out.print(Styled(f"  {entry.octets.hex(' ').upper()}", "dim"))
        return
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(max_width=_OCTETS_WIDTH, overflow="fold", style="dim")
    for _ in range(3):
        table.add_column(overflow="fold")
    for depth, field in _lines(codec.explain(entry.octets)):
        table.add_row(*_row(depth, field, language))
    out.print(table)


def _lines(fields: Iterable[Field]) -> Iterator[tuple[int, Field]]:
    for field in fields:
        yield from field.walk()


def _row(depth: int, field: Field, language: Language) -> list[Styled]:
    # A field with parts that have octets of their own shows them there, not twice.
    inside = any(part.octets for part in field.parts)
    octets = "" if inside else field.octets.hex(" ").upper()
    value = f"{field.value} {_unit(field.unit)}".strip()
    meaning = field.meaning.in_language(language) if field.meaning else ""
    words = Styled(meaning)
    if field.fault:
        words.append(f" ✗ {field.fault.in_language(language)}".lstrip(), "bold red")
    name = Styled("  " * depth + field.name.in_language(language), "bold" if inside else "")
    return [Styled(f"  {octets}"), name, Styled(value, "green"), words]


def readings(found: Sequence[Entry], language: Language, *, as_json: bool, missing: bool = True) -> None:
    """All readings of the good frames, in the order of the frames; with `missing`, those without a value too."""
    rows = [row for number, entry, batch in batches(found) for row in _reading_rows(number, entry, batch, language)]
    if as_json:
        for row in rows:
            sys.stdout.buffer.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return
    out = console()
    table = Table(box=None, header_style="bold cyan", pad_edge=False)
    for name in ("frame", "meter", "time", "quantity"):
        table.add_column(_say(name, language), overflow="fold")
    table.add_column(_say("value", language), justify="right", style="bold green")
    table.add_column(_say("unit", language))
    table.add_column(_say("profile", language))
    for row in rows:
        if row["value"] is not None or missing:
            table.add_row(*_cells(row, language))
    out.print(table)
    meters = len({row["meter"] for row in rows})
    absent = sum(row["value"] is None for row in rows)
    counts = [(len(rows) - absent, "readings"), (meters, "meters"), (absent, "absent")]
    out.print(Styled("\n" + ", ".join(f"{count} {_say(word, language)}" for count, word in counts if count), "bold"))


def batches(found: Sequence[Entry]) -> Iterator[tuple[int, Entry, ReadingBatch]]:
    """The readings of every good frame that has some, with the frame and its number counted from 1."""
    for number, entry in enumerate(found, 1):
        if entry.codec and not entry.garbage:
            batch = entry.codec.decode_batch([entry.octets])
            if len(batch):
                yield number, entry, batch


def _reading_rows(number: int, entry: Entry, batch: ReadingBatch, language: Language) -> Iterator[dict[str, object]]:
    assert entry.codec is not None
    for row in range(len(batch)):
        quantity = by_code()[int(batch.quantity[row])]
        # Who answered inside another protocol's frame is named by its own protocol: address digits.
        naming = twelve_digits if batch.source[row] == Source.FORWARDED else entry.codec.meter_text
        stamped = batch.ts[row] != batch.received[row]
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(batch.ts[row]))
        yield {
            "frame": number,
            "meter": naming(int(batch.meter[row])),
            "time": moment.astimezone(SHANGHAI).isoformat(" ", "seconds") if stamped else None,
            "obis": quantity.obis,
            "meaning": quantity.meaning.in_language(language),
            "value": None if batch.missing[row] else to_text(int(batch.value[row]), quantity.exponent),
            "unit": quantity.unit,
            "profile": _PROFILES[Profile(int(batch.profile[row]))].in_language(language),
            "quality": [flag.name for flag in Quality(int(batch.quality[row]))],
        }


def _cells(row: Mapping[str, object], language: Language) -> list[str]:
    """A reading as a row of the table: no zeros beyond what says something, joules in the unit people use."""
    value, unit = row["value"], str(row["unit"])
    text = _say("none", language)
    if isinstance(value, str):
        if unit == "J":
            value, unit = format(Decimal(value).scaleb(-6), "f"), "MJ"
        text = value.rstrip("0").rstrip(".") if "." in value else value
    moment = str(row["time"] or _say("now", language))
    return [f"#{row['frame']}", str(row["meter"]), moment, str(row["meaning"]), text, _unit(unit), str(row["profile"])]


def _unit(unit: str) -> str:
    return _UNITS.get(unit, unit)


def _say(word: str, language: Language) -> str:
    return _WORDS[word].in_language(language)
