from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.field.plan import Bus, DevicePlan, LinePlan
from meterweave.field.schedule import Schedule, check, cost, load
from meterweave.profiles import shipped

MODBUS, METER, WATER = shipped("prepaid-modbus-single-phase"), shipped("dlt645-single-phase"), shipped("cjt188-gas")


def devices(count: int, profile=MODBUS, **how: object) -> tuple[DevicePlan, ...]:  # type: ignore[no-untyped-def]
    return tuple(DevicePlan(meter=one, profile=profile, address=str(one), **how) for one in range(1, count + 1))  # type: ignore[arg-type]


def test_the_arithmetic_is_that_of_the_line() -> None:
    plan = LinePlan(name="a", devices=devices(1), baud=9600, latency_s=0.01, turnaround_s=0.03)
    one = cost(plan, plan.devices[0])
    requests = MODBUS.requests("1")
    answers = sum(5 + 2 * int.from_bytes(request.octets[4:6], "big") for request in requests)
    assert one.size == (len(requests), 8 * len(requests), answers)
    assert one.octets_s == pytest.approx((8 * len(requests) + answers) * 11 / 9600)
    assert one.silences_s == pytest.approx(0.02 + 0.05 * (len(requests) - 1))  # silence_ms 20, pause_ms 50
    assert one.replies_s == pytest.approx(0.04 * len(requests))
    assert load(plan) == pytest.approx(one.total_s / 180)


def test_thirty_meters_at_9600_baud_fit_three_minutes() -> None:
    plan = LinePlan(name="a", devices=devices(30, period_s=180))
    check([plan])
    assert load(plan) < 0.5


def test_a_plan_without_enough_time_is_refused_with_the_arithmetic() -> None:
    plan = LinePlan(name="north", devices=devices(32, METER, period_s=60))
    with pytest.raises(ConfigError) as refused:
        check([plan])
    text = str(refused.value)
    one = cost(plan, plan.devices[0])
    octets = one.size.out_octets + one.size.in_octets
    for part in (
        "line north cannot keep its plan",
        "32 × dlt645-single-phase every 60 s",
        f"{octets} octets × 11 / 2400 Bd = {octets * 11 / 2400:.3f} s",
        f"32 × {one.total_s:.3f} / 60 = {32 * one.total_s / 60:.0%}",
    ):
        assert part in text
    check([LinePlan(name="north", devices=devices(32, METER, period_s=600))])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (LinePlan(name="a", devices=devices(33)), "line a has 33 devices; rs485 takes 1 to 32"),
        (LinePlan(name="a", devices=()), "line a has 0 devices"),
        (LinePlan(name="a", devices=(*devices(1), DevicePlan(meter=9, profile=MODBUS, address="01"))), "address 1"),
        (LinePlan(name="a", devices=(*devices(1), *devices(1))), "meter 1"),
        (
            LinePlan(name="a", devices=(*devices(1), DevicePlan(meter=9, profile=METER, address="2"))),
            "dlt645 and modbus: give each protocol its own line",
        ),
        (LinePlan(name="a", devices=devices(1, METER), bus=Bus.MODBUS_TCP), "carries Modbus only"),
        (LinePlan(name="a", devices=devices(1, shipped("json-meter"))), "speak by themselves"),
        (LinePlan(name="a", devices=devices(1, wanted=frozenset({1}))), "nothing that meter 1 is wanted for"),
        (LinePlan(name="a", devices=devices(1, period_s=-1)), "period"),
    ],
)
def test_plans_that_cannot_be_are_refused(line: LinePlan, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check([line])


def test_a_meter_on_two_lines_is_refused() -> None:
    with pytest.raises(ConfigError, match="meter 1"):
        check([LinePlan(name="a", devices=devices(1)), LinePlan(name="b", devices=devices(1))])


def test_m_bus_takes_more_devices_than_rs485() -> None:
    check([LinePlan(name="a", devices=devices(120, shipped("mbus-water")), bus=Bus.MBUS)])


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no Modbus unit"):
        check([LinePlan(name="a", devices=(DevicePlan(meter=1, profile=MODBUS, address="900"),))])


@pytest.mark.parametrize("how", [{"attempts_max": 0}, {"back_off_max_s": 0.0}, {"latency_s": -1.0}, {"baud": -1}])
def test_bounds_have_to_make_sense(how: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(how))):
        LinePlan(name="a", devices=devices(1), **how)  # type: ignore[arg-type]


def test_the_nearest_deadline_is_first() -> None:
    slow, quick = devices(2)
    slow = DevicePlan(meter=1, profile=MODBUS, address="1", period_s=900)
    quick = DevicePlan(meter=2, profile=MODBUS, address="2", period_s=60)
    schedule = Schedule((slow, quick), 3600)
    assert schedule.next(100.0) == 1
    schedule.done(1, 100.0, answered=True)
    assert schedule.next(100.0) == 0


def test_a_line_behind_its_plan_passes_nobody_over() -> None:
    schedule = Schedule(devices(5, period_s=10), 3600)
    now, read = 100.0, []
    for _ in range(20):
        index = schedule.next(now)
        assert index is not None
        read.append(index)
        schedule.done(index, now, answered=True)
        now += 5  # five devices take 25 s of every 10 s
    assert all(read.count(index) == 4 for index in range(5))


def test_a_device_is_due_by_the_clock_and_not_later_each_time() -> None:
    schedule = Schedule(devices(1, period_s=60), 3600)
    schedule.done(0, 100.0, answered=True)
    assert schedule.wake_s() == 160
    assert schedule.next(159.0) is None
    schedule.done(0, 161.5, answered=True)
    assert schedule.wake_s() == 220


def test_a_silent_device_is_tried_less_and_less_up_to_a_bound() -> None:
    schedule = Schedule(devices(1, period_s=60), 600)
    pauses, now = [], 0.0
    for _ in range(6):
        schedule.done(0, now, answered=False)
        pauses.append(schedule.wake_s() - now)
        now = schedule.wake_s()
    assert pauses == [120, 240, 480, 600, 600, 600]
    schedule.done(0, now, answered=True)
    assert schedule.wake_s() - now == 60
    assert schedule.failures(0) == 0


def test_a_long_period_is_not_shortened_by_the_bound() -> None:
    schedule = Schedule(devices(1, period_s=7200), 3600)
    schedule.done(0, 0.0, answered=False)
    assert schedule.wake_s() == 7200
