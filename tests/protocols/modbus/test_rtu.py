from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.modbus import FrameDecoder, begins, decode, encode
from meterweave.protocols.modbus.rtu import Frame, lengths, shapes
from meterweave.protocols.stream import Garbage
from tests.protocols.modbus.strategies import built, frames, messages

READ = bytes.fromhex("110309000006c4c4")
REPLY = bytes.fromhex("11030c0000007f000000640000001b968d")


@given(messages)
def test_what_is_written_is_read_back(message):
    assert decode(encode(message)) == message


@given(st.binary(max_size=300) | st.binary(max_size=80).map(lambda octets: b"{{" + octets))
def test_nothing_but_decode_errors(octets):
    try:
        message = decode(octets)
    except DecodeError:
        return
    assert encode(message) == octets


@pytest.mark.parametrize("octets", [b"\x01\x03" + bytes(100_000), b"{{" + b"}" * 100_000])
def test_huge_inputs_are_refused(octets):
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    assert caught.value.kind == "bad_length"
    assert FrameDecoder().feed(octets)


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        ("110309000006", "request"),
        ("11030c0000007f000000640000001b", "response"),
        ("118302", "exception"),
        ("11830200", "unknown"),
        ("010600010002", "request"),  # its answer is its echo
        ("010500010000", "request"),
        ("011000570002", "response"),
        ("0110005700020400010001", "request"),
        ("01aa0102", "unknown"),
        ("0163", "unknown"),
        ("0103", "unknown"),
        ("010103000207d0", "unknown"),
        ("010103000001", "request"),  # or an answer with three octets of coils
        ("010103fffff0", "response"),  # 65520 coils cannot be asked for
        ("0107", "request"),
        ("01076d", "response"),
    ],
)
def test_the_length_tells_what_a_frame_is(octets, kind):
    octets = bytes.fromhex(octets)
    assert Frame(octets[0], octets[1], octets[2:]).kind == kind


@pytest.mark.parametrize(
    ("octets", "kind", "detail"),
    [
        (b"\x11", "truncated", {"bytes_needed": None, "bytes_have": 1}),
        (READ[:6], "truncated", {"bytes_needed": 8, "bytes_have": 6}),
        (REPLY[:10], "truncated", {"bytes_needed": 17, "bytes_have": 10}),
        (bytes.fromhex("01100057"), "truncated", {"bytes_needed": 8, "bytes_have": 4}),
        (READ + b"\x00" * 10, "bad_length", {"detail": "10 octets follow the end of the frame"}),
        (READ[:-1] + b"\x00", "bad_checksum", {"expected_checksum": "0xC4C4", "found_checksum": "0x00C4"}),
        (b"\x01\x63\x00\x00\x00", "bad_checksum", {"expected_checksum": "0xC8C0", "found_checksum": "0x0000"}),
        (READ[:-1] + bytes(12), "bad_checksum", None),
    ],
)
def test_errors_say_what_was_found(octets, kind, detail):
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    assert caught.value.kind == kind
    assert detail is None or caught.value.detail.keys() == detail.keys()
    if kind != "bad_checksum" or octets[1] == 3:
        assert detail in (None, caught.value.detail)


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (Frame(256, 3), "unit"),
        (Frame(1, -1), "function"),
        (Frame(1, 3, bytes(253)), "data"),
        (Frame(123, 123), "envelope"),
    ],
)
def test_impossible_fields_are_named(frame, word):
    with pytest.raises(EncodeError, match=word):
        encode(frame)


@given(st.lists(built, min_size=1, max_size=5), st.data())
def test_frames_back_to_back_are_split_the_same_however_they_are_cut(several, data):
    octets = b"".join(map(encode, several))
    whole = FrameDecoder()
    wanted = [*whole.feed(octets), *whole.flush()]
    assert [event for event in wanted if isinstance(event, bytes)] == [encode(frame) for frame in several]
    cut = data.draw(st.integers(0, len(octets)))
    parts = FrameDecoder()
    assert [*parts.feed(octets[:cut]), *parts.feed(octets[cut:]), *parts.flush()] == wanted


def test_garbage_has_its_reason():
    decoder = FrameDecoder()
    events = [*decoder.feed(b"\xff" + READ + b"\x01\x63" + REPLY + READ[:-1] + b"\x00"), *decoder.flush()]
    assert [event for event in events if isinstance(event, bytes)] == [READ, REPLY]
    reasons = [event.reason for event in events if isinstance(event, Garbage)]
    assert reasons[:2] == ["no unit has this address", "unknown function"]


def test_one_octet_waits_for_the_function():
    decoder = FrameDecoder()
    assert decoder.feed(READ[:1]) == []
    assert decoder.feed(READ[1:2]) == []
    assert decoder.feed(READ[2:]) == [READ]


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (READ, True),
        (b"{{\x84", True),
        (b"\x11\x83", True),
        (b"\x11", False),
        (b"\x11\x63", False),
        (b"\x11\xe3", False),
        (b"\xff\x03", False),
        (b"\x68\x10", False),  # other protocols begin like this
        (b"", False),
    ],
)
def test_what_begins_like_a_frame(octets, answer):
    assert begins(octets) is answer


def test_lengths_come_from_the_functions():
    assert {3, 4, 6, 16} <= set(shapes())
    assert lengths(b"\x01\x10\x00") == [None, 8]
    assert lengths(b"\x01\x83") == [5]
    assert lengths(b"\x01\x99") == []


@given(frames)
def test_the_kind_is_the_same_after_a_trip(frame):
    back = decode(encode(frame))
    assert isinstance(back, Frame)
    assert back.kind == frame.kind
