from __future__ import annotations

import pytest

from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.simulator import meter645, registers
from meterweave.simulator.events import Diary
from meterweave.simulator.meter645 import local, shown
from meterweave.simulator.town import Utility, build
from tests.simulator.centre import MIDNIGHT_S, plan

NOW_S = MIDNIGHT_S + 12_345
SITE = build(plan())[0]
METERS = SITE.meters
ELECTRIC = [meter for meter in METERS if meter.speaks == "dlt645"]
DIARY = Diary(SITE, 1, 0.0, MIDNIGHT_S)


def answer(meters, octets, now_s):
    return meter645.answer(meters, octets, now_s, DIARY)


@pytest.mark.parametrize("meter", [ELECTRIC[0], ELECTRIC[1]])
def test_every_item_can_be_read(meter):
    for di, texts in shown(meter, NOW_S).items():
        reply = answer(METERS, dlt645.encode(commands.read(meter.address, di)), NOW_S)
        assert reply is not None
        told = dlt645.to_json(dlt645.decode(reply))
        values = [one["value"] for one in told["values"]]
        assert len(values) == len(texts)
        if di.startswith("0"):
            assert told["address"] == meter.address
    register = int(registers.register(meter, registers.moments(NOW_S))[0])
    reading = dlt645.decode_batch(
        [answer(METERS, dlt645.encode(commands.read(meter.address, "00010000")), NOW_S)], received=1
    )
    assert reading.value.tolist() == [register * 100]


def test_clock():
    reply = answer(METERS, dlt645.encode(commands.read(ELECTRIC[0].address, "04000102")), NOW_S)
    assert dlt645.to_json(dlt645.decode(reply))["values"][0]["value"] == local(NOW_S).time().isoformat()


def test_what_it_does_not_have_and_what_it_must_not_do_is_refused():
    for request, error in (
        (commands.read(ELECTRIC[0].address, "00030000"), "no_such_data"),
        (commands.clear_meter(ELECTRIC[0].address, commands.Access()), "other_error"),
    ):
        reply = dlt645.to_json(dlt645.decode(answer(METERS, dlt645.encode(request), NOW_S)))
        assert reply["error_bits"] == [error]


def test_nobody_else_answers():
    water = next(meter for meter in METERS if meter.utility is Utility.WATER)
    for address in ("999999999999", "aaaaaaaaaaaa", water.address):
        assert answer(METERS, dlt645.encode(commands.read(address, "00010000")), NOW_S) is None
    assert answer(METERS, b"nonsense", NOW_S) is None
    reply = answer(METERS, dlt645.encode(commands.read(ELECTRIC[0].address, "00010000")), NOW_S)
    assert answer(METERS, reply, NOW_S) is None
