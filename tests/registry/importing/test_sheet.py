"""Files of every spelling are read, and hostile ones meet a bound."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from meterweave.errors import ConfigError
from meterweave.registry.importing.sheet import FileError, ImportLimits, Row, read_sheets

LIMITS = ImportLimits()


def workbook(*sheets: tuple[str, list[list[object]]]) -> bytes:
    """An Excel workbook in memory."""
    made = Workbook()
    assert made.active is not None
    made.remove(made.active)
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def _rows(octets: bytes, limits: ImportLimits = LIMITS) -> list[Row]:
    sheet = read_sheets(octets, "x.csv", limits)[0]
    return [sheet.header, *sheet.rows]


def _with_results(octets: bytes, found: bytes) -> bytes:
    """The workbook with what a spreadsheet would have worked out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(octets)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, re.sub(rb'<c r="B2"><f>([^<]*)</f><v ?/?>(</v>)?', found, old.read(name)))
    return stream.getvalue()


def test_a_formula_counts_as_what_it_shows() -> None:
    octets = workbook(("A", [["a", "b"], ["x", "=1+1"]]))
    with pytest.raises(FileError) as caught:
        read_sheets(octets, "x.xlsx", LIMITS)
    finding = caught.value.finding
    assert (finding.code, finding.sheet, finding.row) == ("import.unreadable", "A", 2)
    assert _rows(_with_results(octets, rb'<c r="B2"><f>\1</f><v>2</v>'))[1] == Row(2, ("x", "2"))
    assert _rows(_with_results(octets, rb'<c r="B2" t="str"><f>\1</f><v></v>'))[1] == Row(2, ("x",))


def test_numbers_of_a_workbook_are_as_they_are_shown() -> None:
    rows = _rows(workbook(("A", [["a"], [1e-05], [-2.5e-07], [12.2 + 0.1], [True], [False]])))
    assert [row.cells[0] for row in rows[1:]] == ["0.00001", "-0.00000025", "12.3", "TRUE", "FALSE"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(encoding: str, delimiter: str) -> None:
    text = delimiter.join(["编码", "名称"]) + "\r\n" + delimiter.join(["A1", "东区"]) + "\r\n"
    assert _rows(text.encode(encoding)) == [Row(1, ("编码", "名称")), Row(2, ("A1", "东区"))]


def test_rows_keep_the_numbers_of_the_spreadsheet() -> None:
    text = '\n\n a ,b,,\n\n1,"two\nlines"\n,,\n3\n'
    assert _rows(text.encode()) == [Row(3, ("a", "b")), Row(5, ("1", "two\nlines")), Row(7, ("3",))]


def test_what_keeps_spreadsheets_from_calculating_is_taken_off() -> None:
    assert _rows(b'a,b,c\n\'0012,"=""0034""",\'\'x\n')[1].cells == ("0012", "0034", "'x")


def test_numbers_of_a_workbook_are_read_as_typed() -> None:
    rows: list[list[object]] = [["a"], [12.0], [2.4], [202406180001], [1234567890123456], [12345678901234567.0], [True]]
    found = read_sheets(workbook(("终端", rows), ("empty", []), ("blank", [[None]])), "x", LIMITS)
    assert [sheet.name for sheet in found] == ["终端"]
    cells = [row.cells[0] for row in found[0].rows]
    assert cells[:3] == ["12", "2.4", "202406180001"]
    assert all("e+" in cell for cell in cells[3:5])  # Excel has lost digits of these
    assert cells[5] == "TRUE"


def _bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (1 << 22))
    return stream.getvalue()


def _entity_bomb() -> bytes:
    """A workbook whose sheet names an entity of entities of entities."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE worksheet [<!ENTITY l0 "ha">{laughs}]>'
    plain = workbook(("meters", [["address"]]))
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            octets = source.read(name)
            if name.endswith("sheet1.xml"):
                body = octets.decode()
                octets = (head + body.replace("address", "&l9;").replace("<v>0</v>", "<v>&l9;</v>")).encode()
            target.writestr(name, octets)
    return stream.getvalue()


SMALL = ImportLimits(
    octets_max=100_000, unpacked_octets_max=1 << 20, rows_max=10, columns_max=5, cell_max=20, sheets_max=2
)  # fmt: skip


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"a" * 100_001, "import.file_too_large"),
        (_bomb(), "import.file_too_large"),
        (_entity_bomb(), "import.unreadable"),
        (b"a\n" + b"1\n" * 11, "import.too_many_rows"),
        (b"a\n" + b"\n" * 101, "import.too_many_rows"),
        (workbook(("a", [["x"]] * 8), ("b", [["x"]] * 8)), "import.too_many_rows"),
        (b"a,b,c,d,e,f", "import.too_many_columns"),
        (b"a\n" + b"x" * 21, "import.cell_too_long"),
        (b'a\n"' + b"x" * 21, "import.cell_too_long"),
        (workbook(*((name, [["x"]]) for name in "abc")), "import.unreadable"),
        (b"\xff\xfe\x00", "import.encoding"),
        (b"a\x80\xff,b", "import.encoding"),
        (b"a\0b", "import.unreadable"),
        (b"", "import.unreadable"),
        (b"PK\x03\x04 no archive", "import.unreadable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "import.unreadable"),
    ],
)
def test_hostile_files_are_refused(octets: bytes, code: str) -> None:
    with pytest.raises(FileError) as caught:
        read_sheets(octets, "x.csv", SMALL)
    assert caught.value.finding.code == code
    assert caught.value.finding.text.zh


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda octets: b"PK\x03\x04" + octets))
def test_no_octets_do_harm(octets: bytes) -> None:
    with contextlib.suppress(FileError):
        read_sheets(octets, "x", SMALL)


_PLAIN = workbook(("meters", [["utility", "protocol", "address"], ["water", "cjt188", "1"]]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damaged_workbook_does_harm(data: st.DataObject) -> None:
    octets = bytearray(_PLAIN)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(4, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FileError):
        read_sheets(bytes(octets), "x", SMALL)


def test_limits_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="rows_max"):
        ImportLimits(rows_max=0)
