"""``meterweave reading``: readings that people enter, from a round with a reading sheet or one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.command import OperatorOption
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

LISTED_MAX, LIMIT_MAX = 100, 1_000_000
ID_MAX = 2**63 - 1

app = typer.Typer(help="Readings that people enter: from files, one by one, and the sheets for a round.",
                  no_args_is_help=True)  # fmt: skip

METER_HELP = "Its asset number, its address in any protocol, or id:NUMBER."
ReaderOption = Annotated[str | None, typer.Option("--reader", metavar="NAME", help="Who read it off.")]
PhotoOption = Annotated[
    str | None, typer.Option("--photo", metavar="REFERENCE", help="Where a picture of it is: a file name, a link.")
]
NoteOption = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What else there is to say.")]
CorrectOption = Annotated[
    bool, typer.Option("--correct", help="Let it take the place of another value that was entered for that time.")
]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An Excel workbook (.xlsx) or a CSV file.")],
    data: DataOption,
    check: Annotated[bool, typer.Option("--check", help="Tell exactly what would happen, and change nothing.")] = False,
    correct: CorrectOption = False,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter the readings of a file: all of them, or nothing and a list of what is wrong, by row.

    A date alone means its midnight, local. Exit code 1: there are problems, nothing was entered.
    """
    spoken = source.language(lang)
    from meterweave.cli import reading_desk  # noqa: PLC0415 - loading storage takes a second

    folder = Folder(data, registry)
    report = reading_desk.take_in(folder, file, operator, spoken, check=check, correct=correct)
    reading_desk.tell(report, spoken, as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)


@app.command("add")
def add(
    meter: Annotated[str, typer.Argument(metavar="METER", help=METER_HELP)],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What it shows; maybe with its unit: '1.2 MWh'.")],
    data: DataOption,
    time: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="When it was read, local; default: now.")
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(metavar="NAME|OBIS", help="Which register; default: the utility's usual one.")
    ] = None,
    reader: ReaderOption = None,
    photo: PhotoOption = None,
    note: NoteOption = None,
    estimated: Annotated[bool, typer.Option("--estimated", help="It was not read, but estimated.")] = False,
    correct: CorrectOption = False,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter one reading of a meter."""
    spoken = source.language(lang)
    from meterweave.cli import reading_desk  # noqa: PLC0415 - loading storage takes a second

    slip = reading_desk.Slip(meter, value, time, quantity, reader, photo, note, estimated, correct)
    added = reading_desk.add(Folder(data, registry), slip, operator, spoken)
    reading_desk.show_added(added, spoken, as_json=as_json)


@app.command("withdraw")
def withdraw(
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", min=1, max=ID_MAX, help="Its number, as reading list tells it.")
    ],
    data: DataOption,
    note: NoteOption = None,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back a reading of the wrong meter or the wrong time; it stays to be seen, and counts for nothing."""
    spoken = source.language(lang)
    from meterweave.cli import reading_desk  # noqa: PLC0415 - loading storage takes a second

    taken = reading_desk.withdraw_one(Folder(data, registry), number, note, operator, spoken)
    reading_desk.show_withdrawn(taken, spoken, as_json=as_json)


@app.command("list")
def list_(
    data: DataOption,
    meter: Annotated[
        str | None, typer.Argument(metavar="[METER]", help=f"{METER_HELP} Default: of all meters.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Those that were corrected too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="How many to list.")] = LISTED_MAX,
    before: Annotated[
        int | None,
        typer.Option(min=1, max=ID_MAX, metavar="NUMBER", help="Only those entered before this one, to go on."),
    ] = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """List readings that people entered, the last entered first: who read them, who entered them, with which photo."""
    spoken = source.language(lang)
    from meterweave.cli import reading_page  # noqa: PLC0415 - loading storage takes a second

    wanted = reading_page.Wanted(meter, limit, before, history)
    reading_page.show(reading_page.listed(Folder(data, registry), wanted, spoken), spoken, as_json=as_json)


@app.command("template")
def template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write: .xlsx or .csv.")],
    data: DataOption,
    route: Annotated[
        str | None, typer.Option("--route", metavar="PREFIX", help="Only usage points whose codes begin so.")
    ] = None,
    district: Annotated[str | None, typer.Option("--district", metavar="CODE", help="Only this district.")] = None,
    utility: Annotated[
        str | None, typer.Option("--utility", metavar="UTILITY", help="Only electricity, water, gas or heat.")
    ] = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
) -> None:
    """Write a reading sheet of the meters that people read, to be filled in on the round and imported.

    In the order of usage points, with the last reading of each. The import passes over rows left without a value.
    """
    spoken = source.language(lang)
    from meterweave.cli import reading_page  # noqa: PLC0415 - loading storage takes a second

    typer.echo(reading_page.write_template(Folder(data, registry), file, route, district, utility, spoken))
