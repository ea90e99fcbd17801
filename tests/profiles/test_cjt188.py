from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, Profile, parse, shipped
from meterweave.protocols import cjt188
from tests.profiles.talk import frame_of, values

VOLUME = obis_code("8-0:1.0.0")
ADDRESS = "78330007061326"


def of(text: str, more: str = "") -> Profile:
    head = "name: x\nutility: water\nprotocol: cjt188\naddress: {meter_type: 0x10}\nreadings:\n"
    return parse(f"{head}  - {{{text}}}\n{more}")


def test_a_real_meters_answer_reads_as_it_should() -> None:
    profile = shipped("cjt188-water-valve")
    (request,) = profile.requests(ADDRESS)
    reply = bytes.fromhex("68102613060700337881161f9004006800002c000000002c0000000000000000007316")
    rows = profile.answer(request, reply).rows
    assert [row.value for row in rows] == [68_000_000, 0]
    assert rows[0].sent.octets.hex() == "006800002c"
    assert profile.answer(request, reply).closed is True


def test_the_unit_in_the_answer_counts() -> None:
    profile = of("quantity: cold_water_volume, item: 901F, field: volume.current")
    (request,) = profile.requests(ADDRESS)
    asked = cjt188.decode(request.octets)
    payload = bytes.fromhex("0068000029" + "000000002c" + "00" * 7 + "0000")  # litres
    reply = cjt188.encode(cjt188.reply(asked, payload, meter_type=0x10, address=ADDRESS))
    (row,) = profile.answer(request, reply).rows
    assert (row.value, row.quality) == (68_000, Quality.GOOD)


def test_both_orders_of_the_identifier_go_out() -> None:
    low = of("quantity: cold_water_volume, item: 901F, field: volume.current").requests(ADDRESS)[0]
    text = (
        "name: x\nutility: water\nprotocol: cjt188\naddress: {meter_type: 0x10, low_first: no}\nreadings:\n"
        "  - {quantity: cold_water_volume, item: 901F, field: volume.current}\n"
    )
    high = parse(text).requests(ADDRESS)[0]
    assert cjt188.decode(low.octets).data.hex() == "1f9000"
    assert cjt188.decode(high.octets).data.hex() == "901f00"


def test_a_makers_layout_is_read_by_offset_and_format() -> None:
    profile = of("quantity: cold_water_volume, item: 907F, at: 3, format: XXXXX.XXX, unit: m3")
    device = Device(profile, ADDRESS, {VOLUME: 12_345_678_000})
    assert values(profile, device, ADDRESS)[VOLUME] == (12_345_678_000, 0)


def test_valve_orders_are_obeyed() -> None:
    profile = shipped("cjt188-water-valve")
    device = Device(profile, ADDRESS)
    request = profile.trip(ADDRESS)
    assert cjt188.decode(request.octets).data.hex() == "17a00099"
    assert profile.answer(request, frame_of(profile, request, device.feed(request.octets))).problem is None
    assert not device.closed
    paid = profile.order("credit", ADDRESS, {"amount": "50.00", "count": "3"}, unproven=True)
    assert profile.answer(paid, frame_of(profile, paid, device.feed(paid.octets))).problem is None
    assert device.given[-1].numbers == (3, 5000)


def test_what_a_meter_does_not_have_it_refuses() -> None:
    device = Device(shipped("cjt188-gas"), ADDRESS)
    profile = of("quantity: cold_water_volume, item: 907F, at: 3, format: XXXXX.XXX, unit: m3")
    asked = cjt188.encode(cjt188.request(0x01, 0x30, ADDRESS, 0x907F))
    said = cjt188.decode(device.feed(asked))
    assert said.error
    (request,) = profile.requests(ADDRESS)
    answer = profile.answer(request, cjt188.encode(said))
    assert answer.refused


def test_meters_of_another_type_keep_silent() -> None:
    device = Device(shipped("cjt188-gas"), ADDRESS)
    (request,) = shipped("cjt188-water-valve").requests(ADDRESS)
    assert device.feed(request.octets) == b""


@pytest.mark.parametrize("reply", ["", "68", "16" * 20])
def test_broken_answers_hurt_nobody(reply: str) -> None:
    profile = shipped("cjt188-heat")
    (request,) = profile.requests(ADDRESS)
    answer = profile.answer(request, bytes.fromhex(reply))
    assert (answer.rows, answer.refused) == ((), False)


@pytest.mark.parametrize("address", ["", "123456789012345", "12 34", "xyz"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        shipped("cjt188-heat").requests(address)
