"""Reading a real device by a profile, and showing what came beside what it means."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import typer
from rich.console import Console

from meterweave.cli import columns
from meterweave.cli.columns import Cell
from meterweave.cli.profile_port import Port
from meterweave.errors import DecodeError
from meterweave.metering.batch import Quality
from meterweave.metering.decimal import to_text
from meterweave.metering.events import event_kinds
from meterweave.profiles import Answer, Profile, Request
from meterweave.text import Language, Text

_NO_ANSWER = Text("no answer within {} ms", "{}毫秒内无应答")
_QUALITY: Mapping[Quality, Text] = {
    Quality.NO_VALUE: Text("the device has no value", "设备无此值"),
    Quality.OUT_OF_RANGE: Text("too large to be stored", "超出可存储范围"),
    Quality.ROUNDED: Text("rounded", "已舍入"),
}
_HEAD = (
    Text("quantity", "量"),
    Text("item", "数据项"),
    Text("octets", "原始字节"),
    Text("sent", "发送值"),
    Text("value", "值"),
    Text("unit", "单位"),
    Text("remark", "备注"),
)
_BITS = Text("bits", "状态位")
_SUPPLIED, _CUT_OFF = Text("the customer is supplied", "用户供应中"), Text("the customer is cut off", "用户已停供")
FOLLOWS_MAX = 16
"""Parts of one answer; a device that promises more for ever is left."""


class Exchange(NamedTuple):
    """One request, and what came of it."""

    request: Request
    answer: Answer
    tries: int


def exchanges(profile: Profile, address: str, port: Port, tries: int) -> Iterator[Exchange]:
    """Read everything the profile knows, one request after the other."""
    for number, request in enumerate(profile.requests(address)):
        if number:
            time.sleep(profile.settings.pause_ms / 1000)
        asked: Request | None = request
        for _ in range(FOLLOWS_MAX):
            if asked is None:
                break
            answer, used = exchange(profile, asked, port, tries)
            yield Exchange(asked, answer, used)
            asked = answer.more


def exchange(profile: Profile, request: Request, port: Port, tries: int) -> tuple[Answer, int]:
    """Send a request up to `tries` times until the device answers it; the answer, and how often it was sent."""
    answer = Answer()
    for number in range(1, tries + 1):
        time.sleep(profile.settings.silence_ms / 1000)
        answer = _once(profile, request, port)
        if answer.problem is None or answer.refused:
            return answer, number
    return answer, tries


def _once(profile: Profile, request: Request, port: Port) -> Answer:
    decoder = profile.decoder(request)
    port.send(request.octets)
    timeout_s = profile.settings.timeout_ms / 1000
    until = time.monotonic() + timeout_s
    en, zh = _NO_ANSWER
    found = Answer(problem=Text(en.format(profile.settings.timeout_ms), zh.format(profile.settings.timeout_ms)))
    while True:
        try:
            octets = port.receive(until)
        except DecodeError as error:
            return Answer(problem=Text(str(error), str(error)))
        events = decoder.feed(octets) if octets else decoder.flush()
        for frame in events:
            # A line may echo what was sent, and carry what others say: only an answer ends the waiting.
            if isinstance(frame, bytes) and frame != request.octets.lstrip(b"\xfe"):
                found = profile.answer(request, frame)
                if found.problem is None or found.refused:
                    return found
        if not octets:
            return found


def show(found: Sequence[Exchange], profile: Profile, language: Language) -> None:
    """Print what came: a table of values, then whether the customer is supplied, then what went wrong."""
    rows = [row for one in found for row in (*_values(one, language), *_words(one, profile, language))]
    if rows:
        head = [Cell(text.in_language(language), "bold") for text in _HEAD]
        columns.write(Console(highlight=False), [head, *rows], right=(3, 4), whole=(0, 1, 3, 4))
    for one in found:
        answer = one.answer
        if answer.closed is not None:
            typer.echo((_SUPPLIED if answer.closed else _CUT_OFF).in_language(language))
        if answer.problem is not None:
            typer.echo(f"{one.request.octets.hex(' ')}: {answer.problem.in_language(language)}")


def _values(found: Exchange, language: Language) -> list[list[Cell]]:
    rows = []
    for row in found.answer.rows:
        quantity = row.point.quantity
        value = "-" if row.value is None else to_text(row.value, quantity.exponent)
        remark = next((text.in_language(language) for flag, text in _QUALITY.items() if row.quality & flag), "")
        cells = [quantity.name, row.point.cell.name, row.sent.octets.hex(" "), row.sent.text, value, quantity.unit]
        rows.append([*map(Cell, cells), Cell(remark, "dim")])
    return rows


def _words(found: Exchange, profile: Profile, language: Language) -> list[list[Cell]]:
    """The words of bits, and what lasts by them."""
    rows = []
    for cell, sent in found.answer.words.items():
        lasting = [
            event_kinds()[one.event].meaning.in_language(language)
            for one in profile.conditions
            if one.cell == cell and found.answer.conditions.get(one.event)
        ]
        number = f"{sent.number:X}H" if isinstance(sent.number, int) else "-"
        cells = [_BITS.in_language(language), cell.name, sent.octets.hex(" "), number, "", "", ", ".join(lasting)]
        rows.append([Cell(text) for text in cells])
    return rows


def as_json(found: Exchange) -> dict[str, object]:
    """An exchange as a JSON-ready object."""
    answer = found.answer
    said: dict[str, object] = {"request": found.request.octets.hex(), "tries": found.tries}
    if answer.problem is not None:
        said |= {"problem": answer.problem.en, "refused": answer.refused}
    said["values"] = [
        {
            "quantity": row.point.quantity.obis,
            "name": row.point.quantity.name,
            "item": row.point.cell.name,
            "octets": row.sent.octets.hex(),
            "sent": row.sent.text,
            "value": None if row.value is None else to_text(row.value, row.point.quantity.exponent),
            "unit": row.point.quantity.unit,
            "quality": int(row.quality),
        }
        for row in answer.rows
    ]
    said["conditions"] = {event_kinds()[code].name: lasts for code, lasts in answer.conditions.items()}
    if answer.closed is not None:
        said["closed"] = answer.closed
    return said
