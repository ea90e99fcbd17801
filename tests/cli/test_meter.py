"""``meterweave meter show``: one meter, from the archives to the octets."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from meterweave.cli.folder import Folder
from meterweave.lake import Lake, LakeSettings
from meterweave.registry.collection import CollectionPlan
from tests.cli.centre_data import JOINED, REPORT, SLOTS
from tests.cli.conftest import Call
from tests.lake.rows import ENERGY, NOON_US, VOLTAGE, batch, curve
from tests.registry.records import add_meter

DAY = "2026-11-20"


def test_the_page_has_archives_values_and_days(call: Call, centre: Path) -> None:
    said = call("meter", "show", "A-55", "--data", centre, "--day", DAY, "--days", 2)
    assert said.code == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[0] == "electricity meter dlt645 000000000055"
    assert "asset number A-55" in lines
    assert any(line.startswith("terminal dlt698 000000000100, pump house, active, heard 5 h ago") for line in lines)
    assert "CT ratio 600/5" in lines
    assert "UP-1 2026-06-01 08:00:00 still there" in lines
    assert any(line.startswith("active energy import 12.34 kWh daily freeze 2026-11-21 00:00:00 ") for line in lines)
    assert any(line.startswith("voltage, phase A 220.92 V curve 2026-11-20 23:00:00 ") for line in lines)
    assert f"{DAY} {SLOTS}/384 1/2 active energy import 0/96" in lines  # four quantities, every quarter of an hour
    assert "2026-11-19 0/384 0/2 active energy import 0/96" in lines


def test_what_happened_is_told_in_words(call: Call, centre: Path) -> None:
    said = call("meter", "show", "A-55", "--data", centre, "--day", DAY)
    assert "2026-11-20 09:00:00  meter cover opened" in said.out
    assert "outage" not in said.out
    (event,) = call("meter", "show", "A-55", "--data", centre, "--json", "--lang", "zh").json["events"]
    assert (event["name"], event["meaning"], event["ended"], event["detail"]) == (
        "cover_opened",
        "开表盖",
        "2026-11-20T10:00:00+08:00",
        {"a": 1},
    )
    assert call("meter", "show", "A-55", "--data", centre, "--day", "2026-11-19", "--json").json["events"] == []


def test_a_reading_is_traced_to_its_octets(call: Call, centre: Path) -> None:
    found = call("meter", "show", "A-55", "--data", centre, "--frames", "--json").json["trace"]
    assert found["reading"]["value"] == "12.3400"
    assert found["carried_by_each"]
    (frame,) = found["frames"]
    assert (frame["direction"], frame["protocol"], frame["octets"]) == ("in", "dlt698", REPORT.hex())
    assert frame["decoded"]["apdu"]
    said = call("meter", "show", "A-55", "--data", centre, "--frames")
    assert "Frames that carried active energy import of 2026-11-21 00:00:00" in said.out
    assert "#1  2026-11-21 01:00:00  ←  DL/T 698.45" in said.out
    assert "12.34 kWh" in said.out


def test_a_reading_that_came_in_many_fragments_is_traced_too(call: Call, centre: Path) -> None:
    found = call("meter", "show", "id:3", "--data", centre, "--frames", "--json").json["trace"]
    assert (found["reading"]["value"], found["carried_by_each"]) == ("56.7800", True)
    (frame,) = found["frames"]
    assert frame["octets"] == JOINED.hex()
    assert frame["decoded"]["kind"] == "apdu"
    assert "56.78 kWh" in call("meter", "show", "id:3", "--data", centre, "--frames").out


def test_where_no_frame_holds_it_alone_all_that_came_together_are_shown(call: Call, centre: Path) -> None:
    words = ("meter", "show", "A-55", "--data", centre, "--frames", "--quantity", "voltage_l1")
    found = call(*words, "--json").json["trace"]
    assert (found["carried_by_each"], len(found["frames"])) == (False, 1)
    said = call(*words)
    assert "none of them carries it alone" in said.out
    assert "LINK-Request" in said.out


def test_where_no_frame_is_kept_that_is_said(call: Call, centre: Path) -> None:
    said = call("meter", "show", "id:3", "--data", centre, "--frames", "--quantity", "voltage_l1")
    assert said.code == 0
    assert "none is kept" in said.out


def test_the_same_for_programs(call: Call, centre: Path) -> None:
    found = call("meter", "show", "55", "--data", centre, "--day", DAY, "--days", 1, "--json").json
    assert found["meter"]["asset_number"] == "A-55"
    assert [span["usage_point"] for span in found["meter"]["history"]] == ["UP-1"]
    energy, voltage = found["latest"]
    assert (energy["obis"], energy["value"], energy["unit"], energy["profile"]) == (
        "1-0:1.8.0",
        "12.3400",
        "kWh",
        "daily",
    )
    assert energy["time"] == "2026-11-21T00:00:00+08:00"
    assert voltage["age_s"] - energy["age_s"] == 3600
    assert (voltage["name"], voltage["value"], voltage["quality"]) == ("voltage_l1", "220.92", [])
    (day,) = found["days"]
    assert day["day"] == DAY
    assert (day["curve"]["stored"], day["curve"]["expected"]) == (SLOTS, 384)
    assert day["curve"]["quantities"]["voltage_l1"] == {"stored": SLOTS, "expected": 96}
    assert day["daily_freeze"] == {
        "stored": 1,
        "expected": 2,
        "quantities": {
            "active_import_energy": {"stored": 1, "expected": 1},
            "active_export_energy": {"stored": 0, "expected": 1},
        },
    }
    assert "trace" not in found


def test_what_a_meter_does_not_have_is_counted_alone(call: Call, tmp_path: Path) -> None:
    with Folder(tmp_path).registry() as registry, registry.writing() as session:
        meter = add_meter(session, "55").id
    with Lake.open(tmp_path / "lake", maintain=False) as lake:
        lake.append_blocking(batch([(meter, quantity, 0, NOON_US, value, 0, 0, NOON_US) for quantity, value in (
            (ENERGY, 5), (VOLTAGE, None),
        )]))  # fmt: skip
    words = ("meter", "show", "55", "--data", tmp_path, "--day", "2026-06-01")
    said = call(*words)
    assert "… and 1 that the meter has no value of" in said.out
    assert "voltage" not in said.out
    assert [one["value"] for one in call(*words, "--json").json["latest"]] == ["0.0005", None]


def test_in_chinese(call: Call, centre: Path) -> None:
    said = call("meter", "show", "A-55", "--data", centre, "--day", DAY, "--lang", "zh")
    for words in ("电表 dlt645 000000000055", "资产编号", "A相电压", "日冻结", "曲线", "正常", "上报"):
        assert words in said.out


def test_one_quantity_alone(call: Call, centre: Path) -> None:
    for word in ("voltage_l1", "1-0:32.7.0"):
        found = call("meter", "show", "A-55", "--data", centre, "--day", DAY, "--json", "--quantity", word).json
        assert [one["name"] for one in found["latest"]] == ["voltage_l1"]
    said = call("meter", "show", "A-55", "--data", centre, "--quantity", "volts")
    assert said.code == 2
    assert "no quantity is called 'volts'" in said.err


def test_several_are_listed_with_what_chooses_one(call: Call, centre: Path) -> None:
    said = call("meter", "show", "TWICE", "--data", centre, "--json")
    assert said.code == 2
    assert said.out == ""
    assert "id:2  cjt188 00000000000056  water" in said.err
    chosen = call("meter", "show", "id:2", "--data", centre, "--json").json
    assert chosen["meter"]["utility"] == "water"
    assert chosen["latest"] == []
    assert chosen["days"][1]["curve"] == {
        "stored": 0,
        "expected": 24,
        "quantities": {"cold_water_volume": {"stored": 0, "expected": 24}},
    }


def test_nothing_is_expected_of_a_meter_that_is_gone_but_what_came_counts(call: Call, centre: Path) -> None:
    said = call("meter", "show", "id:3", "--data", centre, "--day", DAY, "--days", 2)
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert f"{DAY} 1/1 1/1" in lines
    assert "2026-11-19 – –" in lines


def test_nothing_is_expected_before_the_terminal_was_heard(call: Call, centre: Path) -> None:
    found = call("meter", "show", "id:4", "--data", centre, "--json").json["days"]
    assert len(found) == 7
    assert {(day["curve"]["expected"], day["daily_freeze"]["expected"]) for day in found} == {(0, 0)}


def test_a_plan_that_is_switched_off_wants_nothing(call: Call, tmp_path: Path) -> None:
    with Folder(tmp_path).registry() as registry, registry.writing() as session:
        add_meter(session, "55")
        session.execute(update(CollectionPlan).values(enabled=False))
    said = call("meter", "show", "55", "--data", tmp_path)
    assert "no readings yet" in said.out
    assert "no collection plan wants anything of it" in said.out
    assert call("meter", "show", "55", "--data", tmp_path, "--json").json["days"] == []
    assert [one.name for one in tmp_path.iterdir()] == ["registry.sqlite"]


def test_a_meter_without_terminal_or_readings_has_a_page(call: Call, centre: Path) -> None:
    said = call("meter", "show", "id:4", "--data", centre)
    assert said.code == 0
    assert "no readings yet" in said.out
    assert "measuring point" in said.out


def test_mistakes(call: Call, centre: Path) -> None:
    assert call("meter", "show", "999", "--data", centre).err == "meterweave: no meter is called '999'\n"
    said = call("meter", "show", "A-55", "--data", centre, "--day", "yesterday")
    assert (said.code, "YYYY-MM-DD" in said.err) == (2, True)


def test_it_disturbs_nobody_who_writes(call: Call, centre: Path) -> None:
    with Lake.open(centre / "lake", maintain=False):
        assert call("meter", "show", "A-55", "--data", centre).code == 0


def test_a_lake_with_other_days_is_read_where_the_zone_is_told(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Folder(tmp_path).registry() as registry, registry.writing() as session:
        meter = add_meter(session, "55").id
    with Lake.open(tmp_path / "lake", LakeSettings(zone=ZoneInfo("Europe/Berlin")), maintain=False) as lake:
        lake.append_blocking(curve(range(meter, meter + 1), points=1))
        lake.commit()
    said = call("meter", "show", "55", "--data", tmp_path, "--day", "2026-06-01")
    assert (said.code, "parts its days in Europe/Berlin" in said.err) == (2, True)
    monkeypatch.setenv("METERWEAVE_ZONE", "Europe/Berlin")
    assert "2026-06-01 06:00:00" in call("meter", "show", "55", "--data", tmp_path, "--day", "2026-06-01").out
    assert call("query", "--data", tmp_path, "SELECT day FROM readings").out.split() == ["day", "2026-06-01"]
    monkeypatch.setenv("METERWEAVE_ZONE", "Nowhere/Town")
    assert "no time zone" in call("meter", "show", "55", "--data", tmp_path).err
