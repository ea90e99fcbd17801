"""``meterweave collection``: how well readings come in, what is missing, and what is wanted at all."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

LISTED_MAX = 100
WORST = 10

app = typer.Typer(help="How well readings come in, what is missing, and what is wanted.", no_args_is_help=True)
plan = typer.Typer(help="Change what is wanted.", no_args_is_help=True)
app.add_typer(plan, name="plan")


class State(StrEnum):
    """The states of a gap, as `meterweave.registry.collection.GapState` has them."""

    OPEN = "open"
    GIVEN_UP = "given_up"


class Series(StrEnum):
    """As `meterweave.registry.collection.Series` has them."""

    CURVE = "curve"
    DAILY = "daily"
    MONTHLY = "monthly"


class Utility(StrEnum):
    """As `meterweave.registry.vocabulary.Utility` has them."""

    ELECTRICITY = "electricity"
    WATER = "water"
    GAS = "gas"
    HEAT = "heat"


@app.command("status")
def status(
    data: DataOption,
    day: Annotated[
        str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="One local day; else all that devices remember.")
    ] = None,
    terminal: Annotated[
        str | None, typer.Option("--terminal", metavar="TERMINAL", help="One terminal: its address, or id:NUMBER.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, max=1000, help="How many of the terminals that lack most.")] = WORST,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show, by plan, how many readings were due, came by themselves, and are there; and who lacks most."""
    spoken = source.language(lang)
    # Here and not above: loading storage takes a second that other commands can do without.
    from meterweave.cli import collection_page, moment  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    on = None if day is None else moment.read_day(day)
    with Folder(data, registry).archives() as archives:
        found = collection_page.status(archives, day=on, terminal=terminal, worst=worst, language=spoken)
    collection_page.show_status(found, spoken, as_json=as_json)


@app.command("gaps")
def gaps(
    data: DataOption,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    terminal: Annotated[
        str | None, typer.Option("--terminal", metavar="TERMINAL", help="One terminal: its address, or id:NUMBER.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = LISTED_MAX,
    offset: Annotated[int, typer.Option(min=0, help="How many to skip.")] = 0,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is missing, newest day first: attempts that brought nothing, the next one, and why."""
    spoken = source.language(lang)
    # Here and not above: loading storage takes a second that other commands can do without.
    from meterweave.cli import collection_page  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    with Folder(data, registry).archives() as archives:
        found = collection_page.gaps(
            archives, state=state, terminal=terminal, limit=limit, offset=offset, language=spoken
        )
    collection_page.show_gaps(found, offset, spoken, as_json=as_json)


@app.command("plans")
def plans(
    data: DataOption, registry: RegistryOption = None, lang: LangOption = None, as_json: JsonOption = False
) -> None:
    """List the collection plans."""
    spoken = source.language(lang)
    # Here and not above: loading storage takes a second that other commands can do without.
    from meterweave.cli import collection_page  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    with Folder(data, registry).archives() as archives:
        found = collection_page.plans(archives)
    collection_page.show_plans(found, spoken, as_json=as_json)


@plan.command("set")
def set_plan(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the plan; a new name makes a new plan.")],
    data: DataOption,
    utility: Annotated[Utility | None, typer.Option(help="Of a new plan: whose meters.")] = None,
    series: Annotated[Series | None, typer.Option(help="Of a new plan: curve, or freezes.")] = None,
    quantities: Annotated[
        str | None, typer.Option(metavar="LIST", help="OBIS codes or names of quantities, with commas between.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(metavar="15m", help="From one moment of a curve to the next: 1m, 5m, 15m, 30m or 1h.")
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="15m", help="How long a reading may take before it is asked for.")
    ] = None,
    memory: Annotated[int | None, typer.Option(metavar="DAYS", help="How long devices keep it.")] = None,
    district: Annotated[str | None, typer.Option(metavar="CODE", help="Only this district; - for all.")] = None,
    organisation: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only this organisation and those below it; - for all.")
    ] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Follow it, or do not.")] = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a plan, or make a new one; a running centre follows within a quarter of a minute."""
    spoken = source.language(lang)
    # Here and not above: loading storage takes a second that other commands can do without.
    from meterweave.cli import collection_page  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    wanted = collection_page.Wanted(
        utility, series, quantities, period, deadline, memory, district, organisation, enabled
    )
    with Folder(data, registry).registry() as archives:
        found = collection_page.set_plan(archives, name, wanted)
    collection_page.show_plans(found, spoken, as_json=as_json)
