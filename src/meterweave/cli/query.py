"""``meterweave query``: SQL over all readings that were acknowledged, also while the centre runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over readings, raw_readings, quantities, meters, terminals.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Where readings and archives are kept.")],
    written: Annotated[Format, typer.Option("--format", help="How the answer is written.")] = Format.TABLE,
) -> None:
    """Ask the readings in SQL; nothing is changed, and a running centre is not disturbed."""
    from meterweave.cli import answer  # noqa: PLC0415 - loading storage takes a second that other commands can do without

    answer.write(answer.ask(data, sql), written)
