from __future__ import annotations

import random

import pytest

from meterweave.field.line import End
from meterweave.field.plan import BUS_PROTOCOLS, DevicePlan, LinePlan, answers_s
from meterweave.field.plan import Bus as BusKind
from meterweave.field.poller import CALLS_MAX, Call, Called, Poller, Told
from meterweave.profiles import Device, Profile, parse, shipped, texts
from tests.field.wire import Bus, Wire

MODBUS = shipped("prepaid-modbus-single-phase")
ENERGY = MODBUS.points[0].quantity.code


def address_of(profile: Profile, number: int) -> str:
    return str(number) if profile.protocol in ("modbus", "mbus") else f"{12340000 + number}"


def wire_of(
    count: int, profile: Profile = MODBUS, *, baud: int = 9600, period_s: float = 180, **how: float
) -> tuple[Poller, Wire]:
    plans = tuple(
        DevicePlan(meter=one, profile=profile, address=address_of(profile, one), period_s=period_s)
        for one in range(1, count + 1)
    )
    bus_kind = BusKind.MBUS if profile.protocol == "mbus" else BusKind.RS485
    poller = Poller(LinePlan(name="a", devices=plans, bus=bus_kind, baud=baud, **how))  # type: ignore[arg-type]
    poller.opened(0.0)
    bus = Bus([Device(profile, plan.address) for plan in plans])
    return poller, Wire(poller, bus, baud=baud)


@pytest.mark.parametrize("name", [name for name in texts() if shipped(name).protocol in BUS_PROTOCOLS])
def test_devices_of_every_shipped_profile_are_read_whole(name: str) -> None:
    profile = shipped(name)
    poller, wire = wire_of(3, profile, baud=profile.settings.baud, period_s=900)
    wire.run(wire.now + 120)
    got, notices = poller.take()
    assert notices == []
    for plan, (device, _) in zip(poller.plan.devices, wire.bus.devices, strict=True):
        read = {row.point.quantity.code for one in got if one.device == plan for row in one.answer.rows}
        assert read == {point.quantity.code for point in profile.points}
        assert not device.given
    assert all(own.polls == 1 for own in poller.counters.values())


def test_thirty_meters_at_9600_baud_are_read_within_three_minutes() -> None:
    poller, wire = wire_of(30)
    wire.run(wire.now + 180)
    assert [own.polls for own in poller.counters.values()] == [1] * 30
    wire.run(wire.now + 1800)
    assert all(own.polls in (10, 11) for own in poller.counters.values())
    assert poller.line.counters.timeouts == 0


def test_only_what_is_wanted_is_asked() -> None:
    voltage = next(point.quantity.code for point in MODBUS.points if point.quantity.name == "voltage_l1")
    plan = DevicePlan(meter=1, profile=MODBUS, address="1", wanted=frozenset({voltage}))
    poller = Poller(LinePlan(name="a", devices=(plan,)))
    wire = Wire(poller, Bus([Device(MODBUS, "1")]))
    wire.run(wire.now + 5)
    got, _ = poller.take()
    assert [[row.point.quantity.code for row in one.answer.rows] for one in got] == [[voltage]]


def test_a_dead_meter_costs_its_line_less_and_less() -> None:
    poller, wire = wire_of(10, period_s=60)
    wire.bus.dead = {"4"}
    wire.run(wire.now + 3600)
    assert min(own.polls for meter, own in poller.counters.items() if meter != 4) >= 59
    dead = poller.counters[4]
    # three attempts, then one each after 120, 240, … seconds
    assert (dead.polls, dead.timeouts) == (0, 3 + 4)
    assert poller.known(4) is Told.SILENT
    assert (poller.failures(4), poller.failures(5)) == (5, 0)
    _, notices = poller.take()
    assert [(notice.device.meter, notice.told) for notice in notices] == [(4, Told.SILENT)]


def test_a_dead_meter_that_comes_back_is_told_and_read_as_before() -> None:
    poller, wire = wire_of(2, period_s=60)
    wire.bus.dead = {"2"}
    wire.run(wire.now + 600)
    wire.bus.dead = set()
    wire.run(wire.now + 1200)
    before = poller.counters[2].polls
    wire.run(wire.now + 600)
    assert poller.counters[2].polls - before in (10, 11)
    assert [notice.told for notice in poller.take()[1]] == [Told.SILENT, Told.BACK]
    assert poller.known(2) is None


def test_two_devices_with_one_address_are_told_and_the_others_read() -> None:
    poller, wire = wire_of(3, period_s=60)
    other = Device(MODBUS, "2", {ENERGY: 77_000})
    wire.bus.devices.append((other, other.line()))
    wire.run(wire.now + 600)
    assert poller.known(2) is Told.BROKEN
    assert poller.counters[2].bad_frames >= 3
    got, notices = poller.take()
    assert [notice.told for notice in notices] == [Told.BROKEN]
    assert min(poller.counters[one].polls for one in (1, 3)) >= 10
    assert all(one.device.meter != 2 or not one.answer.problem for one in got)


def test_on_a_noisy_line_everything_is_read_in_the_end_and_nothing_false() -> None:
    poller, wire = wire_of(10, period_s=60)
    chance = random.Random(4)

    def spoil(octets: bytes) -> bytes:
        match chance.randrange(6):
            case 0:
                return octets[: chance.randrange(len(octets))]
            case 1:
                at = chance.randrange(len(octets))
                return octets[:at] + bytes([octets[at] ^ 1 << chance.randrange(8)]) + octets[at + 1 :]
            case 2:
                return chance.randbytes(chance.randrange(1, 20)) + octets
        return octets

    wire.bus.spoil = spoil
    for device, _ in wire.bus.devices:
        device.set(ENERGY, int(device.address) * 1000)
    wire.run(wire.now + 3600)
    got, _ = poller.take()
    energies = {
        (one.device.meter, row.value) for one in got for row in one.answer.rows if row.point == MODBUS.points[0]
    }
    assert energies == {(meter, meter * 1000) for meter in range(1, 11)}
    assert min(own.polls for own in poller.counters.values()) > 30
    assert poller.line.counters.bad_frames > 50
    assert poller.line.counters.garbage_octets > 50


def test_who_answers_some_of_it_is_alive_and_read_again_at_its_time() -> None:
    poller, wire = wire_of(1, period_s=60)
    first = MODBUS.requests("1")[0].octets
    wire.bus.spoil = lambda octets: octets if wire.bus.asked[-1] == first else b""
    wire.run(wire.now + 119)
    own = poller.counters[1]
    assert (own.polls, own.polls_failed, own.answered, own.timeouts) == (0, 2, 2, 6)
    assert poller.known(1) is None
    wire.run(wire.now + 60)
    assert poller.known(1) is Told.PARTLY


def test_a_refusal_is_an_answer() -> None:
    wider = shipped("prepaid-modbus-three-phase")
    plan = DevicePlan(meter=1, profile=wider, address="1", period_s=60)
    poller = Poller(LinePlan(name="a", devices=(plan,)))
    wire = Wire(poller, Bus([Device(shipped("prepaid-modbus-cabinet-user"), "1")]))
    wire.run(wire.now + 119)
    own = poller.counters[1]
    assert own.refused == own.answered == own.asked > 0
    assert (own.polls, own.polls_failed) == (2, 0)


def test_a_lost_port_is_nobodys_fault_and_a_new_one_tries_the_silent_again() -> None:
    poller, wire = wire_of(2, period_s=600)
    wire.bus.dead = {"2"}
    wire.run(wire.now + 60)
    assert poller.known(2) is Told.SILENT
    wire.bus.dead = set()
    poller.lost()
    wire.coming.clear()
    poller.opened(wire.now)
    wire.run(wire.now + 10)
    assert poller.known(2) is None
    assert poller.counters[1].polls_failed == 0
    assert (poller.line.counters.opened, poller.line.counters.lost) == (2, 1)


def test_while_held_no_turn_begins_and_the_one_begun_is_ended() -> None:
    poller, wire = wire_of(3, period_s=60)
    wire.run(wire.now + 0.05)
    poller.held = True
    wire.run(wire.now + 60)
    assert [own.polls for own in poller.counters.values()] == [1, 0, 0]
    poller.held = False
    wire.run(wire.now + 60)
    assert all(own.polls >= 1 for own in poller.counters.values())


def test_an_order_goes_before_the_plan_and_is_sent_once_whatever_comes_of_it() -> None:
    poller, wire = wire_of(3, period_s=60)
    device = wire.bus.devices[2][0]
    called: list[Called] = []
    wire.run(wire.now + 0.1)
    poller.call(Call(3, [MODBUS.trip("3"), *MODBUS.state_requests("3")], called.append))
    wire.run(wire.now + 2)
    assert [one.name for one in device.given] == ["trip"]
    (done,) = called
    assert (done.end, done.sent_count, done.answers[1].closed) == (End.ANSWERED, 2, False)
    wire.run(wire.now + 10)
    wire.bus.spoil = lambda octets: b""
    poller.call(Call(3, [MODBUS.close("3")], called.append))
    wire.run(wire.now + 5)
    assert [one.name for one in device.given] == ["trip", "close"]
    assert called[1] == Called((), End.SILENT, 1)
    wire.bus.spoil = lambda octets: octets
    wire.run(wire.now + 60)
    assert all(own.polls >= 1 for own in poller.counters.values())


def test_a_refused_call_ends_there() -> None:
    poller, wire = wire_of(1)
    called: list[Called] = []
    unknown = shipped("sunspec-inverter").requests("1")[0]
    poller.call(Call(1, [unknown, MODBUS.trip("1")], called.append))
    wire.run(wire.now + 5)
    (done,) = called
    assert (done.end, done.sent_count, done.answers[0].refused) == (End.ANSWERED, 1, True)
    assert wire.bus.devices[0][0].given == []


def test_calls_are_bounded_and_those_nobody_waits_for_are_not_begun() -> None:
    poller, wire = wire_of(1)
    called: list[Called] = []
    calls = [Call(1, [MODBUS.trip("1")], called.append) for _ in range(CALLS_MAX)]
    assert all(poller.call(one) for one in calls)
    assert not poller.call(Call(1, [MODBUS.trip("1")], called.append))
    for one in calls[1:]:
        one.dropped = True
    wire.run(wire.now + 10)
    assert len(called) == len(wire.bus.devices[0][0].given) == 1


def test_an_order_on_its_way_when_the_port_is_lost_may_have_been_obeyed() -> None:
    poller, wire = wire_of(1)
    called: list[Called] = []
    poller.call(Call(1, [MODBUS.trip("1")], called.append))
    wire.run(wire.now + 0.01)
    poller.lost()
    assert called == [Called((), End.LOST, 1)]


def test_an_order_that_still_waits_for_the_line_when_the_port_is_lost_was_not_sent() -> None:
    poller, wire = wire_of(1)
    called: list[Called] = []
    poller.opened(wire.now)
    poller.call(Call(1, [MODBUS.trip("1")], called.append))
    wire.run(wire.now + 0.05)
    poller.lost()
    assert (called, wire.sent) == ([Called((), End.LOST, 0)], [])


def test_a_line_just_opened_is_silent_until_nobody_who_was_asked_before_can_answer() -> None:
    poller, wire = wire_of(1)
    begun = wire.now
    poller.opened(begun)
    wire.run(begun + 5)
    assert wire.sent[0][0] >= begun + answers_s(poller.plan) > begun + MODBUS.settings.timeout_ms / 1000
    poller.opened(wire.now, wire.now + 60)
    before = len(wire.sent)
    poller.call(Call(1, MODBUS.requests("1"), lambda called: None))
    wire.run(wire.now + 59)
    assert len(wire.sent) == before
    wire.run(wire.now + 5)
    assert len(wire.sent) > before


@pytest.mark.parametrize("function", [5, 6, 16])
def test_an_order_is_done_whatever_the_function_that_carries_it(function: int) -> None:
    text = texts()["prepaid-modbus-single-phase"]
    old = "trip: {register: 0057H, values: [1, 1], proven: yes}"
    assert old in text
    profile = parse(text.replace(old, f"trip: {{register: 0057H, function: {function}, values: [1], proven: yes}}"))
    poller, wire = wire_of(1, profile)
    called: list[Called] = []
    wire.run(wire.now + 5)
    poller.call(Call(1, [profile.trip("1")], called.append))
    wire.run(wire.now + 5)
    assert [(one.end, one.sent_count) for one in called] == [(End.ANSWERED, 1)]
    assert [one.name for one in wire.bus.devices[0][0].given] == ["trip"]
    assert poller.line.counters.frames_foreign == 0
