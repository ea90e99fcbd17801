"""Sheets to typed rows: which kind of records a sheet lists, which column is which, and what each cell says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meterweave.registry.importing.column import CLEAR, CellError, Column, normal_header
from meterweave.registry.importing.finding import CODES, Finding, Findings
from meterweave.registry.importing.kind import KINDS, Kind
from meterweave.registry.importing.sheet import Row, Sheet
from meterweave.text import Text


@dataclass(frozen=True, slots=True)
class Draft:
    """One row as the file means it: the values of the cells that are filled and well-formed, by column name."""

    row: Row
    values: Mapping[str, Any]
    cleared: frozenset[str]  # columns whose cell empties what is stored
    sound: bool  # no cell of it was at fault


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet understood."""

    kind: Kind
    name: str
    headers: Mapping[str, str]  # of each column that is there, as it stands in the file
    positions: Mapping[str, int]
    drafts: tuple[Draft, ...]

    def finding(self, code: str, text: Text, draft: Draft, column: str = "") -> Finding:
        """A finding about a row of this table, and about a cell of it if a column is named."""
        at = self.positions.get(column)
        value = draft.row.cells[at] if at is not None and at < len(draft.row.cells) else ""
        return Finding(code, text, self.name, draft.row.number, self.headers.get(column, ""), value)


def read_table(sheet: Sheet, findings: Findings, *, file_name: str = "", kind: Kind | None = None) -> Table | None:
    """The records a sheet lists; None, and findings, where its header cannot be understood.

    Parameters
    ----------
    sheet : Sheet
        From `read_sheets`.
    findings : Findings
        Takes what is wrong with header and cells.
    file_name : str
        Says what is listed where the sheet's name does not.
    kind : Kind or None
        What is listed; None: its name or its header tells.
    """
    kind = kind or _kind_of(sheet, file_name)
    if kind is None:
        names = ", ".join(one.name for one in KINDS)
        zh = "、".join(one.title.zh for one in KINDS)
        words = CODES["import.no_kind"]
        text = Text(f"{words.en}: name it one of {names}", f"{words.zh}：请命名为{zh}之一")
        findings.add(Finding("import.no_kind", text, sheet.name, sheet.header.number))
        return None
    columns = _columns(sheet, kind, findings)
    if columns is None:
        return None
    positions = {column.name: at for at, column in columns.items()}
    headers = {column.name: sheet.header.cells[at] for at, column in columns.items()}
    drafts = tuple(_draft(row, sheet, kind, columns, findings) for row in sheet.rows)
    return Table(kind, sheet.name, headers, positions, drafts)


def _kind_of(sheet: Sheet, file_name: str) -> Kind | None:
    for name in (sheet.name, file_name):
        for kind in KINDS:
            if kind.is_called(name):
                return kind
    headers = {normal_header(cell) for cell in sheet.header.cells}
    fits: dict[Kind, int] = {}
    for kind in KINDS:
        found = {kind.by_header[header].name for header in headers if header in kind.by_header}
        if found.issuperset({*kind.identity, *kind.wanted}):
            fits[kind] = len(found)
    best = [kind for kind, count in fits.items() if count == max(fits.values())]
    return best[0] if len(best) == 1 else None


def _columns(sheet: Sheet, kind: Kind, findings: Findings) -> dict[int, Column] | None:
    """The column of each position; None if the table is of no use without what is missing."""
    number, found = sheet.header.number, dict[int, Column]()
    usable = True
    for at, header in enumerate(sheet.header.cells):
        column = kind.by_header.get(normal_header(header))
        if column is None:
            if header:
                findings.add(
                    Finding("import.unknown_column", CODES["import.unknown_column"], sheet.name, number, header)
                )
        elif column in found.values():
            usable = False
            findings.add(Finding("import.column_twice", CODES["import.column_twice"], sheet.name, number, header))
        else:
            found[at] = column
    for name in kind.identity:
        if kind.by_name[name] not in found.values():
            usable = False
            wanted = kind.by_name[name].header
            findings.add(
                Finding(
                    "import.missing_column",
                    Text(f"there is no column {wanted.en!r}", f"缺少“{wanted.zh}”列"),
                    sheet.name,
                    number,
                )
            )
    return found if usable else None


def _draft(row: Row, sheet: Sheet, kind: Kind, columns: Mapping[int, Column], findings: Findings) -> Draft:
    values: dict[str, Any] = {}
    cleared: set[str] = set()
    sound = True
    for at, column in columns.items():
        cell = row.cells[at] if at < len(row.cells) else ""
        try:
            if not cell:
                if column.name in kind.identity:
                    raise CellError("import.missing", CODES["import.missing"])
            elif cell == CLEAR and column.cleared is not None:
                cleared.add(column.name)
            else:
                values[column.name] = column.read(cell)
        except CellError as problem:
            sound = False
            findings.add(
                Finding(problem.code, problem.text, sheet.name, row.number, sheet.header.cells[at], cell)
            )  # fmt: skip
    return Draft(row, values, frozenset(cleared), sound)
