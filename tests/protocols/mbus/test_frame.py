from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.mbus.frame import Frame, FrameDecoder, decode_frame, encode_frame
from tests.protocols.mbus.strategies import octet

REQUEST = bytes.fromhex("107b007b16")
REPLY = bytes.fromhex("68040468080170088116")
frames = st.one_of(
    st.just(Frame()),
    st.tuples(octet, octet).map(lambda pair: Frame(*pair)),
    st.builds(Frame, octet, octet, octet, st.binary(max_size=252)),
)


@given(frames)
def test_encoding_and_decoding_undo_each_other(frame):
    assert decode_frame(encode_frame(frame)) == frame


@pytest.mark.parametrize(
    ("octets", "kind", "detail"),
    [
        ("", "truncated", {"bytes_needed": 9, "bytes_have": 0}),
        ("68", "truncated", {"bytes_needed": 9, "bytes_have": 1}),
        ("6804", "truncated", {"bytes_needed": 10, "bytes_have": 2}),
        ("107b00", "truncated", {"bytes_needed": 5, "bytes_have": 3}),
        ("107b007b17", "bad_end", {"found_end": "0x17"}),
        ("e500", "bad_length", {"surplus": 1}),
        ("107b007b1600", "bad_length", {"surplus": 1}),
        ("00", "bad_start", {"found_start": "0x00"}),
        ("680404670801700881", "bad_start", {"found_start": "0x67"}),
        ("680202680801", "bad_length", {"detail": "L must be at least 3"}),
    ],
)
def test_a_broken_frame_is_told(octets, kind, detail):
    with pytest.raises(DecodeError) as caught:
        decode_frame(bytes.fromhex(octets))
    assert caught.value.kind == kind
    assert detail.items() <= caught.value.detail.items()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (Frame(256, 1), "control is 256"),
        (Frame(8, -1), "address is -1"),
        (Frame(8, 1, 0x100), "ci is 256"),
        (Frame(8, 1, 0x72, bytes(253)), "253 octets"),
    ],
)
def test_what_no_frame_holds_is_refused(frame, words):
    with pytest.raises(EncodeError, match=words):
        encode_frame(frame)


def events(*pieces: bytes) -> list[bytes]:
    decoder = FrameDecoder()
    found = [event for piece in pieces for event in decoder.feed(piece)]
    return [event if isinstance(event, bytes) else event.octets for event in [*found, *decoder.flush()]]


def test_an_acknowledge_inside_noise_is_noise():
    assert events(b"\x00\xe5\x00") == [b"\x00\xe5\x00"]
    assert events(b"\x00", b"\xe5", b"\x00") == [b"\x00", b"\xe5\x00"]
    assert events(b"\x00\xe5\xe5\x00") == [b"\x00\xe5\xe5\x00"]
    assert events(b"\x00\xe5\x68\x00") == [b"\x00\xe5\x68\x00"]


def test_an_acknowledge_ends_noise_before_silence_or_a_frame():
    assert events(b"\x00\xe5")[-1] == b"\xe5"
    assert events(b"\x00", b"\xe5")[-1] == b"\xe5"
    assert events(b"\x00\xe5" + REQUEST) == [b"\x00", b"\xe5", REQUEST]
    assert events(b"\x00\xe5", REQUEST[:2], REQUEST[2:]) == [b"\x00", b"\xe5", REQUEST]
    assert events(b"\x00\xe5", b"\x10\x00")[1:] == [b"\xe5\x10\x00"]
    assert events(b"\xe5\xe5") == [b"\xe5", b"\xe5"]


def test_after_silence_an_acknowledge_needs_no_company():
    decoder = FrameDecoder()
    decoder.feed(b"\x00")
    decoder.flush()
    assert decoder.feed(b"\xe5") == [b"\xe5"]


def test_a_frame_cut_short_hides_no_acknowledge():
    cut = bytes.fromhex("681f1f6808e5e500")
    assert b"".join(events(cut)) == cut
    assert b"\xe5" not in events(cut)


def test_a_false_start_swallows_nothing():
    for false in (
        b"\x68",
        b"\x68\x04\x05",
        b"\x68\x02\x02",
        b"\x68\x04\x04\x00",
        b"\x10\x10",
        REPLY[:-2] + b"\x00\x16",
    ):
        assert REPLY in events(false + REPLY), false.hex()
    assert REQUEST in events(REQUEST[:-1] + b"\x17" + REQUEST)


def test_the_buffer_is_bounded():
    decoder = FrameDecoder()
    for _ in range(50):
        decoder.feed(b"\x68\xff\xff\x68" * 20)
        assert decoder.held < FrameDecoder.size_max
