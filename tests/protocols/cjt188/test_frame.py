from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.cjt188 import CODEC, Frame, FrameDecoder, decode, encode
from meterweave.protocols.stream import Garbage
from tests.protocols.cjt188.strategies import frames

READ = bytes.fromhex("68104433221100337801031f90008016")


@given(frames)
def test_what_is_written_is_read_back(frame):
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda octets: b"\xfe\x68" + octets))
def test_nothing_but_decode_errors(octets):
    try:
        frame = decode(octets)
    except DecodeError:
        return
    assert encode(frame) == octets


def test_a_huge_input_is_refused():
    with pytest.raises(DecodeError, match="octets follow"):
        decode(READ + bytes(100_000))


@pytest.mark.parametrize(
    ("octets", "kind", "detail"),
    [
        (b"", "truncated", {"bytes_needed": None, "bytes_have": 0}),
        (READ[:10], "truncated", {"bytes_needed": None, "bytes_have": 10}),
        (b"\xfe" + READ[:-1], "truncated", {"bytes_needed": 16, "bytes_have": 15}),
        (b"\x69" + READ[1:], "bad_start", {"detail": "no 68H"}),
        (READ[:10] + b"\x65" + READ[11:], "bad_length", {"detail": "length 101 is above the maximum of 100"}),
        (
            READ[:10] + b"\x65" + bytes(101) + b"\x00\x16",
            "bad_length",
            {"detail": "length 101 is above the maximum of 100"},
        ),
        (READ[:10] + b"\x02" + READ[11:], "bad_end", {"found_end": "0x80"}),
        (READ[:-1] + b"\x00", "bad_end", {"found_end": "0x00"}),
        (READ + b"\xaa\xbb", "bad_length", {"detail": "2 octets follow the end of the frame"}),
        (
            READ[:-2] + b"\x81\x16",
            "bad_checksum",
            {"expected_checksum": "0x80", "found_checksum": "0x81"},
        ),
    ],
)
def test_errors_say_what_was_found(octets, kind, detail):
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    assert (caught.value.kind, caught.value.detail) == (kind, detail)


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (Frame(256, "0" * 14, 1), "meter_type"),
        (Frame(16, "0" * 14, -1), "control"),
        (Frame(16, "0" * 13, 1), "address"),
        (Frame(16, "A" * 14, 1), "address"),
        (Frame(16, "0" * 14, 1, bytes(101)), "data"),
        (Frame(16, "0" * 14, 1, b"", -1), "wake_up"),
    ],
)
def test_impossible_fields_are_named(frame, word):
    with pytest.raises(EncodeError, match=word):
        encode(frame)


def test_control_tells_direction_error_and_function():
    states = {
        control: (frame.answer, frame.error, frame.function)
        for control in (0x01, 0x41, 0x81, 0xC4, 0xA1, 0xD6)
        for frame in [Frame(0x10, "0" * 14, control)]
    }
    assert states == {
        0x01: (False, False, 0x01),
        0x41: (False, False, 0x01),
        0x81: (True, False, 0x01),
        0xC4: (True, True, 0x04),
        0xA1: (True, False, 0x01),
        0xD6: (True, True, 0x16),
    }


def test_a_false_start_hides_no_frame():
    decoder = FrameDecoder()
    damaged = READ[:-2] + b"\x00\x16"
    events = decoder.feed(b"\x68" * 30 + READ + damaged + READ[:-1] + b"\x17" + READ) + decoder.flush()
    assert [event for event in events if isinstance(event, bytes)] == [READ, READ]
    reasons = [event.reason for event in events if isinstance(event, Garbage)]
    assert reasons[0] == KINDS["bad_length"].en
    assert reasons[-1] == KINDS["bad_checksum"].en


def test_what_begins_like_a_frame():
    assert CODEC.begins(READ)
    assert not CODEC.begins(b"\x00" + READ)
    assert not CODEC.begins(b"")
