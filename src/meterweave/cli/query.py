"""``meterweave query``: SQL over all readings that were acknowledged, also while the centre runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, RegistryOption
from meterweave.errors import ConfigError


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def query(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL",
            help="One SELECT over readings, events, frames, quantities, meters, terminals, …; - reads it from stdin.",
        ),
    ],
    data: DataOption,
    written: Annotated[
        Format | None,
        typer.Option("--format", help="How the answer is written; default: as --output is called, else a table."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write a file instead of standard output.")
    ] = None,
    rows_max: Annotated[
        int | None, typer.Option(min=1, metavar="ROWS", help="Refuse a longer answer; default 10 million.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Give up after this long; default 60.")
    ] = None,
    registry: RegistryOption = None,
) -> None:
    """Ask the readings in SQL; nothing is changed, and a running centre is not disturbed."""
    form = written or _form_of(output)
    if sql == source.STDIN:
        sql = source.read_bytes(source.STDIN).decode("utf-8-sig", errors="replace")
    from meterweave.cli import answer  # noqa: PLC0415 - loading storage takes a second

    answer.write(answer.ask(Folder(data, registry), sql, rows_max=rows_max, timeout_s=timeout), form, output)


def _form_of(output: Path | None) -> Format:
    if output is None:
        return Format.TABLE
    suffix = output.suffix.lower().removeprefix(".")
    if suffix not in {Format.CSV, Format.JSON, Format.PARQUET}:
        raise ConfigError(f"{output}: give --format csv, json or parquet, or call the file .csv, .json or .parquet")
    return Format(suffix)
