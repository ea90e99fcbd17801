"""``meterweave line``: the buses with meters on them, what is amiss with them, and who is on one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

app = typer.Typer(help="The lines of the archives, and finding the meters on one.", no_args_is_help=True)


class Spoken(StrEnum):
    """What a line can be searched by."""

    DLT645 = "dlt645"
    DLT645_1997 = "dlt645-1997"
    CJT188 = "cjt188"
    MBUS = "mbus"
    MBUS_SECONDARY = "mbus-secondary"
    MODBUS = "modbus"


@app.command("list")
def list_(
    data: DataOption,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """List lines: where they are, who masters them, how many meters, how busy, when last heard, what is amiss."""
    spoken = source.language(lang)
    from meterweave.cli import line_page  # noqa: PLC0415 - loading storage takes a second

    line_page.show_list(line_page.listed(Folder(data, registry)), spoken, as_json=as_json)


@app.command("show")
def show(
    line: Annotated[str, typer.Argument(metavar="LINE", help="Its name, or id:NUMBER.")],
    data: DataOption,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one line and every meter on it: how often it is read, when it was read last, what is amiss."""
    spoken = source.language(lang)
    from meterweave.cli import line_page  # noqa: PLC0415 - loading storage takes a second

    line_page.show(line_page.portrait(Folder(data, registry), line), spoken, as_json=as_json)


@app.command("check")
def check(
    data: DataOption,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the arithmetic of all lines: whether their meters can be read as often as wanted.

    Exit code 1: there is a line that cannot be run as it is.
    """
    spoken = source.language(lang)
    from meterweave.cli import line_check  # noqa: PLC0415 - loading storage takes a second

    found = line_check.checked(Folder(data, registry))
    line_check.show(found, spoken, as_json=as_json)
    if any(one.problem is not None for one in found):
        raise typer.Exit(1)


@app.command("scan")
def scan(
    port: Annotated[
        str,
        typer.Argument(metavar="PORT", help="tcp://host:port, modbus-tcp://host or serial:/dev/ttyUSB0?baud=2400."),
    ],
    protocol: Annotated[Spoken, typer.Option("--protocol", "-p", help="What the meters speak.")],
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="The device profile of all of them, for the table and the pace."),
    ] = None,
    line: Annotated[str, typer.Option("--line", metavar="NAME", help="The line's name, for the table.")] = "",
    addresses: Annotated[
        str | None,
        typer.Option("--addresses", metavar="FIRST-LAST", help="Of modbus and mbus, which addresses to try."),
    ] = None,
    timeout_ms: Annotated[
        int | None, typer.Option("--timeout", min=1, max=60_000, metavar="MS", help="How long an answer may take.")
    ] = None,
    lang: LangOption = None,
) -> None:
    """Find the meters on a line that nobody else uses meanwhile; print them as CSV that `archives import` takes.

    Exit code 1: nobody was found, or not all could be told apart.
    """
    spoken = source.language(lang)
    from meterweave.cli import line_scan  # noqa: PLC0415 - loading the archives' words takes a second

    wanted = line_scan.Wanted(port, protocol, model, line, addresses, timeout_ms)
    if not line_scan.scan(wanted, spoken):
        raise typer.Exit(1)
