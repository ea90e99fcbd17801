"""Whole frames of a protocol in messages."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.batch import Source
from meterweave.metering.clock import SHANGHAI
from meterweave.profiles import Device, Heard, Message, Profile, parse, shipped, texts

NOW_S = 1_767_225_600
NOW = NOW_S * 1_000_000
METER = shipped("mqtt-dlt645")
MODELS = ("dlt645-three-phase", "dlt645-1997", "dlt698-meter", "cjt188-heat", "mbus-heat", "mbus-water")


def speaking(name: str, payload: str = "octets", topic: str = "{address}") -> Profile:
    """A shipped profile whose devices also speak by themselves."""
    return parse(f"{texts()[name]}\nmessages: {{topic: 'm/{topic}', payload: {payload}}}\n")


def heard(profile: Profile, payload: bytes, topic: str | None) -> Heard:
    return profile.understand(topic, payload, received=NOW)


def octets() -> bytes:
    return Device(METER, "161").message(NOW_S).payload


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("payload", ["octets", "hex", "base64"])
def test_every_protocol_of_frames_can_be_carried(name: str, payload: str) -> None:
    profile = speaking(name, payload)
    device = Device(profile, "5" if profile.protocol == "mbus" else "12345678")
    found = profile.understand(*device.message(NOW_S), received=NOW)
    assert found.problem is None
    assert found.address == device.address
    told = {one.quantity: one.value for one in found.readings}
    assert told == {point.quantity.code: device.stored(point.quantity.code) for point in profile.points}
    assert {one.source for one in found.readings} == {Source.PUSHED}


def test_without_a_topic_the_frames_tell_the_device() -> None:
    found = heard(METER, octets(), None)
    assert found.address == "000000000161"
    assert {one.key for one in found.readings} == {0x161}


@pytest.mark.parametrize("name", MODELS)
def test_frames_of_every_protocol_tell_the_device(name: str) -> None:
    profile = parse(f"{texts()[name]}\nmessages: {{payload: octets}}\n")
    found = heard(profile, Device(profile, "161").message(NOW_S).payload, None)
    assert (found.problem, found.address[-3:]) == (None, "161")
    assert found.readings


def test_a_device_of_m_bus_is_called_by_its_maker_and_identification() -> None:
    profile = parse(f"{texts()['mbus-water']}\nmessages: {{payload: octets}}\n")
    assert heard(profile, Device(profile, "1").message(NOW_S).payload, None).address == "mtw-00000001"


def test_a_topic_without_an_address_leaves_it_to_the_frames() -> None:
    profile = speaking("dlt645-1997", topic="all")
    message = Device(profile, "161").message(NOW_S)
    assert message.topic == "m/all"
    assert heard(profile, message.payload, "m/all").address == "000000000161"


def test_wake_up_octets_are_no_garbage_and_others_are_counted() -> None:
    found = heard(METER, b"\x00\x01" + octets() + b"\x16\x16\x16", "dlt645/a1/up")
    assert len(found.readings) == 6
    assert found.garbage == 5
    assert found.problem is not None
    assert "5 octets belong to no frame" in found.problem.en


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x68" * 100, bytes(64 * 1024), bytes(64 * 1024 + 1)])
def test_a_message_without_frames_is_told(payload: bytes) -> None:
    found = heard(METER, payload, "dlt645/a1/up")
    assert found.readings == ()
    assert found.problem is not None


@pytest.mark.parametrize(("payload", "bad"), [("hex", b"6g"), ("hex", b"\xff"), ("base64", b"a"), ("base64", b"a*==")])
def test_a_payload_that_is_not_what_it_should_be_is_told(payload: str, bad: bytes) -> None:
    found = heard(speaking("dlt645-1997", payload), bad, "m/a1")
    assert found.problem is not None
    assert f"no {payload}" in found.problem.en


def test_hexadecimal_may_have_spaces_and_capitals() -> None:
    profile = speaking("dlt645-1997", "hex")
    payload = bytes.fromhex(Device(profile, "161").message(NOW_S).payload.decode()).hex(" ").upper().encode()
    assert heard(profile, payload + b"\r\n", "m/a1").readings


def test_base64_may_end_with_a_new_line() -> None:
    profile = speaking("dlt645-1997", "base64")
    payload = Device(profile, "161").message(NOW_S).payload
    assert base64.b64decode(payload)
    assert heard(profile, payload + b"\n", "m/a1").readings


def test_many_messages_give_what_each_gives_alone() -> None:
    messages = [
        Message("dlt645/a1/up", octets()),
        Message("dlt645/a2/up", b"garbage"),
        Message("dlt645/a3/state", b"online"),
        Message("elsewhere", octets()),
        Message(None, octets()[:20]),
        Message("dlt645/a4/up", octets()[:40] + b"\xff"),
    ]
    together = METER.understand_many(messages, received=NOW, zone=SHANGHAI)
    assert together == [METER.understand(*one, received=NOW, zone=SHANGHAI) for one in messages]
    assert [bool(one.readings) for one in together] == [True, False, False, False, True, True]
    assert together[2].online is True


@given(st.binary(max_size=120), st.integers(0, 150), st.booleans())
def test_whatever_comes_nothing_is_raised(noise: bytes, cut: int, before: bool) -> None:
    own = octets()[:cut]
    found = heard(METER, noise + own if before else own + noise, "dlt645/a1/up")
    assert found.address == "a1"
