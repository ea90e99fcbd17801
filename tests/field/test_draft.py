"""From archives to plans: a meter that cannot be read is its own problem, not its line's."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterweave.field.draft import Draft, Member, bus_address, draft
from meterweave.profiles import texts
from meterweave.profiles.shelf import Shelf
from meterweave.registry.port import read_port

MODEL = "prepaid-modbus-single-phase"


def drafted(*members: Member, port: str = "tcp://h:1") -> Draft:
    return draft("a", read_port(port), members, Shelf())


def test_every_meter_gets_its_profile_and_the_period_of_the_line() -> None:
    found = drafted(Member(7, "modbus", "u5", MODEL), Member(8, "modbus", "u6", MODEL), port="tcp://h:1?period_s=60")
    assert found.plan is not None
    assert [(one.meter, one.address, one.every_s) for one in found.plan.devices] == [(7, "5", 60.0), (8, "6", 60.0)]
    assert found.problems == {}


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (Member(9, "modbus", "u9", ""), "it has no model"),
        (Member(9, "modbus", "u9", "prepaid-modbus-single-phas"), "did you mean prepaid-modbus-single-phase"),
        (Member(9, "dlt645", "000000000009", MODEL), "speaks dlt645, its profile prepaid-modbus-single-phase"),
        (Member(9, "modbus", "123456", MODEL), "is no Modbus unit"),
        (Member(9, "modbus", "u9", "json-meter"), "speak by themselves; a line cannot ask them"),
        (Member(9, "modbus", "u5", MODEL), "its address 5 is that of meter 7"),
    ],
)
def test_what_is_amiss_with_one_meter_is_told_of_it_and_the_others_are_planned(member: Member, words: str) -> None:
    found = drafted(Member(7, "modbus", "u5", MODEL), member)
    assert found.plan is not None
    assert [one.meter for one in found.plan.devices] == [7]
    assert words in found.problems[9].en
    assert found.problems[9].zh


def test_a_line_of_which_nobody_can_be_read_has_no_plan() -> None:
    assert drafted().plan is None
    assert drafted(Member(9, "modbus", "u9", "")).plan is None


@pytest.mark.parametrize(
    ("protocol", "address", "taken"),
    [
        ("modbus", "u247", "247"),
        ("mbus", "5", "5"),
        ("mbus", "KAM-12345678-01-04", "12345678"),
        ("dlt645", "000000000055", "000000000055"),
        ("cjt188", "00000000000055", "00000000000055"),
    ],
)
def test_addresses_of_the_archives_as_profiles_take_them(protocol: str, address: str, taken: str) -> None:
    assert bus_address(protocol, address) == taken


def test_mistakes_of_a_profile_are_told_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(texts()[MODEL].replace("voltage_l1", "voltage_l7"), encoding="utf-8")
    found = draft("a", read_port("tcp://h:1"), [Member(7, "modbus", "u5", "ours")], Shelf(tmp_path))
    assert "ours.yaml:" in found.problems[7].en
    assert "there is no quantity" in found.problems[7].en
    assert "没有" in found.problems[7].zh
