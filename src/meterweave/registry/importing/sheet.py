"""Files to rows of text: CSV in UTF-8 or GB18030, and Excel workbooks; hostile ones meet a bound.

A spreadsheet row keeps its number, blank rows included, so that a finding can be looked up in the spreadsheet.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import PurePath
from typing import NamedTuple, TypeVar

from openpyxl import Workbook, load_workbook

from meterweave.errors import ConfigError, MeterweaveError
from meterweave.registry.importing.finding import CODES, Finding
from meterweave.text import Text

Cell = TypeVar("Cell")

_MIB = 1 << 20
_FORMULA = re.compile(rb"<f[ >/]")  # the element of a formula in a sheet's part


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLimits:
    """Bounds of one import; every field says unit, default and why."""

    octets_max: int = 64 * _MIB
    """Largest file. [octets] 200,000 meters with every column filled are 30 MiB."""

    unpacked_octets_max: int = 512 * _MIB
    """Most that a workbook, which is an archive, may unpack to. [octets]"""

    rows_max: int = 200_000
    """Most rows of all tables together. [rows] A county; an import holds them in memory, about 4 KiB each."""

    columns_max: int = 100
    """Most columns of a table."""

    cell_max: int = 500
    """Longest text of a cell. [characters]"""

    sheets_max: int = 20
    """Most tables in a workbook."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}")


class FileError(MeterweaveError):
    """A file that cannot be read at all; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text.en)
        self.finding = finding


class Row(NamedTuple):
    """One row: its number in the spreadsheet and its cells as text, trimmed."""

    number: int
    cells: tuple[str, ...]


class Sheet(NamedTuple):
    """One table of a file: its name, its header, and the rows below that are not blank."""

    name: str
    header: Row
    rows: list[Row]


def read_sheets(octets: bytes, name: str, limits: ImportLimits) -> list[Sheet]:
    """The tables in a file; an empty table is left out.

    Parameters
    ----------
    octets : bytes
        The whole file.
    name : str
        What it is called; the name of the one table of a CSV file. What the file is, its octets say.
    limits : ImportLimits
        What is refused.

    Raises
    ------
    FileError
        If it is no table, or beyond a limit.
    """
    if len(octets) > limits.octets_max:
        raise _problem(
            "import.file_too_large",
            Text(
                f"the file has {len(octets):,} octets, at most {limits.octets_max:,} are allowed",
                f"文件{len(octets):,}字节，上限{limits.octets_max:,}字节",
            ),
        )
    if octets[:4] == b"PK\x03\x04":
        return _filled(list(_read_workbook(octets, limits)))
    if octets[:4] == b"\xd0\xcf\x11\xe0":
        raise _problem(
            "import.unreadable",
            Text("this is an old .xls workbook; save it as .xlsx or CSV", "这是旧版.xls文件，请另存为.xlsx或CSV"),
        )
    return _filled(_read_csv(octets, PurePath(name).stem, limits))


def _filled(sheets: list[Sheet]) -> list[Sheet]:
    if not sheets:
        raise _problem("import.unreadable", Text("the file holds no table", "文件中没有表格"))
    return sheets


def _read_csv(octets: bytes, name: str, limits: ImportLimits) -> list[Sheet]:
    text = _decode(octets)
    if "\0" in text:
        raise _problem(
            "import.unreadable", Text("the file holds zero octets, it is no text", "文件含有零字节，不是文本")
        )
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(
            _bounded(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), limits.rows_max, name)
        )  # fmt: skip
    except csv.Error as error:
        raise _problem("import.unreadable", Text(f"not a CSV file: {error}", f"不是CSV文件：{error}")) from error
    return _sheet(name, ([_without_quote(cell) for cell in row] for row in rows), limits)


def _decode(octets: bytes) -> str:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if octets.startswith(mark):
            encodings: tuple[str, ...] = (encoding,)
            break
    else:
        encodings = ("utf-8", "gb18030")
    for encoding in encodings:
        try:
            return octets.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _problem("import.encoding", CODES["import.encoding"])


def _without_quote(cell: str) -> str:
    """A CSV cell without what keeps a spreadsheet from reading it as a number or a formula: ``'0012``, ``="0012"``."""
    match = re.fullmatch(r'\s*="([^"]*)"\s*', cell)
    if match:
        return match[1]
    return cell[1:] if cell[:1] == "'" else cell


def _read_workbook(octets: bytes, limits: ImportLimits) -> Iterator[Sheet]:
    # The reader of an archive stops at the sizes its directory states, so their sum bounds what will be unpacked.
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > limits.unpacked_octets_max:
            raise _problem(
                "import.file_too_large",
                Text(
                    f"the workbook unpacks to {unpacked:,} octets, at most {limits.unpacked_octets_max:,} are allowed",
                    f"工作簿解压后{unpacked:,}字节，上限{limits.unpacked_octets_max:,}字节",
                ),
            )
        workbook = load_workbook(io.BytesIO(octets), read_only=True, data_only=True, keep_links=False)
        _refuse_unreckoned(octets, workbook, limits)
        left = limits.rows_max
        for number, sheet in enumerate(workbook.worksheets):
            if number == limits.sheets_max:
                raise _problem(
                    "import.unreadable",
                    Text(f"more than {limits.sheets_max} sheets", f"工作表超过{limits.sheets_max}个"),
                )
            # The size a sheet claims may be a lie, and would be allocated for every row.
            sheet.reset_dimensions()
            rows = _bounded(sheet.iter_rows(values_only=True), left, sheet.title)
            for found in _sheet(sheet.title, ([_text(cell) for cell in row] for row in rows), limits):
                left -= len(found.rows)
                yield found
    except FileError:
        raise
    except Exception as error:  # the reader lets through whatever a broken part brings up: it is the file's fault
        reason = f"{type(error).__name__}: {error}"[:200]
        raise _problem(
            "import.unreadable", Text(f"not a workbook that can be read: {reason}", f"无法读取的工作簿：{reason}")
        ) from error


def _refuse_unreckoned(octets: bytes, workbook: Workbook, limits: ImportLimits) -> None:
    """Stop at a formula without its result, as a program writes it: it would look like an empty cell."""
    if not _has_formulas(octets):
        return
    written = load_workbook(io.BytesIO(octets), read_only=True, keep_links=False)
    for results, formulas in zip(workbook.worksheets[: limits.sheets_max], written.worksheets, strict=False):
        results.reset_dimensions()
        formulas.reset_dimensions()
        rows = islice(zip(results.iter_rows(), formulas.iter_rows(), strict=False), 11 * limits.rows_max)
        for number, (ours, theirs) in enumerate(rows, start=1):
            # A result that is empty text says that it is text.
            if any(
                formula.data_type == "f" and result.value is None and result.data_type != "str"
                for result, formula in zip(ours, theirs, strict=False)
            ):
                raise _problem(
                    "import.unreadable",
                    Text(
                        "a formula without its result; open the file in a spreadsheet and save it there",
                        "公式没有计算结果；请用电子表格软件打开并保存后再导入",
                    ),
                    sheet=results.title,
                    row=number,
                )


def _has_formulas(octets: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                with archive.open(name) as part:
                    end = b""
                    while piece := part.read(_MIB):
                        if _FORMULA.search(end + piece):
                            return True
                        end = piece[-2:]
    return False


def _text(cell: object) -> str:
    """A cell of a workbook as a person would have typed it; a number with digits lost stays in powers of ten."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"  # as it is shown: a truth is no number
    if isinstance(cell, float):
        # A spreadsheet shows fifteen digits; those behind are the noise of binary fractions, as in 12.2 + 0.1.
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else _plain(f"{cell:.15g}")
    if isinstance(cell, int):
        return str(cell) if abs(cell) < 10**15 else f"{cell:.14e}"
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell)


def _plain(number: str) -> str:
    """A small number without powers of ten, which it needs none of; a large one has lost digits, and stays."""
    return format(Decimal(number), "f") if "e-" in number else number


def _bounded(rows: Iterable[Sequence[Cell]], rows_max: int, name: str) -> Iterator[Sequence[Cell]]:
    """`rows` up to the header and `rows_max` more, blank ones counted ten to one."""
    blank_max = 10 * rows_max
    filled = blank = 0
    for row in rows:
        if any(cell not in (None, "") for cell in row):
            filled += 1
        else:
            blank += 1
        if filled > rows_max + 1 or blank > blank_max:
            raise _problem(
                "import.too_many_rows",
                Text(f"more than {rows_max:,} rows are left to import", f"超过剩余可导入的{rows_max:,}行"),
                sheet=name,
            )
        yield row


def _sheet(name: str, rows: Iterable[Sequence[str]], limits: ImportLimits) -> list[Sheet]:
    trimmed = (_row(number, row, name, limits) for number, row in enumerate(rows, start=1))
    filled = (row for row in trimmed if row.cells)
    header = next(filled, None)
    return [] if header is None else [Sheet(name, header, list(filled))]


def _row(number: int, cells: Sequence[str], sheet: str, limits: ImportLimits) -> Row:
    found = [cell.strip() for cell in cells]
    while found and not found[-1]:
        found.pop()
    if len(found) > limits.columns_max:
        raise _problem(
            "import.too_many_columns",
            Text(
                f"{len(found)} columns, at most {limits.columns_max} are allowed",
                f"{len(found)}列，上限{limits.columns_max}列",
            ),
            sheet=sheet,
            row=number,
        )
    longest = max(map(len, found), default=0)
    if longest > limits.cell_max:
        raise _problem(
            "import.cell_too_long",
            Text(
                f"a cell of {longest:,} characters, at most {limits.cell_max} are allowed",
                f"单元格{longest:,}个字符，上限{limits.cell_max}",
            ),
            sheet=sheet,
            row=number,
        )
    return Row(number, tuple(found))


def _problem(code: str, text: Text, *, sheet: str = "", row: int | None = None) -> FileError:
    return FileError(Finding(code, text, sheet, row))
