"""The link layer: checks in their order, addresses, scrambling, and the splitting of a stream."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.checksum import crc_x25
from meterweave.protocols.dlt698.frame import Frame, FrameDecoder, Link, decode_frame, encode_frame
from meterweave.protocols.stream import Garbage
from tests.protocols.dlt698 import strategies

GET = bytes.fromhex("68170043050709190516200015600501014001020000C60716")
SCRAMBLED = bytes.fromhex("6817004B051200000000331081083834347333353333CD8C16")
APDU = bytes.fromhex("0501014001020000")


def fault(octets: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode_frame(octets)
    return caught.value


def with_checks(octets: bytes) -> bytes:
    """The frame with both checks made right again."""
    header = 8 + (octets[4] & 15) + 1
    front = octets[1 : header - 2]
    body = front + crc_x25(front).to_bytes(2, "little") + octets[header:-3]
    return octets[:1] + body + crc_x25(body).to_bytes(2, "little") + octets[-1:]


def test_the_worked_frame_of_the_standard():
    frame = decode_frame(GET)
    assert frame.user_data == APDU
    link = frame.link
    assert (link.address, link.ca, link.logical, link.address_type) == ("201605190907", 0, 0, 0)
    assert not link.from_server
    assert link.begun_by_client
    assert (link.function, link.fragment, link.scrambled) == (3, False, False)
    assert encode_frame(frame) == GET


def test_scrambled_user_data_are_told_true():
    frame = decode_frame(SCRAMBLED)
    assert frame.user_data == bytes.fromhex("0501014000020000")
    assert frame.link.scrambled
    assert encode_frame(frame) == SCRAMBLED


@settings(max_examples=100, deadline=None)
@given(link=strategies.links() | strategies.links(fragment=True), user_data=st.binary(max_size=60))
def test_a_frame_comes_out_as_it_went_in(link, user_data):
    frame = Frame(link, user_data)
    octets = encode_frame(frame)
    assert decode_frame(octets) == frame
    assert FrameDecoder().feed(octets) == [octets]


def test_an_extended_logical_address_is_the_first_octet_of_sa():
    link = Link(0x43, 0x26, bytes.fromhex("05120000000033"), 0x10)
    assert (link.logical, link.address) == (5, "330000000012")
    assert Link(0x43, 0x15, bytes(6), 0).logical == 1


@pytest.mark.parametrize(
    ("octets", "kind", "detail"),
    [
        (b"", "bad_start", {"expected_start": "68", "found_start": ""}),
        (b"\x86" + GET[1:], "bad_start", {"found_start": "86"}),
        (GET[:4], "truncated", {"bytes_have": 4}),
        (GET[:12], "truncated", {"bytes_have": 12}),
        (GET[:20], "truncated", {"missing_bytes": 5, "bytes_needed": 25, "bytes_have": 20}),
        (GET[:11] + b"\x01" + GET[12:], "bad_hcs", {"found_checksum": "6015"}),
        (GET[:-3] + b"\x00\x00\x16", "bad_fcs", {"expected_checksum": "07C6", "found_checksum": "0000"}),
        (GET[:-1] + b"\x17", "bad_end", {"found_end": "17"}),
        (GET + b"\x00", "bad_length", {"found_length": 23}),
        (with_checks(GET[:1] + b"\x17\x40" + GET[3:]), "bad_length", {"found_length": 0x4017}),
        (with_checks(GET[:1] + b"\x0e\x00" + GET[3:]), "bad_length", {"found_length": 14}),
    ],
)
def test_the_first_check_that_fails_is_the_error(octets, kind, detail):
    error = fault(octets)
    assert error.kind == kind
    assert error.detail["kind"] == "malformed"
    assert detail.items() <= error.detail.items()


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (Frame(Link(0x143, 5, bytes(6), 0), b""), "control"),
        (Frame(Link(0x43, -1, bytes(6), 0), b""), "af"),
        (Frame(Link(0x43, 5, bytes(6), 256), b""), "ca"),
        (Frame(Link(0x43, 5, bytes(5), 0), b""), "sa"),
        (Frame(Link(0x43, 5, bytes(6), 0), bytes(16369)), "user data"),
    ],
)
def test_what_is_no_frame_is_not_encoded(frame, word):
    with pytest.raises(EncodeError, match=word):
        encode_frame(frame)


def test_the_longest_frame():
    frame = Frame(Link(0x43, 5, bytes(6), 0), bytes(16368))
    octets = encode_frame(frame)
    assert len(octets) == FrameDecoder.size_max
    assert decode_frame(octets) == frame


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"\x68\xff\xff\x43\x05", KINDS["bad_length"].en),
        (b"\x68\x0e\x00\x43\x05", KINDS["bad_length"].en),
        (GET[:11] + b"\x01" + GET[12:], KINDS["bad_hcs"].en),
        (GET[:-1] + b"\x17", KINDS["bad_end"].en),
        (GET[:-3] + b"\x00\x00\x16", KINDS["bad_fcs"].en),
    ],
)
def test_the_decoder_tells_why_octets_are_garbage(octets, reason):
    assert FrameDecoder().feed(octets + GET) == [Garbage(octets, reason), GET]


def test_a_false_start_is_known_by_its_header_check_before_its_length_is_believed():
    decoder = FrameDecoder()
    false = b"\x68\xff\x3f\x43\x00\x00\x00\x00\x00"
    assert decoder.feed(false) == [Garbage(false, KINDS["bad_hcs"].en)]


def test_frames_in_noise_are_found_however_the_line_is_cut():
    rng = random.Random(698)
    noise = [bytes(rng.choice(b"\x68\x16\x43\x05\x17\x00\xfe") for _ in range(rng.randrange(20))) for _ in range(30)]
    line = b"".join(part + GET for part in noise)
    whole = FrameDecoder()
    frames = [event for event in whole.feed(line) + whole.flush() if isinstance(event, bytes)]
    assert frames == [GET] * 30
    assert whole.frame_count == 30
    single = FrameDecoder()
    events = [event for octet in line for event in single.feed(bytes([octet]))] + single.flush()
    assert [event for event in events if isinstance(event, bytes)] == frames
