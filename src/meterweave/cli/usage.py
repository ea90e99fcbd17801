"""``meterweave usage``: what a usage point or a meter used, by day or month."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from meterweave.cli import moment, source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption


class By(StrEnum):
    """How long the intervals are."""

    DAY = "day"
    MONTH = "month"


def usage(
    word: Annotated[
        str,
        typer.Argument(
            metavar="POINT|METER",
            help="A usage point's code, or point:CODE; a meter's asset number, address, or id:NUMBER.",
        ),
    ],
    data: DataOption,
    by: Annotated[By, typer.Option("--by", help="Local days, or local months.")] = By.MONTH,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="YYYY-MM-DD", help="The first day; default: a year ago, with --by day a month."),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="YYYY-MM-DD", help="The last day, included; default: yesterday."),
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(metavar="NAME|OBIS", help="Which register; default: the utility's usual one.")
    ] = None,
    interpolate: Annotated[
        int | None,
        typer.Option(
            "--interpolate",
            min=1,
            max=400,
            metavar="DAYS",
            help="Estimate the register at a boundary between readings up to so many days apart.",
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV for spreadsheets instead of a table.")] = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was used, exactly, across meter exchanges and roll-overs; what is not known has a reason instead.

    Months are whole ones, those of both days.
    """
    spoken = source.language(lang)
    begin = None if first is None else moment.read_day(first)
    end = None if last is None else moment.read_day(last)
    from meterweave.cli import usage_page  # noqa: PLC0415 - loading storage takes a second

    wanted = usage_page.Wanted(word, by is By.MONTH, begin, end, quantity, interpolate)
    found = usage_page.reckoned(Folder(data, registry), wanted, spoken)
    usage_page.show(found, spoken, as_json=as_json, as_csv=as_csv)
