"""Messages as JSON."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part2 import CODEC, decode, encode, from_json, to_json

REQUEST = {"direction": "downlink", "afn": "0x10", "fn": 1}
NODE, MAIN = "000000000006", "111111111111"


def test_defaults():
    assert encode(from_json(REQUEST)).hex() == "680f00430000000000001001005416"
    answer = {"direction": "uplink", "afn": 0x10, "fn": 1, "payload": {"nodes": 1, "max_nodes": 2}}
    assert to_json(from_json(answer))["prm"] == 0


def test_the_address_says_what_r_must_say():
    json = REQUEST | {"address": {"source": MAIN, "destination": NODE, "relays": ["000000000001"]}}
    found = to_json(from_json(json))
    assert (found["info"]["module_flag"], found["info"]["relay_level"]) == (1, 1)
    assert found["length"] == len(encode(from_json(json)))


def test_data_wins_over_payload():
    json = {"direction": "uplink", "afn": "0x00", "fn": 2, "data": "09", "payload": {"error_code": 2}}
    assert to_json(from_json(json))["payload"] == {"error_code": 9}


def test_octets_behind_the_layout():
    json = {"direction": "downlink", "afn": "0x11", "fn": 6, "payload": {}, "payload_trailing": "010018"}
    found = to_json(from_json(json))
    assert (found["data"], found["payload"], found["payload_trailing"]) == ("010018", {}, "010018")


def test_a_data_unit_that_is_too_short():
    found = to_json(decode(bytes.fromhex("681000830000000000001001000195" + "16")))
    assert found["payload"] == {"error": "payload_length_mismatch"}


def test_a_dt_with_several_functions():
    json = {"direction": "downlink", "afn": "0x10", "fn": None, "dt": "0300", "data": ""}
    assert from_json(json).dt == b"\x03\x00"
    assert from_json({"direction": "downlink", "afn": "0x10", "fn": None, "dt": "0000", "data": ""}).fn is None


def test_reserved_bits_of_r_are_kept():
    octets = bytes.fromhex("68110083f8f00000fe0003010104007216")
    found = to_json(decode(octets))
    assert found["info"]["reserved"] == "08f00000fe00"
    del found["data"]
    assert encode(from_json(found)) == octets


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "gdw1376-1"}, "protocol is 'gdw1376-1', wanted 'gdw1376-2'"),
        ({"direction": "up"}, "direction is 'up', wanted downlink or uplink"),
        ({"direction": None}, "direction is None"),
        ({"prm": True}, "prm is True"),
        ({"prm": 2}, "prm is 2"),
        ({"comm_mode": 64}, "comm_mode is 64"),
        ({"afn": "10"}, "afn is '10'"),
        ({"afn": 256}, "afn is 256"),
        ({"fn": "1"}, "fn is '1'"),
        ({"fn": 0}, "fn is 0, wanted 1 to 2048"),
        ({"fn": None}, "message.dt is missing"),
        ({"fn": None, "dt": "01"}, "dt has 1 octets, wanted 2"),
        ({"info": []}, r"info is \[\], wanted an object"),
        ({"info": {"rate": 40000}}, "info.rate is 40000"),
        ({"info": {"module_flag": 1}}, "if and only if info.module_flag is 1"),
        ({"address": MAIN}, f"address is '{MAIN}', wanted an object"),
        ({"address": {"source": MAIN}}, "address.destination is missing"),
        ({"address": {"source": MAIN, "destination": 6}}, "address.destination is 6, wanted 12 digits"),
        ({"address": {"source": MAIN, "destination": NODE, "relays": "x"}}, "address.relays is 'x', wanted a list"),
        ({"address": {"source": MAIN, "destination": NODE, "relays": [1]}}, r"address.relays\[0\] is 1"),
        (
            {"direction": "uplink", "data": "", "address": {"source": MAIN, "destination": NODE, "relays": [NODE]}},
            "address.relays has 1 addresses, wanted 0",
        ),
        ({"data": "0"}, "data is '0', wanted octets in hexadecimal"),
        ({"payload": {"x": 1}}, "payload.x is not known here"),
        ({"payload": []}, r"payload is \[\], wanted an object"),
        ({"payload_trailing": 1}, "payload_trailing is 1"),
        ({"data": "00" * 2034}, "2049 octets"),
    ],
)
def test_what_is_wrong_is_named(change, said):
    with pytest.raises(EncodeError, match=said):
        from_json(REQUEST | change)


@pytest.mark.parametrize("key", ["direction", "afn", "fn"])
def test_what_is_missing_is_named(key):
    with pytest.raises(EncodeError, match=f"message.{key} is missing"):
        from_json({name: value for name, value in REQUEST.items() if name != key})


def test_the_codec():
    assert CODEC.name == "gdw1376-2"
    assert CODEC.aliases == ("gdw1376.2", "gdw1376_2", "1376.2", "376.2")
    assert CODEC.title.en
    assert not CODEC.wake_up
