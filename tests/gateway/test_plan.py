"""A gateway's plan: as JSON and back, hostile JSON, and what of it can be run."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import ConfigError
from meterweave.field.draft import Member
from meterweave.field.reach import Reach
from meterweave.gateway.plan import Builder, SiteLine, SitePlan, SiteWay
from meterweave.profiles import texts

MODEL = "prepaid-modbus-single-phase"


def line(terminal: int = 10, *members: Member, **way: Any) -> SiteLine:
    told: dict[str, Any] = {"kind": "tcp", "host": "192.0.2.7", "port": 4001} | way
    return SiteLine(terminal=terminal, name=f"line-{terminal}", way=SiteWay(**told), members=members)


def member(meter: int, address: str | None = None, model: str = MODEL) -> Member:
    return Member(meter, "modbus", address or f"u{meter}", model)


def plan(*lines: SiteLine, **profiles: str) -> SitePlan:
    return SitePlan(gateway=1, lines=lines, profiles=profiles or {MODEL: texts()[MODEL]})


WHOLE = plan(
    line(10, member(1), member(2), period_s=300, attempts=2),
    line(11, kind="dtu", host=None, port=None, packet=b"\x01\xff", heartbeat=b"hb"),
    line(12, kind="serial", host=None, port=None, path="/dev/ttyS1", baud=2400, parity="even", stop_bits=1),
)


def test_a_plan_comes_back_as_it_went() -> None:
    again = SitePlan.from_json(WHOLE.to_json())
    assert again == WHOLE
    assert again.revision == WHOLE.revision
    assert plan(line(10, member(1))).revision != plan(line(10, member(2))).revision


JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=4)


@given(st.data())
def test_whatever_is_wrong_with_a_plan_is_a_config_error(data: st.DataObject) -> None:
    told: Any = copy.deepcopy(WHOLE.to_json())
    at = told
    while True:
        keys = list(range(len(at))) if isinstance(at, list) else list(at)
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], list | dict) or data.draw(st.booleans()):
            at[key] = data.draw(JUNK)
            break
        at = at[key]
    try:
        SitePlan.from_json(told)
    except ConfigError as error:
        assert "plan" in str(error)  # noqa: PT017 - whether it is raised depends on what was drawn


@pytest.mark.parametrize("told", [None, [], {}, {"gateway": 1}, "x"])
def test_what_is_no_plan_is_refused(told: object) -> None:
    with pytest.raises(ConfigError):
        SitePlan.from_json(told)


def test_too_much_is_refused() -> None:
    with pytest.raises(ConfigError, match="at most"):
        plan(*(line(number) for number in range(1001)))


def test_what_can_be_run_is_and_the_rest_says_why() -> None:
    site = Builder(Reach()).build(
        plan(
            line(10, member(1), member(2, model="nothing"), member(3, "u1")),
            line(11, member(4, model="broken")),
            line(12, member(5), kind="dtu", host=None, port=None, packet=b"x"),
            line(13, member(6), kind="pigeon"),
            line(14, member(7), bus="pigeon"),
            line(15),
            **{MODEL: texts()[MODEL], "broken": "name: broken\nprotocol: modbuss\n"},
        )
    )
    assert [drawn.name for drawn, _ in site.lines] == ["line-10"]
    assert [device.meter for device in site.lines[0][0].devices] == [1]
    assert set(site.device_problems) == {2, 3, 4}
    assert "broken:2:11" in site.device_problems[4]
    assert set(site.problems) == {11, 12, 13, 14, 15}
    assert site.terminals == {1: 10, 2: 10, 3: 10, 4: 11, 5: 12, 6: 13, 7: 14}


def test_what_stays_the_same_is_the_same_object() -> None:
    builder = Builder(Reach())
    before = builder.build(plan(line(10, member(1)), line(11, member(2))))
    after = builder.build(plan(line(10, member(1)), line(11, member(2), member(3))))
    assert after.lines[0][1] is before.lines[0][1]
    assert after.lines[0][0] == before.lines[0][0]
    assert after.lines[1][0] != before.lines[1][0]
    assert after.lines[0][0].devices[0].profile is before.lines[0][0].devices[0].profile
    changed = builder.build(plan(line(10, member(1)), **{MODEL: texts()[MODEL].replace("baud: 9600", "baud: 4800")}))
    assert changed.lines[0][0] != before.lines[0][0]
