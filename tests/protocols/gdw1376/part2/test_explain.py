"""Frames for people."""

from __future__ import annotations

import pytest

from meterweave.errors import KINDS
from meterweave.protocols.gdw1376.part2 import BROADCAST, Address, downlink, encode, explain
from meterweave.protocols.gdw1376.part2.frame import Frame, encode_frame
from tests.vectors import load

VECTORS = load("gdw1376-2")
REQUEST = bytes.fromhex("680f00430000000000001001005416")


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_the_fields_are_the_octets(vector):
    octets = bytes.fromhex(vector["hex"])
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    for top in fields:
        for _, field in top.walk():
            assert field.name.en
            assert field.name.zh
            inside = b"".join(part.octets for part in field.parts)
            assert inside in (b"", field.octets)
    assert any(field.fault for field in fields) == ("error" in vector["decoded"] or "stream" in vector["decoded"])


def test_a_frame_field_by_field():
    octets = bytes.fromhex("681000830000000000000200028716")
    octets = encode_frame(Frame(0x83, bytes.fromhex("000000000000 00 0200 09")))
    shown = [(field.name.en, field.value, field.meaning and field.meaning.en) for field in explain(octets)]
    assert shown == [
        ("start", "68H", None),
        ("length of the frame", "16", None),
        ("control", "83H", None),
        ("information field", "000000000000H", None),
        ("application function (AFN)", "00H", "confirm or deny"),
        ("Fn", "F2", "deny"),
        ("data unit", "09", None),
        ("checksum", "8EH", None),
        ("end", "16H", None),
    ]
    (error,) = explain(octets)[6].parts
    assert (error.value, error.meaning.zh) == ("9", "主节点忙")
    control = explain(octets)[2].parts
    assert [part.meaning.en for part in control] == [
        "uplink: module to concentrator",
        "answers",
        "high-speed power line (HPLC)",
    ]


def test_the_address_field():
    message = downlink(0x10, 1, address=Address("111111111111", BROADCAST, ("000000000006",)))
    fields = explain(encode(message))[4:7]
    assert [(field.name.en, field.value) for field in fields] == [
        ("source A1", "111111111111"),
        ("relay A2.1", "000000000006"),
        ("destination A3", BROADCAST),
    ]
    assert [field.meaning and field.meaning.zh for field in fields] == [None, None, "广播地址"]


def test_a_message_of_a_meter_is_explained_inside():
    octets = bytes.fromhex(next(one["hex"] for one in VECTORS if one["id"] == "gdw1376-2-103"))
    unit = next(field for field in explain(octets) if field.name.en == "data unit")
    message = unit.parts[-1]
    (inner,) = message.parts
    assert inner.octets == message.octets
    assert any("2.45" in field.value for _, field in inner.walk())


def test_functions_and_data_nobody_knows():
    octets = encode_frame(Frame(0x43, bytes(6) + bytes.fromhex("f0 0300 aabb")))
    _, _, _, _, afn, fn, unit, _, _ = explain(octets)
    assert afn.meaning.en == "vendor debug"
    assert (fn.value, fn.meaning) == ("03 00", None)
    assert (unit.value, unit.parts) == ("AA BB", ())
    assert explain(encode_frame(Frame(0x43, bytes(6) + bytes.fromhex("99 0100"))))[4].meaning is None


@pytest.mark.parametrize(
    ("octets", "name", "kind"),
    [
        (b"\x69" + REQUEST, "start", "bad_start"),
        (REQUEST[:2], "start", "truncated"),
        (REQUEST[:3], "control", "truncated"),
        (REQUEST[:8], "information field", "truncated"),
        (REQUEST[:11], "Fn", "truncated"),
        (REQUEST[:12], "Fn", "truncated"),
        (REQUEST[:14], "checksum", "truncated"),
        (b"\x68\x0e" + REQUEST[2:], "length of the frame", "bad_length"),
        (b"\x68\x0e\x00", "length of the frame", "bad_length"),
        (REQUEST + b"\x00", "octets behind the frame", "bad_length"),
        (REQUEST[:-2] + b"\x55\x16", "checksum", "bad_checksum"),
        (REQUEST[:-1] + b"\x68", "end", "bad_end"),
        (REQUEST[:-1] + b"\x68\x16", "end", "bad_end"),
        (encode_frame(Frame(0x43, b"\x04" + bytes(16))), "destination A3", "bad_length"),
        (encode_frame(Frame(0x43, b"\x04" + bytes(18))), "Fn", "bad_length"),
    ],
)
def test_the_fault_is_marked_where_it_lies(octets, name, kind):
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    assert [(field.name.en, field.fault) for field in fields if field.fault] == [(name, KINDS[kind])]


def test_no_octets_have_no_fields():
    assert explain(b"") == []
