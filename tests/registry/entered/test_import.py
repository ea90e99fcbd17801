"""Reading sheets into the archives, on both engines."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from sqlalchemy import select

from meterweave.registry import EnteredReading, Registry
from meterweave.registry.entered import Book, Entry, EntryReport, Terms, entered, import_readings, usual
from meterweave.registry.entered.roll import facts_of
from meterweave.registry.importing import ImportLimits
from meterweave.registry.importing.report import Action
from meterweave.registry.installation import install, remove
from meterweave.registry.vocabulary import Purpose, Utility
from tests.registry.conftest import dump
from tests.registry.records import add_meter, add_terminal, add_usage_point, day

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GOOD = """\
meter,value,time,reader,photo,estimated,note
A-1,12.5,2026-02-01,Wang,IMG_1.jpg,no,
m-2,7 m³,2026-02-01 08:30,Li,,yes,locked
55,100,2026-02-02,,,,
"""


@pytest.fixture
def meters(registry: Registry) -> dict[str, int]:
    """Two mechanical water meters and an electricity meter behind a terminal; ids by name."""
    with registry.writing() as session:
        first = add_meter(session, "m-1", protocol="manual", utility=Utility.WATER)
        first.asset_number, first.register_digits, first.register_decimals = "A-1", 5, 1
        second = add_meter(session, "m-2", protocol="manual", utility=Utility.WATER)
        power = add_meter(session, "55", add_terminal(session, "100"))
        return {"m-1": first.id, "m-2": second.id, "55": power.id}


def bring(
    registry: Registry, text: str | bytes, *, name: str = "readings.csv", now: datetime = NOW, **terms: Any
) -> EntryReport:
    octets = text.encode() if isinstance(text, str) else text
    return import_readings(registry, octets, name, Terms("clerk", now, **terms))


def stored(registry: Registry) -> list[tuple[Any, ...]]:
    with registry.reading() as session:
        rows = session.scalars(select(EnteredReading).order_by(EnteredReading.id))
        return [(one.meter_id, one.ts, one.value, one.estimated, one.reader, one.revision) for one in rows]


def told(report: EntryReport) -> list[tuple[str, int | None, str]]:
    return [(one.code, one.row, one.column) for one in report.findings]


def test_a_sheet_is_entered_with_who_and_when(registry: Registry, meters: dict[str, int]) -> None:
    report = bring(registry, GOOD)
    assert (report.ok, report.applied, report.findings) == (True, True, ())
    assert report.counts == {Action.CREATED: 3, Action.CHANGED: 0, Action.UNCHANGED: 0}
    assert stored(registry) == [
        (meters["m-1"], datetime(2026, 1, 31, 16, tzinfo=UTC), 12_500_000, False, "Wang", 0),
        (meters["m-2"], datetime(2026, 2, 1, 0, 30, tzinfo=UTC), 7_000_000, True, "Li", 0),
        (meters["55"], datetime(2026, 2, 1, 16, tzinfo=UTC), 1_000_000, False, "", 0),
    ]
    with registry.reading() as session:
        first = session.scalars(select(EnteredReading).where(EnteredReading.meter_id == meters["m-1"])).one()
        assert (first.photo, first.entered_by, first.entered_at, first.purpose) == (
            "IMG_1.jpg",
            "clerk",
            NOW,
            Purpose.ROUTINE,
        )
    assert [one.entry.meter for one in report.kept] == list(meters.values())


def test_the_same_again_changes_nothing(registry: Registry, meters: dict[str, int]) -> None:
    bring(registry, GOOD)
    before = dump(registry)
    report = bring(registry, GOOD, now=NOW + timedelta(days=1))
    assert report.counts[Action.UNCHANGED] == 3
    assert len(report.kept) == 3  # so that what an interruption kept from the lake gets there
    assert dump(registry) == before


def test_a_check_changes_nothing(registry: Registry, meters: dict[str, int]) -> None:
    before = dump(registry)
    report = bring(registry, GOOD, check=True)
    assert (report.ok, report.applied, report.counts[Action.CREATED], report.kept) == (True, False, 3, ())
    assert dump(registry) == before
    assert list(report.lines("en"))[-1] == "no problems; nothing was imported, this was a check"


def test_chinese_headers_a_workbook_and_rows_that_nobody_read(registry: Registry, meters: dict[str, int]) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["表号", "上次示数", "本次示数", "抄表日期", "抄表员", "是否估算", "备注"])
    sheet.append(["A-1", "9 m³", 12.5, datetime(2026, 2, 1), "王", "否", None])
    sheet.append(["m-2", "", None, datetime(2026, 2, 1), None, None, "无人"])
    sheet.append(["55", "", "3.5", "2026年2月1日", None, "是", None])
    stream = io.BytesIO()
    book.save(stream)
    report = bring(registry, stream.getvalue(), name="抄表.xlsx")
    assert report.findings == ()
    assert (report.unread, [row[2] for row in stored(registry)]) == (1, [12_500_000, 35_000])
    assert list(report.lines("zh")) == ["读数：2 新增, 0 更正, 0 已有, 1行未抄", "已导入"]


def test_a_number_that_a_spreadsheet_worked_out_is_what_it_shows(registry: Registry, meters: dict[str, int]) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["meter", "value", "time"])
    sheet.append(["m-2", 12.2 + 0.1, datetime(2026, 2, 1)])  # 12.299999999999999
    stream = io.BytesIO()
    book.save(stream)
    assert bring(registry, stream.getvalue(), name="r.xlsx").findings == ()
    assert [row[2] for row in stored(registry)] == [12_300_000]


def test_every_problem_is_told_and_nothing_is_entered(registry: Registry, meters: dict[str, int]) -> None:
    bad = """\
meter,protocol,quantity,value,unit,time,reader,estimated,colour
nobody,,,1,,2026-02-01,,,
A-1,,,twelve,,2026-02-01,,,
A-1,,,1,,1.2.2026,,,
A-1,,,1,,,,,
A-1,,,1,kWh,2026-02-01,,,
A-1,,1-0:1.8.0,1,,2026-02-01,,,
A-1,,volume,1,,2026-02-01,,,
A-1,dlt645,,1,,2026-02-01,,,
A-1,,,1,,2026-07-01,,,
A-1,,,20000,,2026-02-01,,,
m-2,,,5,,2026-02-01,,maybe,
m-2,,,5,,2026-02-02,,,
m-2,,,6,,2026-02-02 00:00,,,
,,,6,,2026-02-02,,,
"""
    before = dump(registry)
    report = bring(registry, bad)
    assert sorted(told(report), key=lambda one: (one[1] or 0, one[2])) == [
        ("import.unknown_column", 1, "colour"),
        ("import.unknown_reference", 2, "meter"),
        ("import.malformed", 3, "value"),
        ("import.malformed", 4, "time"),
        ("import.missing", 5, "time"),
        ("import.malformed", 6, "value"),
        ("import.conflict", 7, "quantity"),
        ("import.malformed", 8, "quantity"),
        ("import.unknown_reference", 9, "meter"),
        ("reading.in_future", 10, "time"),
        ("reading.beyond_register", 11, "value"),
        ("import.malformed", 12, "estimated"),
        ("import.duplicate", 14, "time"),
        ("import.missing", 15, "meter"),
    ]
    assert (report.problem_count, report.note_count, report.applied) == (13, 1, False)
    assert all(one.text.zh for one in report.findings)
    assert dump(registry) == before
    assert "shows 9999.9 m³ at most" in next(one for one in report.findings if one.row == 11).text.en


def test_a_name_of_several_meters_is_told(registry: Registry, meters: dict[str, int]) -> None:
    with registry.writing() as session:
        add_meter(session, "55", protocol="manual", utility=Utility.GAS)
        add_meter(session, "77", protocol="manual", utility=Utility.GAS).asset_number = "55"
    report = bring(registry, "meter,value,time\n55,1,2026-02-01\n")
    assert told(report) == [("import.ambiguous_reference", 2, "meter")]
    assert "3 meters" in report.findings[0].text.en
    chosen = bring(registry, f"meter,protocol,value,time\n55,manual,1,2026-02-01\nid:{meters['55']},,1,2026-02-01\n")
    assert chosen.ok
    assert len(chosen.kept) == 2


def test_another_value_needs_to_be_a_correction_and_the_old_one_stays(
    registry: Registry, meters: dict[str, int]
) -> None:
    bring(registry, GOOD)
    changed = GOOD.replace("12.5", "13.5").replace("7 m³", "8 m³").replace("yes", "no")
    report = bring(registry, changed)
    assert told(report) == [("reading.other_value", 2, "value"), ("reading.other_value", 3, "value")]
    assert "12.5 m³ Wang IMG_1.jpg was entered for 2026-02-01 by clerk" in report.findings[0].text.en
    earlier = NOW - timedelta(days=3)  # a clock that was set back
    report = bring(registry, changed, now=earlier, correct=True)
    assert report.counts == {Action.CREATED: 0, Action.CHANGED: 2, Action.UNCHANGED: 1}
    assert [(row[2], row[3], row[5]) for row in stored(registry)] == [
        (12_500_000, False, 0),
        (7_000_000, True, 0),
        (1_000_000, False, 0),
        (13_500_000, False, 1),
        (8_000_000, False, 1),
    ]
    assert {one.entered_at for one in report.kept if one.revision} == {NOW + timedelta(microseconds=1)}
    again = bring(registry, changed, correct=True)
    assert again.counts[Action.UNCHANGED] == 3
    with registry.reading() as session:
        assert [one.kept.entry.value for one in entered(session, limit=9)] == [8_000_000, 13_500_000, 1_000_000]
        assert [one.replaced for one in entered(session, limit=9, history=True)] == [False, False, False, True, True]


def test_what_a_file_does_not_say_stays(registry: Registry, meters: dict[str, int]) -> None:
    bring(registry, GOOD)
    short = "meter,value,time\nA-1,12.5,2026-02-01\n"
    assert bring(registry, short).counts[Action.UNCHANGED] == 1
    report = bring(registry, "meter,value,time,photo\nA-1,12.5,2026-02-01,IMG_2.jpg\n")
    assert told(report) == [("reading.other_value", 2, "value")]
    (kept,) = bring(registry, short.replace("12.5", "13"), correct=True).kept
    assert (kept.entry.reader, kept.entry.photo) == ("Wang", "IMG_1.jpg")


def test_nothing_said_is_the_same_as_nothing(registry: Registry, meters: dict[str, int]) -> None:
    at = datetime(2026, 2, 1, tzinfo=UTC)
    entry = Entry(meters["m-2"], usual(Utility.WATER).code, at, 7, reader="", photo="", note="")
    for action in (Action.CREATED, Action.UNCHANGED):
        with registry.writing() as session:
            book = Book(session, facts_of(session, [entry.meter]), at)
            (verdict,) = book.judge([entry], now=NOW)
            assert (verdict.action, verdict.remarks) == (action, ())
            book.write([verdict], entered_by="clerk", now=NOW)


@pytest.mark.parametrize(("value", "told_as"), [(True, "import.malformed"), ("=1+1", "import.unreadable")])
def test_a_cell_that_is_no_number_is_told(
    registry: Registry, meters: dict[str, int], value: object, told_as: str
) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["meter", "value", "time", "estimated"])
    sheet.append(["m-2", 1e-05, "2026-02-01", True])
    sheet.append(["m-2", value, "2026-02-02", False])
    stream = io.BytesIO()
    book.save(stream)
    report = bring(registry, stream.getvalue(), name="r.xlsx")
    assert [(one.code, one.row) for one in report.findings] == [(told_as, 3)]
    sheet.delete_rows(3)
    stream = io.BytesIO()
    book.save(stream)
    assert bring(registry, stream.getvalue(), name="r.xlsx").ok
    assert [row[2:4] for row in stored(registry)] == [(10, True)]


def test_an_estimate_does_not_take_the_place_of_what_was_read(registry: Registry, meters: dict[str, int]) -> None:
    bring(registry, GOOD)
    report = bring(registry, "meter,value,time,estimated\nA-1,13,2026-02-01,yes\n", correct=True)
    assert told(report) == [("reading.only_estimated", 2, "estimated")]


def test_what_looks_odd_is_told_and_entered(registry: Registry, meters: dict[str, int]) -> None:
    bring(registry, "meter,value,time\nm-2,100,2026-02-01\nm-2,110,2026-03-01\nA-1,9990,2026-02-01\n")
    odd = "meter,value,time\nm-2,109,2026-04-01\nm-2,105,2026-02-15\nm-2,112,2026-02-20\nA-1,8,2026-03-01\n"
    report = bring(registry, odd)
    assert report.applied
    assert sorted(told(report), key=lambda one: one[1] or 0) == [
        ("reading.below_last", 2, "value"),
        ("reading.above_next", 4, "value"),
        ("reading.rolled_over", 5, "value"),
    ]
    assert next(iter(report.lines("en"))).startswith(
        "note: readings, row 2, column 'value': 109 m³ is less than 110 m³"
    )
    much = bring(registry, "meter,value,time\nm-2,180,2026-05-01\n")
    assert told(much) == [("reading.unusual", 2, "value")]
    assert bring(registry, "meter,value,time\nm-2,190,2026-05-30\n").findings == ()


def test_estimates_prove_nothing(registry: Registry, meters: dict[str, int]) -> None:
    bring(registry, "meter,value,time,estimated\nm-2,100,2026-02-01,\nm-2,150,2026-03-01,yes\n")
    assert bring(registry, "meter,value,time\nm-2,120,2026-04-01\n").findings == ()


def test_a_reading_of_a_meter_in_the_store_is_told(registry: Registry, meters: dict[str, int]) -> None:
    with registry.writing() as session:
        point = add_usage_point(session, "P1")
        install(session, meters["m-2"], point.id, day(10))
        remove(session, meters["m-2"], day(20))
    rows = "meter,value,time\nm-2,1,2026-01-05\nm-2,2,2026-01-11T08:00\nm-2,3,2026-01-21T08:00\nm-2,4,2026-01-22\n"
    report = bring(registry, rows)  # day(10) and day(20) are 08:00 local
    assert told(report) == [("reading.not_installed", 2, "time"), ("reading.not_installed", 5, "time")]
    assert report.applied


@pytest.mark.parametrize("octets", [b"", b"\xff\xfe\x00", b"PK\x03\x04 no archive", b"meter\nA-1\n", b"a,b\n1,2\n"])
def test_files_that_are_no_sheets_are_told(registry: Registry, meters: dict[str, int], octets: bytes) -> None:
    report = bring(registry, octets)
    assert report.problem_count >= 1
    assert not report.applied
    assert stored(registry) == []


def test_bounds_hold(registry: Registry) -> None:
    limits = ImportLimits(rows_max=2)
    report = import_readings(registry, GOOD.encode(), "r.csv", Terms("clerk", NOW), limits=limits)
    assert told(report)[0][0] == "import.too_many_rows"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["A-1", "m-2", "1", "99999999999999", "-", "2026-02-01", "是", "é", "m3"]),
                         max_size=6), max_size=5))  # fmt: skip
def test_whatever_stands_in_cells_is_told_or_entered(rows: list[list[str]]) -> None:
    registry = Registry.open(_Scratch.path)
    text = "\n".join(",".join(row) for row in [["meter", "value", "time", "unit", "estimated", "reader"], *rows])
    report = bring(registry, text, check=True)
    registry.close()
    assert report.ok == (report.problem_count == 0)


class _Scratch:
    path = ""


@pytest.fixture(autouse=True, scope="module")
def _scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    _Scratch.path = str(tmp_path_factory.mktemp("scratch") / "registry.sqlite")
    registry = Registry.open(_Scratch.path)
    with registry.writing() as session:
        add_meter(session, "m-1", protocol="manual", utility=Utility.WATER).asset_number = "A-1"
        add_meter(session, "m-2", protocol="manual", utility=Utility.WATER)
    registry.close()
