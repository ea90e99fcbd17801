"""The link frame."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.gdw1376.part2.frame import (
    LENGTH_MAX,
    Frame,
    FrameDecoder,
    begins,
    decode_frame,
    encode_frame,
)

REQUEST = bytes.fromhex("680f00430000000000001001005416")
REPLY = bytes.fromhex("681300830000100000001001000100f807a416")


@given(st.integers(0, 255), st.binary(min_size=9, max_size=300))
@settings(max_examples=100)
def test_encoding_and_decoding_undo_each_other(control, user_data):
    frame = Frame(control, user_data)
    assert decode_frame(encode_frame(frame)) == frame


def test_the_sizes_a_frame_can_have():
    longest = encode_frame(Frame(0x43, bytes(LENGTH_MAX - 6)))
    assert FrameDecoder().feed(longest) == [longest]
    with pytest.raises(EncodeError, match="2049 octets, wanted 15 to 2048"):
        encode_frame(Frame(0x43, bytes(LENGTH_MAX - 5)))
    with pytest.raises(EncodeError, match="14 octets"):
        encode_frame(Frame(0x43, bytes(8)))


@pytest.mark.parametrize(
    ("octets", "kind", "at", "detail"),
    [
        (b"", "truncated", 0, {}),
        (b"\x69" + REQUEST[1:], "bad_start", 0, {}),
        (REQUEST[:2], "truncated", None, {"bytes_needed": None, "bytes_have": 2}),
        (REQUEST[:-1], "truncated", 14, {"bytes_needed": 15, "bytes_have": 14}),
        (b"\x68\x0e" + REQUEST[2:], "bad_length", 1, {"detail": "length 14 is below the minimum of 15"}),
        (b"\x68\x01\x08" + REQUEST[3:], "bad_length", 1, {"detail": "length 2049 is above the maximum of 2048"}),
        (REQUEST + b"\x00", "bad_length", 1, {"detail": "length 15 is below the 16 octets that are there"}),
        (REQUEST[:-1] + b"\x17", "bad_end", 14, {"found_end": "0x17"}),
        (b"\x68\x12" + REPLY[2:], "bad_end", 17, {"found_end": "0xA4"}),
        (
            REQUEST[:-2] + b"\x01\x16",
            "bad_checksum",
            13,
            {"expected_checksum": "0x54", "found_checksum": "0x01"},
        ),
    ],
)
def test_what_is_wrong_with_a_frame(octets, kind, at, detail):
    with pytest.raises(DecodeError) as caught:
        decode_frame(octets)
    assert (caught.value.kind, caught.value.at, caught.value.detail) == (kind, at, detail)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", False),
        (b"\x68", True),
        (b"\x68\x68", True),
        (b"\x68\x00\x08", True),
        (b"\x68\x01\x08", False),
        (b"\x16", False),
    ],
)
def test_how_a_frame_begins(octets, said):
    assert begins(octets) is said


def test_a_false_start_with_a_possible_length_is_given_up_on_silence():
    decoder = FrameDecoder()
    assert decoder.feed(b"\x68\x00\x01" + REQUEST) == []
    assert decoder.flush()[-1] == REQUEST
    assert decoder.frame_count == 1
    assert decoder.garbage_octet_count == 3
    assert decoder.held == 0
