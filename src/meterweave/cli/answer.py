"""An answer from the readings: as a table for people, as CSV, JSON or Parquet for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.cli import columns, render
from meterweave.cli.columns import Cell
from meterweave.cli.folder import LAKE, Folder
from meterweave.cli.query import Format
from meterweave.cli.whole_file import whole_file
from meterweave.errors import ConfigError
from meterweave.lake import QueryError
from meterweave.metering.events import event_kind_table
from meterweave.registry import Installation, Meter, Terminal, UsagePoint
from meterweave.registry.collection import CollectionPlan, ReadSuccess

VIEWS = ("readings", "raw_readings", "events", "frames", "quantities")
"""What the lake itself lets be asked for."""

EVENT_KINDS = "event_kinds"
"""The table that says what the numbers in the column `event` mean."""

SHOWN_ROWS_MAX = 1000
"""Most rows of a table for people; nobody reads more, and programs ask for another format."""

_TIME = pa.timestamp("us", tz="UTC")
ARCHIVES: dict[str, tuple[Any, pa.Schema]] = {
    "meters": (
        Meter,
        pa.schema(
            [
                ("id", pa.int64()),
                ("utility", pa.string()),
                ("protocol", pa.string()),
                ("address", pa.string()),
                ("terminal_id", pa.int64()),
                ("point_number", pa.int32()),
                ("asset_number", pa.string()),
                ("ct_primary", pa.int32()),
                ("ct_secondary", pa.int32()),
                ("pt_primary", pa.int32()),
                ("pt_secondary", pa.int32()),
                ("phase", pa.string()),
            ]
        ),
    ),
    "terminals": (
        Terminal,
        pa.schema(
            [
                ("id", pa.int64()),
                ("protocol", pa.string()),
                ("address", pa.string()),
                ("name", pa.string()),
                ("state", pa.string()),
                ("last_seen_at", _TIME),
            ]
        ),
    ),
    "usage_points": (UsagePoint, pa.schema([("id", pa.int64()), ("code", pa.string()), ("name", pa.string())])),
    "installations": (
        Installation,
        pa.schema(
            [
                ("meter_id", pa.int64()),
                ("usage_point_id", pa.int64()),
                ("installed_at", _TIME),
                ("removed_at", _TIME),
            ]
        ),
    ),
    "read_success": (
        ReadSuccess,
        pa.schema(
            [
                ("terminal_id", pa.int64()),
                ("plan_id", pa.int64()),
                ("day", pa.date32()),
                ("expected", pa.int32()),
                ("first_try", pa.int32()),
                ("stored", pa.int32()),
            ]
        ),
    ),
    "collection_plans": (
        CollectionPlan,
        pa.schema(
            [
                ("id", pa.int64()),
                ("name", pa.string()),
                ("utility", pa.string()),
                ("series", pa.string()),
                ("period_s", pa.int32()),
                ("enabled", pa.bool_()),
            ]
        ),
    ),
}
"""What of the archives may be asked for: table, and columns with their types. In docs/reference/cli.md."""

_ROWS_AT_ONCE = 10_000


def ask(folder: Folder, sql: str, *, rows_max: int | None = None, timeout_s: float | None = None) -> pa.Table:
    """The answer to `sql`, its columns named apart; nothing is changed, and a running centre is not disturbed.

    Raises
    ------
    MeterweaveError
        If there are no readings, or the question is at fault.
    """
    if not folder.lake_path.is_dir():
        raise ConfigError(f"{folder.path} holds no readings: there is no folder {LAKE} in it")
    with folder.lake() as lake:
        try:
            asked = [name for name in ARCHIVES if name in sql.lower()]
            tables = archives(folder, asked) | {EVENT_KINDS: event_kind_table()}
            found = lake.query(sql, tables=tables, rows_max=rows_max, timeout_s=timeout_s)
        except QueryError as error:
            raise QueryError(f"{error}{_hint(str(error))}") from error
    return found.rename_columns(_apart(found.column_names))


def _hint(said: str) -> str:
    """What helps somebody who does not know what can be asked for."""
    if "Table with name" not in said:
        return ""
    return f"\nThere are: {', '.join([*VIEWS, EVENT_KINDS, *ARCHIVES])}; see docs/reference/lake-schema.md"


def _apart(names: list[str]) -> list[str]:
    """`names` with a number behind those that came before, as two joined tables may both have one."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        found.append(name if name not in found else next(one for one in numbered if one not in found))
    return found


def archives(folder: Folder, names: Collection[str] = tuple(ARCHIVES)) -> dict[str, pa.Table]:
    """The archives that questions may join, as tables of these names; empty ones where there are no archives."""
    if not names or not folder.has_archives:
        return {name: ARCHIVES[name][1].empty_table() for name in names}
    with folder.archives() as registry, registry.reading() as session:
        return {name: _columns(session, *ARCHIVES[name]) for name in names}


def _columns(session: Session, model: Any, schema: pa.Schema) -> pa.Table:
    rows = session.execute(select(*(getattr(model, name) for name in schema.names))).all()
    values = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(one, field.type) for one, field in zip(values, schema, strict=True)], schema=schema)


def write(answer: pa.Table, written: Format | str, output: Path | None = None) -> None:
    """Put an answer on standard output, or into a file that is there whole or not at all.

    Raises
    ------
    ConfigError
        If it is Parquet and would go to a terminal, or a table and would go into a file.
    OSError
        If the file cannot be written.
    """
    written = Format(written)
    if output is not None and written is Format.TABLE:
        raise ConfigError("a table is for reading on a terminal; for a file give --format csv, json or parquet")
    if output is not None:
        with whole_file(output) as part, part.open("wb") as sink:
            _write(answer, written, sink)
    elif written is Format.TABLE:
        _show(answer)
    elif written is Format.PARQUET and sys.stdout.isatty():
        raise ConfigError("Parquet is not for reading on a terminal; send it to a file with --output FILE")
    else:
        _write(answer, written, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _write(answer: pa.Table, written: Format, sink: BinaryIO) -> None:
    if written is Format.PARQUET:
        whole = pa.BufferOutputStream()  # a pipe cannot say how far it is, which the format asks for
        pyarrow.parquet.write_table(answer, whole)
        sink.write(whole.getvalue())
    elif written is Format.CSV:
        pyarrow.csv.write_csv(_plain(answer), sink)
    else:
        for text in _json_array(answer):
            sink.write(text.encode())


def _show(answer: pa.Table) -> None:
    """As a table; where it is cut, how to have the rest is said on standard error."""
    out = render.console()
    if not out.is_terminal:
        out.width = 1 << 16  # a pipe folds nothing
    header = [Cell(name, "bold cyan") for name in answer.column_names]
    rows = [[Cell(_text(cell)) for cell in row] for row in _rows(answer.slice(0, SHOWN_ROWS_MAX))]
    right = [at for at, field in enumerate(answer.schema) if _is_number(field.type)]
    columns.write(out, [header, *rows], right=right)
    if answer.num_rows > SHOWN_ROWS_MAX:
        typer.echo(
            f"the first {SHOWN_ROWS_MAX:,} of {answer.num_rows:,} rows; --format csv or --output FILE gives all",
            err=True,
        )


def _rows(answer: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in answer.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _json_array(answer: pa.Table) -> Iterator[str]:
    """The rows as objects, one a line."""
    names = [json.dumps(name, ensure_ascii=False) for name in answer.column_names]
    between = "[\n"
    for row in _rows(answer):
        yield between + "{" + ", ".join(f"{n}: {_json_text(cell)}" for n, cell in zip(names, row, strict=True)) + "}"
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def _json_text(cell: Any) -> str:
    """A value as JSON; a decimal number keeps all its digits."""
    if isinstance(cell, Decimal):
        return format(cell, "f") if cell.is_finite() else "null"
    return json.dumps(_json_value(cell), ensure_ascii=False)


def _json_value(cell: Any) -> Any:
    """What JSON has no word for, in the nearest it has: instants as ISO 8601, octets in hexadecimal."""
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, dict):
        return {str(name): _json_value(one) for name, one in cell.items()}
    if isinstance(cell, tuple | list) and not hasattr(cell, "_fields"):
        return [_json_value(one) for one in cell]
    return cell if cell is None or isinstance(cell, str | int) else str(cell)


def _text(cell: Any) -> str:
    """A value for people; null is nothing."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{cell:.15g}"  # all that is sure of it, and no noise of the sixteenth digit
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, Decimal):
        return format(cell, "f")
    found = _json_value(cell)
    return json.dumps(found, ensure_ascii=False) if isinstance(found, dict | list) else str(found)


def _plain(answer: pa.Table) -> pa.Table:
    """`answer` with the columns that CSV has no form for as text."""
    for at, field in enumerate(answer.schema):
        if not _is_plain(field.type):
            texts = [None if cell is None else _text(cell) for cell in answer.column(at).to_pylist()]
            answer = answer.set_column(at, field.name, pa.array(texts, pa.string()))
    return answer


def _is_plain(kind: pa.DataType) -> bool:
    others = (pa.types.is_boolean, pa.types.is_string, pa.types.is_date, pa.types.is_timestamp)
    return _is_number(kind) or any(one(kind) for one in others)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
