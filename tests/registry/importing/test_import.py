"""Imports: what a file says is in the archives afterwards, all of it or nothing, and once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy import text as sql

from meterweave.errors import ConfigError
from meterweave.registry import Directory, Meter, Organisation, Registry, Terminal, TransformerDistrict
from meterweave.registry.importing import (
    CODES,
    KINDS,
    Action,
    ImportLimits,
    Report,
    export_csv,
    export_workbook,
    finding,
    import_file,
    import_octets,
    kind_named,
)
from meterweave.registry.importing.column import normal_header
from meterweave.registry.terminals import note_seen
from meterweave.registry.vocabulary import Enrolment, Phase, TerminalState, Utility
from tests.registry.conftest import dump, empty
from tests.registry.importing.test_sheet import workbook
from tests.registry.records import day

ORGANISATIONS = "code,name,parent\nB2,branch,A1\nA1,head,\n"
DISTRICTS = "code,name,organisation,rating,ct ratio\nT1,mill,B2,315,600/5\n"
TERMINALS = "protocol,address,district,heartbeat\n698,1,T1,300\n1376.1,3301-7,T1,\n"
METERS = """\
utility,protocol,address,terminal,pn,port,ct,phase,asset
electricity,645,11,1,1,f2010201,100/5,A,CN-1
water,188,12,1,2,F2090201,,,
electricity,645,13,33010007,5,2,2.4,三相,
electricity,mbus,7,1,,,,,
"""


def load(registry: Registry, text: str, name: str, *, dry_run: bool = False) -> Report:
    return import_octets(registry, text.encode(), name, dry_run=dry_run)


@pytest.fixture
def town(registry: Registry) -> Registry:
    """Archives with something of every kind."""
    for text, name in (
        (ORGANISATIONS, "organisations.csv"),
        (DISTRICTS, "districts.csv"),
        (TERMINALS, "terminals.csv"),
        (METERS, "meters.csv"),
    ):
        report = load(registry, text, name)
        assert report.applied, list(report.lines("en"))
    return registry


def said(report: Report) -> list[tuple[str, int | None, str]]:
    return [(one.code, one.row, one.column) for one in report.findings]


def test_everything_a_file_says_is_stored(town: Registry) -> None:
    with town.reading() as session:
        head, branch = session.scalars(select(Organisation).order_by(Organisation.code)).all()
        assert branch.parent_id == head.id
        district = session.scalars(select(TransformerDistrict)).one()
        assert (district.rating_va, district.ct_primary_a, district.ct_secondary_a) == (315_000, 600, 5)
        modern, older = session.scalars(select(Terminal).order_by(Terminal.id)).all()
        assert (modern.heartbeat_s, older.heartbeat_s, older.address) == (300, 900, "33010007")
        assert modern.enrolled_by is Enrolment.IMPORTED
        first, water, third, bus = session.scalars(select(Meter).order_by(Meter.id)).all()
        assert (first.port, first.ct_primary, first.phase) == ("F2010201", 100, Phase.A)
        assert (water.utility, water.address, water.wire_key) == (Utility.WATER, "00000000000012", 0x12)
        assert (third.wire_key, third.ct_primary, third.ct_secondary) == (0x3301_0007_0005, 12, 5)
        assert (bus.local_address, bus.terminal_id) == (True, modern.id)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ORGANISATIONS, "organisations.csv"),
        (DISTRICTS, "districts.csv"),
        (TERMINALS, "terminals.csv"),
        (METERS, "meters.csv"),
    ],
)
def test_importing_again_changes_nothing(town: Registry, text: str, name: str) -> None:
    before = dump(town)
    report = load(town, text, name)
    assert report.applied
    assert {action for _, action in report.counts} == {Action.UNCHANGED}
    assert dump(town) == before


def test_the_directory_follows_an_import(registry: Registry) -> None:
    load(registry, "protocol,address\n698,1\n", "terminals.csv")
    directory = Directory(registry)
    terminal = directory.snapshot.terminal("dlt698", 1)
    assert terminal is not None
    load(registry, "utility,protocol,address,terminal\nwater,188,12,1\n", "meters.csv")
    assert directory.refresh().changed == {terminal.id}
    before = directory.snapshot
    load(registry, "protocol,address,asset number\n188,12,A-7\n", "meters.csv")
    assert directory.refresh().snapshot is before  # an asset number is no business of the head-end
    load(registry, "protocol,address,model\n188,12,LXS\n", "meters.csv")
    assert directory.refresh().changed == {terminal.id}


def test_a_dry_run_tells_what_would_happen_and_changes_nothing(town: Registry) -> None:
    before = dump(town)
    text = METERS.replace("100/5", "200/5").replace(",188,12,1,2", ",188,12,33010007,9").replace("F2090201", "3")
    report = load(town, text + "heat,mbus,KAM-1-1-4,,,,,,\n".replace("KAM-1", "KAM-00000001").replace("-1-4", "-01-04"),
                  "meters.csv", dry_run=True)  # fmt: skip
    assert report.ok
    assert not report.applied
    assert dump(town) == before
    changed = {one.name: {change.field: (change.old, change.new) for change in one.changes} for one in report.outcomes}
    assert changed["dlt645 000000000011"] == {"ct_primary": ("100", "200")}
    assert changed["cjt188 00000000000012"]["terminal_id"] == ("000000000001", "33010007")
    assert report.counts["meters", Action.CREATED] == 1
    assert report.counts["meters", Action.UNCHANGED] == 2
    assert "试运行" in [*report.lines("zh")][-1]
    assert report.to_json()["counts"] == {"meters": {"created": 1, "changed": 2, "unchanged": 2}}
    real = load(town, text, "meters.csv")
    assert real.applied
    assert dump(town) != before


def test_meters_may_change_places(town: Registry) -> None:
    report = load(town, "protocol,address,pn\n645,11,2\n188,12,1\n", "meters.csv")
    assert report.applied, list(report.lines("en"))
    with town.reading() as session:
        points = dict(session.execute(select(Meter.address, Meter.point_number)).all())
    assert points["000000000011"] == 2
    assert points["00000000000012"] == 1


def test_a_dash_empties_and_an_empty_cell_keeps(town: Registry) -> None:
    report = load(town, "protocol,address,terminal,asset\n645,11,-,-\n188,12,,\n", "meters.csv")
    assert report.applied
    with town.reading() as session:
        first, water = session.scalars(select(Meter).order_by(Meter.id)).all()[:2]
        assert (first.terminal_id, first.point_number, first.wire_key, first.port, first.asset_number) == (None,) * 5
        assert water.terminal_id is not None


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (
            "protocol,address\n698,\n,1\n",
            "terminals.csv",
            [("import.missing", 2, "address"), ("import.missing", 3, "protocol")],
        ),
        ("规约,地址\n697,1\n", "终端.csv", [("import.malformed", 2, "规约")]),
        ("protocol,address\n645,1.23457E+11\n", "terminals.csv", [("import.digits_lost", 2, "address")]),
        ("protocol,address\n645,12O4\n", "terminals.csv", [("import.malformed", 2, "address")]),
        ("protocol,address\nmbus,5\n", "terminals.csv", [("import.malformed", 2, "address")]),
        ("protocol,address\n698,1\n698,01\n", "terminals.csv", [("import.duplicate", 3, "address")]),
        ("protocol,address,district\n698,1,T9\n", "terminals.csv", [("import.unknown_reference", 2, "district")]),
        ("protocol,address,heartbeat\n698,1,5\n", "terminals.csv", [("import.malformed", 2, "heartbeat")]),
        ("protocol,address,state\n698,1,asleep\n", "terminals.csv", [("import.malformed", 2, "state")]),
        ("protocol,name\n698,1\n", "terminals.csv", [("import.missing_column", 1, "")]),
        ("protocol,address,规约\n698,1,698\n", "terminals.csv", [("import.column_twice", 1, "规约")]),
        ("colour,taste\nred,sweet\n", "x.csv", [("import.no_kind", 1, "")]),
        ("protocol,address\n645,99\n", "meters.csv", [("import.missing", 2, "")]),
        ("utility,protocol,address\nwater,645,11\n", "meters.csv", [("import.conflict", 2, "utility")]),
        (
            "utility,protocol,address,terminal\nwater,188,9,88\n",
            "meters.csv",
            [("import.unknown_reference", 2, "terminal")],
        ),
        ("utility,protocol,address,terminal\nwater,188,9,33010007\n", "meters.csv", [("import.missing", 2, "")]),
        (
            "utility,protocol,address,terminal,pn\nwater,188,9,33010007,2041\n",
            "meters.csv",
            [("import.malformed", 2, "pn")],
        ),
        ("utility,protocol,address,pn\nwater,188,9,1\n", "meters.csv", [("import.missing", 2, "")]),
        ("utility,protocol,address,terminal,pn\nwater,188,9,1,1\n", "meters.csv", [("import.conflict", 2, "pn")]),
        (
            "utility,protocol,address,terminal,pn\nwater,188,8,1,70\nwater,188,9,1,70\n",
            "meters.csv",
            [("import.duplicate", 3, "pn")],
        ),
        ("utility,protocol,address,terminal\nwater,645,12,1\n", "meters.csv", [("import.conflict", 2, "address")]),
        ("utility,protocol,address\nheat,mbus,7\n", "meters.csv", [("import.missing", 2, "address")]),
        ("utility,protocol,address,terminal,port\nwater,188,9,1,2\n", "meters.csv", [("import.malformed", 2, "port")]),
        (
            "utility,protocol,address,terminal,pn,port\nwater,188,9,33010007,9,32\n",
            "meters.csv",
            [("import.malformed", 2, "port")],
        ),
        ("utility,protocol,address,ct\nwater,188,9,5/0\n", "meters.csv", [("import.malformed", 2, "ct")]),
        ("protocol,address,model\n645,11," + "x" * 65 + "\n", "meters.csv", [("import.malformed", 2, "model")]),
        ("code,name,parent\nA1,head,B2\n", "organisations.csv", [("import.conflict", 2, "parent")]),
        ("code,name,parent\nC3,leaf,D4\n", "organisations.csv", [("import.unknown_reference", 2, "parent")]),
        ("code,name,rating\nT2,x,-1\n", "districts.csv", [("import.malformed", 2, "rating")]),
    ],
)
def test_every_problem_is_told_by_row_and_column(
    town: Registry, text: str, name: str, expected: list[tuple[str, int, str]]
) -> None:
    before = dump(town)
    report = load(town, text, name)
    assert said(report) == expected
    assert not report.applied
    assert dump(town) == before
    for one in report.findings:
        assert one.code in CODES
        assert one.sentence("en")
        assert any("\u4e00" <= letter <= "\u9fff" for letter in one.text.zh)
    assert report.to_json()["problems"] == len(expected)


def test_a_terminal_that_two_protocols_know_must_be_told_apart(registry: Registry) -> None:
    assert load(registry, "protocol,address\n698,33010007\n1376.1,33010007\n", "terminals.csv").applied
    text = "utility,protocol,address,terminal,pn{}\nwater,188,9,33010007,1{}\n"
    assert said(load(registry, text.format("", ""), "meters.csv")) == [
        ("import.ambiguous_reference", 2, "terminal")
    ]  # fmt: skip
    assert load(registry, text.format(",terminal protocol", ",1376.1"), "meters.csv").applied


def test_an_unknown_column_is_a_note(registry: Registry) -> None:
    report = load(registry, "protocol,address,colour\n698,1,red\n", "terminals.csv")
    assert said(report) == [("import.unknown_column", 1, "colour")]
    assert report.applied


def test_a_workbook_brings_what_it_refers_to(registry: Registry) -> None:
    octets = workbook(
        (
            "电表",
            [["能源类型", "通信规约", "表地址", "终端地址", "测量点号"], ["电", "DL/T 645-2007", 11, "3301-7", 1]],
        ),
        ("终端", [["通信规约", "终端地址", "台区"], ["Q/GDW 1376.1", "3301-00007", "T1"]]),
        ("台区", [["编码", "名称"], ["T1", "一号"]]),
    )
    report = import_octets(registry, octets, "book.xlsx", dry_run=True)
    assert report.ok, list(report.lines("en"))
    assert dump(registry)["meters"] == []
    assert import_octets(registry, octets, "book.xlsx").applied
    with registry.reading() as session:
        assert session.scalars(select(Meter.wire_key)).all() == [0x3301_0007_0001]


def test_a_row_at_fault_is_not_blamed_on_those_that_refer_to_it(registry: Registry) -> None:
    octets = workbook(
        ("terminals", [["protocol", "address", "heartbeat"], ["698", "1", "never"]]),
        ("meters", [["utility", "protocol", "address", "terminal"], ["water", "188", "9", "1"]]),
    )
    assert said(import_octets(registry, octets, "book.xlsx")) == [("import.malformed", 2, "heartbeat")]


def test_a_file_from_before_its_first_call_leaves_a_terminal_active(town: Registry) -> None:
    with town.writing() as session:
        note_seen(session, {row: day(1) for row in session.scalars(select(Terminal.id))})
    assert load(town, "protocol,address,state\n698,1,planned\n", "terminals.csv").counts == {
        ("terminals", Action.UNCHANGED): 1
    }
    assert load(town, "protocol,address,state\n698,1,停用\n", "terminals.csv").applied
    with town.reading() as session:
        assert session.scalars(select(Terminal.state).order_by(Terminal.id)).first() is TerminalState.SUSPENDED


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_exported_imports_without_change(town: Registry, tmp_path: Path, language: str) -> None:
    load(town, "code,name,parent\nA1,=1+1,\nB2,'quoted,-\n", "organisations.csv")
    before = dump(town)
    with town.reading() as session:
        export_workbook(session, tmp_path / "book.xlsx", language)  # type: ignore[arg-type]
        for kind in KINDS:
            lines = export_csv(session, kind, language)  # type: ignore[arg-type]
            (tmp_path / f"{kind.name}.csv").write_text("".join(lines), encoding="utf-8", newline="")
    for path in sorted(tmp_path.iterdir()):
        report = import_file(town, path)
        assert report.applied, (path, list(report.lines("en")))
        assert {action for _, action in report.counts} == {Action.UNCHANGED}, (path, report.outcomes)
    assert dump(town) == before
    assert "'=1+1" in (tmp_path / "organisations.csv").read_text(encoding="utf-8-sig")


def test_findings_are_bounded_and_counted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "KEPT_MAX", 3)
    report = load(registry, "protocol,address\n" + "x,1\n" * 10, "terminals.csv")
    assert (len(report.findings), report.problem_count) == (3, 10)
    assert any(line.startswith("7 more: 7 ×") for line in report.lines("en"))


def test_what_only_the_database_knows_to_refuse_is_refused_whole(town: Registry) -> None:
    def by_hand(statement: str) -> None:
        with town.engine.connect().execution_options(meterweave_writing=True) as connection, connection.begin():
            connection.execute(sql(statement))

    by_hand("CREATE UNIQUE INDEX by_hand ON meters (asset_number)")
    try:
        before = dump(town)
        report = load(town, "protocol,address,asset,model\n188,12,CN-1,LXS\n645,13,,DTZ\n", "meters.csv")
        assert [one.code for one in report.findings] == ["import.refused_by_database"]
        assert not report.applied
        assert dump(town) == before
    finally:
        by_hand("DROP INDEX by_hand")


def test_a_report_is_told_in_both_languages(registry: Registry) -> None:
    report = load(registry, "protocol,address\n698,x\n698,2\n", "terminals.csv")
    assert [*report.lines("en")][1:] == [
        "terminals: 1 created, 0 changed, 0 unchanged",
        "1 problem; nothing was imported",
    ]
    place, *rest = report.lines("zh")
    assert place.startswith("terminals，第2行“address”列：“x”不是dlt698地址")
    assert rest == ["终端: 1 新建, 0 更改, 0 不变", "1个问题；未导入任何内容"]


def test_a_file_beyond_its_limits_is_refused(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "terminals.csv"
    path.write_bytes(b"x" * 100)
    report = import_file(registry, path, limits=ImportLimits(octets_max=99))
    assert said(report) == [("import.file_too_large", None, "")]


def test_kinds_are_named_in_both_languages_and_no_header_means_two_columns() -> None:
    assert kind_named("终端档案") is kind_named("Terminals")
    with pytest.raises(ConfigError, match="meters"):
        kind_named("cats")
    for kind in KINDS:
        headers = [
            (normal_header(header), column.name)
            for column in kind.columns
            for header in {column.name, column.header.en, column.header.zh, *column.also}
        ]
        assert len({header for header, _ in set(headers)}) == len(set(headers))
        assert {*kind.identity, *kind.wanted} <= {*kind.by_name}


_CELLS = {
    "protocol": ["645", "698", "188", "mbus", "697", ""],
    "address": ["1", "2", "3", "000000000001", "KAM-00000001-01-04", "x", "9" * 12, ""],
    "utility": ["电", "water", "gas", "", "light"],
    "terminal": ["1", "33010007", "2", "", "-"],
    "point_number": ["", "1", "2", "3", "2041", "-"],
    "port": ["", "F2010201", "2"],
    "ct_ratio": ["", "100/5", "0", "-"],
    "district": ["T1", "T9", "", "-"],
    "heartbeat": ["", "60", "1"],
    "state": ["", "active", "拆除"],
}
_METER_ROWS = st.lists(
    st.tuples(
        *(st.sampled_from(_CELLS[name])
          for name in ("utility", "protocol", "address", "terminal", "point_number", "port", "ct_ratio"))
    ),
    max_size=8,
)  # fmt: skip
_TERMINAL_ROWS = st.lists(
    st.tuples(*(st.sampled_from(_CELLS[name]) for name in ("protocol", "address", "district", "heartbeat", "state"))),
    max_size=4,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_METER_ROWS, min_size=1, max_size=3), _TERMINAL_ROWS)
def test_no_file_is_ever_half_applied(
    registry: Registry, files: list[list[tuple[str, ...]]], terminals: list[tuple[str, ...]]
) -> None:
    empty(registry)
    load(registry, "code,name\nT1,mill\n", "districts.csv")
    load(registry, TERMINALS, "terminals.csv")
    head = "protocol,address,district,heartbeat,state"
    texts = [("\n".join([head, *map(",".join, terminals)]), "terminals.csv")]
    head = "utility,protocol,address,terminal,pn,port,ct"
    texts += [("\n".join([head, *map(",".join, rows)]), "meters.csv") for rows in files]
    for text, name in texts:
        before = dump(registry)
        tried = load(registry, text, name, dry_run=True)
        assert dump(registry) == before
        report = load(registry, text, name)
        assert (report.counts, report.outcomes, report.findings) == (tried.counts, tried.outcomes, tried.findings)
        assert "import.refused_by_database" not in report.finding_counts  # what is wrong is told by row
        assert report.applied == report.ok
        if report.ok:
            again = load(registry, text, name)
            assert {action for _, action in again.counts} <= {Action.UNCHANGED}
        else:
            assert dump(registry) == before
