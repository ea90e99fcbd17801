"""An answer from the readings on standard output: as a table for people, as CSV, JSON or Parquet for programs."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.table import Table
from sqlalchemy import select

from meterweave.cli import render
from meterweave.errors import ConfigError
from meterweave.lake import Lake
from meterweave.registry import Meter, Registry, Terminal, open_engine

REGISTRY, LAKE = "registry.sqlite", "lake"
"""What stands in the data directory."""

METERS = pa.schema(
    [
        ("id", pa.int64()),
        ("utility", pa.string()),
        ("protocol", pa.string()),
        ("address", pa.string()),
        ("terminal_id", pa.int64()),
        ("point_number", pa.int32()),
    ]
)
TERMINALS = pa.schema(
    [
        ("id", pa.int64()),
        ("protocol", pa.string()),
        ("address", pa.string()),
        ("state", pa.string()),
        ("last_seen_at", pa.timestamp("us", tz="UTC")),
    ]
)


def ask(data: Path, sql: str) -> pa.Table:
    """The answer to `sql`; nothing is changed, and a running centre is not disturbed.

    Raises
    ------
    MeterweaveError
        If there are no readings, or the question is at fault.
    """
    if not (data / LAKE).is_dir():
        raise ConfigError(f"{data} holds no readings: there is no folder {LAKE} in it")
    with Lake.open(data / LAKE, write=False) as lake:
        return lake.query(sql, tables=archives(data / REGISTRY))


def archives(path: Path) -> dict[str, pa.Table]:
    """The archives that questions may join, as tables ``meters`` and ``terminals``; empty where there are none."""
    if not path.is_file():
        return {"meters": METERS.empty_table(), "terminals": TERMINALS.empty_table()}
    registry = Registry(open_engine(path))
    try:
        with registry.reading() as session:
            meters = session.execute(select(*(getattr(Meter, name) for name in METERS.names))).all()
            terminals = session.execute(select(*(getattr(Terminal, name) for name in TERMINALS.names))).all()
    finally:
        registry.close()
    return {"meters": _columns(METERS, meters), "terminals": _columns(TERMINALS, terminals)}


def _columns(schema: pa.Schema, rows: Any) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(one, field.type) for one, field in zip(columns, schema, strict=True)], schema=schema)


def write(answer: pa.Table, written: str) -> None:
    """Put an answer on standard output, as a ``table``, as ``csv``, ``json`` or ``parquet``.

    Raises
    ------
    ConfigError
        If it is Parquet, and would go to a terminal.
    """
    if written == "parquet" and sys.stdout.isatty():
        raise ConfigError("Parquet is not for reading on a terminal; send it to a file with > FILE")
    if written == "csv":
        pyarrow.csv.write_csv(answer, sys.stdout.buffer)
    elif written == "parquet":
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(answer, sink)
        sys.stdout.buffer.write(sink.getvalue())
    elif written == "json":
        json.dump(answer.to_pylist(), sys.stdout, ensure_ascii=False, default=_json_value)
        sys.stdout.write("\n")
    else:
        _write_table(answer)


def _write_table(answer: pa.Table) -> None:
    table = Table()
    for field in answer.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        table.add_column(field.name, justify="right" if number else "left")
    for row in zip(*(column.to_pylist() for column in answer.columns), strict=True):
        table.add_row(*("" if cell is None else _text(cell) for cell in row))
    render.console().print(table)


def _text(cell: Any) -> str:
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else str(cell)


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
