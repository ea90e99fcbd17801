"""Reading sheets for a round: written, filled in, and brought back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook

from meterweave.registry import Registry, TransformerDistrict
from meterweave.registry.entered import Round, Terms, entered, import_readings, last_entered, sheet_rows, write_sheet
from meterweave.registry.importing.report import Action
from meterweave.registry.installation import install
from meterweave.registry.vocabulary import Utility
from tests.registry.records import add_meter, add_usage_point, day

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE = "meter,protocol,value,time\nw-2,manual,5,2026-02-01\nw-2,manual,7.5,2026-03-01\n"


@pytest.fixture
def round_of_four(registry: Registry) -> None:
    """Three mechanical meters on usage points, one in the store, and one that is not read by people."""
    with registry.writing() as session:
        district = TransformerDistrict(code="D1", name="Mill Lane")
        session.add(district)
        session.flush()
        names = (("w-1", "B-02"), ("w-2", "A-10"), ("g-1", "A-10"), ("w-9", None))
        points = {code: add_usage_point(session, code) for code in ("B-02", "A-10")}
        points["B-02"].district_id, points["A-10"].name = district.id, "Mill Lane 7"
        for name, code in names:
            utility = Utility.GAS if name == "g-1" else Utility.WATER
            meter = add_meter(session, name, protocol="manual", utility=utility)
            if code:
                install(session, meter.id, points[code].id, day(0))
        add_meter(session, "w-1", protocol="json", utility=Utility.WATER).asset_number = "w-2"
    assert import_readings(registry, BEFORE.encode(), "r.csv", Terms("clerk", NOW)).ok


def rows(registry: Registry, wanted: Round = Round()) -> list[dict[str, str]]:  # noqa: B008 - frozen
    with registry.reading() as session:
        header, *found = sheet_rows(session, wanted)
    return [dict(zip(header, row, strict=True)) for row in found]


def test_a_sheet_has_the_meters_in_the_order_of_the_round(registry: Registry, round_of_four: None) -> None:
    found = rows(registry)
    assert [(one["usage point"], one["meter"]) for one in found] == [
        ("A-10", "g-1"),
        ("A-10", "w-2"),
        ("B-02", "w-1"),
        ("", "w-9"),
    ]
    assert (found[1]["last reading"], found[1]["last read at"], found[1]["place"]) == (
        "7.5 m³",
        "2026-03-01",
        "Mill Lane 7",
    )
    assert {one["value"] + one["time"] for one in found} == {""}


@pytest.mark.parametrize(
    ("wanted", "meters"),
    [
        (Round(route="A-"), ["g-1", "w-2"]),
        (Round(route="A%"), []),
        (Round(district="D1"), ["w-1"]),
        (Round(utility=Utility.GAS), ["g-1"]),
    ],
)
def test_a_sheet_of_a_part(registry: Registry, round_of_four: None, wanted: Round, meters: list[str]) -> None:
    assert [one["meter"] for one in rows(registry, wanted)] == meters


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_sheet_is_filled_in_and_brought_back(
    registry: Registry, round_of_four: None, tmp_path: Path, language: str
) -> None:
    path = tmp_path / "sheet.xlsx"
    with registry.reading() as session:
        assert write_sheet(session, path, Round(), language) == 4  # type: ignore[arg-type]
    untouched = import_readings(registry, path.read_bytes(), path.name, Terms("clerk", NOW))
    assert (untouched.findings, untouched.unread, untouched.counts[Action.CREATED]) == ((), 4, 0)
    book = load_workbook(path)
    sheet = book.active
    assert sheet is not None
    at = {cell.value: cell.column for cell in sheet[1]}
    value, time = (at["value"], at["time"]) if language == "en" else (at["本次示数"], at["抄表时间"])
    for row, shown in ((3, 8.25), (4, "11 m³")):
        sheet.cell(row, value, shown)
        sheet.cell(row, time, datetime(2026, 4, 1, 9, 30))
    book.save(path)
    report = import_readings(registry, path.read_bytes(), path.name, Terms("clerk", NOW))
    assert (report.findings, report.unread, report.counts[Action.CREATED]) == ((), 2, 2)
    with registry.reading() as session:
        found = [(one.meter, one.kept.entry.value) for one in entered(session, limit=2)]
    assert found == [("manual w-1", 11_000_000), ("manual w-2", 8_250_000)]


def test_the_last_reading_is_the_newest_revision(registry: Registry, round_of_four: None) -> None:
    import_readings(registry, BEFORE.replace("7.5", "8").encode(), "r.csv", Terms("clerk", NOW, correct=True))
    with registry.reading() as session:
        (first, *_) = entered(session, limit=5)
        found = last_entered(session, [first.kept.entry.meter, 4711], [first.kept.entry.quantity])
    assert {meter: kept.entry.value for meter, kept in found.items()} == {first.kept.entry.meter: 8_000_000}


def test_a_list_goes_on_where_it_ended(registry: Registry, round_of_four: None) -> None:
    with registry.reading() as session:
        (newest,) = entered(session, limit=1)
        (next_one,) = entered(session, limit=5, before=newest.kept.id)
        assert (newest.kept.entry.value, next_one.kept.entry.value) == (7_500_000, 5_000_000)
        assert entered(session, meter=4711, limit=5) == []
