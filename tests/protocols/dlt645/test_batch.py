from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, ReadingBatch, from_readings
from meterweave.metering.clock import SHANGHAI
from meterweave.protocols.dlt645 import decode_batch, readings
from meterweave.protocols.dlt645.frame import Frame, decode, encode
from tests.protocols.dlt645.strategies import FRAMES, patient, replies
from tests.vectors import load

NOW = 1_700_000_000_000_000


def one_by_one(frames: list[bytes]) -> ReadingBatch:
    found, bad = [], []
    for index, octets in enumerate(frames):
        try:
            found += readings(decode(octets), index=index, received=NOW, zone=SHANGHAI)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=NOW, bad=tuple(bad))


def assert_same(frames: list[bytes]) -> None:
    fast, slow = decode_batch(frames, received=NOW), one_by_one(frames)
    assert fast.bad == slow.bad
    for column in fields(ReadingBatch):
        if column.name != "bad":
            one, other = getattr(fast, column.name), getattr(slow, column.name)
            assert one.dtype == other.dtype
            assert np.array_equal(one, other), column.name


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    octets = bytearray(encode(draw(replies())))
    octets[draw(st.integers(0, len(octets) - 1))] ^= draw(st.integers(1, 255))
    return bytes(octets[: draw(st.sampled_from([len(octets), len(octets) - 1]))])


@patient
@given(st.lists(st.one_of(replies().map(encode), FRAMES.map(encode), damaged(), st.binary(max_size=14)), max_size=12))
def test_in_bulk_as_one_by_one(frames):
    assert_same(frames)


@patient
@given(st.lists(replies(), min_size=1, max_size=3), st.lists(st.integers(0, 255), min_size=1, max_size=6))
def test_frames_that_share_a_layout(frames, changes):
    """The same layouts again and again, with one octet of the data different each time."""
    varied = []
    for frame in frames:
        for change in changes:
            data = bytearray(frame.data)
            if len(data) > 4:
                data[4 + change % (len(data) - 4)] = change
            varied.append(encode(frame._replace(data=bytes(data), address=f"{change:012d}")))
    assert_same(varied)


def test_the_vectors():
    assert_same([bytes.fromhex(vector["hex"]) for vector in load("dlt645-2007")])


def test_what_is_decoded_one_by_one():
    body = bytes.fromhex("0012010218" + "aa" * 5 + "000300" * 2 + "aa")
    record = b"\xa0\xa0" + bytes([len(body)]) + body
    record += bytes([sum(record) % 256, 0xE5])
    frames = [
        encode(Frame("000000000001", 0x91, bytes.fromhex("00000006") + record)),
        encode(Frame("000000000002", 0x91, bytes.fromhex("ff028107") + bytes(30))),
    ]
    assert_same(frames)
    assert decode_batch(frames, received=NOW).value.tolist() == [300, 300, 0, 0]


def test_nothing():
    assert len(decode_batch([])) == 0
    assert decode_batch([b""], received=NOW).bad == (BadFrame(0, "truncated"),)


def test_the_order_of_frames_is_kept():
    voltage = Frame("000000000001", 0x91, bytes.fromhex("00ff0102000001000200"))
    energy = Frame("000000000002", 0x91, bytes.fromhex("0000010026000000"))
    error = Frame("000000000003", 0xD1, b"\x02")
    frames = [encode(frame) for frame in (voltage, energy, error, voltage)]
    batch = decode_batch([*frames, frames[0][:-1]], received=NOW)
    assert batch.frame.tolist() == [0, 0, 0, 1, 3, 3, 3]
    assert batch.meter.tolist() == [1, 1, 1, 2, 1, 1, 1]
    assert batch.value.tolist() == [0, 10, 20, 2600, 0, 10, 20]
    assert batch.bad == (BadFrame(4, "truncated"),)
