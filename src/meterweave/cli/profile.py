"""``meterweave profile``: meter models as text files: check them, try them on a device, be one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from meterweave.cli import columns, source
from meterweave.cli.columns import Cell
from meterweave.cli.options import JsonOption, LangOption
from meterweave.errors import ConfigError
from meterweave.metering.decimal import from_text
from meterweave.profiles import Device, Mistake, Profile, ProfileError, check, find, shipped, texts
from meterweave.profiles import tree as profile_text
from meterweave.profiles.language import JSON
from meterweave.profiles.schema import schema as json_schema
from meterweave.text import Language, Text

app = typer.Typer(help="Meter models as text files: check, try on a device, simulate.", no_args_is_help=True)

TRIES, TRIES_MAX = 2, 10
EVERY_S = 60.0
ANY_PORT = "tcp://127.0.0.1:0"
DEVICES_MAX = 32
PUBLISHERS_MAX = 500  # each has a connection, which is a file for the system
ProfileArgument = Annotated[str, typer.Argument(metavar="FILE|NAME", help="A profile's file, or a shipped one's name.")]
PortOption = Annotated[
    str | None,
    typer.Option(
        "--port", metavar="PORT", help="serial:/dev/ttyUSB0?baud=2400, tcp://host:port or modbus-tcp://host:port."
    ),
]


@app.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Profiles to check.")],
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell everything that is wrong with profiles, with line and column. Exit code 1: something is."""
    spoken = source.language(lang)
    reports = [(str(file), *_checked(file)) for file in files]
    if as_json:
        found = [
            {"file": file, "good": profile is not None, "mistakes": [_mistake_json(one) for one in mistakes]}
            for file, profile, mistakes in reports
        ]
        typer.echo(json.dumps({"profiles": found}, ensure_ascii=False))
    for file, profile, mistakes in reports if not as_json else ():
        for one in mistakes:
            typer.echo(one.words(file, spoken) + ("" if one.grave else _REMARK.in_language(spoken)))
        typer.echo(f"{file}: {_summary(profile, mistakes).in_language(spoken)}")
    if any(profile is None for _, profile, _ in reports):
        raise typer.Exit(1)


_REMARK = Text(" (a remark)", "（提示）")


def _checked(file: Path) -> tuple[Profile | None, Sequence[Mistake]]:
    try:
        return check(profile_text.read_file(file), str(file))
    except ProfileError as error:
        return None, error.mistakes


def _summary(profile: Profile | None, mistakes: Sequence[Mistake]) -> Text:
    if profile is None:
        count = sum(one.grave for one in mistakes)
        return Text(f"{count} {'mistake' if count == 1 else 'mistakes'}, not usable", f"{count}处错误，不可用")
    points, orders = len(profile.points), len(profile.orders)
    return Text(
        f"good: {profile.name}, {points} quantities, {len(profile.conditions)} events, {orders} orders",
        f"正确：{profile.name}，{points}个量，{len(profile.conditions)}个事件，{orders}个命令",
    )


def _mistake_json(one: Mistake) -> dict[str, object]:
    return {
        "line": one.place.line,
        "column": one.place.column,
        "text": one.text.en,
        "text_zh": one.text.zh,
        "hint": one.hint.en,
        "hint_zh": one.hint.zh,
        "remark": not one.grave,
    }


@app.command("list")
def list_shipped(lang: LangOption = None, as_json: JsonOption = False) -> None:
    """List the profiles that ship with Meterweave."""
    spoken = source.language(lang)
    found = [shipped(name) for name in texts()]
    if as_json:
        rows = [
            {"name": one.name, "protocol": one.protocol, "utility": one.utility, "maker": one.maker}
            | {"title": one.title.en, "title_zh": one.title.zh}
            for one in found
        ]
        typer.echo(json.dumps({"profiles": rows}, ensure_ascii=False))
        return
    table = [
        [Cell(one.name, "bold"), *map(Cell, (one.protocol, one.utility, one.title.in_language(spoken)))]
        for one in found
    ]
    columns.write(Console(highlight=False), table, whole=(0, 1, 2))


@app.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="As `profile list` has it.")]) -> None:
    """Print a shipped profile, to copy and change."""
    shipped(name)
    typer.echo(texts()[name], nl=False)


@app.command("try")
def try_device(
    profile: ProfileArgument,
    port: PortOption = None,
    address: Annotated[
        str | None, typer.Option("--address", metavar="A", help="The device's address, as it is printed.")
    ] = None,
    tries: Annotated[int, typer.Option(min=1, max=TRIES_MAX, help="How often an unanswered request is sent.")] = TRIES,
    message: Annotated[
        str | None,
        typer.Option("--message", metavar="FILE|-", help="Instead of a device, a message that one sent by itself."),
    ] = None,
    topic: Annotated[
        str | None, typer.Option("--topic", metavar="T", help="The topic under which the message came.")
    ] = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a device, or one message, and show what was sent beside what it means. Exit code 1: not all was good."""
    spoken = source.language(lang)
    model = find(profile)
    if (message is None) == (port is None):
        raise ConfigError("give either --port, to read a device, or --message, to read what one sent")
    if message is not None:
        _try_message(model, topic, source.read_bytes(message), spoken, as_json)
        return
    assert port is not None  # one of the two is there
    if address is None:
        raise ConfigError("--address is missing: which device is to be read?")
    _try_port(model, port, address, tries, spoken, as_json)


def _try_message(model: Profile, topic: str | None, payload: bytes, spoken: Language, as_json: bool) -> None:
    from meterweave.cli import profile_message  # noqa: PLC0415 - for who has one

    found = profile_message.tried(model, topic, payload)
    if as_json:
        typer.echo(json.dumps(profile_message.as_json(found), ensure_ascii=False))
    else:
        profile_message.show(found, spoken)
    if found.heard.problem is not None:
        raise typer.Exit(1)


def _try_port(model: Profile, port: str, address: str, tries: int, spoken: Language, as_json: bool) -> None:
    from meterweave.cli import profile_port, profile_try  # noqa: PLC0415 - serial ports are for who has one

    if model.protocol == JSON:
        raise ConfigError(f"devices of profile {model.name} are not asked: give what one sent as --message")
    own = model.address(address)
    with profile_port.opened(profile_port.place(port), model.settings, model.protocol) as line:
        found = list(profile_try.exchanges(model, own, line, tries))
    if as_json:
        typer.echo(json.dumps({"exchanges": [profile_try.as_json(one) for one in found]}, ensure_ascii=False))
    else:
        profile_try.show(found, model, spoken)
    if any(one.answer.problem for one in found):
        raise typer.Exit(1)


@app.command("simulate")
def simulate(
    profile: ProfileArgument,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="A", help="The device's address; several: devices on one line."),
    ] = None,
    port: PortOption = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="QUANTITY=VALUE", help="A value that stays, in the quantity's unit."),
    ] = None,
    cut_off: Annotated[bool, typer.Option("--cut-off", help="Begin with the relay open or the valve closed.")] = False,
    mqtt: Annotated[
        str | None, typer.Option("--mqtt", metavar="URL", help="Publish by itself: mqtt://host:1883.")
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            "--devices", min=1, max=PUBLISHERS_MAX, help="With --mqtt and without --address: how many devices."
        ),
    ] = None,
    every: Annotated[
        float, typer.Option("--every", min=0.01, help="With --mqtt: from message to message. [s]")
    ] = EVERY_S,
) -> None:
    """Be a device that behaves as its profile says, until Ctrl-C. Where it listens or publishes is printed."""
    model = find(profile)
    if mqtt is not None:
        if port is not None or (address and devices):
            raise ConfigError("--mqtt goes without --port, and with either --address or --devices")
        _simulate_mqtt(model, mqtt, address or _numbers(devices or 1), every, values or (), cut_off)
    elif not address or devices:
        raise ConfigError("without --mqtt, --address tells which devices to be")
    else:
        _simulate_line(model, port or ANY_PORT, address, values or (), cut_off)


def _simulate_line(model: Profile, port: str, address: Sequence[str], values: Sequence[str], cut_off: bool) -> None:
    from meterweave.cli import profile_port, profile_simulate  # noqa: PLC0415 - see `_try_port`

    if model.protocol == JSON:
        raise ConfigError(f"devices of profile {model.name} speak by themselves: give a broker as --mqtt")
    where = profile_port.place(port, listening=True)
    if where.kind == profile_port.MODBUS_TCP and model.protocol != "modbus":
        raise ConfigError(f"modbus-tcp carries Modbus only; the profile speaks {model.protocol}")
    if len(address) > DEVICES_MAX:
        raise ConfigError(f"{len(address)} devices are more than the {DEVICES_MAX} a line carries")
    devices = _devices(model, address, values, cut_off)
    asyncio.run(profile_simulate.run(devices, where, typer.echo))


def _simulate_mqtt(
    model: Profile, broker: str, address: Sequence[str], every_s: float, values: Sequence[str], cut_off: bool
) -> None:
    from meterweave.cli import moment, profile_mqtt  # noqa: PLC0415 - see `_try_port`

    if model.messages is None or model.messages.topic is None:
        raise ConfigError(f"profile {model.name} has no topic under messages: its devices publish nothing")
    if len(address) > PUBLISHERS_MAX:
        raise ConfigError(f"{len(address)} devices are more than the {PUBLISHERS_MAX} connections there may be")
    where = profile_mqtt.broker(broker)
    devices = _devices(model, address, values, cut_off)
    asyncio.run(profile_mqtt.run(devices, where, every_s, moment.zone(), typer.echo))


def _devices(model: Profile, address: Sequence[str], values: Sequence[str], cut_off: bool) -> list[Device]:
    fixed = dict(_value(model, text) for text in values)
    devices = [Device(model, one, fixed) for one in address]
    for device in devices:
        device.closed = not cut_off
    return devices


def _numbers(count: int) -> list[str]:
    """Addresses of so many devices: what every protocol takes for one."""
    return [str(number) for number in range(1, count + 1)]


def _value(model: Profile, text: str) -> tuple[int, int]:
    """A quantity's code and stored value out of ``QUANTITY=VALUE``."""
    name, equals, value = text.partition("=")
    quantity = next((one.quantity for one in model.points if name in (one.quantity.name, one.quantity.obis)), None)
    if quantity is None or not equals:
        known = ", ".join(one.quantity.name for one in model.points)
        raise ConfigError(f"{text!r} is no QUANTITY=VALUE of this profile; it has: {known}")
    try:
        return quantity.code, from_text(value, quantity.exponent)
    except ValueError as error:
        raise ConfigError(f"{text!r}: {error}") from None


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of profiles, for editors."""
    typer.echo(json.dumps(json_schema(), ensure_ascii=False, indent=1))
