"""``meterweave collection``: read from what a real collector wrote, beside it and after it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from meterweave.headend.collection import read_plans
from meterweave.metering.quantities import obis_code
from meterweave.registry import Registry
from meterweave.registry.collection import Series
from tests.cli.conftest import Call
from tests.headend.collecting import MIDNIGHT, collecting, estate

DUE = (7 * 96 + 48) * 4 * 2  # two meters, four quantities, a week and half a day
DAY_DUE = 96 * 4 * 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre whose terminal 1 gave all, while meter 4 behind terminal 2 never answered and terminal 3 is away."""
    folder = tmp_path_factory.mktemp("centre")

    async def work() -> None:
        async with collecting(
            folder,
            lambda registry: estate(registry, terminals=3),
            change=lambda town: (
                town.away.add(3),
                setattr(town, "has", lambda meter, quantity, at_us: meter != 4),
            ),
        ) as site:
            await site.until(lambda: site.collector.progress.given_up == DUE // 2)

    asyncio.run(work())
    return folder


def test_status_says_how_it_stands_by_profile(call: Call, data: Path) -> None:
    found = call("collection", "status", "--data", data, "--json").json
    (profile,) = found["profiles"]
    assert (profile["profile"], profile["expected"], profile["stored"]) == ("curve", 3 * DUE, DUE + DUE // 2)
    assert (profile["first_try_rate"], profile["final_rate"]) == (0.0, 0.5)
    assert (profile["gaps_open"], profile["given_up"]) == (2 * 8, DUE // 2)
    assert profile["oldest_unread"] == (MIDNIGHT - timedelta(days=7)).isoformat()
    assert [one["plan"] for one in found["plans"]] == ["electricity-curve"]
    assert [(one["address"], one["final_rate"]) for one in found["worst"]] == [
        ("000000000003", 0.0),
        ("000000000002", 0.5),
    ]
    assert found["worst"][1]["reason"]["en"] == "the terminal answered, and had not all of it"


def test_status_of_a_day_and_of_a_terminal(call: Call, data: Path) -> None:
    of_day = call("collection", "status", "--data", data, "--json", "--day", "2026-06-09").json
    assert of_day["profiles"][0]["expected"] == 3 * DAY_DUE
    of_terminal = call("collection", "status", "--data", data, "--json", "--terminal", "000000000001").json
    assert of_terminal["profiles"][0]["final_rate"] == 1.0
    assert of_terminal["worst"] == []
    assert call("collection", "status", "--data", data, "--json", "--worst", 1).json["worst"][0]["terminal"] == 3


def test_status_for_people(call: Call, data: Path) -> None:
    said = call("collection", "status", "--data", data)
    assert said.code == 0
    assert "50.00 %" in said.out
    assert "dlt698 000000000003" in said.out
    chinese = call("collection", "status", "--data", data, "--lang", "zh").out
    assert "最终成功率" in chinese
    assert "终端已应答，但数据不全" in chinese


def test_gaps_are_listed_in_parts(call: Call, data: Path) -> None:
    found = call("collection", "gaps", "--data", data, "--json").json
    assert (found["total"], found["missing"]) == (16, DUE + DUE // 2)
    assert [one["day"] for one in found["gaps"]] == sorted((one["day"] for one in found["gaps"]), reverse=True)
    given_up = call("collection", "gaps", "--data", data, "--json", "--state", "given_up", "--limit", 3).json
    assert (given_up["total"], len(given_up["gaps"])) == (8, 3)
    assert {(one["attempts"], one["meters"]) for one in given_up["gaps"]} == {(3, 1)}
    rest = call("collection", "gaps", "--data", data, "--json", "--state", "given_up", "--offset", 6).json
    assert len(rest["gaps"]) == 2
    said = call("collection", "gaps", "--data", data, "--terminal", "000000000003", "--limit", 2)
    assert said.out.splitlines()[-1] == f"1 to 2 of 8 gaps, {DUE:,} readings in all of them"
    assert "not asked for yet" in said.out
    assert call("collection", "gaps", "--data", data, "--terminal", "1").out == "nothing is missing\n"


def test_a_terminal_that_is_not_there_is_an_error(call: Call, data: Path) -> None:
    said = call("collection", "gaps", "--data", data, "--terminal", "77")
    assert said.code == 2
    assert "no terminal is called '77'" in said.err


def plan_named(folder: Path, name: str) -> object:
    registry = Registry.open(folder / "registry.sqlite")
    with registry.reading() as session:
        found = next((plan for plan in read_plans(session) if plan.name == name), None)
    registry.close()
    return found


def test_plans_are_listed_changed_and_made(call: Call, tmp_path: Path) -> None:
    Registry.open(tmp_path / "registry.sqlite").close()
    plans = {one["name"]: one for one in call("collection", "plans", "--data", tmp_path, "--json").json["plans"]}
    assert plans["electricity-curve"]["period_s"] == 900
    assert not plans["electricity-monthly"]["enabled"]
    assert "voltage_l1" in call("collection", "plans", "--data", tmp_path).out

    said = call(
        "collection", "plan", "set", "electricity-curve", "--data", tmp_path, "--period", "30m", "--deadline", "1h",
        "--memory", 10, "--quantities", "active_import_energy, 1-0:14.7.0", "--disable",
    )  # fmt: skip
    assert said.code == 0
    changed = plan_named(tmp_path, "electricity-curve")
    assert changed is not None
    assert (changed.period_s, changed.deadline_s, changed.memory_days, changed.enabled) == (1800, 3600, 10, False)
    assert changed.quantities == (obis_code("1-0:1.8.0"), obis_code("1-0:14.7.0"))

    made = call(
        "collection", "plan", "set", "minutes", "--data", tmp_path, "--utility", "electricity", "--series", "curve",
        "--quantities", "active_power", "--period", "1m", "--json",
    ).json  # fmt: skip
    assert (made["plans"][0]["name"], made["plans"][0]["memory_days"], made["plans"][0]["enabled"]) == (
        "minutes", 7, True,
    )  # fmt: skip
    found = plan_named(tmp_path, "minutes")
    assert found is not None
    assert (found.series, found.period_s) == (Series.CURVE, 60)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["electricity-curve", "--period", "7m"], "a curve has one of the periods"),
        (["electricity-daily", "--period", "15m"], "a daily plan has the period 0"),
        (["electricity-curve", "--quantities", "8-0:1.0.0"], "quantity of water"),
        (["electricity-curve", "--quantities", "nonsense"], "no quantity is called 'nonsense'"),
        (["electricity-curve", "--quantities", ","], "at least one quantity"),
        (["electricity-curve", "--memory", "0"], "memory is 1 to 3660"),
        (["electricity-curve", "--deadline", "60d"], "deadline is 0 to 30 days"),
        (["electricity-curve", "--district", "X"], "no district is called 'X'"),
        (["electricity-curve", "--utility", "gas"], "is a curve plan of electricity"),
        (["new"], "--utility, --series and --quantities"),
    ],
)
def test_a_plan_that_cannot_be_followed_changes_nothing(
    call: Call, tmp_path: Path, words: list[str], reason: str
) -> None:
    Registry.open(tmp_path / "registry.sqlite").close()
    before = call("collection", "plans", "--data", tmp_path, "--json").json
    said = call("collection", "plan", "set", *words, "--data", tmp_path)
    assert said.code == 2
    assert reason in said.err
    assert call("collection", "plans", "--data", tmp_path, "--json").json == before
