"""Archives to files, in the shape in which they are imported: what is exported and imported again changes nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from meterweave.registry.importing.kind import DISTRICTS, KINDS, METERS, ORGANISATIONS, TERMINALS, Kind
from meterweave.registry.models import Installation, Meter, Organisation, Terminal, TransformerDistrict, UsagePoint
from meterweave.text import Language

_ROWS_AT_ONCE = 10_000
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")
_FORMULA_STARTS = ("=", "+", "-", "@", "'", "\t", "\r")
BOM = "\ufeff"
"""Begins a CSV file, so that spreadsheets read it as UTF-8."""


def export_rows(session: Session, kind: Kind, language: Language = "en") -> Iterator[list[str]]:
    """The header and every record of `kind`, by id, as cells of text."""
    yield [column.header.in_language(language) for column in kind.columns]
    rows = session.execute(_QUERIES[kind.name](), execution_options={"yield_per": _ROWS_AT_ONCE})
    for record, *referred in rows:
        given = dict(zip(_REFERENCES[kind.name], referred, strict=True))
        yield [_cell(kind, column.name, record, given, language) for column in kind.columns]


def export_csv(session: Session, kind: Kind, language: Language = "en") -> Iterator[str]:
    """The lines of a CSV file of every record of `kind`, line ends included.

    A cell that a spreadsheet would take for a formula begins with an apostrophe, which the import takes off again.
    """
    yield BOM
    for row in export_rows(session, kind, language):
        yield csv_line(row)


def csv_line(row: Iterable[str]) -> str:
    """A line of a CSV file; what a spreadsheet would take for a formula begins with an apostrophe; no number does."""
    line = io.StringIO()
    csv.writer(line).writerow([f"'{cell}" if _is_formula(cell) else cell for cell in row])
    return line.getvalue()


def _is_formula(cell: str) -> bool:
    return cell.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(cell)


def export_workbook(session: Session, path: Path, language: Language = "en", kinds: tuple[Kind, ...] = KINDS) -> None:
    """Write an Excel workbook to `path`, one sheet a kind; every cell is text, so that no digit is lost."""
    workbook = Workbook(write_only=True)
    for kind in kinds:
        sheet = workbook.create_sheet(kind.title.in_language(language))
        for row in export_rows(session, kind, language):
            sheet.append([text_cell(sheet, cell) for cell in row])
    workbook.save(path)


def text_cell(sheet: Any, text: str) -> Any:
    """A cell that is text whatever it looks like: no formula, no number."""
    if not text:
        return None
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    cell.number_format = "@"
    return cell


def _cell(kind: Kind, name: str, record: Any, given: dict[str, Any], language: Language) -> str:
    column = kind.by_name[name]
    if not column.fields:
        return column.write(language, given[name] if name in given else getattr(record, name))
    values = tuple(getattr(record, field) for field in column.fields)
    return column.write(language, values if len(values) > 1 else values[0])


def _organisations() -> Any:
    parent = aliased(Organisation)
    return (
        select(Organisation, parent.code)
        .outerjoin(parent, parent.id == Organisation.parent_id)
        .order_by(Organisation.id)
    )


def _districts() -> Any:
    return (
        select(TransformerDistrict, Organisation.code)
        .outerjoin(Organisation, Organisation.id == TransformerDistrict.organisation_id)
        .order_by(TransformerDistrict.id)
    )


def _terminals() -> Any:
    gateway = aliased(Terminal)
    return (
        select(Terminal, TransformerDistrict.code, gateway.address)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .outerjoin(gateway, gateway.id == Terminal.collector_id)
        .order_by(Terminal.id)
    )


def _meters() -> Any:
    return (
        select(Meter, Terminal.address, Terminal.protocol, UsagePoint.code, Installation.installed_at)
        .outerjoin(Terminal, Terminal.id == Meter.terminal_id)
        .outerjoin(Installation, and_(Installation.meter_id == Meter.id, Installation.removed_at.is_(None)))
        .outerjoin(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        .order_by(Meter.id)
    )


_QUERIES = {
    ORGANISATIONS.name: _organisations,
    DISTRICTS.name: _districts,
    TERMINALS.name: _terminals,
    METERS.name: _meters,
}
_REFERENCES: dict[str, tuple[str, ...]] = {
    ORGANISATIONS.name: ("parent",),
    DISTRICTS.name: ("organisation",),
    TERMINALS.name: ("district", "collector"),
    METERS.name: ("terminal", "terminal_protocol", "usage_point", "installed"),
}
