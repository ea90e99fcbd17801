"""``meterweave meter``: the one list of meters, all that is known of one, and meters that come and go."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from meterweave.cli import moment, source
from meterweave.cli.command import OperatorOption
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption
from meterweave.cli.reading import LIMIT_MAX, METER_HELP, NoteOption, PhotoOption, ReaderOption

DAYS, DAYS_MAX = 7, 92
LISTED_MAX = 100
SILENT_MAX = 20_000  # days

app = typer.Typer(
    help="The one list of meters, all that is known of one, and meters that come and go.", no_args_is_help=True
)


class Utility(StrEnum):
    """The utilities, as `meterweave.registry.vocabulary.Utility` has them."""

    ELECTRICITY = "electricity"
    WATER = "water"
    GAS = "gas"
    HEAT = "heat"


class How(StrEnum):
    """How the readings of a meter come, as `meterweave.mdm.estate.How` has it."""

    HAND = "hand"
    BUS = "bus"
    CONCENTRATOR = "concentrator"
    DIRECT = "direct"
    NONE = "none"


MeterArgument = Annotated[str, typer.Argument(metavar="METER", help=METER_HELP)]
AtOption = Annotated[
    str, typer.Option("--at", metavar="TIME", help="When, local: YYYY-MM-DD HH:MM; a date alone is its midnight.")
]
OutOption = Annotated[
    list[str],
    typer.Option(
        "--out", metavar="[QUANTITY=]VALUE", help="What the meter showed as it was taken out; - if nobody can tell."
    ),
]
InOption = Annotated[
    list[str],
    typer.Option("--in", metavar="[QUANTITY=]VALUE", help="What it showed as it was put in; - if nobody can tell."),
]


@app.command("list")
def list_(
    data: DataOption,
    utility: Annotated[Utility | None, typer.Option("--utility", help="Only meters of this utility.")] = None,
    how: Annotated[How | None, typer.Option("--how", help="Only those whose readings come so.")] = None,
    district: Annotated[str | None, typer.Option("--district", metavar="CODE", help="Only this district.")] = None,
    silent_for: Annotated[
        int | None,
        typer.Option(
            "--silent-for", min=1, max=SILENT_MAX, metavar="DAYS", help="Only those without a reading of the last days."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="How many to list.")] = LISTED_MAX,
    after: Annotated[
        str | None, typer.Option("--after", metavar="id:NUMBER", help="Only those behind this one, to go on.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of them, whatever --limit says.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV for spreadsheets instead of a table.")] = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """List all meters, whatever their make: how each is collected, where it hangs, its last reading and whence."""
    spoken = source.language(lang)
    from meterweave.cli import estate_page  # noqa: PLC0415 - loading storage takes a second

    found = estate_page.asked(
        Folder(data, registry),
        utility=utility,
        how=how,
        district=district,
        silent_days=silent_for,
        limit=None if all_ else limit,
        after=after,
        language=spoken,
    )
    estate_page.show(found, spoken, as_json=as_json, as_csv=as_csv)


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


@app.command("exchange")
def exchange(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The meter that is taken out.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The meter that is put in its place.")],
    data: DataOption,
    at: AtOption,
    out: OutOption,
    into: InOption,
    reader: ReaderOption = None,
    photo: PhotoOption = None,
    note: NoteOption = None,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Exchange a meter: the old one out at reading X, the new one in at reading Y; consumption has no gap."""
    spoken = source.language(lang)
    from meterweave.cli import meter_desk  # noqa: PLC0415 - loading storage takes a second

    visit = meter_desk.Visit(at, out, into, reader, photo, note, operator)
    done = meter_desk.exchange(Folder(data, registry), old, new, visit, spoken)
    meter_desk.show(done, spoken, as_json=as_json)


@app.command("exchanges")
def exchanges(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An Excel workbook (.xlsx) or a CSV file.")],
    data: DataOption,
    check: Annotated[bool, typer.Option("--check", help="Tell exactly what would happen, and change nothing.")] = False,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Exchange the meters of a list: all of them, or nothing and a list of what is wrong, by row.

    Exit code 1: there are problems, nothing was entered.
    """
    spoken = source.language(lang)
    from meterweave.cli import meter_desk, reading_desk  # noqa: PLC0415 - loading storage takes a second

    report = meter_desk.exchange_file(Folder(data, registry), file, operator, spoken, check=check)
    reading_desk.tell(report, spoken, as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)


@app.command("remove")
def remove(
    meter: MeterArgument,
    data: DataOption,
    at: AtOption,
    out: OutOption,
    reader: ReaderOption = None,
    photo: PhotoOption = None,
    note: NoteOption = None,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a meter off its usage point, at reading X; none follows it."""
    spoken = source.language(lang)
    from meterweave.cli import meter_desk  # noqa: PLC0415 - loading storage takes a second

    visit = meter_desk.Visit(at, out, [], reader, photo, note, operator)
    meter_desk.show(meter_desk.remove(Folder(data, registry), meter, visit, spoken), spoken, as_json=as_json)


@app.command("install")
def install(
    meter: MeterArgument,
    point: Annotated[str, typer.Argument(metavar="POINT", help="The code of the usage point.")],
    data: DataOption,
    at: AtOption,
    into: InOption,
    reader: ReaderOption = None,
    photo: PhotoOption = None,
    note: NoteOption = None,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a meter on a usage point, at reading Y."""
    spoken = source.language(lang)
    from meterweave.cli import meter_desk  # noqa: PLC0415 - loading storage takes a second

    visit = meter_desk.Visit(at, [], into, reader, photo, note, operator)
    meter_desk.show(meter_desk.install(Folder(data, registry), meter, point, visit, spoken), spoken, as_json=as_json)
