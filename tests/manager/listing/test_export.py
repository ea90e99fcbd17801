"""Tables to files: what the pages show, all of it, and nothing that a spreadsheet would work out."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from meterweave.manager.errors import NotAllowed
from meterweave.manager.identity import Identity
from meterweave.manager.listing import TABLES, Question, export, read_question, table_named
from meterweave.manager.listing.export import export_csv, export_rows, export_workbook, header
from meterweave.registry import Registry, UsagePoint
from tests.manager.listing.estate import ALL, ask, build, of_county

ZONE = ZoneInfo("Asia/Shanghai")
HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", '=HYPERLINK("http://x")', 'a"b,c\nd', "https://x.y")


def to_csv(registry: Registry, question: Question, identity: Identity = ALL, language: str = "en") -> list[list[str]]:
    with registry.reading() as session:
        text = "".join(export_csv(session, identity, question, language=language, zone=ZONE))  # type: ignore[arg-type]
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def hostile(registry: Registry) -> None:
    with registry.writing() as session:
        session.add_all(UsagePoint(code=f"P{number}", name=name) for number, name in enumerate(HOSTILE))


@pytest.mark.parametrize("sort", ["asset_number", "-asset_number", "address"])
def test_a_file_has_the_rows_of_all_pages_in_their_order(registry: Registry, sort: str) -> None:
    ids = build(registry)
    for filters in ((), (("utility", "electricity"),)):
        for identity in (ALL, of_county(ids["S1"])):
            question = read_question(table_named("meters"), filters, sort=sort)
            with registry.reading() as session:
                rows = list(export_rows(session, identity, question))
            assert rows == [row.cells for row in ask(registry, "meters", *filters, identity=identity, sort=sort).rows]
            assert len(to_csv(registry, question, identity)) == len(rows) + 1


@pytest.mark.parametrize("name", TABLES)
def test_csv_has_units_local_times_and_words(registry: Registry, name: str) -> None:
    build(registry)
    for language in ("en", "zh"):
        first, *rows = to_csv(registry, read_question(table_named(name)), language=language)
        assert first == [header(column, language) for column in TABLES[name].columns]  # type: ignore[arg-type]
        assert rows
        assert {len(row) for row in rows} == {len(first)}
    if name == "gaps":
        assert rows[0][0] == "2026-01-04"
        assert rows[0][-6] == "2026-01-05 08:00:00"
        assert rows[0][-3] == "放弃"
    if name == "collection_plans":
        assert first[4] == "周期 [s]"
        assert [row[-1] for row in rows] == ["是", "否", "是"]


def test_nothing_in_a_csv_file_is_a_formula(registry: Registry) -> None:
    hostile(registry)
    rows = to_csv(registry, read_question(table_named("usage_points"), sort="id"))[1:]
    assert [row[2] for row in rows] == [f"'{name}" if name[0] in "=+-@\t\r'" else name for name in HOSTILE]
    with registry.writing() as session:
        session.add(UsagePoint(code="=cmd|' /C calc'!A0", name=""))
    (row,) = to_csv(registry, read_question(table_named("usage_points"), [("code.contains", "calc")]))[1:]
    assert row[1].startswith("'=")


def test_a_workbook_has_the_same_and_no_formula(registry: Registry, tmp_path: Path) -> None:
    hostile(registry)
    path = tmp_path / "points.xlsx"
    with registry.reading() as session:
        question = read_question(table_named("usage_points"), sort="id")
        assert export_workbook(session, ALL, question, path, language="zh", zone=ZONE) == len(HOSTILE)
    sheet = load_workbook(path).active
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]][:3] == ["编号", "编码", "名称"]
    names = [row[2] for row in rows[1:]]
    assert {cell.data_type for cell in names} == {"s"}
    assert [str(cell.value).replace("_x000D_", "\r") for cell in names] == list(HOSTILE)
    assert all(cell.hyperlink is None for row in rows for cell in row)
    assert all(isinstance(row[0].value, int) for row in rows[1:])


def test_a_workbook_has_times_and_numbers_to_sort_by_and_further_sheets(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(registry)
    monkeypatch.setattr(export, "SHEET_ROWS_MAX", 5)
    path = tmp_path / "gaps.xlsx"
    with registry.reading() as session:
        rows = export_workbook(session, ALL, read_question(table_named("gaps")), path, language="en", zone=ZONE)
    book = load_workbook(path)
    held = [list(sheet.iter_rows(values_only=True)) for sheet in book]
    assert [len(sheet) - 1 for sheet in held] == [5, 5, 5, 5, 4]
    assert sum(len(sheet) - 1 for sheet in held) == rows == 24
    assert len({sheet[0] for sheet in held}) == 1
    assert held[0][1][-6] == datetime(2026, 1, 5, 8)
    assert isinstance(held[0][1][-8], int)
    assert book.active.freeze_panes == "A2"


def test_nobody_without_the_permission_gets_a_file(registry: Registry, tmp_path: Path) -> None:
    nobody = ALL.narrowed(())
    question = read_question(table_named("meters"))
    with registry.reading() as session:
        with pytest.raises(NotAllowed):
            next(export_rows(session, nobody, question))
        with pytest.raises(NotAllowed):
            export_workbook(session, nobody, question, tmp_path / "x.xlsx", language="en", zone=ZONE)
