"""``meterweave meter exchange``, ``remove`` and ``install``, and what ``meterweave usage`` makes of them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from meterweave.cli.folder import Folder
from meterweave.metering.clock import SHANGHAI
from meterweave.registry.installation import install
from meterweave.registry.vocabulary import Utility
from tests.cli.conftest import Call
from tests.registry.records import add_meter, add_usage_point


@pytest.fixture
def data(tmp_path: Path, call: Call) -> tuple[str, Path]:
    """A water meter of 5 + 1 digits on UP-1 since January, one on the shelf, and an electricity meter on UP-1 too."""
    path = tmp_path / "centre"
    start = datetime(2026, 1, 1, tzinfo=SHANGHAI)
    with Folder(path).registry() as registry, registry.writing() as session:
        old = add_meter(session, "m-1", protocol="manual", utility=Utility.WATER)
        old.register_digits, old.register_decimals = 6, 1
        add_meter(session, "m-2", protocol="manual", utility=Utility.WATER)
        power, point = add_meter(session, "77"), add_usage_point(session, "UP-1")
        add_usage_point(session, "77")
        for meter in (old, power):
            install(session, meter.id, point.id, start)
    for value, day in (("99990", "2026-01-01"), ("99998.5", "2026-02-01")):
        assert call("reading", "add", "m-1", value, "--time", day, "--data", path).code == 0
    return "--data", path


def test_an_exchange_keeps_consumption_continuous(call: Call, data: tuple[str, Path]) -> None:
    words = ("meter", "exchange", "m-1", "m-2", "--at", "2026-02-20 14:00", "--out", "4", "--in", "7", *data)
    said = call(*words, "--reader", "Wang", "--photo", "IMG_7.jpg")
    assert said.out.splitlines() == [
        "note: 4 m³ after 99998.5 m³ at 2026-02-01: the register is taken to have rolled over",
        "manual m-1: final 4 m³ at 2026-02-20 14:00:00",
        "manual m-2: initial 7 m³ at 2026-02-20 14:00:00",
        "usage point UP-1: entered",
    ]
    again = call(*words, "--json").json
    assert (again["again"], again["usage_point"], len(again["readings"])) == (True, "UP-1", 2)
    assert again["readings"][1]["purpose"] == "initial"
    for value, day in (("20.25", "2026-03-01"), ("30", "2026-04-01")):
        call("reading", "add", "m-2", value, "--time", day, *data)
    asked = ("usage", "UP-1", "--quantity", "8-0:1.0.0", "--from", "2026-01-01", "--to", "2026-03-31", *data)
    found = call(*asked, "--json").json
    assert [(one["value"], one["flags"]) for one in found["intervals"]] == [
        ("8.500000", ["measured"]),
        ("18.750000", ["measured", "rollover", "exchange"]),
        ("9.750000", ["measured"]),
    ]
    assert found["total"]["value"] == "37.000000"
    assert (found["of"]["name"], found["unit"], found["intervals"][0]["start"]) == (
        "UP-1",
        "m3",
        "2026-01-01T00:00:00+08:00",
    )
    lines = [" ".join(line.split()) for line in call(*asked).out.splitlines()]
    assert lines[0] == "usage point UP-1: cold water volume"
    assert lines[3] == (
        "2026-02 18.75 m³ 18.75 100 % measured; the register rolled over; a meter was exchanged, removed or installed"
    )
    assert lines[5].startswith("all 37 m³ 37 100 % measured")
    csv = call(*asked, "--csv", "--lang", "zh").out.lstrip("\ufeff").splitlines()
    assert csv[0] == "自,止于,用量,单位,其中实测,完整率,说明"
    assert csv[1] == "2026-01,2026-02,8.5,m³,8.5,100 %,实测"
    history = call("meter", "show", "m-2", "--json", *data).json["meter"]["history"]
    assert [one["usage_point"] for one in history] == ["UP-1"]


def test_usage_of_a_meter_by_day_and_of_what_is_not_known(call: Call, data: tuple[str, Path]) -> None:
    by_day = call("usage", "m-1", "--by", "day", "--from", "2026-01-31", "--to", "2026-02-01", "--json", *data).json
    assert (by_day["of"]["kind"], [one["value"] for one in by_day["intervals"]]) == ("meter", [None, None])
    bridged = call(
        "usage", "m-1", "--by", "day", "--from", "2026-01-01", "--to", "2026-01-31", "--interpolate", "40", "--json",
        *data,
    ).json  # fmt: skip
    assert {tuple(one["flags"]) for one in bridged["intervals"]} == {("estimated",)}
    assert sum(int(one["value"].replace(".", "")) for one in bridged["intervals"]) == 8_500_000
    assert bridged["total"] | {"start": "", "end": ""} == {
        "start": "", "end": "", "value": "8.500000", "part": "8.500000", "flags": ["measured"], "completeness": 1.0,
    }  # fmt: skip
    said = call("usage", "m-1", "--from", "2026-01-15", "--to", "2026-03-15", *data).out
    assert "not known" in said
    assert "--interpolate DAYS" in said


def test_out_and_in_by_themselves_and_unread(call: Call, data: tuple[str, Path]) -> None:
    said = call("meter", "remove", "m-1", "--at", "2026-02-20", "--out", "-", *data)
    assert said.out.splitlines() == [
        "nobody read it: consumption will have no value across 2026-02-20 00:00:00",
        "usage point UP-1: entered",
    ]
    assert call("meter", "remove", "m-1", "--at", "2026-02-20", "--out", "-", *data).out.splitlines()[1] == (
        "usage point UP-1: it was entered before, nothing was changed"
    )
    put = call("meter", "install", "m-2", "UP-1", "--at", "2026-02-21", "--in", "8-0:1.0.0=0.5 m3", "--json", *data)
    assert [(one["value"], one["purpose"]) for one in put.json["readings"]] == [("0.500000", "initial")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["exchange", "m-1", "m-2", "--at", "2026-02-20", "--out", "99000", "--in", "1"], "99000 m³ is less than"),
        (["exchange", "m-1", "m-2", "--at", "2026-02-20", "--out", "100000", "--in", "1"], "shows 99999.9 m³ at most"),
        (["exchange", "m-1", "77", "--at", "2026-02-20", "--out", "99999", "--in", "1"], "measures electricity"),
        (["exchange", "m-2", "m-1", "--at", "2026-02-20", "--out", "99999", "--in", "1"], "is on no usage point"),
        (["exchange", "m-1", "m-9", "--at", "2026-02-20", "--out", "99999", "--in", "1"], "no meter is called 'm-9'"),
        (["exchange", "m-1", "m-2", "--at", "2099-02-20", "--out", "99999", "--in", "1"], "is still to come"),
        (["exchange", "m-1", "m-2", "--at", "soon", "--out", "99999", "--in", "1"], "found 'soon', wanted a date"),
        (["exchange", "m-1", "m-2", "--at", "2026-02-20", "--out", "1-0:1.8.0=9", "--in", "1"], "is of electricity"),
        (["remove", "m-1", "--at", "2026-02-20", "--out", "99999", "--out", "99998"], "is said twice"),
        (["install", "m-2", "UP-9", "--at", "2026-02-20", "--in", "1"], "no usage point is called 'UP-9'"),
        (["install", "m-2", "UP-1", "--at", "2026-02-20", "--in", "1"], "manual m-1 was on usage point UP-1"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    call: Call, data: tuple[str, Path], words: list[str], told: str
) -> None:
    before = call("reading", "list", "--json", *data).json
    said = call("meter", *words, *data)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert call("reading", "list", "--json", *data).json == before
    assert call("meter", "show", "m-2", "--json", *data).json["meter"]["history"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nobody"], "no usage point and no meter is called 'nobody'"),
        (["77"], "'77' is a usage point and a meter: say point:77 or id:3"),
        (["UP-1"], "say which register with --quantity: electricity 1-0:1.8.0, water 8-0:1.0.0"),
        (["m-1", "--quantity", "voltage_l1"], "is no register that goes up"),
        (["m-1", "--quantity", "voltage_l1", "--lang", "zh"], "不是累计量"),
        (["m-1", "--from", "0001-01-01", "--to", "0002-01-01"], "wanted a day from 1970-01-02 to 2099-12-30"),
        (["m-1", "--to", "9999-12-31"], "wanted a day from 1970-01-02 to 2099-12-30"),
        (["m-1", "--quantity", "volts"], "found 'volts'"),
        (["m-1", "--from", "2026-03-01", "--to", "2026-02-01"], "the last month is not before the first"),
        (["m-1", "--from", "yesterday"], "is no day"),
    ],
)
def test_what_cannot_be_asked_is_told(call: Call, data: tuple[str, Path], words: list[str], told: str) -> None:
    said = call("usage", *words, *data)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert call("usage", "point:77", "--quantity", "8-0:1.0.0", *data).code == 0


def test_usage_for_a_spreadsheet_is_numbers(call: Call, data: tuple[str, Path]) -> None:
    for value, day in (("-3", "2026-03-01"), ("-9", "2026-03-02")):
        added = call("reading", "add", "id:3", "--quantity", "1-0:16.8.0", "--time", day, *data, "--", value)
        assert added.code == 0
    asked = ("usage", "id:3", "--by", "day", "--from", "2026-03-01", "--to", "2026-03-01", "--quantity", "1-0:16.8.0")
    line = call(*asked, "--csv", *data).out.splitlines()[1]
    assert line.split(",")[:4] == ["2026-03-01", "2026-03-02", "-6", "kWh"]


def test_an_exchange_below_a_reading_of_long_ago_is_refused(call: Call, data: tuple[str, Path]) -> None:
    words = ("meter", "remove", "m-1", "--at", "2099-01-01", "--out", "50000", *data)
    assert call(*words).code == 2
    assert "99000 m³ is less than 99998.5 m³" in call(*words[:4], "2026-11-01", "--out", "99000", *data).err


def test_a_list_of_exchanges(call: Call, data: tuple[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("old,new,time,out,in\nm-1,m-2,2026-02-20,99999,0.5\n", encoding="utf-8")
    checked = call("meter", "exchanges", file, "--check", *data)
    assert checked.out.splitlines()[0] == "exchanges: 1 new, 0 known already"
    assert call("reading", "list", "m-2", "--json", *data).json["readings"] == []
    assert call("meter", "exchanges", file, *data).out.endswith("\nimported\n")
    assert call("meter", "exchanges", file, "--json", *data).json["counts"] == {
        "created": 0, "changed": 0, "unchanged": 1,
    }  # fmt: skip
    rows = call("query", "SELECT value FROM readings WHERE meter = 2", "--format", "json", *data).json
    assert rows == [{"value": 500_000}]
    file.write_text("old,new,time,out,in\nm-1,m-2,2026-02-20,99999,0.6\n", encoding="utf-8")
    said = call("meter", "exchanges", file, "--lang", "zh", *data)
    assert said.code == 1
    assert "第2行" in said.out
