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
from meterweave.profiles.schema import schema as json_schema
from meterweave.text import Text

app = typer.Typer(help="Meter models as text files: check, try on a device, simulate.", no_args_is_help=True)

TRIES, TRIES_MAX = 2, 10
DEVICES_MAX = 32
ProfileArgument = Annotated[str, typer.Argument(metavar="FILE|NAME", help="A profile's file, or a shipped one's name.")]
PortOption = Annotated[
    str,
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
    columns.write(Console(highlight=False), table)


@app.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="As `profile list` has it.")]) -> None:
    """Print a shipped profile, to copy and change."""
    shipped(name)
    typer.echo(texts()[name], nl=False)


@app.command("try")
def try_device(
    profile: ProfileArgument,
    port: PortOption,
    address: Annotated[str, typer.Option("--address", metavar="A", help="The device's address, as it is printed.")],
    tries: Annotated[int, typer.Option(min=1, max=TRIES_MAX, help="How often an unanswered request is sent.")] = TRIES,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a real device and show what it sent beside what it means. Exit code 1: it did not answer everything."""
    spoken = source.language(lang)
    from meterweave.cli import profile_port, profile_try  # noqa: PLC0415 - serial ports are for who has one

    model = find(profile)
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
        list[str], typer.Option("--address", metavar="A", help="The device's address; several: devices on one line.")
    ],
    port: PortOption = "tcp://127.0.0.1:0",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="QUANTITY=VALUE", help="A value that stays, in the quantity's unit."),
    ] = None,
    cut_off: Annotated[bool, typer.Option("--cut-off", help="Begin with the relay open or the valve closed.")] = False,
) -> None:
    """Be a device that behaves as its profile says, until Ctrl-C. The port it listens on is printed."""
    from meterweave.cli import profile_port, profile_simulate  # noqa: PLC0415 - see `try_device`

    model = find(profile)
    where = profile_port.place(port, listening=True)
    if where.kind == profile_port.MODBUS_TCP and model.protocol != "modbus":
        raise ConfigError(f"modbus-tcp carries Modbus only; the profile speaks {model.protocol}")
    if len(address) > DEVICES_MAX:
        raise ConfigError(f"{len(address)} devices are more than the {DEVICES_MAX} a line carries")
    fixed = dict(_value(model, text) for text in values or ())
    devices = [Device(model, one, fixed) for one in address]
    for device in devices:
        device.closed = not cut_off
    asyncio.run(profile_simulate.run(devices, where, typer.echo))


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
