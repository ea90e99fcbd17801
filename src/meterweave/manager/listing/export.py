"""A table to a file as it is filtered and sorted: CSV line by line, Excel row by row, never the whole in memory.

What a spreadsheet would take for a formula is made text: in CSV an apostrophe stands before it, in Excel it is a cell
of text, which is never worked out. Times are local, in the zone that is asked for; the header says units.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from meterweave.manager.identity import Identity, require
from meterweave.manager.listing.column import Column
from meterweave.manager.listing.condition import conditions
from meterweave.manager.listing.paging import shown_query
from meterweave.manager.listing.question import Question
from meterweave.manager.listing.value import shown
from meterweave.registry.planning import plan_for_these_values
from meterweave.text import Language

SHEET_ROWS_MAX = 1_048_575
"""Rows of one sheet of a workbook below the header; further ones go to further sheets."""

_ROWS_AT_ONCE = 2000
_DIGITS_MAX = 15  # of a number in Excel
_FORMULA_STARTS = ("=", "+", "-", "@", "'", "\t", "\r", "\n")
_BOM = "\ufeff"  # so that spreadsheets read it as UTF-8


def export_rows(session: Session, identity: Identity, question: Question) -> Iterator[tuple[Any, ...]]:
    """The cells of all rows that a question asks for and the caller may see, in the order of the list.

    Raises
    ------
    NotAllowed
        Without the permission that the table asks for.
    """
    require(identity, question.table.permission)
    plan_for_these_values(session)
    key = question.table.key_expressions
    by = (question.sort.sql, *key)
    wanted = question.table.scoped(shown_query(question).where(*conditions(session, question)), identity)
    wanted = wanted.order_by(
        *((question.sort.sql.is_(None),) if question.sort.nullable else ()),
        *(one.desc() if question.descending else one.asc() for one in by),
    )
    for row in session.execute(wanted, execution_options={"yield_per": _ROWS_AT_ONCE}):
        yield tuple(row[len(key) :])


def export_csv(
    session: Session, identity: Identity, question: Question, *, language: Language, zone: tzinfo
) -> Iterator[str]:
    """A CSV file in pieces, line ends included, as `export_rows`."""
    columns = question.table.columns
    yield _BOM + _lines([header(column, language) for column in columns])
    some: list[list[str]] = []
    for row in export_rows(session, identity, question):
        cells = zip(columns, row, strict=True)
        some.append([defused(column, shown(column, cell, language, zone)) for column, cell in cells])
        if len(some) == _ROWS_AT_ONCE:
            yield _lines(*some)
            some.clear()
    yield _lines(*some)


def export_workbook(
    session: Session, identity: Identity, question: Question, path: Path, *, language: Language, zone: tzinfo
) -> int:
    """Write an Excel workbook to `path` as `export_rows`; how many rows it has.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    rows = 0
    with Workbook(str(path), {"constant_memory": True, "strings_to_urls": False}) as book:
        instants = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet = _sheet(book, question, language)
        for row in export_rows(session, identity, question):
            if rows and rows % SHEET_ROWS_MAX == 0:
                sheet = _sheet(book, question, language)
            at = rows % SHEET_ROWS_MAX + 1
            for number, (column, cell) in enumerate(zip(question.table.columns, row, strict=True)):
                _write(sheet, at, number, column, cell, language, zone, instants)
            rows += 1
    return rows


def header(column: Column, language: Language) -> str:
    """What stands above a column: its title, and its unit."""
    title = column.title.in_language(language)
    return f"{title} [{column.unit}]" if column.unit else title


def defused(column: Column, text: str) -> str:
    """`text` as a spreadsheet takes it for text; numbers stay as they are."""
    number = column.kind == "integer" and text.lstrip("-").isdecimal()
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not number else text


def _lines(*rows: list[str]) -> str:
    held = io.StringIO()
    csv.writer(held).writerows(rows)
    return held.getvalue()


def _sheet(book: Workbook, question: Question, language: Language) -> Worksheet:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    for number, column in enumerate(question.table.columns):
        sheet.write_string(0, number, header(column, language))
    return sheet


def _write(
    sheet: Worksheet,
    row: int,
    number: int,
    column: Column,
    cell: Any,
    language: Language,
    zone: tzinfo,
    instants: Format,
) -> None:
    if cell is None:
        return
    if isinstance(cell, datetime) and cell.year > 1900:  # Excel knows none before
        sheet.write_datetime(row, number, cell.astimezone(zone).replace(tzinfo=None), instants)
    elif isinstance(cell, int) and not isinstance(cell, bool) and len(str(abs(cell))) <= _DIGITS_MAX:
        sheet.write_number(row, number, cell)
    else:
        sheet.write_string(row, number, shown(column, cell, language, zone))
