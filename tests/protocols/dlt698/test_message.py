"""Messages: a frame, an APDU alone, a fragment; and what is none of them."""

import pytest

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.dlt698.frame import Frame, Link, encode_frame
from meterweave.protocols.dlt698.get import GetRequestNormal
from meterweave.protocols.dlt698.message import Fragment, Message, decode, encode

LINK = Link(0x43, 5, bytes.fromhex("070919051620"), 0)
FRAGMENT_LINK = Link(0x63, 5, bytes.fromhex("070919051620"), 0)
GET = GetRequestNormal(1, 0x40010200)
OCTETS = bytes.fromhex("68170043050709190516200015600501014001020000C60716")


def kind_of(octets: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    return caught.value.kind


def test_a_frame_an_apdu_and_wake_up_octets():
    assert decode(OCTETS) == Message(LINK, GET)
    assert decode(bytes.fromhex("0501014001020000")) == Message(None, GET)
    assert decode(b"\xfe\xfe" + OCTETS) == Message(LINK, GET, wake_up=2)
    assert encode(Message(LINK, GET, wake_up=2)) == b"\xfe\xfe" + OCTETS


def test_a_frame_without_user_data():
    octets = encode_frame(Frame(LINK, b""))
    assert decode(octets) == Message(LINK)
    assert encode(Message(LINK)) == octets


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (b"", "bad_start"),
        (b"\xfe\xfe", "bad_start"),
        (b"\xfe\x05\x01", "bad_start"),
        (b"\x77" + OCTETS[1:], "bad_start"),
        (b"\x05" + OCTETS[1:], "bad_start"),  # the header check holds
        (b"\x05" + OCTETS[1:10] + b"\xff" + OCTETS[11:], "bad_start"),  # length and end are a frame's
        (b"\x05\x01\x01", "apdu_truncated"),
        (b"\x05\x01\x01\x40\x01\x02\x00\x0f\x00", "bad_choice"),
        (b"\x45\x01\x01", "unknown_apdu"),  # compact GET of the draft of 2021
        (encode_frame(Frame(FRAGMENT_LINK, b"\x00")), "apdu_truncated"),
        (encode_frame(Frame(FRAGMENT_LINK, b"")), "apdu_truncated"),
        (encode_frame(Frame(LINK, b"\x7b")), "unknown_apdu"),
    ],
)
def test_what_is_no_message(octets, kind):
    assert kind_of(octets) == kind


def test_errors_in_the_apdu_tell_their_place_in_the_frame():
    octets = encode_frame(Frame(LINK, bytes.fromhex("05010140010200000000")))
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    assert (caught.value.kind, caught.value.at) == ("apdu_trailing", 14 + 8)


def test_a_fragment_keeps_its_header_whatever_it_is():
    message = Message(FRAGMENT_LINK, fragment=Fragment(0xF123, b"\x01\x02"))
    assert decode(encode(message)) == message
    assert message.fragment is not None
    assert (message.fragment.seq, message.fragment.kind) == (0x123, 3)


@pytest.mark.parametrize(
    "message",
    [
        Message(None),
        Message(None, GET, wake_up=1),
        Message(None, GET, Fragment(0, b"")),
        Message(LINK, fragment=Fragment(0, b"")),
        Message(FRAGMENT_LINK, GET),
        Message(FRAGMENT_LINK, GET, Fragment(0, b"")),
        Message(FRAGMENT_LINK, fragment=Fragment(0x10000, b"")),
    ],
)
def test_what_cannot_be_a_message_is_not_encoded(message):
    with pytest.raises(EncodeError):
        encode(message)
