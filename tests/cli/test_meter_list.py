"""``meterweave meter list``: the one list, for people, spreadsheets and programs."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterweave.cli import meter
from meterweave.mdm.estate import How
from meterweave.metering.clock import SHANGHAI
from meterweave.registry.vocabulary import Utility
from tests.cli.conftest import Call

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0).astimezone(SHANGHAI)


@pytest.fixture(scope="module")
def read(centre: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small centre, a copy."""
    return shutil.copytree(centre, tmp_path_factory.mktemp("list") / "centre")


@pytest.fixture
def estate(read: Path, call: Call) -> Path:
    """The small centre with a reading of one of its meters that somebody entered yesterday."""
    assert call("reading", "add", "A-55", "99.5", "--time", YESTERDAY.isoformat(), "--data", read).code == 0
    return read


def test_the_list_has_every_meter_with_its_last_reading(call: Call, estate: Path) -> None:
    said = call("meter", "list", "--data", estate)
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[0].startswith("meter utility collected model on usage point last reading read at ago came by")
    mine = next(line for line in lines if line.startswith("A-55 "))
    when = f"{YESTERDAY:%Y-%m-%d %H:%M:%S}"
    assert mine.startswith(f"A-55 electricity concentrator dlt698 pump house UP-1 99.5 kWh {when} ")
    assert mine.endswith(" h ago entered")
    assert any(line.startswith("TWICE water concentrator dlt698 pump house none in 62 days") for line in lines)
    assert len(lines) == 5


def test_the_same_for_programs_and_spreadsheets(call: Call, estate: Path) -> None:
    found = call("meter", "list", "--data", estate, "--json").json
    assert found["after"] is None
    first = next(one for one in found["meters"] if one["asset_number"] == "A-55")
    assert (first["how"], first["terminal"]) == ("concentrator", "000000000100")
    assert first["last"] == {
        "obis": "1-0:1.8.0",
        "name": "active_import_energy",
        "value": "99.5000",
        "unit": "kWh",
        "time": YESTERDAY.isoformat(),
        "source": "entered",
    }
    rows = list(csv.DictReader(call("meter", "list", "--data", estate, "--csv").out.lstrip("\ufeff").splitlines()))
    assert [row["id"] for row in rows] == [str(one["id"]) for one in found["meters"]]
    mine = next(row for row in rows if row["asset number"] == "A-55")
    assert (mine["last reading"], mine["unit"], mine["read at"], mine["district"]) == (
        "99.5",
        "kWh",
        f"{YESTERDAY:%Y-%m-%d %H:%M:%S}",
        "D1",
    )


def test_it_goes_on_where_it_ended(call: Call, estate: Path) -> None:
    whole = [one["id"] for one in call("meter", "list", "--data", estate, "--all", "--json").json["meters"]]
    first = call("meter", "list", "--data", estate, "--limit", 3)
    assert first.out.splitlines()[-1] == f"there are more: --after id:{whole[2]}"
    part = call("meter", "list", "--data", estate, "--limit", 3, "--json").json
    rest = call("meter", "list", "--data", estate, "--after", part["after"], "--json").json
    assert [one["id"] for one in (*part["meters"], *rest["meters"])] == whole


def test_parts_of_it(call: Call, estate: Path) -> None:
    water = call("meter", "list", "--data", estate, "--utility", "water", "--lang", "zh").out
    assert "水" in water.splitlines()[1]
    assert "集中器" in water.splitlines()[1]
    assert call("meter", "list", "--data", estate, "--how", "hand").out == "no meter is like that\n"
    assert len(call("meter", "list", "--data", estate, "--district", "D1", "--json").json["meters"]) == 3
    silent = call("meter", "list", "--data", estate, "--silent-for", 5000, "--json").json["meters"]
    assert "无  62天内" in water
    assert [one["last"] for one in silent] == [None, None]  # a water meter, and one behind a terminal never heard


def test_mistakes_are_told(call: Call, estate: Path) -> None:
    for words, told in (
        (["--district", "D9"], "no transformer district is called 'D9'"),
        (["--after", "55"], None),
        (["--after", "id:x"], "is no place in the list"),
        (["--after", "id:4711"], "no meter with id 4711"),
        (["--silent-for", "9999999999"], "Invalid value"),
        (["--limit", "9" * 20], "Invalid value"),
    ):
        said = call("meter", "list", "--data", estate, *words)
        assert said.code == 2
        assert (told or "there is no meter with id 55") in said.err


def test_the_words_of_the_options_are_those_of_the_list() -> None:
    assert [one.value for one in meter.How] == [one.value for one in How]
    assert [one.value for one in meter.Utility] == [one.value for one in Utility]
