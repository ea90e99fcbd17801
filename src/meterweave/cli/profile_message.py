"""One message of a device that speaks by itself: what it said beside what that means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import typer
from rich.console import Console

from meterweave.cli import columns, moment
from meterweave.cli.columns import Cell
from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.decimal import to_text
from meterweave.metering.events import event_kinds
from meterweave.metering.quantities import Quantity, by_code
from meterweave.profiles import Heard, Profile, Value
from meterweave.profiles.message import Shown
from meterweave.text import Language, Text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD = (
    Text("quantity", "量"),
    Text("item", "数据项"),
    Text("sent", "发送值"),
    Text("value", "值"),
    Text("unit", "单位"),
    Text("remark", "备注"),
    Text("time", "时间"),
)
_QUALITY = {
    Quality.NO_VALUE: Text("the device has no value", "设备无此值"),
    Quality.OUT_OF_RANGE: Text("too large to be stored", "超出可存储范围"),
    Quality.ROUNDED: Text("rounded", "已舍入"),
    Quality.TIME_INVALID: Text("no possible time: arrival taken", "时间无效，取到达时间"),
}
_DEVICE = Text("device", "设备")
_ONLINE, _OFFLINE = Text("the device is online", "设备在线"), Text("the device is offline", "设备离线")
_NOTHING = Text("nothing in it is what the profile describes", "其中没有配置所描述的内容")


class Tried(NamedTuple):
    """A message, and what the profile makes of it."""

    heard: Heard
    shown: list[Shown]

    def rows(self) -> Iterator[tuple[Quantity, Shown, Value]]:
        """The readings, each with its quantity and where it stood."""
        for value, shown in zip(self.heard.readings, self.shown, strict=True):
            yield by_code()[value.quantity], shown, value


def tried(profile: Profile, topic: str | None, payload: bytes) -> Tried:
    """What a profile makes of a message that came now.

    Raises
    ------
    ConfigError
        If the devices of the profile do not speak by themselves.
    """
    if profile.messages is None:
        raise ConfigError(f"profile {profile.name} has no messages: its devices only answer; try it with --port")
    received, zone = (moment.now() - _EPOCH) // timedelta(microseconds=1), moment.zone()
    heard = profile.understand(topic, payload, received=received, zone=zone)
    return Tried(heard, profile.messages.content.show(payload, received, zone) if heard.readings else [])


def show(found: Tried, language: Language) -> None:
    """Print what a message says: the device, a table of values, what lasts, and what is wrong."""
    heard = found.heard
    if heard.address:
        typer.echo(f"{_DEVICE.in_language(language)} {heard.address}")
    if heard.online is not None:
        typer.echo((_ONLINE if heard.online else _OFFLINE).in_language(language))
    if heard.readings:
        _show_readings(found, language)
    for look in heard.looks:
        for code in (code for code, lasts in look.conditions.items() if lasts):
            typer.echo(f"{_time(look.at)}  {event_kinds()[code].meaning.in_language(language)}")
    if heard.problem is not None:
        typer.echo(heard.problem.in_language(language))
    elif not (heard.readings or heard.looks or heard.online is not None):
        typer.echo(_NOTHING.in_language(language))


def _show_readings(found: Tried, language: Language) -> None:
    """One time above the table, several as a column of it."""
    times = {value.ts for value in found.heard.readings}
    count = len(_HEAD) if len(times) > 1 else len(_HEAD) - 1
    if len(times) == 1:
        typer.echo(_time(min(times)))
    rows = [[Cell(text.in_language(language), "bold") for text in _HEAD]]
    rows += [_row(*one, language) for one in found.rows()]
    columns.write(Console(highlight=False), [row[:count] for row in rows], right=(2, 3), whole=(0, 3))


def _row(quantity: Quantity, shown: Shown, value: Value, language: Language) -> list[Cell]:
    remarks = [text.in_language(language) for flag, text in _QUALITY.items() if value.quality & flag]
    words = [quantity.name, shown.item, shown.sent, _text(quantity, value), quantity.unit]
    return [*map(Cell, words), Cell(", ".join(remarks), "dim"), Cell(_time(value.ts))]


def _text(quantity: Quantity, value: Value) -> str:
    return "-" if value.value is None else to_text(value.value, quantity.exponent)


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _time(at: int) -> str:
    return moment.local(_moment(at))


def as_json(found: Tried) -> dict[str, object]:
    """A message as a JSON-ready object."""
    heard = found.heard
    said: dict[str, object] = {"address": heard.address}
    if heard.online is not None:
        said["online"] = heard.online
    if heard.problem is not None:
        said["problem"] = heard.problem.en
    said["values"] = [
        {
            "quantity": quantity.obis,
            "name": quantity.name,
            "item": shown.item,
            "sent": shown.sent,
            "value": None if value.value is None else to_text(value.value, quantity.exponent),
            "unit": quantity.unit,
            "time": moment.local_iso(_moment(value.ts)),
            "quality": value.quality,
        }
        for quantity, shown, value in found.rows()
    ]
    said["conditions"] = [
        {"time": moment.local_iso(_moment(look.at))}
        | {event_kinds()[code].name: lasts for code, lasts in look.conditions.items()}
        for look in heard.looks
    ]
    return said
