from __future__ import annotations

import json

import pytest
from hypothesis import given

from meterweave.errors import EncodeError
from meterweave.protocols.modbus import (
    Envelope,
    Frame,
    blocks,
    build,
    encode,
    from_json,
    read_reply,
    set_relay,
    to_json,
)
from meterweave.protocols.modbus.commands import Relay
from meterweave.protocols.modbus.rtu_view import to_json as rtu_json
from meterweave.protocols.modbus.upload import write_registration, write_upload
from tests.protocols.modbus.strategies import built, messages, registrations, status_answers, uploads


@given(messages)
def test_json_and_back(message):
    assert from_json(json.loads(json.dumps(to_json(message)))) == message


@given(built)
def test_the_fields_are_enough(frame):
    found = to_json(frame)
    del found["data"]
    assert from_json(found) == frame


@given(status_answers())
def test_the_values_of_a_block_are_enough(frame):
    found = to_json(frame)
    del found["data"], found["registers"]
    found["values"] = [value for value in found["values"] if value["value"] is not None]
    back = to_json(from_json(found))
    assert [value for value in back["values"] if value["name"] != "meter_time"] == [
        value for value in found["values"] if value["name"] != "meter_time"
    ]


@given(registrations)
def test_registrations_from_their_parts(said):
    whole = Envelope(0x84, write_registration(said))
    assert from_json({key: value for key, value in to_json(whole).items() if key != "body"}) == whole


@given(uploads)
def test_uploads_from_their_parts(said):
    whole = Envelope(0x91, write_upload(said))
    assert from_json({key: value for key, value in to_json(whole).items() if key != "body"}) == whole


@given(built)
def test_pass_through_from_its_frame(frame):
    whole = Envelope(0x90, encode(frame))
    assert from_json({key: value for key, value in to_json(whole).items() if key != "body"}) == whole


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (Frame(1, 0x83, b"\x02"), {"kind": "exception", "function": 3, "exception": "illegal data address"}),
        (Frame(1, 0x83, b"\x63"), {"exception_code": 99, "exception": "unknown"}),
        (Frame(1, 1, b"\x01\x05"), {"bits": [True, False, True, False, False, False, False, False]}),
        (Frame(1, 0xAA, b"\x01\x02"), {"kind": "unknown", "function": 0xAA, "data": "0102"}),
        (Frame(1, 3, b"\x00\x00\x00\x7e"), {"kind": "request", "data": "0000007e"}),
        (Envelope(0x55, b"ab"), {"meaning": "unknown", "body": "6162"}),
        (Envelope(0x84, b"ab"), {"meaning": "registration"}),
        (Envelope(0x90, b"ab"), {"meaning": "pass-through"}),
        (Envelope(0x91, b"ab"), {"meaning": "upload"}),
        (Envelope(0x93, b"ab"), {"meaning": "time answer"}),
        (Envelope(0x93, bytes.fromhex("150d150413242a")), {"time": None, "weekday": 4}),
    ],
)
def test_what_the_octets_say(message, wanted):
    found = to_json(message)
    assert {key: found[key] for key in wanted} == wanted


def test_flags_have_names():
    octets = bytearray(96)
    octets[72:74] = bytes.fromhex("e028")
    found = to_json(Frame(1, 3, b"\x60" + octets))
    [word] = [value for value in found["values"] if value["name"] == "status_word.1"]
    assert word["value"] == "0xE028"
    assert [name for name, on in word["bits"].items() if on] == [
        "relay_1_closed",
        "relay_2_closed",
        "relay_3_closed",
        "prepaid_control",
        "arrears",
    ]


def test_the_request_names_the_registers():
    asked = build(1, "request", 3, {"address": 0x5030, "count": 2})
    found = rtu_json(read_reply(asked, [0, 150]), request=asked)
    assert found["values"] == [{"name": "energy.t5", "value": "1.50", "unit": "kWh"}]
    assert found["block_guessed"] is False


def test_a_write_from_its_values():
    values = [{"name": "relay.forced", "value": "1"}, {"name": "relay.trip", "value": "1"}]
    head = {"kind": "request", "unit": 1, "function": 16, "address": "0x0057", "values": values}
    assert from_json(head | {"block": "relay"}) == set_relay(1, Relay.TRIP)
    assert from_json(head | {"count": 2}) == set_relay(1, Relay.TRIP)


REQUEST = {"kind": "request", "unit": 1, "function": 16, "address": "0x0057"}
TIME = {"protocol": "prepaid-4g", "command": "0x93"}
SAID = {
    "protocol": "prepaid-4g",
    "command": "0x84",
    "serial": "1",
    "iccid": "2",
    "rssi": 3,
    "versions": ["0001", "0002", "0003"],
    "upload_interval_min": 5,
}


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ({"protocol": "dlt645"}, "protocol"),
        ({"kind": "request", "unit": "1", "function": 3}, "unit"),
        ({"kind": "request", "unit": True, "function": 3}, "unit"),
        ({"kind": "request", "unit": 300, "function": 3, "data": ""}, "unit"),
        ({"kind": "wish", "unit": 1, "function": 3}, "kind"),
        ({"unit": 1, "function": 3}, "kind"),
        (REQUEST, "registers is missing"),
        (REQUEST | {"registers": "0x0001"}, "registers"),
        (REQUEST | {"registers": [1]}, "registers"),
        (REQUEST | {"registers": ["0xZZ"]}, "registers"),
        (REQUEST | {"registers": ["0x12345"]}, "function 16"),
        (REQUEST | {"address": 87, "registers": []}, "address"),
        (REQUEST | {"function": 15, "bits": [1]}, "bits"),
        (REQUEST | {"data": "0"}, "data"),
        (REQUEST | {"function": 99}, "function 99"),
        (REQUEST | {"values": [1]}, "values"),
        (REQUEST | {"values": []}, "block"),
        (REQUEST | {"values": [], "block": "nowhere"}, "block"),
        (REQUEST | {"values": [{"name": "x"}], "block": "relay"}, "x"),
        (REQUEST | {"values": [{"name": "relay.trip"}], "block": "relay"}, "relay.trip"),
        (REQUEST | {"values": [{"name": "relay.trip", "value": "70000"}], "block": "relay"}, "relay.trip"),
        (
            REQUEST | {"values": [{"name": "meter_number", "value": "12"}], "block": "port_1"},
            "meter_number",
        ),
        ({"kind": "request", "unit": 1, "function": 3, "address": "0x0000", "count": 999}, "function 3"),
        ({"kind": "exception", "unit": 1, "function": 3, "exception_code": 999}, "function 3"),
        ({"kind": "exception", "unit": 1, "function": 3}, "exception_code"),
        (TIME | {"time": "soon"}, "time"),
        (TIME | {"time": "2021-10-21T19:36:42", "weekday": 999}, "weekday"),
        (TIME | {"command": 0x93}, "command"),
        (TIME | {"command": "0x193"}, "command"),
        ({"protocol": "prepaid-4g", "command": "0x90", "inner": 1}, "inner"),
        (SAID | {"serial": "é"}, "serial"),
        (SAID | {"serial": "1" * 21}, "serial"),
        (SAID | {"rssi": 256}, "rssi"),
        (SAID | {"versions": ["0001"]}, "versions"),
        (SAID | {"versions": ["01", "02", "03"]}, "versions"),
        ({"protocol": "prepaid-4g", "command": "0x91", "serial": "1", "records": {}}, "records"),
    ],
)
def test_the_field_at_fault_is_named(found, word):
    with pytest.raises(EncodeError, match=word):
        from_json(found)


def test_an_empty_envelope_needs_no_body():
    assert from_json({"protocol": "prepaid-4g", "command": "0x84"}) == Envelope(0x84)
    assert from_json({"protocol": "prepaid-4g", "command": "0x55", "serial": "1"}) == Envelope(0x55)


def test_every_block_has_a_name_in_json():
    asked = {
        name: build(1, "request", 3, {"address": one.address, "count": one.count}) for name, one in blocks().items()
    }
    for name, request in asked.items():
        found = rtu_json(read_reply(request, [0] * blocks()[name].count), request=request)
        assert found["block"] == name
        assert len(found["values"]) == len(blocks()[name].items)
