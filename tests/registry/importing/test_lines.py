"""Imports of lines, gateways, devices that call by themselves, and meters that people read."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from meterweave.registry import Directory, Meter, Registry, Terminal
from meterweave.registry.importing import KINDS, Action, export_csv, export_workbook, import_file, import_octets
from meterweave.registry.vocabulary import TerminalKind
from tests.registry.conftest import dump
from tests.registry.importing.test_import import load, said

TERMINALS = """\
protocol,address,port,collector,name
line,Cellar,tcp://192.0.2.7:8899?baud=2400,,east wing
总线,roof,serial:/dev/ttyS1,Site-1,
bus,yard,serial:/dev/ttyS1,site-2,
gateway,site-1,,,
n5,site-2,,,
mqtt,a4:cf:12:0b,,,
"""
METERS = """\
utility,protocol,address,terminal,model,register
electricity,645-1997,11,cellar,dlt645-1997,6.2
electricity,modbus,u7,cellar,prepaid-modbus-single-phase,6
electricity,modbus,u7,roof,prepaid-modbus-single-phase,
heat,mbus,5,yard,mbus-heat,7+1
water,json,A4:CF:12:0B,a4:cf:12:0b,json-meter,
water,manual,w-17,,,5.3
"""


@pytest.fixture
def estate(registry: Registry) -> Registry:
    """Archives with lines of the centre and of two gateways."""
    for text, name in ((TERMINALS, "terminals.csv"), (METERS, "meters.csv")):
        report = load(registry, text, name)
        assert report.ok, list(report.lines("en"))
    return registry


def test_lines_and_what_hangs_on_them_are_stored(estate: Registry) -> None:
    with estate.reading() as session:
        found = {one.address: one for one in session.scalars(select(Terminal))}
        ids = {one.id: one.address for one in found.values()}
        assert found["cellar"].port == "tcp://192.0.2.7:8899?baud=2400"
        assert [one.kind for one in found.values()] == [TerminalKind.COLLECTOR] * 2 + [TerminalKind.METER] + [
            TerminalKind.MODULE
        ] * 3
        masters = {name: ids.get(one.collector_id or 0) for name, one in found.items() if one.protocol == "bus"}
        assert masters == {"cellar": None, "roof": "site-1", "yard": "site-2"}
        meters = session.scalars(select(Meter).order_by(Meter.id)).all()
        assert [(one.address, ids.get(one.terminal_id or 0)) for one in meters] == [
            ("000000000011", "cellar"),
            ("u7", "cellar"),
            ("u7", "roof"),
            ("5", "yard"),
            ("a4:cf:12:0b", "a4:cf:12:0b"),
            ("w-17", None),
        ]
        registers = [(one.register_digits, one.register_decimals) for one in meters]
        assert registers == [(8, 2), (6, 0), (None, None), (8, 1), (None, None), (8, 3)]
        json = meters[4]
        assert json.wire_key == json.address_key == found["a4:cf:12:0b"].address_key


@pytest.mark.parametrize(("text", "name"), [(TERMINALS, "terminals.csv"), (METERS, "meters.csv")])
def test_importing_again_changes_nothing(estate: Registry, text: str, name: str) -> None:
    before = dump(estate)
    report = load(estate, text, name)
    assert {action for _, action in report.counts} == {Action.UNCHANGED}
    assert dump(estate) == before


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_exported_imports_without_change(estate: Registry, tmp_path: Path, language: str) -> None:
    before = dump(estate)
    with estate.reading() as session:
        export_workbook(session, tmp_path / "archives.xlsx", language)  # type: ignore[arg-type]
        texts = {kind: "".join(export_csv(session, kind, language)) for kind in KINDS}  # type: ignore[arg-type]
    reports = [import_file(estate, tmp_path / "archives.xlsx")]
    reports += [import_octets(estate, text.encode(), f"{kind.name}.csv") for kind, text in texts.items()]
    for report in reports:
        assert report.applied, list(report.lines("en"))
        assert {action for _, action in report.counts} <= {Action.UNCHANGED}
    assert dump(estate) == before


def test_an_export_makes_the_estate_anew(estate: Registry, tmp_path: Path) -> None:
    with estate.reading() as session:
        export_workbook(session, tmp_path / "archives.xlsx", "zh")
    other = Registry.open(tmp_path / "other.sqlite")
    try:
        report = import_file(other, tmp_path / "archives.xlsx")
        assert report.applied, list(report.lines("en"))
        for kind in KINDS:
            with estate.reading() as session, other.reading() as copy:
                assert [*export_csv(copy, kind)] == [*export_csv(session, kind)]
    finally:
        other.close()


def test_the_directory_follows_ports_gateways_and_models(estate: Registry) -> None:
    directory = Directory(estate)
    with estate.reading() as session:
        ids = {one.address: one.id for one in session.scalars(select(Terminal))}
    load(estate, "protocol,address,port\nbus,cellar,tcp://192.0.2.8:8899\n", "terminals.csv")
    assert directory.refresh().changed == {ids["cellar"]}
    report = load(estate, "protocol,address,collector,port\nbus,roof,site-2,serial:/dev/ttyS2\n", "terminals.csv")
    assert set(report.outcomes[0].changes) == {
        ("collector_id", "site-1", "site-2"),
        ("port", "serial:/dev/ttyS1", "serial:/dev/ttyS2"),
    }
    assert directory.refresh().changed == {ids["roof"], ids["site-1"], ids["site-2"]}
    load(estate, "protocol,address,collector\nbus,roof,-\n", "terminals.csv")
    assert directory.refresh().changed == {ids["roof"], ids["site-2"]}
    with estate.reading() as session:
        assert session.get_one(Terminal, ids["roof"]).collector_id is None
    load(estate, "protocol,address,terminal,model\nmbus,5,yard,mbus-water\n", "meters.csv")
    assert directory.refresh().changed == {ids["yard"]}


@pytest.mark.parametrize(
    ("name", "text", "problems"),
    [
        (
            "terminals.csv",
            "protocol,address,port,collector\n"
            "bus,one,,\n"
            "bus,two,tcp://a,\n"
            "698,1,tcp://a:1,\n"
            "mqtt,dev,,site-1\n"
            "bus,three,tcp://a:3,nowhere\n"
            "bus,four,tcp://a:4,the yard\n"
            "bus,five,TCP://192.0.2.7:8899?period_s=60,\n"
            "bus,six,tcp://a:6,\n"
            "bus,seven,tcp://a:6?baud=300,\n"
            "bus,eight,serial:/dev/ttyS1,site-1\n"
            "bus,nine,serial:/dev/ttyS1,\n"
            "json,ten,,\n"
            "bus,no blanks,tcp://a:11,\n"
            "bus,cellar,-,\n",
            [
                ("import.missing", 2, "port"),
                ("import.malformed", 3, "port"),
                ("import.conflict", 4, "port"),
                ("import.conflict", 5, "collector"),
                ("import.unknown_reference", 6, "collector"),
                ("import.unknown_reference", 7, "collector"),
                ("import.conflict", 8, "port"),
                ("import.conflict", 10, "port"),
                ("import.conflict", 11, "port"),
                ("import.malformed", 13, "protocol"),
                ("import.malformed", 14, "address"),
                ("import.missing", 15, "port"),
            ],
        ),
        (
            "meters.csv",
            "utility,protocol,address,terminal,model,register\n"
            "water,188,21,cellar,,\n"
            "water,188,22,site-1,cjt188-water-valve,\n"
            "water,188,23,nowhere,,\n"
            "electricity,modbus,1234,cellar,sunspec-inverter,\n"
            "electricity,1376.1,3301-9,cellar,x,\n"
            "water,json,dev,cellar,json-meter,\n"
            "water,manual,w-18,cellar,,\n"
            "water,bus,w-19,cellar,,\n"
            "water,manual,w-20,,,19\n"
            "water,manual,w-21,,,0\n"
            "water,manual,w-22,,,6.2.1\n"
            "water,188,24,a4:cf:12:0b,,\n",
            [
                ("import.missing", 2, "model"),
                ("import.conflict", 3, "terminal"),
                ("import.unknown_reference", 4, "terminal"),
                ("import.malformed", 5, "address"),
                ("import.conflict", 6, "protocol"),
                ("import.conflict", 7, "protocol"),
                ("import.conflict", 8, "terminal"),
                ("import.malformed", 9, "protocol"),
                ("import.malformed", 10, "register"),
                ("import.malformed", 11, "register"),
                ("import.malformed", 12, "register"),
            ],
        ),
    ],
)
def test_every_problem_is_told_by_row_and_column(
    estate: Registry, name: str, text: str, problems: list[tuple[str, int, str]]
) -> None:
    before = dump(estate)
    report = load(estate, text, name, dry_run=True)
    assert sorted(said(report), key=lambda one: one[1] or 0) == problems, list(report.lines("en"))
    assert all(one.text.zh != one.text.en for one in report.findings)
    assert dump(estate) == before


def test_a_protocol_of_the_other_kind_is_told_for_what_it_is(registry: Registry) -> None:
    meters = load(registry, "utility,protocol,address\nwater,line,cellar\n", "meters.csv")
    assert "bus is a protocol of terminals, not of meters; wanted one of dlt698" in meters.findings[0].text.en
    terminals = load(registry, "protocol,address\n机械表,w-1\n", "terminals.csv")
    assert "manual是表计规约，不是终端规约" in terminals.findings[0].text.zh


def test_a_line_that_is_retired_leaves_its_place_to_another(estate: Registry) -> None:
    text = "protocol,address,port,state\nbus,cellar,,retired\nbus,attic,tcp://192.0.2.7:8899,\n"
    report = load(estate, text, "terminals.csv")
    assert report.applied, list(report.lines("en"))


def test_the_lines_of_a_gateway_at_fault_are_not_blamed(registry: Registry) -> None:
    text = "protocol,address,port,collector,heartbeat\nbus,roof,tcp://a:1,site-9,\nn5,site-9,,,1\n"
    report = load(registry, text, "terminals.csv")
    assert said(report) == [("import.malformed", 3, "heartbeat")]


@pytest.mark.parametrize("fault", ["tcp://a:2,,", ",site-8,", ",,nowhere"])
def test_the_lines_of_a_gateway_that_turns_out_faulty_are_not_blamed(registry: Registry, fault: str) -> None:
    """Whatever is found of the gateway after its lines have found it."""
    text = f"protocol,address,port,collector,district\nbus,roof,tcp://a:1,site-9,\nn5,site-9,{fault}\n"
    for dry_run in (True, False):
        report = load(registry, text, "terminals.csv", dry_run=dry_run)
        assert not report.applied
        assert {one.row for one in report.findings} == {3}


def test_one_end_is_one_place_however_it_is_spoken_to(estate: Registry) -> None:
    text = "protocol,address,port\nbus,one,modbus-tcp://192.0.2.7:8899\nbus,two,tcp://a:502\nbus,three,modbus-tcp://a\n"
    report = load(estate, text, "terminals.csv", dry_run=True)
    assert said(report) == [("import.conflict", 2, "port"), ("import.conflict", 4, "port")]
    first, second = (one.text for one in report.findings)
    assert first == ("the line cellar in the archives is reached the same way", "端口与已有档案中的线路cellar相同")
    assert second == ("the line in row 3 is reached the same way", "端口与第3行的线路相同")


def test_two_protocols_with_one_number_on_a_line_are_told_for_what_they_are(estate: Registry) -> None:
    text = "utility,protocol,address,terminal,model\nelectricity,645,7,cellar,dlt645-single-phase\n"
    report = load(estate, text, "meters.csv", dry_run=True)
    assert said(report) == [("import.conflict", 2, "address")]
    assert report.findings[0].text == (
        "the line cellar has another meter with this number: modbus u7 in the archives",
        "线路cellar上已有同一编号的表计：modbus u7（已有档案）",
    )


def test_a_name_may_be_a_uuid(registry: Registry) -> None:
    name = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
    load(registry, f"protocol,address\nmqtt,{name.upper()}\n", "terminals.csv")
    report = load(registry, f"utility,protocol,address,terminal\nwater,json,{name},{name}\n", "meters.csv")
    assert report.applied, list(report.lines("en"))
    with registry.reading() as session:
        assert session.scalars(select(Meter.address)).one() == name
