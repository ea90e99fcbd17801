from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.dlt645.frame import Frame, FrameDecoder, decode, encode, sent
from tests.protocols.dlt645.strategies import FRAMES, patient

READ = bytes.fromhex("68610100000000681104333334331416")


def test_a_frame_and_its_octets():
    frame = Frame("000000000161", 0x11, bytes.fromhex("00000100"))
    assert encode(frame) == READ
    assert decode(READ) == frame
    assert decode(b"\xfe\xfe" + READ) == frame._replace(wake_up=2)


def test_what_the_control_code_says():
    reply = Frame("000000000161", 0xB1)
    assert (reply.is_reply, reply.is_error, reply.follows, reply.function) == (True, False, True, 0x11)
    refusal = Frame("000000000161", 0xD1)
    assert (refusal.is_reply, refusal.is_error, refusal.follows) == (True, True, False)
    odd_request = Frame("000000000161", 0x71)
    assert (odd_request.is_reply, odd_request.is_error, odd_request.follows) == (False, False, False)


@patient
@given(FRAMES)
def test_encoding_is_undone(frame):
    octets = encode(frame)
    assert decode(octets) == frame
    assert encode(decode(octets)) == octets


@pytest.mark.parametrize(
    ("octets", "kind", "at", "detail"),
    [
        ("", "truncated", 0, {"bytes_needed": None, "bytes_have": 0}),
        ("fefe", "truncated", 2, {"bytes_needed": None, "bytes_have": 0}),
        ("fe" * 65536 + READ.hex(), "bad_start", 0, {}),
        ("fe69", "bad_start", 1, {"detail": "no 68H at offset 0"}),
        ("68610100000000671104", "bad_start", 7, {"detail": "no 68H at offset 7"}),
        ("6861", "truncated", 2, {"bytes_needed": None, "bytes_have": 2}),
        ("68610100000000681104", "truncated", 10, {"bytes_needed": 16, "bytes_have": 10}),
        (READ.hex() + "00", "bad_length", 16, {"bytes_needed": 16, "bytes_have": 17}),
        (READ[:-1].hex() + "17", "bad_end", 15, {"found_end": "0x17"}),
        (READ[:9].hex() + "03" + READ[10:].hex(), "bad_end", 14, {"found_end": "0x14"}),
        ("fe" + READ[:-2].hex() + "1516", "bad_checksum", 15, {"expected_checksum": "0x14", "found_checksum": "0x15"}),
    ],
)
def test_bad_frames(octets, kind, at, detail):
    with pytest.raises(DecodeError) as caught:
        decode(bytes.fromhex(octets))
    assert (caught.value.kind, caught.value.at, caught.value.detail) == (kind, at, detail)


@patient
@given(st.binary(max_size=600))
def test_arbitrary_octets_are_decoded_or_refused(octets):
    for one in (octets, b"\x68" + octets, READ[:9] + octets):
        with suppress(DecodeError):
            assert encode(decode(one)) == one


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (Frame("161", 0x11), "address"),
        (Frame("AAAAAAAAAAAA", 0x11), "address"),
        (Frame("000000000161", 0x100), "control"),
        (Frame("000000000161", -1), "control"),
        (Frame("000000000161", 0x11, bytes(256)), "data"),
        (Frame("000000000161", 0x11, b"", -1), "wake_up"),
        (Frame("000000000161", 0x11, b"", 65536), "wake_up"),
    ],
)
def test_what_cannot_be_sent(frame, word):
    with pytest.raises(EncodeError, match=word):
        encode(frame)


def test_data_on_the_line():
    assert sent(b"\x00\xcd\xff") == b"\x33\x00\x32"


@pytest.mark.parametrize("cut", range(1, len(READ)))
def test_the_decoder_waits_for_the_rest(cut):
    decoder = FrameDecoder()
    assert decoder.feed(READ[:cut]) == []
    assert decoder.held == cut
    assert decoder.feed(READ[cut:]) == [READ]
    assert decoder.frame_count == 1


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (READ[:7] + b"\x67" + READ[8:], KINDS["bad_start"].en),
        (READ[:-1] + b"\x17", KINDS["bad_end"].en),
        (READ[:-2] + b"\x15\x16", KINDS["bad_checksum"].en),
    ],
)
def test_the_decoder_says_why(octets, reason):
    decoder = FrameDecoder()
    events = decoder.feed(octets + READ)
    assert events[0].reason == reason
    assert events[-1] == READ


def test_a_header_of_start_octets_hides_no_frame():
    decoder = FrameDecoder()
    assert decoder.feed(b"\x68" * 12 + READ) == []
    assert decoder.flush()[-1] == READ


@patient
@given(
    st.lists(st.one_of(FRAMES.map(lambda frame: encode(frame._replace(wake_up=0))), st.binary(max_size=5)), max_size=4)
)
def test_nothing_is_lost(pieces):
    octets = b"".join(pieces)
    decoder = FrameDecoder()
    events = decoder.feed(octets) + decoder.flush()
    assert b"".join(event if isinstance(event, bytes) else event.octets for event in events) == octets
    assert decoder.held == 0
