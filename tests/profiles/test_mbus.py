from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, Profile, Purpose, parse, shipped
from meterweave.protocols import mbus
from tests.profiles.talk import answers, frame_of, values

VOLUME = obis_code("8-0:1.0.0")
REAL = (
    "683c3c680808727803491177040e160a0000000c7878034911041331d40000426c0000441300000000046d0b0bcd13"
    "0227000009fd0e0209fd0f060f00017513d316"
)


def of(text: str, more: str = "", utility: str = "water") -> Profile:
    return parse(f"name: x\nutility: {utility}\nprotocol: mbus\nreadings:\n  - {{{text}}}\n{more}")


def test_a_real_meters_telegram_reads_as_it_should() -> None:
    profile = of("quantity: cold_water_volume, record: 0C13")
    link, read = profile.requests("8")
    assert (link.purpose, link.octets.hex()) == (Purpose.LINK, "1040084816")
    assert read.octets.hex() == "107b088316"
    assert profile.answer(link, b"\xe5").problem is None
    (row,) = profile.answer(read, bytes.fromhex(REAL)).rows
    assert (row.value, row.quality) == (54_321_000, Quality.GOOD)
    assert row.sent.octets.hex() == "041331d40000"


def test_a_stored_value_is_another_record() -> None:
    profile = of("quantity: cold_water_volume_settled, record: 4C13")
    _, read = profile.requests("8")
    (row,) = profile.answer(read, bytes.fromhex(REAL)).rows
    assert row.value == 0


def test_a_record_that_is_not_there_is_told() -> None:
    profile = of("quantity: cold_water_flow, record: 0B3B")
    _, read = profile.requests("8")
    answer = profile.answer(read, bytes.fromhex(REAL))
    assert answer.refused
    assert answer.problem is not None
    assert "none of the records" in answer.problem.en


def test_a_makers_record_is_read_by_unit_and_scale() -> None:
    profile = of("quantity: cold_water_volume, record: 04FF20, unit: L, scale: 10")
    device = Device(profile, "8", {VOLUME: 12_340_000})
    assert values(profile, device, "8")[VOLUME] == (12_340_000, 0)


def test_long_answers_come_in_several_telegrams() -> None:
    lines = "".join(f"  - {{quantity: 1-0:1.8.{tariff}, record: {_head(tariff)}}}\n" for tariff in range(30))
    profile = parse(f"name: x\nutility: electricity\nprotocol: mbus\nreadings:\n{lines}")
    device = Device(profile, "8")
    assert len(answers(profile, device, "8")) == 2
    found = values(profile, device, "8", 33)
    assert len(found) == 30
    assert found == {one.quantity.code: (device.stored(one.quantity.code), 0) for one in profile.points}
    assert values(profile, device, "8", 34)[obis_code("1-0:1.8.29")] == (device.stored(obis_code("1-0:1.8.29")), 0)


def _head(tariff: int) -> str:
    """DIF, DIFE and VIF of an energy in Wh of a tariff."""
    difes = [tariff >> shift & 3 for shift in (0, 2, 4)]
    octets = [0x8E, *(0x80 | one << 4 for one in difes[:2]), difes[2] << 4, 0x03]
    return bytes(octets).hex()


def test_a_repeated_request_gets_the_same_telegram() -> None:
    profile = shipped("mbus-heat")
    device = Device(profile, "8")
    link, read = profile.requests("8")
    assert device.feed(link.octets) == b"\xe5"
    assert device.feed(read.octets) == device.feed(read.octets)


def test_a_secondary_address_is_selected_first() -> None:
    text = (
        "name: x\nutility: water\nprotocol: mbus\naddress: {kind: secondary}\nreadings:\n"
        "  - {quantity: cold_water_volume, record: 0C13}\n"
    )
    profile = parse(text)
    device, other = Device(profile, "12345678"), Device(profile, "87654321")
    select, read = profile.requests("12345678")
    assert device.feed(read.octets) == b""
    assert device.feed(select.octets) == b"\xe5"
    assert other.feed(select.octets) == b""
    assert other.feed(read.octets) == b""
    assert profile.answer(read, frame_of(profile, read, device.feed(read.octets))).rows
    elsewhere, _ = profile.requests("87654321")
    assert device.feed(elsewhere.octets) == b""
    assert device.feed(read.octets) == b""


def test_an_order_is_a_record() -> None:
    profile = of(
        "quantity: cold_water_volume, record: 0C13",
        "control: {kind: valve, trip: {record: 01FD1F, octets: '00'}, close: {record: 01FD1F, octets: '01'}}\n",
    )
    device = Device(profile, "8")
    request = profile.trip("8", unproven=True)
    assert profile.answer(request, device.feed(request.octets)).problem is None
    assert not device.closed
    decoded = mbus.decode(request.octets)
    assert isinstance(decoded, mbus.Long)
    assert decoded.ci == 0x51


@pytest.mark.parametrize("reply", ["", "e5", "68", "68030368080072821600", "10400848ff"])
def test_other_answers_hurt_nobody(reply: str) -> None:
    profile = shipped("mbus-water")
    _, read = profile.requests("8")
    answer = profile.answer(read, bytes.fromhex(reply))
    assert answer.rows == ()
    assert answer.problem is not None


@pytest.mark.parametrize("address", ["251", "x", "", "-1", "12345678"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        shipped("mbus-water").requests(address)
