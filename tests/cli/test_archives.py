"""``meterweave archives``: files in and out, all of it or nothing, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from meterweave.cli import archive_file
from meterweave.registry import Meter, Registry, open_engine, upgrade
from tests.cli.conftest import Call
from tests.registry.conftest import SERVER, _drop_database, _new_database

GOOD = "protocol,address,name\ndlt698,100,pump house\ngdw1376-1,3301-00007,mill\n"
BAD = "protocol,address,name\ndlt698,100,pump house\ndlt699,200,\ndlt698,x,\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "terminals.csv").write_text(GOOD, encoding="utf-8")
    (folder / "bad.csv").write_text(BAD, encoding="utf-8")
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[object]]:
    """The options that say where empty archives are."""
    data = ["--data", tmp_path / "centre"]
    if request.param == "sqlite":
        yield data
        return
    name = _new_database()
    try:
        yield [*data, "--registry", f"{SERVER}/{name}"]
    finally:
        _drop_database(name)


def test_what_is_imported_is_exported_again(call: Call, files: Path, where: list[object]) -> None:
    said = call("archives", "import", files / "terminals.csv", *where)
    assert (said.code, said.out) == (0, "terminals: 2 created, 0 changed, 0 unchanged\nimported\n")
    workbook, table = files / "all.xlsx", files / "terminals.out.csv"
    said = call("archives", "export", workbook, *where)
    assert said.out == f"{workbook}: 0 organisations, 0 districts, 2 terminals, 0 meters\n"
    assert load_workbook(workbook)["terminals"]["B3"].value == "33010007"
    assert call("archives", "export", table, "--kind", "终端", "--lang", "zh", *where).code == 0
    assert "通信规约" in table.read_text(encoding="utf-8-sig").splitlines()[0]
    for file in (workbook, table):
        again = call("archives", "import", file, *where, *(["--kind", "terminals"] if file is table else []))
        assert again.out == "terminals: 0 created, 0 changed, 2 unchanged\nimported\n"
    printed = call("archives", "export", "-", "--kind", "terminals", *where)
    assert printed.out.splitlines()[1].startswith("dlt698,000000000100,pump house,")
    assert call("terminal", "list", *where, "--json").json["total"] == 2


def test_every_problem_is_told_by_row_and_nothing_is_imported(call: Call, files: Path, where: list[object]) -> None:
    said = call("archives", "import", files / "bad.csv", "--kind", "terminals", *where)
    assert said.code == 1
    assert "row 3, column 'protocol'" in said.out
    assert "row 4, column 'address'" in said.out
    assert said.out.endswith("2 problems; nothing was imported\n")
    assert call("terminal", "list", *where, "--json").json["total"] == 0


def test_a_dry_run_tells_what_would_happen(call: Call, files: Path, where: list[object]) -> None:
    call("archives", "import", files / "terminals.csv", *where)
    (files / "terminals.csv").write_text(GOOD.replace("mill", "old mill"), encoding="utf-8")
    said = call("archives", "import", files / "terminals.csv", "--dry-run", "--json", *where)
    assert said.code == 0
    assert said.json["counts"]["terminals"] == {"created": 0, "changed": 1, "unchanged": 1}
    assert said.json["outcomes"][0]["changes"] == [{"field": "name", "old": "mill", "new": "old mill"}]
    listed = call("terminal", "list", *where, "--json").json["terminals"]
    assert [one["name"] for one in listed] == ["pump house", "mill"]


def test_a_dry_run_makes_no_archives(call: Call, files: Path, tmp_path: Path) -> None:
    said = call("archives", "import", files / "terminals.csv", "--dry-run", "--data", tmp_path / "new", "--lang", "zh")
    assert (said.code, said.out) == (0, "终端: 2 新建, 0 更改, 0 不变\n没有问题；试运行，未导入任何内容\n")
    assert not (tmp_path / "new").exists()
    assert call("archives", "import", files / "bad.csv", "--dry-run", "--data", tmp_path / "new").code == 1


def test_an_export_that_fails_leaves_the_file_as_it_was(
    call: Call, centre: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook = files / "all.xlsx"
    workbook.write_text("before")
    monkeypatch.setattr(archive_file, "SHEET_ROWS_MAX", 3)
    said = call("archives", "export", workbook, "--data", centre)
    assert said.code == 2
    assert "4 records are more than a sheet has room for" in said.err
    assert workbook.read_text() == "before"
    assert call("archives", "export", files / "meters.csv", "--data", centre).code == 0
    assert len(list(files.iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["import", "nowhere.csv"], "there is no such file"),
        (["import", "{files}/terminals.csv", "--kind", "houses"], "no kind of records is called 'houses'"),
        (["import", "{files}/terminals.csv", "--registry", "mysql://x/y"], "'mysql' is no database supported"),
        (["import", "{files}/terminals.csv", "--registry", "postgresql://u:secret@127.0.0.1:1/x"], "u:***@127.0.0.1:1"),
        (["export", "{files}/all.xlsx", "--data", "{files}"], "holds no archives"),
        (["export", "{files}/all.pdf"], "ends in .xlsx or .csv"),
        (["export", "{files}/all.csv"], "name it with --kind"),
        (["export", "-"], "--kind"),
        (["export", "{files}/nowhere/all.xlsx"], "No such file"),
    ],
)
def test_mistakes_are_told_and_end_with_2(call: Call, centre: Path, files: Path, words: list[str], told: str) -> None:
    given = [word.format(files=files) for word in words]
    said = call("archives", given[0], "--data", centre, *given[1:])
    assert said.code == 2
    assert told in said.err
    assert "secret" not in said.err
    assert "Traceback" not in said.err


def test_tables_that_are_not_ours_are_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite").write_bytes(b"this is no database" * 100)
    said = call("terminal", "list", "--data", tmp_path)
    assert said.code == 2
    assert "registry.sqlite cannot be used: file is not a database" in said.err


def test_tables_of_an_earlier_version_are_told(call: Call, tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "registry.sqlite")
    upgrade(engine, "0001")
    engine.dispose()
    said = call("terminal", "show", "100", "--data", tmp_path)
    assert said.code == 2
    assert "meterweave serve brings tables of an earlier version up to date" in said.err


def test_the_environment_may_say_where_the_archives_are(
    call: Call, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite"
    monkeypatch.setenv("METERWEAVE_REGISTRY", f"sqlite:///{elsewhere}")
    assert call("archives", "import", files / "terminals.csv", "--data", tmp_path / "centre").code == 0
    registry = Registry.open(elsewhere)
    with registry.reading() as session:
        assert session.scalars(select(Meter)).all() == []
    registry.close()
    assert not (tmp_path / "centre").exists()
    assert call("terminal", "list", "--data", tmp_path / "centre", "--json").json["total"] == 2
