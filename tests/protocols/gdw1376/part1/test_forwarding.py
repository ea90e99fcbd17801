from __future__ import annotations

import pytest

from meterweave.protocols.gdw1376.part1.forwarding import inner_fields, inner_json, recognise

METER = bytes.fromhex("6861100130121568910833333433ab3933334916")


def water():
    body = bytes.fromhex("6810010203040506070103901f00")
    return body + bytes((sum(body) & 255, 0x16))


def test_the_protocol_is_found_by_trying():
    assert recognise(METER)[0].name == "dlt645"
    assert recognise(water())[0].name == "cjt188"
    assert recognise(b"\x01\x02") is None


def test_inner_frames_as_json():
    assert inner_json(METER)["address"] == "151230011061"
    assert inner_json(b"") is None
    assert inner_json(b"\x01\x02") is None
    assert inner_json(METER[:-1] + b"\x17")["error"] == "bad_end"


@pytest.mark.parametrize("octets", [METER, water(), METER[:9], b"\x01\x02", METER[:-2] + b"\0\x16"])
def test_inner_frames_field_by_field(octets):
    assert b"".join(field.octets for field in inner_fields(octets)) == octets
