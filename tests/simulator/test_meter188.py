"""Water, gas and heat meters as they answer CJ/T 188 through their concentrator."""

from __future__ import annotations

import pytest

from meterweave.protocols import cjt188
from meterweave.protocols.cjt188.content import request
from meterweave.simulator import line, registers
from meterweave.simulator.events import Diary, Kind
from meterweave.simulator.meter188 import TYPES
from meterweave.simulator.meter645 import local
from meterweave.simulator.town import Utility, build
from tests.simulator.centre import DAY_S, MIDNIGHT_S, plan

NOW_S = MIDNIGHT_S + 12_345


def a_site():
    site = build(plan())[0]
    return site, Diary(site, 1, 0.0, MIDNIGHT_S)


def meter_of(site, utility):
    return next(meter for meter in site.meters if meter.utility is utility)


def ask(site, diary, meter, function, di, payload=b"", now_s=NOW_S):
    question = request(function, TYPES[meter.utility], f"00{meter.address}", di, ser=5, payload=payload)
    reply = line.answer(site.meters, cjt188.encode(question), now_s, diary)
    return None if reply is None else cjt188.decode(reply)


@pytest.mark.parametrize(
    ("utility", "name", "step"),
    [("water", "volume.current", 1e-4), ("gas", "volume.current", 1e-4), ("heat", "energy.current", 1 / 3.6e6)],
)
def test_present_registers(utility, name, step):
    site, diary = a_site()
    meter = meter_of(site, Utility(utility))
    told = cjt188.to_json(ask(site, diary, meter, 0x01, 0x901F))
    values = {one["name"]: one["value"] for one in told["values"]}
    register = int(registers.register(meter, registers.moments(NOW_S))[0])
    assert float(values[name]) == pytest.approx(register * step, abs=0.01)
    assert values["meter_time"] == local(NOW_S).isoformat()


def test_the_valve_stops_the_flow():
    site, diary = a_site()
    meter = meter_of(site, Utility.WATER)
    assert ask(site, diary, meter, 0x04, 0xA017, b"\x99").data[-2] & 3 == 1
    at = registers.moments(NOW_S, NOW_S + 9 * DAY_S)
    first, last = registers.register(meter, at).tolist()
    assert first == last
    assert ask(site, diary, meter, 0x04, 0xA017, b"\x55", now_s=NOW_S + DAY_S).data[-2] & 3 == 0
    assert registers.register(meter, at)[1] > first
    assert [one.kind for _, one in diary.kept] == [Kind.TRIPPED, Kind.CLOSED]


def test_the_clock_can_be_set():
    site, diary = a_site()
    meter = meter_of(site, Utility.GAS)
    wanted = bytes.fromhex(local(NOW_S + 30).strftime("%Y%m%d%H%M%S"))[::-1]
    assert not ask(site, diary, meter, 0x04, 0xA015, wanted).error
    assert meter.condition.clock_off_s == 30


def test_what_it_does_not_do_is_refused_and_nobody_else_answers():
    site, diary = a_site()
    meter = meter_of(site, Utility.HEAT)
    for di, payload in ((0xA017, b"\x12"), (0xA015, b"\xff" * 7), (0xA010, b"\0")):
        assert ask(site, diary, meter, 0x04, di, payload).error
    assert ask(site, diary, meter, 0x01, 0x8102).error
    other = request(0x01, 0x10, f"00{meter.address}", 0x901F)
    assert line.answer(site.meters, cjt188.encode(other), NOW_S, diary) is None
