"""The command line: ``meterweave …``."""

from __future__ import annotations

import os
import sys

import typer

from meterweave import __version__
from meterweave.cli import decode, demo, encode
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


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    """Meterweave: an open command centre for smart-meter networks."""
    if version:
        typer.echo(f"meterweave {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of ours are one line on standard error and exit code 2."""
    try:
        app()
    except MeterweaveError as error:
        typer.echo(f"meterweave: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # Who reads our output had enough, as `head` does; the interpreter must not try to flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
