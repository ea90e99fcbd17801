"""``meterweave meter``: all that is known of a meter."""

from __future__ import annotations

from typing import Annotated

import typer

from meterweave.cli import moment, source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

DAYS, DAYS_MAX = 7, 92

app = typer.Typer(help="All that is known of a meter.", no_args_is_help=True)


@app.command("show")
def show(
    meter: Annotated[
        str, typer.Argument(metavar="METER", help="Its asset number, its address in any protocol, or id:NUMBER.")
    ],
    data: DataOption,
    day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Look at nothing after this local day; default: today.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=DAYS_MAX, help="How many days to look at for what is missing.")
    ] = DAYS,
    quantity: Annotated[
        str | None, typer.Option(metavar="NAME|OBIS", help="Only this, such as voltage_l1 or 1-0:32.7.0.")
    ] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="The raw frames that carried the latest reading, field by field.")
    ] = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a meter: archives, latest values, what is missing of the last days, events, and frames if asked for.

    It reads only, and a running centre is not disturbed. Times are local.
    """
    spoken = source.language(lang)
    until = moment.read_day(day) if day else None
    from meterweave.cli import meter_page  # noqa: PLC0415 - loading storage takes a second

    wanted = meter_page.Wanted(meter, until, days, quantity, frames)
    found = meter_page.portrait(Folder(data, registry), wanted, spoken)
    meter_page.show(found, spoken, as_json=as_json)
