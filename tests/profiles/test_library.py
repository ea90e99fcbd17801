from __future__ import annotations

import re
from pathlib import Path

import pytest

import meterweave
from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.profiles import Device, Profile, check, find, shipped, texts
from meterweave.profiles.device import _steps
from tests.profiles.talk import frame_of, said, values

ADDRESSES = {"modbus": "17", "mbus": "5"}
WANTED = {
    "dlt645-single-phase", "dlt645-three-phase", "dlt645-1997", "dlt698-meter", "prepaid-modbus-single-phase",
    "prepaid-modbus-three-phase", "cjt188-water-valve", "cjt188-gas", "cjt188-heat", "mbus-water", "mbus-heat",
    "sunspec-inverter", "json-meter", "json-water-meter", "mqtt-dlt645",
}  # fmt: skip


def address_of(profile: Profile) -> str:
    return ADDRESSES.get(profile.protocol, "12345678")


def test_the_promised_models_ship() -> None:
    assert set(texts()) >= WANTED


@pytest.mark.parametrize("name", texts())
def test_a_shipped_profile_is_short_and_without_any_remark(name: str) -> None:
    profile, remarks = check(texts()[name], name)
    assert profile is not None
    assert remarks == []
    assert profile.name == name
    assert len(texts()[name].splitlines()) <= 40


@pytest.mark.parametrize("name", texts())
@pytest.mark.parametrize("now_s", [0, 77, 100_000])
def test_what_is_read_is_what_the_device_has(name: str, now_s: int) -> None:
    profile = shipped(name)
    device = Device(profile, address_of(profile))
    found = values(profile, device, address_of(profile), now_s)
    wanted = {point.quantity.code: (device.stored(point.quantity.code), 0) for point in profile.points}
    assert found == wanted


@pytest.mark.parametrize("name", texts())
@pytest.mark.parametrize("edge", ["lowest", "highest", "one", "none"])
def test_edge_values_come_through(name: str, edge: str) -> None:
    profile = shipped(name)
    device = Device(profile, address_of(profile))
    wanted: dict[int, tuple[int | None, int]] = {}
    for point in profile.points:
        low, high = point.cell.limits()
        number = {"lowest": low, "highest": high, "one": 1, "none": None}[edge]
        if number is not None and not point.cell.holds(number):
            number += 1 if number == low else -1  # the edge stands for no value
        value = None if number is None else int(number * _steps(point))
        if value is None and not point.cell.can_miss:
            continue
        device.set(point.quantity.code, value)
        wanted[point.quantity.code] = (value, int(Quality.NO_VALUE if value is None else Quality.GOOD))
    found = values(profile, device, address_of(profile))
    assert {code: found[code] for code in wanted} == wanted


@pytest.mark.parametrize("name", texts())
def test_every_event_is_told_while_it_lasts(name: str) -> None:
    profile = shipped(name)
    for condition in profile.conditions:
        device = Device(profile, address_of(profile))
        device.lasting = {condition.event}
        told: dict[int, bool] = {}
        if profile.protocol == "json":
            told |= said(profile, device).looks[-1].conditions
        for request in profile.requests(address_of(profile)):
            told |= profile.answer(request, frame_of(profile, request, device.feed(request.octets))).conditions
        assert told == {one.event: one.event == condition.event for one in profile.conditions}


@pytest.mark.parametrize("name", [name for name in texts() if shipped(name).state])
def test_trip_and_close_are_obeyed_and_seen(name: str) -> None:
    profile = shipped(name)
    address = address_of(profile)
    device = Device(profile, address)
    for order, closed in (("trip", False), ("close", True)):
        request = profile.order(order, address, unproven=True)
        assert profile.answer(request, frame_of(profile, request, device.feed(request.octets))).problem is None
        (asked,) = profile.state_requests(address)
        assert profile.answer(asked, frame_of(profile, asked, device.feed(asked.octets))).closed is closed


ASKED = [name for name in texts() if shipped(name).protocol != "json"]
SPEAKING = [name for name in texts() if shipped(name).messages]


@pytest.mark.parametrize("name", ASKED)
def test_others_and_broken_frames_are_met_with_silence(name: str) -> None:
    profile = shipped(name)
    address = address_of(profile)
    device = Device(profile, {"modbus": "18", "mbus": "6"}.get(profile.protocol, "87654321"))
    meant = Device(profile, address)
    for request in profile.requests(address):
        assert device.feed(request.octets) == b""
        spoiled = request.octets[:-2] + bytes([request.octets[-2] ^ 0xFF]) + request.octets[-1:]
        assert meant.feed(spoiled) + meant.line().silence() == b""


@pytest.mark.parametrize("name", ASKED)
def test_another_devices_answer_is_not_taken(name: str) -> None:
    profile = shipped(name)
    other = {"modbus": "18", "mbus": "6"}.get(profile.protocol, "87654321")
    device = Device(profile, other)
    for request, foreign in zip(profile.requests(address_of(profile)), profile.requests(other), strict=True):
        answer = profile.answer(request, frame_of(profile, foreign, device.feed(foreign.octets)))
        assert answer.rows == ()
        assert answer.refused is False


@pytest.mark.parametrize("name", SPEAKING)
@pytest.mark.parametrize("now_s", [0, 77, 100_000])
def test_what_a_device_says_by_itself_is_what_it_has(name: str, now_s: int) -> None:
    profile = shipped(name)
    device = Device(profile, profile.address("161"))
    told = {one.quantity: (one.value, one.quality) for one in said(profile, device, now_s).readings}
    assert told == {point.quantity.code: (device.stored(point.quantity.code), 0) for point in profile.points}


@pytest.mark.parametrize("name", [name for name in SPEAKING if shipped(name).messages.presence])
def test_birth_and_will_are_heard(name: str) -> None:
    profile = shipped(name)
    device = Device(profile, profile.address("161"))
    for online in (True, False):
        message = device.presence(online=online)
        heard = profile.understand(*message, received=0)
        assert (heard.address, heard.online, heard.problem) == (device.address, online, None)


def test_no_maker_is_named_in_the_code_of_profiles() -> None:
    makers = {shipped(name).maker for name in texts()} - {""}
    assert makers
    for file in (Path(meterweave.__file__).parent / "profiles").rglob("*.py"):
        assert not re.search("|".join(makers), file.read_text(encoding="utf-8"), re.IGNORECASE), file


def test_a_name_that_does_not_ship_is_told() -> None:
    with pytest.raises(ConfigError, match="did you mean mbus-water"):
        find("mbus-watr")
