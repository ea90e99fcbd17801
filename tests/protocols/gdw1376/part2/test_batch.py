"""Frames to readings in columns: the same as one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, ReadingBatch, Source, from_readings
from meterweave.metering.quantities import obis_code
from meterweave.protocols import dlt645
from meterweave.protocols.gdw1376.part2 import CODEC, Address, decode, decode_batch, downlink, encode, uplink
from meterweave.protocols.gdw1376.part2.batch import delivered, readings
from tests.vectors import load

MAIN, NODE = "111111111111", "000000000006"
NOW = 1_700_000_000_000_000
ENERGY, VOLTAGE = obis_code("1-0:1.8.0"), obis_code("1-0:32.7.0")
FRAMES = [bytes.fromhex(vector["hex"]) for vector in load("gdw1376-2")]
FIXED = next(bytes.fromhex(one["hex"]) for one in load("dlt698-45") if one["decoded"].get("link"))


def answer(address: str, di: str, octets: str, control: int = 0x91) -> bytes:
    """A meter's answer to a read."""
    data = bytes.fromhex(di)[::-1] + bytes.fromhex(octets)
    return dlt645.encode(dlt645.Frame(address, control, data))


@st.composite
def answers(draw):
    address = draw(st.sampled_from(("000000000001", "123456789012", "00000000000a")))
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return answer(address, "02010100", draw(st.binary(min_size=2, max_size=2)).hex())
    if kind == 1:
        return answer(address, "0201ff00", draw(st.binary(min_size=6, max_size=6)).hex())
    if kind == 2:
        return answer(address, "00000000", draw(st.binary(max_size=6)).hex())
    if kind == 3:
        return dlt645.encode(dlt645.Frame(address, 0xD1, b"\x02"))
    digits = draw(st.integers(0, 99_999_999))
    return answer(address, "00010000", f"{digits:08d}")


@st.composite
def frames(draw):
    """A frame with meters' messages, or with something else, or broken."""
    pieces = draw(st.lists(st.tuples(st.integers(0, 3), answers()), max_size=3))
    octets = b"".join(b"\xfe" * lead + one for lead, one in pieces) or draw(st.binary(max_size=4))
    message = {"hex": octets[:255].hex()}
    afn, payload = draw(
        st.sampled_from(
            [
                (0x02, {"protocol": 2, "message": message}),
                (0x13, {"delay_seconds": 1, "protocol": 2, "message": message}),
                (0xF1, {"protocol": 2, "message": message}),
            ]
        )
    )
    frame = encode(uplink(afn, 1, payload, address=draw(st.sampled_from((None, Address(NODE, MAIN))))))
    if draw(st.integers(0, 7)) == 0:
        at = draw(st.integers(0, len(frame) - 1))
        frame = frame[:at] + bytes([frame[at] ^ draw(st.integers(1, 255))]) + frame[at + 1 :]
    return frame


def one_by_one(octets: list[bytes]) -> ReadingBatch:
    found, bad = [], []
    for index, frame in enumerate(octets):
        try:
            found += readings(decode(frame), index=index, received=NOW)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=NOW, bad=tuple(bad))


def assert_same(batch: ReadingBatch, wanted: ReadingBatch) -> None:
    for field in dataclasses.fields(ReadingBatch):
        found = getattr(batch, field.name)
        if field.name == "bad":
            assert found == wanted.bad
        else:
            assert found.dtype == getattr(wanted, field.name).dtype
            assert np.array_equal(found, getattr(wanted, field.name)), field.name


@given(st.lists(frames() | st.sampled_from(FRAMES) | st.binary(max_size=20), max_size=12))
@settings(max_examples=100, deadline=None)
def test_the_batch_is_what_the_messages_say(octets):
    assert_same(decode_batch(octets, received=NOW), one_by_one(octets))


ENERGY_MESSAGE = {"hex": "fefefe" + answer("000000000007", "00010000", "16050000").hex()}


@pytest.mark.parametrize(
    ("afn", "fn", "payload"),
    [
        (0x02, 1, {"protocol": 2, "message": ENERGY_MESSAGE}),
        (0x06, 2, {"node_sequence": 1, "protocol": 2, "elapsed_s": 3, "message": ENERGY_MESSAGE}),
        (0x13, 1, {"delay_seconds": 1, "protocol": 2, "message": ENERGY_MESSAGE}),
        (0xF1, 1, {"protocol": 2, "message": ENERGY_MESSAGE}),
    ],
)
def test_every_way_a_reading_is_delivered(afn, fn, payload):
    batch = CODEC.decode_batch([encode(uplink(afn, fn, payload))], received=NOW)
    assert batch.meter.tolist() == [0x000000000007]
    assert batch.quantity.tolist() == [ENERGY]
    assert batch.value.tolist() == [51600]  # 5.16 kWh at 10^-4
    assert batch.ts.tolist() == batch.received.tolist() == [NOW]
    assert batch.source.tolist() == [Source.FORWARDED]
    assert batch.frame.tolist() == [0]
    assert batch.bad == ()


def test_several_messages_in_one_frame_keep_their_order():
    octets = b"\xfe".join((answer("000000000001", "02010100", "0322"), answer("000000000002", "00010000", "01000000")))
    frame = encode(uplink(0xF1, 1, {"protocol": 2, "message": {"hex": octets.hex()}}))
    batch = decode_batch([b"", frame, frame], received=NOW)
    assert batch.meter.tolist() == [1, 2, 1, 2]
    assert batch.quantity.tolist() == [VOLTAGE, ENERGY] * 2
    assert batch.frame.tolist() == [1, 1, 2, 2]
    assert batch.bad == (BadFrame(0, "truncated"),)


@pytest.mark.parametrize(
    "message",
    [
        downlink(0x02, 1, {"protocol": 2, "message": ENERGY_MESSAGE}),
        downlink(0x10, 1),
        uplink(0x02, 1, {"protocol": 2, "message": {"hex": "aabb"}}),
        uplink(0x02, 1, data=b""),
        uplink(0x03, 9, {"delay_seconds": 1, "protocol": 2, "message": ENERGY_MESSAGE}),
    ],
)
def test_frames_without_readings(message):
    assert readings(message) == ()
    assert len(decode_batch([encode(message)])) == 0


def test_a_value_the_meter_does_not_have():
    frame = encode(uplink(0x02, 1, {"protocol": 2, "message": {"hex": answer(NODE, "00010000", "ffffffff").hex()}}))
    (one,) = readings(decode(frame))
    assert one.value is None
    assert decode_batch([frame]).missing.tolist() == [True]


def test_a_698_message_is_handed_on_as_well():
    frame = uplink(0x02, 1, {"protocol": 3, "message": {"hex": "fe" + FIXED.hex()}})
    assert [(piece.key, piece.octets) for piece in delivered(frame)] == [("dlt698", FIXED)]
    assert len(decode_batch([encode(frame)])) == len(readings(frame))


def test_no_frames():
    assert_same(decode_batch([]), ReadingBatch.empty())
