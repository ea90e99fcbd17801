from __future__ import annotations

import pytest

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.gdw1376.part1.frame import FrameDecoder, begins, check, frame_size, user_data_length, wrap
from meterweave.protocols.stream import Garbage

LOGIN = bytes.fromhex("683200320068c900023412000271000001008516")


def test_the_length_word_counts_from_control_to_checksum():
    assert (user_data_length(LOGIN), frame_size(LOGIN), check(LOGIN)) == (12, 20, 20)
    assert wrap(2, LOGIN[6:-2]) == LOGIN
    assert user_data_length(b"\0\0" + LOGIN, 2) == 12


@pytest.mark.parametrize(
    ("octets", "kind", "at"),
    [
        ("", "bad_start", 0),
        ("00", "bad_start", 0),
        ("683200320000", "bad_start", 5),
        ("68320032", "truncated", None),
        ("683200360068", "bad_length", 1),
        ("681e001e0068c9000234120002851600", "bad_length", 1),
        (LOGIN[:-1].hex(), "truncated", 19),
        (LOGIN[:-1].hex() + "17", "bad_end", 19),
        (LOGIN[:-2].hex() + "8616", "bad_checksum", 18),
        ("682e002e00" + LOGIN[5:].hex(), "bad_end", 18),
        (LOGIN.hex() + "16", "bad_length", 20),
    ],
)
def test_faults_are_named_with_their_place(octets, kind, at):
    with pytest.raises(DecodeError) as caught:
        check(bytes.fromhex(octets))
    assert (caught.value.kind, caught.value.at) == (kind, at)


@pytest.mark.parametrize(
    ("octets", "needed"), [(LOGIN[:1], None), (LOGIN[:4], None), (LOGIN[:6], 20), (LOGIN[:-1], 20)]
)
def test_how_much_is_needed_is_told_once_the_header_says(octets, needed):
    with pytest.raises(DecodeError) as caught:
        check(octets)
    assert caught.value.detail == {"bytes_needed": needed, "bytes_have": len(octets)}


@pytest.mark.parametrize(("protocol", "size"), [(4, 8), (-1, 8), (2, 7), (2, 1 << 14)])
def test_frames_that_cannot_be(protocol, size):
    with pytest.raises(EncodeError, match="wanted"):
        wrap(protocol, bytes(size))


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("683200320000", KINDS["bad_start"].en),
        ("683200360068", KINDS["bad_length"].en),
        ("681e001e0068", KINDS["bad_length"].en),
        (LOGIN[:-1].hex() + "17", KINDS["bad_end"].en),
        (LOGIN[:-2].hex() + "8616", KINDS["bad_checksum"].en),
    ],
)
def test_the_stream_says_why_octets_are_garbage(octets, reason):
    decoder = FrameDecoder()
    assert decoder.feed(bytes.fromhex(octets) + LOGIN) == [Garbage(bytes.fromhex(octets), reason), LOGIN]
    assert (decoder.frame_count, decoder.garbage_octet_count) == (1, len(octets) // 2)


def test_the_longest_frame_is_taken():
    octets = wrap(2, bytes(0x3FFF))
    assert len(octets) == FrameDecoder.size_max
    assert FrameDecoder().feed(octets) == [octets]


def test_an_inner_frame_is_not_found_in_a_good_one():
    inner = wrap(2, LOGIN)
    assert FrameDecoder().feed(inner) == [inner]


def test_what_frames_begin_like():
    assert begins(LOGIN)
    assert not begins(b"\xfe" + LOGIN)
    assert not begins(b"")
