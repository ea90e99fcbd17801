"""The command line: ``meterweave …``."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from meterweave import __version__
from meterweave.cli import (
    archives,
    audit,
    collection,
    collector,
    command,
    decode,
    demo,
    encode,
    find,
    line,
    meter,
    profile,
    query,
    reading,
    serve,
    simulate,
    terminal,
    usage,
    user,
)
from meterweave.errors import MeterweaveError

app = typer.Typer(
    name="meterweave",
    help="Meterweave: an open command centre for smart-meter networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("decode")(decode.decode)
app.command("encode")(encode.encode)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("find")(find.find)
app.command("query")(query.query)
app.command("simulate")(simulate.simulate)
app.command("usage")(usage.usage)
app.add_typer(line.app, name="line")
app.add_typer(meter.app, name="meter")
app.add_typer(profile.app, name="profile")
app.add_typer(reading.app, name="reading")
app.add_typer(terminal.app, name="terminal")
app.add_typer(archives.app, name="archives")
app.add_typer(audit.app, name="audit")
app.add_typer(collection.app, name="collection")
app.add_typer(collector.app, name="collector")
app.add_typer(command.app, name="command")
app.add_typer(user.app, name="user")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"meterweave {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Meterweave: an open command centre for smart-meter networks."""


def main() -> None:
    """Run the command line; errors of ours and of the system are one line on standard error and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without our arrows and units still gets the rest
    try:
        app()
    except MeterweaveError as error:
        typer.echo(f"meterweave: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"meterweave: {where}{error.strerror or error}", err=True)
        sys.exit(2)
