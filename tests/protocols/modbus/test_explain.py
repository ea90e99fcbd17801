from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import KINDS
from meterweave.protocols.modbus import Envelope, Frame, build, encode, explain
from meterweave.protocols.modbus.upload import Record, Registration, Upload, write_registration, write_upload
from tests.protocols.modbus.strategies import messages
from tests.vectors import load

VECTORS = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in load("modbus-prepaid")}
REPLY = VECTORS["modbus-002"]
ACKNOWLEDGE = VECTORS["modbus-009"]


def check(octets):
    """The fields join to the octets, at every depth, and every field is named in both languages."""
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    for field in fields:
        for _, one in field.walk():
            assert one.name.en
            assert one.name.zh
            if any(part.octets for part in one.parts):
                assert b"".join(part.octets for part in one.parts) == one.octets
    return fields


def faults(octets):
    return [(field.name.en, field.fault) for field in check(octets) if field.fault]


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name):
    check(VECTORS[name])


@given(messages)
def test_messages(message):
    assert faults(encode(message)) == []


@given(st.binary(max_size=300) | st.binary(max_size=130).map(lambda octets: b"{{" + octets))
def test_anything(octets):
    check(octets)


@given(messages, st.data())
def test_a_message_cut_anywhere_is_marked(message, data):
    octets = encode(message)
    assert len(faults(octets[: data.draw(st.integers(1, len(octets) - 1))])) <= 1


def said(octets):
    return {field.name.en: (field.value, field.unit) for top in check(octets) for _, field in top.walk()}


def test_the_words_of_an_answer():
    found = said(REPLY)
    assert found["unit address"] == ("17", "")
    assert found["total active energy"] == ("1.27", "kWh")
    [registers] = [field for field in explain(REPLY) if field.name.en == "registers"]
    assert registers.meaning.en == "submeter 1310/1312 energy block, by its length"


def test_the_words_of_a_write():
    [address] = [field for field in explain(VECTORS["modbus-021"]) if field.name.en == "address"]
    assert (address.value, address.meaning.en, address.meaning.zh) == ("0057H", "forced trip", "强制跳闸")


def test_the_words_of_an_upload():
    octets = bytearray(96)
    octets[72] = 0x20
    answer = Frame(1, 3, b"\x60" + bytes(octets))
    body = write_upload(Upload(b"12345678901234567890", (Record(b"000000000001", answer),)))
    found = said(encode(Envelope(0x91, body)))
    assert found["serial number"] == ("12345678901234567890", "")
    assert found["meter address"] == ("000000000001", "")
    assert found["relay L1 closed"] == ("1", "")
    assert found["relay L2 closed"] == ("0", "")
    assert found["clock of the meter"] == ("00 00 00 00 00 00 00", "")


def test_the_words_of_a_registration_and_of_the_time():
    said_84 = Registration(b"1" * 20, b"2" * 30, 21, (b"\x01\x02",) * 3, 5)
    found = said(encode(Envelope(0x84, write_registration(said_84))))
    assert found["upload interval"] == ("5", "min")
    assert found["signal strength"] == ("21", "")
    assert said(VECTORS["modbus-026"])["time"] == ("2021-10-21T19:36:42, weekday 4", "")
    assert said(encode(Envelope(0x90, VECTORS["modbus-001"])))["unit address"] == ("17", "")


@pytest.mark.parametrize("command", [0x84, 0x91, 0x93, 0x55])
def test_a_body_that_is_not_as_it_should_be(command):
    assert said(encode(Envelope(command, b"ab")))["not described"] == ("61 62", "")


def test_the_words_of_a_refusal():
    [field] = [field for field in explain(encode(Frame(1, 0x83, b"\x02"))) if field.name.en == "exception"]
    assert field.meaning.en == "illegal data address"


@pytest.mark.parametrize(
    ("octets", "field", "kind"),
    [
        (REPLY[:-1] + b"\x00", "CRC, low octet first", "bad_checksum"),
        (REPLY[:-3], "data", "truncated"),
        (REPLY[:2], "function", "truncated"),
        (REPLY[:1], "unit address", "truncated"),
        (VECTORS["modbus-001"] + bytes(10), "octets behind the frame", "bad_length"),
        (ACKNOWLEDGE[:-3] + b"\x24}}", "CRC, low octet first", "bad_checksum"),
        (ACKNOWLEDGE[:-1] + b"\x00", "end", "bad_end"),
        (ACKNOWLEDGE[:5], "cut off", "truncated"),
        (ACKNOWLEDGE[:2], "start", "truncated"),
        (ACKNOWLEDGE[:-2] + b"\x01\x02\x03", "data", "truncated"),
        (b"{{" + bytes(3000), "data", "bad_length"),
        (b"\x01\x03" + bytes(3000), "octets behind the frame", "bad_length"),
    ],
)
def test_the_fault_is_marked_at_its_place(octets, field, kind):
    assert faults(octets) == [(field, KINDS[kind])]


def test_nothing_at_all():
    assert explain(b"") == []


def test_registers_without_a_description_are_shown():
    found = said(encode(Frame(1, 3, b"\x38" + bytes(56))))
    assert found["alarm amount 1"] == ("0.00", "CNY")
    assert found["not described"][0].startswith("00 00")


def test_registers_that_are_no_block_stay_octets():
    frame = build(1, "request", 16, {"address": 0x9999, "registers": [0x1234]})
    assert said(encode(frame))["data"] == ("12 34", "")
