from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, Profile, parse, shipped
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import access, get
from meterweave.protocols.dlt698.frame import DIR, PRM, USER_DATA, Link
from meterweave.protocols.dlt698.message import Message
from meterweave.protocols.dlt698.records import ResultNormal
from tests.profiles.talk import frame_of, values

VOLTAGE = obis_code("1-0:32.7.0")


def of(text: str, more: str = "") -> Profile:
    return parse(f"name: x\nutility: electricity\nprotocol: dlt698\nreadings:\n  - {{{text}}}\n{more}")


def said(*results: ResultNormal, address: str = "000000000161") -> bytes:
    sa = bytes.fromhex(address)[::-1]
    apdu = get.GetResponseNormal(1, results[0]) if len(results) == 1 else get.GetResponseNormalList(1, results)
    return dlt698.encode(Message(Link(DIR | PRM | USER_DATA, len(sa) - 1, sa, 0x10), apdu))


def test_several_attributes_go_into_one_get() -> None:
    (request,) = shipped("dlt698-meter").requests("161")
    asked = dlt698.decode(request.octets).apdu
    assert isinstance(asked, get.GetRequestNormalList)
    assert len(asked.oads) == 8
    one, *others = of("quantity: voltage_l1, item: '20000201'", "polling: {items_max: 1}\n").requests("161")
    assert isinstance(dlt698.decode(one.octets).apdu, get.GetRequestNormal)
    assert others == []


def test_an_element_is_taken_out_of_its_array() -> None:
    profile = of("quantity: voltage_l2, item: '20000200', element: 2")
    (request,) = profile.requests("161")
    reply = said(ResultNormal(0x2000_0200, (1, ((18, 2201), (18, 2202), (18, 2203)))))
    (row,) = profile.answer(request, reply).rows
    assert (row.value, row.sent.octets.hex()) == (22_020, "12089a")


def test_null_is_no_value_and_a_dar_is_a_refusal() -> None:
    profile = of("quantity: voltage_l1, item: '20000201'")
    (request,) = profile.requests("161")
    (row,) = profile.answer(request, said(ResultNormal(0x2000_0201, (0, None)))).rows
    assert (row.value, row.quality) == (None, Quality.NO_VALUE)
    answer = profile.answer(request, said(ResultNormal(0x2000_0201, 6)))
    assert answer.refused
    assert answer.problem is not None
    assert "DAR 6" in answer.problem.en


def test_an_answer_in_blocks_is_told() -> None:
    profile = of("quantity: voltage_l1, item: '20000201'")
    (request,) = profile.requests("161")
    results = get.BlockNormal((ResultNormal(0x2000_0201, (18, 2200)),))
    sa = bytes.fromhex("000000000161")[::-1]
    block = get.GetResponseNext(1, last=0, block=0, content=results)
    answer = profile.answer(request, dlt698.encode(Message(Link(DIR | PRM | USER_DATA, 5, sa, 0x10), block)))
    assert answer.problem is not None
    assert "items_max" in answer.problem.en


def test_some_values_are_read_though_others_are_refused() -> None:
    profile = parse(
        "name: x\nutility: electricity\nprotocol: dlt698\nreadings:\n"
        "  - {quantity: voltage_l1, item: '20000201'}\n  - {quantity: frequency, item: 200F0200}\n"
    )
    (request,) = profile.requests("161")
    answer = profile.answer(request, said(ResultNormal(0x2000_0201, 6), ResultNormal(0x200F_0200, (18, 5001))))
    assert [row.value for row in answer.rows] == [5001]
    assert answer.problem is None


def test_a_makers_attribute_needs_unit_and_scale() -> None:
    profile = of("quantity: voltage_l1, item: 'FF200201', unit: V, scale: 0.01")
    device = Device(profile, "161", {VOLTAGE: 22_345})
    assert values(profile, device, "161")[VOLTAGE] == (22_345, 0)


def test_an_order_is_a_method_with_its_data() -> None:
    profile = shipped("dlt698-meter")
    with pytest.raises(ConfigError, match="not proven"):
        profile.trip("161")
    request = profile.trip("161", unproven=True)
    apdu = dlt698.decode(request.octets).apdu
    assert isinstance(apdu, access.ActionRequest)
    assert apdu.omd == 0x8000_8100
    device = Device(profile, "161")
    assert profile.answer(request, frame_of(profile, request, device.feed(request.octets))).problem is None
    assert not device.closed


def test_a_method_that_is_not_there_is_refused() -> None:
    device = Device(of("quantity: voltage_l1, item: '20000201'"), "161")
    profile = shipped("dlt698-meter")
    request = profile.trip("161", unproven=True)
    answer = profile.answer(request, frame_of(profile, request, device.feed(request.octets)))
    assert answer.refused


def test_data_that_are_none_are_refused_by_the_checker() -> None:
    from meterweave.profiles import check

    text = (
        "name: x\nutility: electricity\nprotocol: dlt698\nreadings:\n  - {quantity: voltage_l1, item: '20000201'}\n"
        "control: {trip: {method: '80008100', octets: '0102'}}\n"
    )
    (mistake,) = check(text)[1]
    assert "not one Data" in mistake.text.en


@pytest.mark.parametrize("reply", ["", "68", "fefefe", "00" * 30])
def test_broken_answers_hurt_nobody(reply: str) -> None:
    profile = shipped("dlt698-meter")
    (request,) = profile.requests("161")
    answer = profile.answer(request, bytes.fromhex(reply))
    assert (answer.rows, answer.refused) == ((), False)
    assert answer.problem is not None
