"""A message: what one frame says; or an APDU on its own, as it stands in logs and after joining fragments."""

from __future__ import annotations

from dataclasses import dataclass

from meterweave.errors import EncodeError
from meterweave.protocols.checksum import crc_x25
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.frame import END, Frame, Link, decode_frame, encode_frame, malformed
from meterweave.protocols.dlt698.services import TAGS, decode_apdu, encode_apdu

WAKE_UP = b"\xfe"

FIRST, LAST, ACKNOWLEDGEMENT, MIDDLE = 0, 1, 2, 3
"""Kinds of fragment, bits 15-14 of the header."""

FRAGMENT_NUMBER = 0x0FFF
"""Bits of the number in the header of a fragment; the numbers wrap to 0."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of an APDU, or the acknowledgement of one (clause 6.2.5)."""

    header: int
    payload: bytes

    @property
    def seq(self) -> int:
        """The number of the fragment in its APDU, from 0."""
        return self.header & FRAGMENT_NUMBER

    @property
    def kind(self) -> int:
        """`FIRST`, `LAST`, `ACKNOWLEDGEMENT` or `MIDDLE`."""
        return self.header >> 14


@dataclass(frozen=True, slots=True)
class Message:
    """A frame's link layer, and of its user data either the APDU, or the fragment, or neither where there are none."""

    link: Link | None
    """None for an APDU without link layer."""
    apdu: Apdu | None = None
    fragment: Fragment | None = None
    wake_up: int = 0
    """Number of FEH octets before the frame."""


def decode(octets: bytes) -> Message:
    """One frame, with or without wake-up octets, or one APDU without link layer.

    Raises
    ------
    DecodeError
        With the first check that fails, in the order start, header, HCS, length, end, FCS, APDU.
    """
    if octets[:1] == WAKE_UP:
        bare = octets.lstrip(WAKE_UP)
        wake_up = len(octets) - len(bare)
        return _decode(bare, wake_up)
    return _decode(octets, 0)


def _decode(octets: bytes, wake_up: int) -> Message:
    if octets[:1] != b"\x68" and not wake_up and not _lost_its_start(octets):
        return Message(None, decode_apdu(octets))
    link, user_data = (frame := decode_frame(octets)).link, frame.user_data
    if link.fragment:
        return Message(link, None, _decode_fragment(user_data, len(link.sa)), wake_up)
    return Message(link, decode_apdu(user_data, 8 + len(link.sa)) if user_data else None, None, wake_up)


def _lost_its_start(octets: bytes) -> bool:
    """Whether octets without 68H are a frame rather than an APDU."""
    if not octets or octets[0] not in _APDU_TAGS:
        return True
    if len(octets) < 9 or len(octets) < (size := 9 + (octets[4] & 0x0F)):
        return False
    good_hcs = crc_x25(octets[1 : size - 2]) == octets[size - 2] | octets[size - 1] << 8
    return good_hcs or (octets[-1] == END and len(octets) == (octets[1] | octets[2] << 8) + 2)


_LATER_TAGS = frozenset((0x45, 0x46, 0x49, 0xC5, 0xC6, 0xC9))
"""APDUs of the draft of 2021, which are recognised but not read."""

_APDU_TAGS = TAGS | _LATER_TAGS


def _decode_fragment(user_data: bytes, address_size: int) -> Fragment:
    if len(user_data) < 2:
        message = f"a fragment has {len(user_data)} octets, its header alone takes 2"
        raise malformed("apdu_truncated", message, 8 + address_size)
    return Fragment(user_data[0] | user_data[1] << 8, user_data[2:])


def encode(message: Message) -> bytes:
    """`decode` undone.

    Raises
    ------
    EncodeError
        If a field cannot be put into octets; the text names it.
    """
    apdu, fragment, link = message.apdu, message.fragment, message.link
    if link is None:
        if apdu is None or fragment or message.wake_up:
            raise EncodeError("without link layer there is an APDU and nothing else")
        return encode_apdu(apdu)
    if (fragment is not None) != link.fragment or (fragment and apdu):
        raise EncodeError("a fragment goes with the fragment bit of the control octet, and with no APDU")
    user_data = _encode_fragment(fragment) if fragment else b""
    if apdu:
        user_data = encode_apdu(apdu)
    return WAKE_UP * message.wake_up + encode_frame(Frame(link, user_data))


def _encode_fragment(fragment: Fragment) -> bytes:
    if not 0 <= fragment.header <= 0xFFFF:
        raise EncodeError(f"fragment: a header of {fragment.header} does not fit two octets")
    return fragment.header.to_bytes(2, "little") + fragment.payload
