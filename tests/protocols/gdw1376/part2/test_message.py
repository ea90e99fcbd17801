"""Whole messages to octets and back."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.gdw1376.part2 import Address, Message, decode, encode, explain, from_json, to_json
from meterweave.protocols.gdw1376.part2.frame import Frame, encode_frame
from meterweave.protocols.gdw1376.part2.message import data_of, dt_to_fn, fn_to_dt
from tests.protocols.gdw1376.part2.strategies import messages
from tests.vectors import load

GOOD = [bytes.fromhex(vector["hex"]) for vector in load("gdw1376-2") if "afn" in vector["decoded"]]
PLAIN = Message(0x43, bytes(6), None, 0x10, b"\x01\x00")


@given(messages())
@settings(max_examples=200, deadline=None)
def test_decoding_undoes_encoding(message):
    octets = encode(message)
    assert decode(octets) == message
    assert from_json(to_json(message)) == message
    assert b"".join(field.octets for field in explain(octets)) == octets


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: b"\x68" + tail))
@settings(max_examples=200)
def test_arbitrary_octets_raise_nothing_but_decode_errors(octets):
    _survives(octets)


@given(st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 4096), st.integers(0, 255)), max_size=4), st.booleans())
@settings(max_examples=200, deadline=None)
def test_frames_with_wrong_octets_raise_nothing_but_decode_errors(octets, changes, repaired):
    wrong = bytearray(octets)
    for at, octet in changes:
        wrong[at % len(wrong)] = octet
    if repaired:  # so that what is wrong lies behind the checksum
        wrong = bytearray(encode_frame(Frame(wrong[3], bytes(wrong[4:-2]))))
    _survives(bytes(wrong))


def test_4_kib_of_anything():
    dice = random.Random(1376)
    for start in (b"", b"\x68\x00\x08\x43"):
        _survives(start + dice.randbytes(4096))


def _survives(octets):
    assert b"".join(field.octets for field in explain(octets)) == octets
    try:
        message = decode(octets)
    except DecodeError:
        return
    assert encode(message) == octets
    assert from_json(to_json(message)) == message


@pytest.mark.parametrize(("dt", "fn"), [("0100", 1), ("8000", 8), ("0101", 9), ("800d", 112), ("80ff", 2048)])
def test_fn_and_dt(dt, fn):
    assert dt_to_fn(bytes.fromhex(dt)) == fn
    assert fn_to_dt(fn).hex() == dt


@pytest.mark.parametrize("dt", ["0000", "0300", "ff01"])
def test_a_dt_that_is_no_single_fn(dt):
    message = replace(PLAIN, dt=bytes.fromhex(dt))
    assert message.fn is None
    assert message.payload is None
    json = to_json(message)
    assert (json["fn"], json["dt"]) == (None, dt)
    assert decode(encode(message)) == message


@pytest.mark.parametrize("fn", [0, 2049])
def test_an_fn_there_cannot_be(fn):
    with pytest.raises(EncodeError, match=f"fn is {fn}, wanted 1 to 2048"):
        fn_to_dt(fn)


def test_what_a_message_tells_of_itself():
    message = Message(0xC3, bytes.fromhex("000000000007"), None, 0x10, b"\x01\x00", bytes.fromhex("0100f807"))
    assert (message.uplink, message.prm, message.comm_mode, message.sequence, message.fn) == (True, True, 3, 7, 1)
    assert message.payload.values == {"nodes": 1, "max_nodes": 2040}


class TestAddressField:
    def test_down_with_relays(self):
        message = Message(
            0x43,
            b"\x24" + bytes(5),
            Address("000000000001", "000000000004", ("000000000002", "000000000003")),
            0x13,
            b"\x01\x00",
        )
        octets = encode(message)
        assert octets[10:34].hex() == "010000000000020000000000030000000000040000000000"
        assert decode(octets) == message

    def test_up_a_relay_level_brings_no_relays(self):
        message = Message(0x83, b"\xf4" + bytes(5), Address("000000000001", "000000000002"), 0x13, b"\x01\x00")
        assert decode(encode(message)) == message

    def test_one_that_does_not_fit_in(self):
        octets = encode_frame(Frame(0x43, b"\x14" + bytes(5 + 12 + 3)))
        with pytest.raises(DecodeError) as caught:
            decode(octets)
        assert caught.value.kind == "bad_length"
        assert caught.value.detail == {"detail": "length 27 is below the 33 that the address field needs"}

    def test_the_shortest(self):
        octets = encode_frame(Frame(0x43, b"\x04" + bytes(5 + 12 + 3)))
        assert decode(octets).data == b""


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (replace(PLAIN, control=256), "wants a control and an AFN of 1 octet"),
        (replace(PLAIN, afn=-1), "wants a control and an AFN of 1 octet"),
        (replace(PLAIN, info=b""), "6 octets of R"),
        (replace(PLAIN, dt=b"\x01"), "2 of DT"),
        (replace(PLAIN, info=b"\x04" + bytes(5)), "if and only if info.module_flag is 1"),
        (replace(PLAIN, address=Address("0" * 12, "0" * 12)), "if and only if info.module_flag is 1"),
        (
            replace(PLAIN, info=b"\x14" + bytes(5), address=Address("0" * 12, "0" * 12)),
            "address.relays has 0 addresses, wanted 1",
        ),
        (
            replace(PLAIN, info=b"\x04" + bytes(5), address=Address("0" * 12, "0" * 11)),
            "address.destination is '00000000000', wanted 12 digits",
        ),
        (replace(PLAIN, data=bytes(2034)), "2049 octets"),
    ],
)
def test_messages_that_cannot_be_sent(message, said):
    with pytest.raises(EncodeError, match=said):
        encode(message)


def test_a_data_unit_without_known_layout_cannot_be_built_from_names():
    with pytest.raises(EncodeError, match="AFN 0xF0 Fn 1 has no known layout uplink; give its octets as data"):
        data_of(0xF0, 1, {}, uplink=True)
    with pytest.raises(EncodeError, match="AFN 0x01 Fn None has no known layout downlink"):
        data_of(0x01, None, {}, uplink=False)
