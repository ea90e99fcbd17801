"""Wishes and what came of them, over real sockets and through hostile JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import ConfigError
from meterweave.field.collector import Collector
from meterweave.field.dtu import DtuListener
from meterweave.field.order import ACTIONS, QUANTITIES, Happened, Outcome, Wish, carry_out
from meterweave.field.plan import DevicePlan, LinePlan
from meterweave.field.ports import TcpPort
from meterweave.profiles import Device, parse, shipped, texts
from meterweave.text import Text
from tests.field.test_collector import MODBUS, QUICK, Kept, bus_of, line_of, run, running, until, whole
from tests.field.wire import Bus, SerialServer

UNPROVEN = parse(texts()["prepaid-modbus-single-phase"].replace(", proven: yes", ""))
BLIND = shipped("mbus-water")


async def _tried(wish: Wish, bus: Bus, plan: LinePlan, kept: Kept | None = None) -> Happened:
    async with SerialServer(bus) as server:
        collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept or Kept(), QUICK)
        found: list[Happened] = []

        async def work() -> None:
            await until(lambda: sum(own.asked for own in collector.lanes["a"].devices.values()) > 0)
            found.append(await carry_out(collector, wish))

        await running(collector, work())
    return found[0]


def test_an_order_is_done_when_the_device_says_so() -> None:
    async def test() -> None:
        plan = line_of("a", [1, 2])
        bus = bus_of(plan)
        assert await _tried(Wish(meter=2, action="trip"), bus, plan) == Happened(Outcome.DONE)
        assert [one.name for one in bus.devices[1][0].given] == ["trip"]
        assert await _tried(Wish(meter=2, action="state"), bus, plan) == (Outcome.DONE, None, False)
        assert await _tried(Wish(meter=1, action="state"), bus, plan) == (Outcome.DONE, None, True)

    run(test())


def test_an_order_whose_answer_is_swallowed_is_unknown_and_was_sent_once() -> None:
    async def test() -> None:
        plan = line_of("a", [1])
        bus = bus_of(plan)
        trip = MODBUS.trip("1").octets
        bus.spoil = lambda octets: b"" if bus.asked[-1] == trip else octets
        happened = await _tried(Wish(meter=1, action="trip"), bus, plan)
        assert (happened.result, happened.reason and happened.reason.en) == ("unknown", "the device did not answer")
        assert bus.asked.count(trip) == 1
        assert (await _tried(Wish(meter=1, action="state"), bus, plan)).closed is False

    run(test())


def test_a_reading_is_done_when_it_is_kept_and_only_what_is_wanted_is_read() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1]), Kept()
        wish = Wish(meter=1, action="read", values={QUANTITIES: "1-0:1.8.0 1-0:32.7.0"})
        assert await _tried(wish, bus_of(plan), plan, kept) == Happened(Outcome.DONE)
        codes = {one.quantity.code for one in MODBUS.points if one.quantity.obis in ("1-0:1.8.0", "1-0:32.7.0")}
        twice = sorted([*whole(plan), *((1, code) for code in codes)])
        assert sorted(kept.pairs) == twice

    run(test())


def refused(change: Callable[[LinePlan], LinePlan], wish: Wish, words: str) -> None:
    async def test() -> None:
        plan = change(line_of("a", [1]))
        bus = Bus([Device(one.profile, one.address) for one in plan.devices])
        happened = await _tried(wish, bus, plan)
        assert happened.result is Outcome.REFUSED
        assert happened.reason is not None
        assert words in happened.reason.en
        assert bus.devices[0][0].given == []

    run(test())


def _with(profile: Any) -> Callable[[LinePlan], LinePlan]:
    device = DevicePlan(meter=1, profile=profile, address="1", period_s=900)
    return lambda plan: LinePlan(name=plan.name, devices=(device,))


@pytest.mark.parametrize(
    ("profile", "wish", "words"),
    [
        (UNPROVEN, Wish(meter=1, action="trip"), "add proven: yes to it in a copy"),
        (MODBUS, Wish(meter=1, action="price", unproven=True), "is missing"),
        (MODBUS, Wish(meter=1, action="read", values={QUANTITIES: "8-0:1.0.0"}), "has none of 8-0:1.0.0"),
        (BLIND, Wish(meter=1, action="state"), "add control.state"),
        (BLIND, Wish(meter=1, action="trip"), "has no order trip"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words_and_not_sent(profile: Any, wish: Wish, words: str) -> None:
    refused(_with(profile), wish, words)


def test_an_unproven_order_is_sent_where_somebody_insists() -> None:
    async def test() -> None:
        plan = _with(UNPROVEN)(line_of("a", [1]))
        bus = Bus([Device(UNPROVEN, "1")])
        assert (await _tried(Wish(meter=1, action="trip", unproven=True), bus, plan)).result is Outcome.DONE

    run(test())


def test_what_was_not_sent_is_told_apart() -> None:
    async def test() -> None:
        collector = Collector([(line_of("a", [1]), DtuListener().port(b"never"))], Kept(), QUICK)

        async def work() -> None:
            assert (await carry_out(collector, Wish(meter=9, action="trip"))).result is Outcome.NOT_SENT
            late = await carry_out(collector, Wish(meter=1, action="trip"), begin_s=0.05)
            assert (late.result, late.reason and "nothing was sent" in late.reason.en) == (Outcome.NOT_SENT, True)
            waiting = [asyncio.create_task(carry_out(collector, Wish(meter=1, action="state"))) for _ in range(32)]
            await asyncio.sleep(0)
            assert "too many" in str((await carry_out(collector, Wish(meter=1, action="state"))).reason)
            for one in waiting:
                one.cancel()

        await running(collector, work())

    run(test())


# JSON -----------------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@given(
    st.builds(
        Wish,
        meter=st.integers(1, (1 << 63) - 1),
        action=st.sampled_from(ACTIONS),
        values=st.dictionaries(TEXT, TEXT, max_size=16),
        level=st.integers(0, 255),
        password=st.binary(min_size=3, max_size=3),
        operator=st.binary(min_size=4, max_size=4),
        unproven=st.booleans(),
    )
)
def test_a_wish_goes_through_json_and_back(wish: Wish) -> None:
    assert Wish.from_json(json.loads(json.dumps(wish.to_json()))) == wish


@given(st.sampled_from(Outcome), st.none() | st.builds(Text, TEXT, TEXT), st.none() | st.booleans())
def test_what_happened_goes_through_json_and_back(result: Outcome, reason: Text | None, closed: bool | None) -> None:
    happened = Happened(result, reason, closed)
    assert Happened.from_json(json.loads(json.dumps(happened.to_json()))) == happened


def test_the_password_is_not_shown() -> None:
    assert "abcdef" not in repr(Wish(meter=1, action="trip", password=bytes.fromhex("abcdef")))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
GOOD_WISH = Wish(meter=1, action="trip").to_json()
GOOD_END = Happened(Outcome.REFUSED, Text("no", "否"), True).to_json()


@given(st.sampled_from(sorted(GOOD_WISH)), JUNK)
def test_hostile_wishes_are_config_errors(name: str, junk: Any) -> None:
    for said in (junk, GOOD_WISH | {name: junk}, {**GOOD_WISH, "more": junk}):
        try:
            Wish.from_json(said)
        except ConfigError:
            continue
        assert isinstance(said, dict)


@given(st.sampled_from(sorted(GOOD_END)), JUNK)
def test_hostile_outcomes_are_config_errors(name: str, junk: Any) -> None:
    for said in (junk, GOOD_END | {name: junk}, {**GOOD_END, "more": junk}):
        try:
            Happened.from_json(said)
        except ConfigError:
            continue
        assert isinstance(said, dict)


@pytest.mark.parametrize(
    "wrong",
    [
        {"meter": 0},
        {"meter": True},
        {"meter": 1 << 63},
        {"action": "keep"},
        {"level": 256},
        {"password": "0000"},
        {"password": "zz0000"},
        {"operator": "00"},
        {"unproven": 1},
        {"values": {"a": 1}},
        {"values": {str(one): "" for one in range(17)}},
        {"values": {"a": "x" * 8001}},
    ],
)
def test_a_wish_of_the_wrong_size_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="wish"):
        Wish.from_json(GOOD_WISH | wrong)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udfff\ud800"])
def test_texts_that_no_database_takes_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="NUL"):
        Happened.from_json(GOOD_END | {"reason": {"en": text, "zh": ""}})
    with pytest.raises(ConfigError, match="NUL"):
        Happened.from_json(GOOD_END | {"reason": {"en": "", "zh": text}})
    for values in ({text: "1"}, {"amount": text}):
        with pytest.raises(ConfigError, match="NUL"):
            Wish.from_json(GOOD_WISH | {"values": values})
