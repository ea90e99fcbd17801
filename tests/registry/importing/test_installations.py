"""Where the meters of a file hang and since when: what a row says is in the install history, or a rule says why not."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from meterweave.metering.clock import SHANGHAI
from meterweave.registry import Directory, Installation, Meter, Registry, TransformerDistrict, UsagePoint
from meterweave.registry.importing import Action, Report, export_csv, export_workbook, import_file, import_octets
from meterweave.registry.importing.column import CellError, instant, write_instant
from meterweave.registry.importing.kind import METERS
from meterweave.registry.installation import RULES, install, remove
from meterweave.registry.vocabulary import Utility
from tests.registry.conftest import dump, empty
from tests.registry.importing.test_sheet import workbook
from tests.registry.records import add_meter, add_usage_point

NOW = datetime(2026, 11, 20, 3, 30, tzinfo=UTC)
BASE = (
    ("code,name\nT1,mill\n", "districts.csv"),
    ("protocol,address,district\n698,1,T1\n698,2,\n", "terminals.csv"),
    (
        "utility,protocol,address,terminal,usage point,installed\n"
        "electricity,645,11,1,H1,2026-11-01\n"
        "electricity,645,12,1,H2,2026-11-02\n"
        "water,188,13,2,H1,2026-11-03 08:30\n"
        "electricity,645,14,1,,\n",
        "meters.csv",
    ),
)
E11, E12, E14 = "dlt645 000000000011", "dlt645 000000000012", "dlt645 000000000014"
W13 = "cjt188 00000000000013"


class Span(NamedTuple):
    """An installation, in local time."""

    meter: str
    point: str
    since: str
    until: str = ""


def local(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


def load(registry: Registry, rows: str, *, head: str = "protocol,address,usage point,installed") -> Report:
    return import_octets(registry, f"{head}\n{rows}".encode(), "meters.csv", now=NOW)


def accepted(registry: Registry, rows: str, **options: str) -> Report:
    report = load(registry, rows, **options)
    assert report.applied, list(report.lines("en"))
    return report


def history(registry: Registry) -> set[Span]:
    with registry.reading() as session:
        rows = session.execute(
            select(Meter.protocol, Meter.address, UsagePoint.code, Installation.installed_at, Installation.removed_at)
            .join(Installation, Installation.meter_id == Meter.id)
            .join(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        ).all()
    said = [(f"{row[0]} {row[1]}", row[2], write_instant("en", row[3]), write_instant("en", row[4])) for row in rows]
    return {Span(*one) for one in said}


def told(report: Report) -> list[tuple[str, int | None, str]]:
    return [(one.code, one.row, one.column) for one in report.findings]


@pytest.fixture
def town(registry: Registry) -> Registry:
    """Four meters, three of them installed."""
    for text, name in BASE:
        report = import_octets(registry, text.encode(), name, now=NOW)
        assert report.applied, list(report.lines("en"))
    return registry


def test_a_file_says_where_meters_hang_and_since_when(town: Registry) -> None:
    assert history(town) == {
        Span(E11, "H1", "2026-11-01"),
        Span(E12, "H2", "2026-11-02"),
        Span(W13, "H1", "2026-11-03 08:30:00"),
    }
    with town.reading() as session:
        spans = session.scalars(select(Installation).order_by(Installation.installed_at)).all()
        assert spans[0].installed_at == local(1)  # the local midnight, whatever zone the machine is in
        assert spans[2].installed_at == local(3, 8, 30)
        assert (spans[0].utility, spans[2].utility) == (Utility.ELECTRICITY, Utility.WATER)
        (district,) = session.scalars(select(TransformerDistrict.id)).all()
        districts = dict(session.execute(select(UsagePoint.code, UsagePoint.district_id)).all())
    assert districts == {"H1": district, "H2": district}


def test_importing_again_changes_nothing(town: Registry) -> None:
    before = dump(town)
    text, name = BASE[2]
    report = import_octets(town, text.encode(), name, now=local(25))
    assert report.applied
    assert report.counts == {("meters", Action.UNCHANGED): 4}
    assert dump(town) == before


def test_a_usage_point_without_a_date_means_now_and_only_once(town: Registry) -> None:
    head, rows = "protocol,address,usage point", "645,11,H1\n645,14,H3\n"
    report = accepted(town, rows, head=head)
    assert report.counts == {
        ("usage_points", Action.CREATED): 1,
        ("meters", Action.CHANGED): 1,
        ("meters", Action.UNCHANGED): 1,
    }
    assert Span(E14, "H3", "2026-11-20 11:30:00") in history(town)
    again = import_octets(town, f"{head}\n{rows}".encode(), "meters.csv", now=local(28))
    assert again.counts == {("meters", Action.UNCHANGED): 2}


def test_a_date_alone_means_the_running_installation_or_a_usage_point_of_its_own(town: Registry) -> None:
    accepted(town, "645,11,2026-10-30\n645,14,2026-11-05\n", head="protocol,address,installed")
    assert {Span(E11, "H1", "2026-10-30"), Span(E14, E14, "2026-11-05")} <= history(town)
    rows = "heat,mbus,7,1,2026-11-05\nheat,mbus,7,2,2026-11-05\n"
    accepted(town, rows, head="utility,protocol,address,terminal,installed")
    own = {span.point for span in history(town) if span.meter == "mbus 7"}
    assert own == {"mbus 7 dlt698 000000000001", "mbus 7 dlt698 000000000002"}  # the same address on two buses


def test_another_date_moves_the_running_installation(town: Registry) -> None:
    report = accepted(town, "645,11,H1,2026-11-10\n188,13,H1,2026-10-01\n")
    assert {Span(E11, "H1", "2026-11-10"), Span(W13, "H1", "2026-10-01")} <= history(town)
    (first, second) = report.outcomes
    assert (first.name, first.action) == (E11, Action.CHANGED)
    assert [tuple(change) for change in first.changes] == [("installed_at", "2026-11-01", "2026-11-10")]
    assert [tuple(change) for change in second.changes] == [("installed_at", "2026-11-03 08:30:00", "2026-10-01")]


def test_a_meter_moves_on_its_date(town: Registry) -> None:
    report = accepted(town, "645,11,H9,2026/11/15\n")
    assert {Span(E11, "H1", "2026-11-01", "2026-11-15"), Span(E11, "H9", "2026-11-15")} <= history(town)
    point, moved = report.outcomes
    assert (point.kind, point.name, point.row) == ("usage_points", "H9", 2)
    assert [tuple(change) for change in moved.changes] == [
        ("usage_point_id", "H1", "H9"),
        ("installed_at", "2026-11-01", "2026-11-15"),
    ]
    assert "usage points: 1 created, 0 changed, 0 unchanged" in report.lines("en")
    assert "用电点: 1 新建, 0 更改, 0 不变" in report.lines("zh")
    assert accepted(town, "645,11,H9,2026/11/15\n").counts == {("meters", Action.UNCHANGED): 1}
    accepted(town, "645,11,H1,2026-11-18\n")  # and back
    assert Span(E11, "H1", "2026-11-18") in history(town)


def test_meters_are_exchanged_in_one_file_in_any_order(town: Registry) -> None:
    # 14 comes to H1, 11 goes from there to H2, 12 from there to a shelf: each after the one whose room it takes.
    accepted(town, "645,14,H1,2026-11-15\n645,11,H2,2026-11-15\n645,12,SHELF,2026-11-15\n")
    now = {span[:3] for span in history(town) if not span.until}
    assert {(E14, "H1", "2026-11-15"), (E11, "H2", "2026-11-15"), (E12, "SHELF", "2026-11-15")} <= now
    accepted(town, "645,11,H1,2026-11-16\n645,14,H2,2026-11-16\n")  # two change places
    assert {(E11, "H1", "2026-11-16"), (E14, "H2", "2026-11-16")} <= {span[:3] for span in history(town)}


def test_a_new_meter_takes_the_place_of_an_old_one(town: Registry) -> None:
    head = "utility,protocol,address,usage point,installed"
    accepted(town, "电,645,11,SHELF,2026-11-15\n电,645,77,H1,2026-11-15\n", head=head)
    assert {
        Span(E11, "H1", "2026-11-01", "2026-11-15"),
        Span("dlt645 000000000077", "H1", "2026-11-15"),
    } <= history(town)


def test_one_house_may_be_new_to_several_meters(town: Registry) -> None:
    head = "utility,protocol,address,terminal,usage point,installed"
    report = accepted(town, "water,188,50,2,H7,2026-11-15\nelectricity,645,50,1,H7,2026-11-16\n", head=head)
    assert [(one.name, *(change.new for change in one.changes)) for one in report.outcomes] == [
        ("H7",),
        ("cjt188 00000000000050", "H7", "2026-11-15"),
        ("dlt645 000000000050", "H7", "2026-11-16"),
    ]
    with town.reading() as session:
        found = session.scalars(select(UsagePoint).where(UsagePoint.code == "H7")).one()
        assert found.district_id is not None  # of the one terminal whose district is known


def test_a_day_to_come_is_a_date_like_any_other(town: Registry) -> None:
    accepted(town, "645,14,H3,2030-01-01\n")
    assert Span(E14, "H3", "2030-01-01") in history(town)


@pytest.mark.parametrize(
    ("rows", "expected", "words"),
    [
        ("645,14,H3,2026-02-30\n", [("import.malformed", 2, "installed")], "a date from 1970 to 2099"),
        ("645,14,H3,15.11.2026\n", [("import.malformed", 2, "installed")], "a date from 1970 to 2099"),
        ("645,14,H3,0026-11-15\n", [("import.malformed", 2, "installed")], "a date from 1970 to 2099"),
        ("645,14,H3,46341\n", [("import.malformed", 2, "installed")], "a date from 1970 to 2099"),
        ("645,14,H3,2026-11-15 25:00\n", [("import.malformed", 2, "installed")], "a date from 1970 to 2099"),
        ("645,14,H3,-\n", [("import.malformed", 2, "installed")], "a date from 1970 to 2099"),
        (f"645,14,{'H' * 65},2026-11-15\n", [("import.malformed", 2, "usage point")], "at most 64"),
        ("645,14,1.23457E+11,2026-11-15\n", [("import.digits_lost", 2, "usage point")], "rounded"),
        ("645,11,-,\n", [("import.malformed", 2, "usage point")], "no file takes a meter off"),
        ("645,11,H3,\n", [("import.missing", 2, "installed")], "on usage point H1 since 2026-11-01; a move to H3"),
        (
            "645,11,H3,2026-11-01\n",
            [("import.conflict", 2, "installed")],
            RULES["history.removed_before_installed"].en,
        ),
        ("645,14,H1,2026-11-15\n", [("import.conflict", 2, "usage point")], f"meter {E11} has been on usage point H1"),
        ("645,14,H1,\n", [("import.conflict", 2, "usage point")], "let the file say where that meter went"),
        (
            "645,14,H1,2026-11-14\n645,11,H3,2026-11-15\n",
            [("import.conflict", 2, "installed")],
            "from 2026-11-01 until 2026-11-15",
        ),
        ("645,12,H3,2026-11-15\n645,14,H3,2026-11-16\n", [("import.duplicate", 3, "usage point")], "row 2 puts"),
        ("645,14,H3,2026-11-15\n645,14,H4,2026-11-15\n", [("import.duplicate", 3, "address")], "row 2 already"),
        # Who wanted the room of a row at fault is not told of that as well.
        ("645,11,H3,\n645,14,H1,2026-11-15\n", [("import.missing", 2, "installed")], "a move to H3"),
        ("645,14,H1,2026-11-15\n645,11,-,2026-11-15\n", [("import.malformed", 3, "usage point")], "no file"),
        ("645,11,H3,13:00\n645,14,H1,2026-11-15\n", [("import.malformed", 2, "installed")], "a date"),
    ],
)
def test_every_problem_is_told_by_row_and_column(
    town: Registry, rows: str, expected: list[tuple[str, int, str]], words: str
) -> None:
    before = dump(town)
    report = load(town, rows)
    assert told(report) == expected
    assert not report.applied
    assert dump(town) == before
    assert words in report.findings[0].sentence("en")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in report.findings[0].text.zh)


def test_the_past_of_meter_and_point_stands_against_a_row(registry: Registry) -> None:
    with registry.writing() as session:
        gone, _ = add_meter(session, "1"), add_meter(session, "2")
        point = add_usage_point(session, "P1")
        install(session, gone.id, point.id, local(3))
        remove(session, gone.id, local(9))
    report = load(registry, "645,1,P2,2026-11-08\n645,2,P1,2026-11-08\n")
    assert told(report) == [("import.conflict", 2, "installed"), ("import.conflict", 3, "installed")]
    assert RULES["history.meter_elsewhere"].en in report.findings[0].text.en
    assert RULES["history.point_occupied"].zh in report.findings[1].text.zh
    accepted(registry, "645,1,P2,2026-11-09\n645,2,P1,2026-11-09\n")
    before = dump(registry)
    report = load(registry, "645,2,P1,2026-11-08\n")  # nor may the running one be dated back into it
    assert told(report) == [("import.conflict", 2, "installed")]
    report = load(registry, "645,1,P2,2026-11-08\n")
    assert told(report) == [("import.conflict", 2, "installed")]
    assert dump(registry) == before


def test_a_dry_run_tells_the_same(town: Registry) -> None:
    before = dump(town)
    text = "protocol,address,usage point,installed\n645,11,H3,2026-11-15\n645,14,H1,2026-11-16\n"
    tried = import_octets(town, text.encode(), "meters.csv", dry_run=True, now=NOW)
    assert dump(town) == before
    real = import_octets(town, text.encode(), "meters.csv", now=NOW)
    assert real.applied
    assert (real.counts, real.outcomes) == (tried.counts, tried.outcomes)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_export_imports_without_change(town: Registry, tmp_path: Path, language: str) -> None:
    with town.writing() as session:
        precise = add_meter(session, "99")
        install(
            session, precise.id, add_usage_point(session, "P99").id, datetime(2026, 11, 5, 1, 2, 3, 456, tzinfo=UTC)
        )
        twice = add_meter(session, "98")  # the clocks of Shanghai went back that night: 01:30 was shown twice
        install(session, twice.id, add_usage_point(session, "P98").id, datetime(1986, 9, 13, 17, 30, tzinfo=UTC))
        gone = add_meter(session, "97")
        install(session, gone.id, add_usage_point(session, "P97").id, local(1))
        remove(session, gone.id, local(2))
    before = dump(town)
    with town.reading() as session:
        export_workbook(session, tmp_path / "book.xlsx", language)  # type: ignore[arg-type]
        (tmp_path / "meters.csv").write_text("".join(export_csv(session, METERS, language)), "utf-8")  # type: ignore[arg-type]
    for name in ("book.xlsx", "meters.csv"):
        report = import_file(town, tmp_path / name)
        assert report.applied, list(report.lines("en"))
        assert {action for _, action in report.counts} == {Action.UNCHANGED}, report.outcomes
    assert dump(town) == before
    header = (tmp_path / "meters.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert header.endswith("usage point,installed" if language == "en" else "用电点编号,安装日期")


def test_dates_of_a_workbook_are_local(town: Registry) -> None:
    rows: list[list[object]] = [
        ["通信规约", "表地址", "用电点编号", "安装日期"],
        ["645", "11", "H1", date(2026, 10, 7)],
        ["645", "14", "H3", datetime(2026, 11, 15, 9, 5)],
    ]
    report = import_octets(town, workbook(("电表", rows)), "book.xlsx")
    assert report.applied, list(report.lines("zh"))
    assert {Span(E11, "H1", "2026-10-07"), Span(E14, "H3", "2026-11-15 09:05:00")} <= history(town)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-11-15", local(15)),
        ("2026/11/5", local(5)),
        ("2026.11.05", local(5)),
        ("2026年11月5日", local(5)),
        ("2026-11-15 8:30", local(15, 8, 30)),
        ("2026-11-15T08:30:00", local(15, 8, 30)),
        ("2026-11-15T08:30:00+01:00", local(15, 15, 30)),
        ("1970-01-01", datetime(1969, 12, 31, 16, tzinfo=UTC)),
    ],
)
def test_dates_of_every_spelling(cell: str, expected: datetime) -> None:
    assert instant(cell) == expected


@given(st.text(alphabet="0129-/:T. 年月日+٣", max_size=30))
def test_no_text_is_more_than_a_wrong_date(cell: str) -> None:
    with suppress(CellError):
        found = instant(cell)
        assert instant(write_instant("en", found)) == found


def test_the_head_end_hears_of_a_move(town: Registry) -> None:
    directory = Directory(town)
    accepted(town, "645,11,H3,2026-11-15\n188,13,H1,2026-11-03 08:30\n")
    changed = directory.refresh().changed
    with town.reading() as session:
        on = dict(session.execute(select(Meter.address, Meter.terminal_id)).all())
    assert set(changed or ()) == {on["000000000011"]}


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["645,1", "645,2", "645,3", "188,4", "mbus,5"]),
        st.sampled_from(["A", "B", "C", "", "", "-"]),
        st.sampled_from(["2026-11-01", "2026-11-02 12:00", "2026-11-03", "2026-12-01", "", "x"]),
        st.sampled_from(["", "1", "2"]),
    ),
    max_size=5,
    unique_by=lambda row: row[0],
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_ROWS, min_size=2, max_size=4), st.integers(1, 20))
def test_no_file_breaks_the_history_and_none_is_half_applied(
    registry: Registry, files: list[list[tuple[str, ...]]], day: int
) -> None:
    empty(registry)
    for text, name in BASE[:2]:
        import_octets(registry, text.encode(), name)
    for rows in files:
        lines = [f"{'water' if '188' in row[0] else '电'},{','.join(row)}" for row in rows]
        octets = "\n".join(["utility,protocol,address,usage point,installed,terminal", *lines]).encode()
        before = dump(registry)
        tried = import_octets(registry, octets, "meters.csv", dry_run=True, now=local(day))
        assert dump(registry) == before
        report = import_octets(registry, octets, "meters.csv", now=local(day))
        assert (report.counts, report.outcomes, report.findings) == (tried.counts, tried.outcomes, tried.findings)
        assert "import.refused_by_database" not in report.finding_counts
        assert report.applied == report.ok
        if not report.ok:
            assert dump(registry) == before
            continue
        again = import_octets(registry, octets, "meters.csv", now=local(28))
        assert {action for _, action in again.counts} <= {Action.UNCHANGED}
