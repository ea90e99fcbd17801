from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Access, Device, Profile, parse, shipped
from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from tests.profiles.talk import frame_of, values

ENERGY = obis_code("1-0:1.8.0")
POWER = obis_code("1-0:16.7.0")


def of(text: str, protocol: str = "dlt645") -> Profile:
    return parse(f"name: x\nutility: electricity\nprotocol: {protocol}\nreadings:\n  - {{{text}}}\n")


def test_a_real_meters_answer_reads_as_it_should() -> None:
    profile = of("quantity: 1-0:1.8.0, item: '00010000'")
    (request,) = profile.requests("161")
    assert request.octets.hex() == "68610100000000681104333334331416"
    reply = bytes.fromhex("6861010000000068910833333433593333338a16")
    (reading,) = profile.readings(request, reply, received=9)
    assert (reading.meter, reading.value, reading.ts) == (0x161, 2600, 9)


def test_wake_up_octets_go_before_every_request() -> None:
    assert shipped("dlt645-single-phase").requests("161")[0].octets[:5] == b"\xfe\xfe\xfe\xfe\x68"


def test_a_makers_item_is_read_by_its_own_format() -> None:
    profile = of("quantity: active_power, item: 04990001, at: 2, format: ±XX.XXXX, unit: kW, scale: 10")
    device = Device(profile, "161", {POWER: -123_450})
    assert values(profile, device, "161")[POWER] == (-123_450, 0)
    (request,) = profile.requests("161")
    asked = dlt645.decode(request.octets)
    octets = bytes.fromhex("ffff" + "452381")  # minus 1.2345, ten of them
    (row,) = profile.answer(request, dlt645.encode(commands.read_reply(asked, octets))).rows
    assert (row.value, row.quality) == (-123_450, Quality.GOOD)


def test_ffh_is_no_value() -> None:
    profile = of("quantity: 1-0:1.8.0, item: '00010000'")
    (request,) = profile.requests("161")
    reply = dlt645.encode(commands.read_reply(dlt645.decode(request.octets), b"\xff" * 4))
    (row,) = profile.answer(request, reply).rows
    assert (row.value, row.quality) == (None, Quality.NO_VALUE)


def test_a_short_block_gives_what_it_has() -> None:
    profile = shipped("dlt645-single-phase")
    (request,) = profile.requests("161", {obis_code(f"1-0:1.8.{tariff}") for tariff in range(5)})
    reply = dlt645.encode(commands.read_reply(dlt645.decode(request.octets), bytes.fromhex("0100000002000000")))
    assert [row.value for row in profile.answer(request, reply).rows] == [100, 200]


def test_an_answer_in_several_frames_is_put_together() -> None:
    profile = shipped("dlt645-three-phase")
    wanted = {obis_code("1-0:36.7.0"), obis_code("1-0:56.7.0"), obis_code("1-0:76.7.0"), POWER}
    (first,) = profile.requests("161", wanted)
    octets = bytes.fromhex("010000020000030000040000")
    part = commands.read_reply(dlt645.decode(first.octets), octets[:5], follows=True)
    answer = profile.answer(first, dlt645.encode(part))
    assert (answer.rows, answer.problem) == ((), None)
    second = answer.more
    assert second is not None
    asked = dlt645.decode(second.octets)
    assert (asked.control, asked.data.hex()) == (0x12, "00ff030201")
    last = dlt645.encode(commands.read_reply(asked, octets[5:]))
    assert [row.value for row in profile.answer(second, last).rows] == [1, 2, 3, 4]
    other = dlt645.encode(commands.read_reply(asked._replace(data=asked.data[:-1] + b"\x07"), octets[5:]))
    assert profile.answer(second, other).problem is not None


def test_a_refusal_is_told_in_the_meters_words() -> None:
    profile = of("quantity: 1-0:1.8.0, item: '00010000'")
    (request,) = profile.requests("161")
    answer = profile.answer(request, dlt645.encode(commands.refusal(dlt645.decode(request.octets), "no_such_data")))
    assert answer.refused
    assert answer.problem is not None
    assert "no such data" in answer.problem.en
    assert "无请求数据" in answer.problem.zh


def test_what_a_meter_does_not_have_it_refuses() -> None:
    device = Device(of("quantity: 1-0:1.8.0, item: '00010000'"), "161")
    said = dlt645.decode(device.feed(dlt645.encode(commands.read("161", "00020000"))).lstrip(b"\xfe"))
    assert said.is_error


def test_a_meter_answers_to_the_wildcard_with_its_own_address() -> None:
    profile = shipped("dlt645-single-phase")
    device = Device(profile, "161")
    (request,) = profile.requests("AAAAAAAAAAAA", {ENERGY})
    reply = frame_of(profile, request, device.feed(request.octets))
    assert dlt645.decode(reply).address == "000000000161"
    assert profile.answer(request, reply).rows
    assert device.feed(dlt645.encode(commands.read("999999999999", "00010000"))) == b""


def test_the_password_goes_where_the_standard_wants_it() -> None:
    request = shipped("dlt645-single-phase").order("trip", "161", access=Access(2, "123456", "00000001"))
    data = dlt645.decode(request.octets).data
    assert data[:8].hex() == "02563412" + "01000000"
    assert data[8] == 0x1A


def test_1997_speaks_in_two_octets() -> None:
    profile = shipped("dlt645-1997")
    (request,) = profile.requests("161", {ENERGY})
    assert dlt645.decode(request.octets).control == 0x01
    assert dlt645.decode(request.octets).data.hex() == "1090"


@pytest.mark.parametrize("reply", ["", "68", "16" * 40, "68610100000000689108333334335933333300ff"])
def test_broken_answers_hurt_nobody(reply: str) -> None:
    profile = of("quantity: 1-0:1.8.0, item: '00010000'")
    (request,) = profile.requests("161")
    answer = profile.answer(request, bytes.fromhex(reply))
    assert (answer.rows, answer.refused) == ((), False)
    assert answer.problem is not None


def test_the_answer_to_another_item_is_not_taken() -> None:
    profile = of("quantity: 1-0:1.8.0, item: '00010000'")
    (request,) = profile.requests("161")
    other = commands.read_reply(commands.read("161", "00020000"), bytes(4))
    assert profile.answer(request, dlt645.encode(other)).rows == ()


@pytest.mark.parametrize("address", ["", "1234567890123", "12x4", "-1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        shipped("dlt645-single-phase").requests(address)


def test_values_of_one_item_do_not_overlap() -> None:
    from meterweave.profiles import check

    text = (
        "name: x\nutility: electricity\nprotocol: dlt645\nreadings:\n"
        "  - {quantity: voltage_l1, item: 04990001, format: XXX.X, unit: V}\n"
        "  - {quantity: voltage_l2, item: 04990001, at: 1, format: XXX.X, unit: V}\n"
    )
    assert any("overlaps" in one.text.en for one in check(text)[1])
