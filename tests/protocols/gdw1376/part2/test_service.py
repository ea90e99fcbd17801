"""Frames built from names."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part2 import (
    BROADCAST,
    Address,
    answer,
    confirm,
    decode,
    deny,
    downlink,
    encode,
    to_json,
    uplink,
)

MAIN, NODE, RELAY = "111111111111", "000000000006", "000000000003"


def test_the_plainest_request():
    assert encode(downlink(0x10, 1)).hex() == "680f00430000000000001001005416"


def test_a_request_to_a_node_over_a_relay():
    message = downlink(
        0x13,
        1,
        {"protocol": 2, "message": {"hex": ""}},
        address=Address(MAIN, NODE, (RELAY,)),
        sequence=9,
        rate=1200,
        expected_reply_bytes=40,
    )
    json = to_json(decode(encode(message)))
    assert json["info"]["relay_level"] == json["info"]["module_flag"] == 1
    assert json["info"]["expected_reply_bytes"] == 40
    assert json["address"] == {"source": MAIN, "relays": [RELAY], "destination": NODE}
    assert json["payload"] == {"protocol": 2, "delay_flag": 0, "sub_nodes": [], "message": {"hex": ""}}


def test_the_answer_goes_back_the_other_way():
    asked = downlink(0x10, 1, address=Address(MAIN, NODE), sequence=9, comm_mode=2)
    json = to_json(answer(asked, {"nodes": 1, "max_nodes": 2040}))
    assert json["direction"] == "uplink"
    assert (json["prm"], json["comm_mode"], json["info"]["sequence"]) == (0, 2, 9)
    assert json["address"] == {"source": NODE, "destination": MAIN}
    assert json["payload"] == {"nodes": 1, "max_nodes": 2040}


def test_the_module_asks_and_the_concentrator_answers():
    asked = uplink(0x14, 1, {"phase": 1, "address": NODE, "node_sequence": 2}, prm=True, sequence=7)
    reply = answer(asked, {"read_flag": 0, "message": {"hex": ""}})
    assert (reply.uplink, reply.prm, reply.sequence, reply.afn, reply.fn) == (False, False, 7, 0x14, 1)
    assert reply.data == b"\x00\x00\x00\x00"


def test_confirm_and_deny():
    asked = uplink(0x06, 3, {"change": 1}, prm=True, sequence=3)
    assert to_json(confirm(asked, wait_seconds=5))["payload"] == {
        "channel_status": "ffffffff",
        "command_done": 1,
        "channels_idle": 0x7FFFFFFF,
        "wait_seconds": 5,
    }
    assert (deny(asked, 9).fn, deny(asked, 9).data, deny(asked, 9).sequence) == (2, b"\x09", 3)


def test_a_broadcast():
    message = downlink(0x05, 3, {"protocol": 2, "message": {"hex": "aa"}}, address=Address(MAIN, BROADCAST))
    assert message.address.destination == "999999999999"


def test_a_vendors_frame():
    assert downlink(0xF0, 5, data=b"\x01\x02").data == b"\x01\x02"


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: downlink(0x05, 1), "payload.main_node_address is missing"),
        (
            lambda: downlink(0x05, 1, {"address": NODE}),
            "payload.address is not known here; there are: main_node_address",
        ),
        (lambda: downlink(0x10, 1, phase=1), "info.phase is not known here"),
        (lambda: uplink(0x10, 1, {"nodes": 1, "max_nodes": 2}, rate=1200), "info.rate is not known here"),
        (lambda: downlink(0x10, 1, sequence=256), "info.sequence is 256, wanted a whole number from 0 to 255"),
        (lambda: downlink(0x10, 1, comm_mode=64), "comm_mode is 64, wanted a whole number from 0 to 63"),
        (lambda: downlink(0xF0, 1), "has no known layout"),
        (lambda: downlink(0x10, 0), "payload: AFN 0x10 Fn 0 has no known layout"),
    ],
)
def test_what_cannot_be_built(build, said):
    with pytest.raises(EncodeError, match=said):
        build()
