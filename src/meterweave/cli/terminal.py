"""``meterweave terminal``: the terminals of the archives, and when they were heard."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

LISTED_MAX = 100
"""Terminals, and meters of one, that are listed unless more are asked for."""

app = typer.Typer(help="The terminals of the archives, and when they were heard.", no_args_is_help=True)


class State(StrEnum):
    """The states of a terminal, as `meterweave.registry.vocabulary.TerminalState` has them."""

    PLANNED = "planned"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


@app.command("list")
def list_(
    data: DataOption,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    unseen_for: Annotated[
        float | None,
        typer.Option("--unseen-for", min=0, metavar="HOURS", help="Only those not heard for so long, or never."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = LISTED_MAX,
    offset: Annotated[int, typer.Option(min=0, help="How many to skip.")] = 0,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """List terminals by address: district, state, heartbeat, when they were last heard, how many meters they have."""
    spoken = source.language(lang)
    from meterweave.cli import terminal_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).archives() as archives:
        found = terminal_page.listed(archives, state=state, unseen_h=unseen_for, limit=limit, offset=offset)
    terminal_page.show_list(found, spoken, as_json=as_json)


@app.command("show")
def show(
    terminal: Annotated[str, typer.Argument(metavar="TERMINAL", help="Its address, or id:NUMBER.")],
    data: DataOption,
    limit: Annotated[int, typer.Option(min=1, help="How many of its meters to list.")] = LISTED_MAX,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one terminal, when it was heard, the meters behind it, and what it reported."""
    spoken = source.language(lang)
    from meterweave.cli import terminal_page  # noqa: PLC0415 - loading storage takes a second

    found = terminal_page.portrait(Folder(data, registry), terminal, spoken, limit=limit)
    terminal_page.show(found, spoken, as_json=as_json)
