from __future__ import annotations

import json

import pytest
from hypothesis import given

from meterweave.errors import EncodeError
from meterweave.protocols.cjt188 import Frame, encode, from_json, to_json
from tests.protocols.cjt188.strategies import frames, known_frames

METER = "00000000000012"


@given(frames | known_frames())
def test_json_and_back(frame):
    found = json.loads(json.dumps(to_json(frame)))
    assert from_json(found) == frame


@given(known_frames())
def test_named_values_are_enough(frame):
    found = to_json(frame)
    del found["data"], found["payload"]
    assert from_json(found) == frame


@given(frames)
def test_without_octets_the_parts_are_enough(frame):
    found = to_json(frame)
    data = found.pop("data")
    back = from_json(found | {"values": []})
    assert back.data.hex() == data


@pytest.mark.parametrize(
    ("control", "data", "wanted"),
    [
        (0x81, "1f9000" + "00" * 21, {"payload_trailing": "0000", "layout": "volume"}),
        (
            0xC1,
            "070500",
            {
                "ser": 7,
                "error": True,
                "values": [
                    {
                        "name": "status",
                        "value": "0500",
                        "unit": "hex, low byte first",
                        "valve": "closed",
                        "battery_low": True,
                    }
                ],
            },
        ),
        (0xC1, "1f900703", {"di": "901f", "values": [{"name": "status", "value": "03", "unit": "hex"}]}),
        (0xC1, "03", {"values": [{"name": "status", "value": "03", "unit": "hex"}]}),
        (0x84, "17a00001ff", {"di": "a017"}),
        (0xA1, "1f9000", {"function": "read_data", "direction": "response", "error": False}),
        (0xBF, "", {"function": "unknown", "data": ""}),
        (0x01, "1f90", {"di": "901f"}),
    ],
)
def test_what_the_octets_say(control, data, wanted):
    frame = Frame(0x10, METER, control, bytes.fromhex(data))
    found = to_json(frame)
    assert {key: found[key] for key in wanted} == wanted
    del found["data"]
    assert from_json(found) == frame
    found.pop("payload", None)
    assert from_json(found) == frame


def test_a_command_written_by_hand():
    found = from_json(
        {
            "meter_type": "0x10",
            "address": "12",
            "function": "write_data",
            "direction": "request",
            "di": "a017",
            "ser": 1,
            "valve_command": "close",
        }
    )
    assert encode(found).hex() == encode(Frame(0x10, METER, 0x04, bytes.fromhex("17a00199"))).hex()


def test_a_refusal_written_by_hand():
    found = from_json(
        {
            "meter_type": "0x10",
            "address": "12",
            "function": "read_data",
            "direction": "response",
            "error": True,
            "ser": 1,
        }
    )
    assert found == Frame(0x10, METER, 0xC1, b"\x01")


def test_the_layout_can_be_chosen_by_name():
    rows = to_json(Frame(0x20, METER, 0x81, bytes.fromhex("1f9000") + bytes(40)))["values"]
    head = {"meter_type": "0x20", "address": METER, "control": "0x81", "di": "901f", "ser": 0, "values": rows}
    assert len(from_json(head | {"layout": "heat_2018"}).data) == 0x2B


BASE = {"meter_type": "0x10", "address": METER, "control": "0x81", "di": "901f", "ser": 0}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"meter_type": None}, "meter_type"),
        ({"meter_type": "0xZZ"}, "meter_type"),
        ({"meter_type": "0x100"}, "meter_type"),
        ({"address": 12}, "address"),
        ({"address": "xyz"}, "address"),
        ({"control": 0x81}, "control"),
        ({"data": "abc"}, "data"),
        ({"di": "9x"}, "di"),
        ({"di": "901f00"}, "di"),
        ({"ser": "1"}, "ser"),
        ({"ser": True}, "ser"),
        ({"ser": 300}, "ser"),
        ({"wake_up": -1}, "wake_up"),
        ({"payload": 1}, "payload"),
        ({"payload": "00" * 98}, "data"),
        ({"di_order": "sideways"}, "di_order"),
        ({"values": "volume"}, "values"),
        ({"values": 1}, "values"),
        ({"values": [1]}, "values"),
        ({"values": [{"name": "volume.current"}]}, "volume.current"),
        ({"di": "8103", "values": [{"name": "settlement_day"}]}, "settlement_day"),
        ({"di": "8103", "values": [{"name": "settlement_day", "value": "123"}]}, "settlement_day"),
        ({"di": "8103", "values": [{"name": "settlement_day", "value": 1}]}, "settlement_day"),
        ({"di": "ffff", "values": [{"name": "x"}]}, "FFFF"),
        ({"control": "0xC1", "values": [{"name": "x"}]}, "901F"),
        ({"valve_command": "ajar"}, "valve_command"),
    ],
)
def test_the_field_at_fault_is_named(change, word):
    with pytest.raises(EncodeError, match=word):
        from_json(BASE | change)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"function": "dance", "direction": "request"}, "dance"),
        ({"function": "read_data"}, "direction is missing"),
        ({}, "function is missing"),
    ],
)
def test_a_control_that_cannot_be_made_is_named(change, word):
    base = {key: value for key, value in BASE.items() if key != "control"}
    with pytest.raises(EncodeError, match=word):
        from_json(base | change)


def test_an_error_without_identifier_names_its_values():
    with pytest.raises(EncodeError, match="an error answer"):
        from_json({"meter_type": "0x10", "address": METER, "control": "0xC1", "values": [{"name": "x"}]})
