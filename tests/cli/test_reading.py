"""``meterweave reading``: from a sheet to the lake, and back to whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from meterweave.cli.folder import Folder
from meterweave.registry.installation import install
from meterweave.registry.vocabulary import Utility
from tests.cli.conftest import Call
from tests.registry.conftest import SERVER, _drop_database, _new_database
from tests.registry.records import add_meter, add_usage_point, day

SHEET = (
    "表号,本次示数,抄表时间,抄表员,照片,是否估算\nA-1,12.5,2026-02-01,Wang,IMG_1.jpg,否\nm-2,7,2026-02-01 08:30,,,是\n"
)
QUESTION = "SELECT meter, value, source, profile FROM readings ORDER BY meter"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A centre of two mechanical water meters and a heat meter, and a sheet beside it."""
    with Folder(tmp_path / "centre").registry() as registry, registry.writing() as session:
        first = add_meter(session, "m-1", protocol="manual", utility=Utility.WATER)
        first.asset_number = "A-1"
        add_meter(session, "m-2", protocol="manual", utility=Utility.WATER)
        add_meter(session, "h-1", protocol="manual", utility=Utility.HEAT)
        install(session, first.id, add_usage_point(session, "UP-1").id, day(0))
    (tmp_path / "sheet.csv").write_text(SHEET, encoding="gb18030")
    return tmp_path


def test_a_sheet_is_checked_entered_and_listed(call: Call, folder: Path) -> None:
    data, sheet = ("--data", folder / "centre"), folder / "sheet.csv"
    said = call("reading", "import", sheet, "--check", *data)
    assert (said.code, said.out) == (
        0,
        "readings: 2 new, 0 corrected, 0 known already\nno problems; nothing was imported, this was a check\n",
    )
    assert call("reading", "list", *data).out == "nobody entered a reading\n"
    assert call("reading", "import", sheet, "--operator", "Li", *data).out.endswith("\nimported\n")
    again = call("reading", "import", sheet, "--json", *data)
    assert again.json["counts"] == {"created": 0, "changed": 0, "unchanged": 2}
    rows = call("query", QUESTION, "--format", "json", *data).json
    assert [list(row.values()) for row in rows] == [[1, 12_500_000, 3, 0], [2, 7_000_000, 4, 0]]
    listed = call("reading", "list", "--json", *data).json["readings"]
    assert [(one["value"], one["unit"], one["reader"], one["photo"], one["entered_by"]) for one in listed] == [
        ("7.000000", "m3", "", None, "Li"),
        ("12.500000", "m3", "Wang", "IMG_1.jpg", "Li"),
    ]
    assert listed[1]["time"] == "2026-02-01T00:00:00+08:00"
    table = call("reading", "list", "A-1", *data).out
    assert "12.5 m³" in table
    assert "IMG_1.jpg" in table
    assert "routine, estimated" not in table
    assert call("meter", "show", "A-1", "--json", *data).json["latest"] == []  # months ago
    assert call("meter", "show", "A-1", "--day", "2026-02-02", "--json", *data).json["latest"][0]["source"] == "entered"


def test_problems_are_told_by_row_and_nothing_is_entered(call: Call, folder: Path) -> None:
    data = ("--data", folder / "centre")
    (folder / "bad.csv").write_text(SHEET.replace("12.5", "12,5").replace("m-2", "m-9"), encoding="utf-8")
    said = call("reading", "import", folder / "bad.csv", "--lang", "zh", *data)
    assert said.code == 1
    assert "bad，第2行“抄表时间”列" in said.out  # the decimal comma moves every cell behind it
    assert "bad，第3行“表号”列：没有名为“m-9”的表" in said.out
    assert said.out.endswith("个问题；未导入任何内容\n")
    assert call("reading", "list", "--json", *data).json == {"readings": [], "more": False}


def test_one_reading_is_entered_and_corrected(call: Call, folder: Path) -> None:
    data = ("--data", folder / "centre")
    words = ("reading", "add", "A-1", "--time", "2026-02-01 09:15", *data)
    assert call(*words, "12.5", "--reader", "Wang").out == "manual m-1: entered, 12.5 m³ at 2026-02-01 09:15:00\n"
    assert call(*words, "12.5").out.startswith("manual m-1: known already, nothing was changed")
    refused = call(*words, "13")
    assert (refused.code, refused.out) == (2, "")
    assert "12.5 m³ Wang was entered for 2026-02-01 09:15:00 by" in refused.err
    corrected = call(*words, "13", "--correct", "--operator", "Li", "--json").json
    assert (corrected["action"], corrected["reading"]["revision"], corrected["reading"]["reader"]) == (
        "changed",
        1,
        "Wang",
    )
    assert call("query", "SELECT value FROM readings", "--format", "json", *data).json == [{"value": 13_000_000}]
    history = call("reading", "list", "A-1", "--history", "--json", *data).json["readings"]
    assert [(one["value"], one["replaced"]) for one in history] == [("13.000000", False), ("12.500000", True)]
    odd = call("reading", "add", "A-1", "11 m³", "--note", "leak?", *data)
    assert odd.out.splitlines()[0] == "note: 11 m³ is less than 13 m³ at 2026-02-01 09:15:00"
    assert odd.out.splitlines()[1].startswith("manual m-1: entered, 11 m³ at 20")
    first = call("reading", "list", "--limit", "1", *data).out
    assert first.splitlines()[-1] == "older ones: --before 3"


def test_a_reading_is_taken_back(call: Call, folder: Path) -> None:
    data = ("--data", folder / "centre")
    call("reading", "import", folder / "sheet.csv", *data)
    words = ("reading", "withdraw", "1", "--note", "of the neighbour", *data)
    assert call(*words).out == "manual m-1: taken back, 12.5 m³ at 2026-02-01 00:00:00\n"
    assert call(*words, "--lang", "zh").out == "manual m-1：2026-02-01 00:00:00 此前已撤回 12.5 m³\n"
    assert call(*words, "--json").json["reading"]["withdrawn"] is True
    table = call("reading", "list", "A-1", *data).out
    assert "taken" in table  # the words are folded
    assert "neighbour" in table
    rows = call("query", "SELECT value, quality FROM readings WHERE meter = 1", "--format", "json", *data).json
    assert rows == [{"value": 12_500_000, "quality": 16}]
    assert "no reading has the number 99" in call("reading", "withdraw", "99", *data).err


def test_archives_on_a_server(call: Call, tmp_path: Path) -> None:
    name = _new_database()
    try:
        data = ("--data", tmp_path / "centre", "--registry", f"{SERVER}/{name}")
        (tmp_path / "meters.csv").write_text("utility,protocol,address\nwater,manual,A-1\nwater,manual,m-2\n")
        (tmp_path / "sheet.csv").write_text(SHEET, encoding="utf-8")
        assert call("archives", "import", tmp_path / "meters.csv", *data).code == 0
        for action in ("created", "unchanged"):
            said = call("reading", "import", tmp_path / "sheet.csv", "--json", *data)
            assert said.json["counts"][action] == 2
        assert call("query", "SELECT count(*) AS n FROM readings", "--format", "json", *data).json == [{"n": 2}]
        listed = call("meter", "list", "--how", "hand", "--json", *data).json["meters"]
        assert [one["last"]["value"] for one in listed] == ["12.500000", "7.000000"]
    finally:
        _drop_database(name)


def test_heat_needs_its_unit(call: Call, folder: Path) -> None:
    data = ("--data", folder / "centre")
    assert "heat needs its unit" in call("reading", "add", "h-1", "12.5", *data).err
    assert "热量须注明单位" in call("reading", "add", "h-1", "12.5", "--lang", "zh", *data).err
    assert "12.5 GJ" not in call("reading", "add", "h-1", "12.5 GJ", *data).err
    assert call("reading", "list", "h-1", "--json", *data).json["readings"][0]["value"] == "12500000000.0"


def test_a_reading_sheet_goes_round_and_comes_back(call: Call, folder: Path) -> None:
    data, file = ("--data", folder / "centre"), folder / "round.xlsx"
    call("reading", "add", "A-1", "12.5", "--time", "2026-02-01", *data)
    assert call("reading", "template", file, "--utility", "水", *data).out == f"{file}: 2 meters to read\n"
    book = load_workbook(file)
    sheet = book.active
    assert sheet is not None
    header = {cell.value: cell.column for cell in sheet[1]}
    assert sheet.cell(2, header["last reading"]).value == "12.5 m³"
    sheet.cell(2, header["value"], 13.25)
    sheet.cell(2, header["time"], "2026-03-01")
    sheet.cell(2, header["reader"], "Wang")
    book.save(file)
    assert call("reading", "import", file, *data).out.splitlines()[0] == (
        "readings: 1 new, 0 corrected, 0 known already, 1 rows without a reading"
    )
    assert call("reading", "template", folder / "r.csv", "--route", "UP-", "--lang", "zh", *data).code == 0
    lines = (folder / "r.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("表计,通信规约,能源类型,用电点编号,")
    assert lines[1:] == ["m-1,manual,水,UP-1,,A-1,,13.25 m³,2026-03-01,,,,,,,"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["import", "nowhere.csv"], "there is no such file"),
        (["add", "nobody", "1"], "no meter is called 'nobody'"),
        (["add", "A-1", "much"], "found 'much', wanted a decimal number"),
        (["add", "A-1", "1", "--time", "noon"], "found 'noon', wanted a date"),
        (["add", "A-1", "1", "--time", "2099-01-01"], "is still to come"),
        (["add", "A-1", "1", "--quantity", "1-0:1.8.0"], "is of electricity"),
        (["add", "A-1", "1", "--reader", "x" * 65], "at most 64 characters"),
        (["add", "A-1", "1", "--operator", "x" * 65], "is no name of an operator"),
        (["list", "nobody"], "no meter is called 'nobody'"),
        (["list", "--before", "9" * 20], "Invalid value"),
        (["list", "--limit", "9" * 20], "Invalid value"),
        (["withdraw", "9" * 20], "Invalid value"),
        (["template", "sheet.pdf"], "ends in .xlsx or .csv"),
        (["template", "sheet.csv", "--utility", "steam"], "'steam' is no utility"),
        (["import", "{sheet}", "--data", "nowhere"], "holds no archives"),
    ],
)
def test_mistakes_are_told_and_end_with_2(call: Call, folder: Path, words: list[str], told: str) -> None:
    given = [word.format(sheet=folder / "sheet.csv") for word in words]
    said = call("reading", given[0], "--data", folder / "centre", *given[1:])
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert "Traceback" not in said.err
    assert not Path("nowhere").exists()
