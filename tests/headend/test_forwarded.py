"""Frames for meters behind terminals: what is asked, and what their answers say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.headend import forwarded
from meterweave.headend.operations import Authority, Done, Refused, RelayAction, Unknown
from meterweave.metering.clock import utc_us
from meterweave.metering.quantities import obis_code
from meterweave.protocols import cjt188, dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 11, 58, 30)
AUTHORITY = Authority(2, bytes.fromhex("123456"), bytes.fromhex("00000009"))


def meter(
    protocol: str = "dlt645", address: str = "000000001234", utility: Utility = Utility.ELECTRICITY
) -> MeterEntry:
    return MeterEntry(1, 1, utility, protocol, address, int(address, 16), 1, None, None, None, None, None, None)


ELECTRIC, OLD = meter(), meter("dlt645-1997")
WATER = meter("cjt188", "78330000001234", Utility.WATER)


def codes(*obis: str) -> list[int]:
    return [obis_code(one) for one in obis]


def asked(one: MeterEntry, *obis: str) -> list[str]:
    return [dlt645.to_json(dlt645.decode(frame))["di"] for frame in forwarded.read_requests(one, codes(*obis))]


def relay(one: MeterEntry, action: RelayAction) -> bytes | Refused:
    return forwarded.relay_request(one, action, AUTHORITY, utc_us(NOW, ZONE), ZONE)


# What is asked -------------------------------------------------------------------------------------------------------


def test_one_value_is_asked_for_alone_and_several_as_their_block() -> None:
    assert asked(ELECTRIC, "1-0:1.8.0") == ["00010000"]
    assert asked(ELECTRIC, "1-0:1.8.0", "1-0:1.8.2", "1-0:2.8.0") == ["0001ff00", "00020000"]
    assert asked(ELECTRIC, "1-0:32.7.0", "1-0:31.7.0", "1-0:16.7.0") == ["02010100", "02020100", "02030000"]
    assert asked(ELECTRIC, "1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0", "1-0:14.7.0") == ["0201ff00", "02800002"]
    assert asked(OLD, "1-0:1.8.0", "1-0:1.8.1", "1-0:32.7.0", "1-0:16.7.0") == ["901f", "b611", "b630"]


def test_what_has_no_words_is_left_out() -> None:
    assert asked(ELECTRIC, "8-0:1.0.0") == []
    assert forwarded.read_requests(meter("mbus"), codes("8-0:1.0.0")) == []
    assert forwarded.read_requests(WATER, codes("1-0:1.8.0")) == []


def test_water_gas_and_heat_are_asked_for_all_they_have() -> None:
    (frame,) = forwarded.read_requests(WATER, codes("8-0:1.0.0", "9-0:1.0.0", "8-0:1.2.0"))
    message = cjt188.decode(frame)
    assert (message.meter_type, message.address, cjt188.content(message).di) == (0xAA, WATER.address, 0x901F)
    dis = [
        cjt188.content(cjt188.decode(one)).di
        for one in forwarded.read_requests(
            meter("cjt188", "1" * 14, Utility.HEAT), codes("6-0:1.0.0", "5-0:1.0.0", "0-0:19.10.1")
        )
    ]
    assert dis == [0x911F, 0x8105]


def test_a_control_command_has_an_end_and_the_operators_authority() -> None:
    found = {}
    for action in RelayAction:
        frame = relay(ELECTRIC, action)
        assert isinstance(frame, bytes)
        said = dlt645.to_json(dlt645.decode(frame))
        found[action] = said["command_name"]
        assert (said["password_level"], said["password"], said["operator"]) == (2, "123456", "00000009")
        assert said["valid_until"] == "2026-11-22T12:08:30"
    assert found == {
        RelayAction.TRIP: "trip",
        RelayAction.CLOSE: "close_direct",
        RelayAction.KEEP: "keep_power_on",
        RelayAction.RELEASE: "keep_power_off",
    }


def test_a_valve_is_shut_and_opened() -> None:
    for action, octet in ((RelayAction.TRIP, 0x99), (RelayAction.CLOSE, 0x55)):
        frame = relay(WATER, action)
        assert isinstance(frame, bytes)
        message = cjt188.decode(frame)
        assert (message.control, cjt188.content(message).di, message.data[3:]) == (0x04, 0xA017, bytes([octet]))


def test_what_a_protocol_cannot_do_is_refused_before_it_is_asked() -> None:
    for one in (OLD, meter("modbus", "1")):
        assert isinstance(relay(one, RelayAction.TRIP), Refused)
        assert isinstance(forwarded.relay_state_request(one), Refused)
    assert isinstance(relay(WATER, RelayAction.KEEP), Refused)


# What comes back -----------------------------------------------------------------------------------------------------


def read_645(di: str) -> tuple[bytes, dlt645.Frame]:
    request = commands.read(ELECTRIC.address, di)
    return dlt645.encode(request), request


@pytest.mark.parametrize(
    ("word", "facts"),
    [
        ("0000", {"closed": True, "kept": False}),
        ("5000", {"closed": False, "kept": False}),
        ("0010", {"closed": True, "kept": True}),
    ],
)
def test_the_relays_state(word: str, facts: dict[str, bool]) -> None:
    octets = forwarded.relay_state_request(ELECTRIC)
    assert isinstance(octets, bytes)
    reply = dlt645.encode(commands.read_reply(dlt645.decode(octets), bytes.fromhex(word)))
    assert forwarded.outcome(octets, b"\xfe\xfe" + reply) == Done(facts)


def test_a_refusal_is_in_the_meters_words() -> None:
    octets, request = read_645("00010000")
    for names, words in (
        (("no_such_data",), "no such data"),
        (("other_error", "not_authorised"), "other error, password wrong or not authorised"),
        ((), "refused without a reason"),
    ):
        found = forwarded.outcome(octets, dlt645.encode(commands.refusal(request, *names)))
        assert isinstance(found, Refused)
        assert found.reason.en == words
    old = forwarded.read_requests(OLD, codes("1-0:1.8.0"))[0]
    found = forwarded.outcome(old, dlt645.encode(commands.refusal(dlt645.decode(old), "password_error")))
    assert isinstance(found, Refused)
    assert found.reason.en == "password wrong"


def test_an_answer_is_one_only_from_this_meter_to_this_question() -> None:
    octets, request = read_645("00010000")
    good = commands.read_reply(request, bytes(4))
    assert forwarded.outcome(octets, dlt645.encode(good)) == Done()
    others = [
        good._replace(address="000000001235"),
        commands.read_reply(commands.read(ELECTRIC.address, "00020000"), bytes(4)),
        good._replace(control=0x94),
        request,
    ]
    for other in others:
        assert isinstance(forwarded.outcome(octets, dlt645.encode(other)), Unknown)
    assert isinstance(forwarded.outcome(octets, dlt645.encode(good._replace(data=b""))), Refused)


def test_a_command_is_done_when_the_meter_says_so() -> None:
    octets = relay(ELECTRIC, RelayAction.TRIP)
    assert isinstance(octets, bytes)
    request = dlt645.decode(octets)
    assert forwarded.outcome(octets, dlt645.encode(commands.reply(request))) == Done()
    assert isinstance(forwarded.outcome(octets, dlt645.encode(commands.refusal(request, "not_authorised"))), Refused)


def volume(status: bytes) -> bytes:
    return bytes.fromhex("78563412" + "2c" + "00000000" + "2c" + "30581122112620") + status


@pytest.mark.parametrize(
    ("status", "facts"), [(b"\x00\x00", {"closed": True}), (b"\x01\x00", {"closed": False}), (b"\x03\x00", {})]
)
def test_a_valves_state(status: bytes, facts: dict[str, bool]) -> None:
    octets = forwarded.relay_state_request(WATER)
    assert isinstance(octets, bytes)
    reply = cjt188.reply(cjt188.decode(octets), volume(status), meter_type=0x10, address=WATER.address)
    assert forwarded.outcome(octets, cjt188.encode(reply)) == Done(facts | {"clock": "2026-11-22T11:58:30"})
    assert isinstance(forwarded.outcome(octets, cjt188.encode(replace(reply, address="1" * 14))), Unknown)
    refusal = replace(reply, control=0xC1, data=b"\x00\x02\x00")
    assert isinstance(forwarded.outcome(octets, cjt188.encode(refusal)), Refused)


def test_a_valve_command_is_done_when_the_meter_says_so() -> None:
    octets = relay(WATER, RelayAction.CLOSE)
    assert isinstance(octets, bytes)
    reply = cjt188.reply(cjt188.decode(octets), b"\x00\x00", meter_type=0x10, address=WATER.address)
    assert forwarded.outcome(octets, cjt188.encode(reply)) == Done()


@pytest.mark.parametrize("one", [ELECTRIC, OLD, WATER], ids=lambda one: one.protocol)
def test_a_clock_is_read(one: MeterEntry) -> None:
    facts: dict[str, object] = {}
    for octets in forwarded.clock_requests(one):
        if one is WATER:
            request = cjt188.decode(octets)
            reply = cjt188.encode(cjt188.reply(request, volume(b"\x03\x00"), meter_type=0x10, address=WATER.address))
        else:
            asked_for = dlt645.decode(octets)
            data = bytes.fromhex("00221126" if asked_for.data[0] in (0x01, 0x10) else "305811")
            reply = dlt645.encode(commands.read_reply(asked_for, data))
        found = forwarded.outcome(octets, reply)
        assert isinstance(found, Done)
        facts |= found.facts
    assert facts in ({"date": "2026-11-22", "time": "11:58:30"}, {"clock": "2026-11-22T11:58:30"})


def test_a_clock_is_set() -> None:
    now_us = utc_us(NOW, ZONE) + 400_000
    broadcast = forwarded.set_clock_request(ELECTRIC, now_us, ZONE)
    assert isinstance(broadcast, bytes)
    assert dlt645.to_json(dlt645.decode(broadcast))["time"] == "2026-11-22T11:58:30"
    assert dlt645.decode(broadcast).address == "999999999999"
    octets = forwarded.set_clock_request(WATER, now_us, ZONE)
    assert isinstance(octets, bytes)
    request = cjt188.decode(octets)
    assert (cjt188.content(request).di, request.data[3:]) == (0xA015, bytes.fromhex("30581122112620"))
    reply = cjt188.reply(request, meter_type=0x10, address=WATER.address)
    assert forwarded.outcome(octets, cjt188.encode(reply)) == Done()
    assert isinstance(forwarded.set_clock_request(meter("mbus"), now_us, ZONE), Refused)
    assert forwarded.clock_requests(meter("mbus")) == []


REQUESTS = [
    *forwarded.read_requests(ELECTRIC, codes("1-0:1.8.0")),
    forwarded.relay_state_request(ELECTRIC),
    forwarded.relay_state_request(WATER),
    relay(ELECTRIC, RelayAction.TRIP),
    relay(WATER, RelayAction.TRIP),
    *forwarded.clock_requests(ELECTRIC),
    *forwarded.clock_requests(OLD),
]


@given(st.sampled_from(REQUESTS), st.integers(0, 255), st.binary(max_size=60))
def test_whatever_a_meter_sends_nothing_is_raised(request: bytes, control: int, data: bytes) -> None:
    for reply in (
        data,
        dlt645.encode(dlt645.Frame(ELECTRIC.address, control, data)),
        cjt188.encode(cjt188.Frame(0x10, WATER.address, control, data)),
    ):
        assert isinstance(forwarded.outcome(request, reply), Done | Refused | Unknown)
