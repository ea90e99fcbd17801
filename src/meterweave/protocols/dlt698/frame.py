"""The link layer of DL/T 698.45-2017: frames, addresses, the two checks and the splitting of a stream.

=========== ====== ==========================================================================
offset      octets field
=========== ====== ==========================================================================
0           1      68H
1           2      L, low octet first: all octets but the first and the last
3           1      C, control
4           1      AF, address feature: type, logical address, N - 1
5           N      SA, server address, low octet first
5 + N       1      CA, client address
6 + N       2      HCS over L to CA, low octet first
8 + N       k      user data: an APDU, or a fragment of one behind its header
L - 1       2      FCS over L to the end of the user data, low octet first
L + 1       1      16H
=========== ====== ==========================================================================

k = L - N - 9. The clauses are those of chapter 6 of the standard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols import stream
from meterweave.protocols.checksum import crc_x25

START, END = 0x68, 0x16
LENGTH_MAX = 0x3FFF  # bits 13-0 of L; bit 14 (unit kilobyte, draft of 2021) and bit 15 are not supported
ADDRESS_SIZE_MAX = 16  # octets of SA
OVERHEAD = 9  # L minus N of a frame without user data [octets]

DIR, PRM, FRAGMENT, RESERVED, SCRAMBLE, FUNCTION = 0x80, 0x40, 0x20, 0x10, 0x08, 0x07
"""Bits of the control octet: sent by the server, begun by the client, fragment, 0, user data + 33H, function code."""

LINK_MANAGEMENT, USER_DATA = 1, 3
"""Function codes."""

EXTENDED = 0x20
"""Bit of AF (draft of 2021): the first octet of SA is an extended logical address."""

_SCRAMBLE = bytes((octet + 0x33) & 0xFF for octet in range(256))
_UNSCRAMBLE = bytes((octet - 0x33) & 0xFF for octet in range(256))


@dataclass(frozen=True, slots=True)
class Link:
    """Everything of a frame that is neither user data nor computed from the rest."""

    control: int
    af: int
    sa: bytes  # as on the wire, low octet first, with the extended logical address where AF announces one
    ca: int

    @property
    def from_server(self) -> bool:
        """DIR: whether the server (terminal, meter) sent the frame."""
        return bool(self.control & DIR)

    @property
    def begun_by_client(self) -> bool:
        """PRM: whether the client (head-end) began the exchange."""
        return bool(self.control & PRM)

    @property
    def fragment(self) -> bool:
        """Whether the user data are a fragment of an APDU."""
        return bool(self.control & FRAGMENT)

    @property
    def scrambled(self) -> bool:
        """Whether 33H is added to every octet of user data on the wire."""
        return bool(self.control & SCRAMBLE)

    @property
    def function(self) -> int:
        """1 link management, 3 user data."""
        return self.control & FUNCTION

    @property
    def address_type(self) -> int:
        """0 single, 1 wildcard, 2 group, 3 broadcast."""
        return self.af >> 6

    @property
    def logical(self) -> int:
        """The logical address; 0 is the device itself."""
        return self.sa[0] if self.af & EXTENDED else self.af >> 4 & 1

    @property
    def address(self) -> str:
        """The server address, most significant digit first; filler F and wildcard A stay."""
        sa = self.sa[1:] if self.af & EXTENDED else self.sa
        return sa[::-1].hex().upper()


@dataclass(frozen=True, slots=True)
class Frame:
    """A link frame; the user data are as sent before scrambling."""

    link: Link
    user_data: bytes


def malformed(kind: str, message: str = "", at: int | None = None, **detail: object) -> DecodeError:
    """The error of a bad frame, told the way this protocol's decoder tells it."""
    return DecodeError(kind, message, at=at, **{"kind": "malformed", **detail})


def decode_frame(octets: bytes) -> Frame:
    """One whole frame, without wake-up octets.

    Raises
    ------
    DecodeError
        With the first check that fails, in the order start, header, HCS, length, end, FCS.
    """
    if not octets or octets[0] != START:
        raise malformed("bad_start", at=0, expected_start="68", found_start=octets[:1].hex())
    have = len(octets)
    header = 9 + (octets[4] & 0x0F) if have > 4 else 5
    if have < header:
        raise malformed("truncated", f"a header of {header} octets or more has only {have}", have, bytes_have=have)
    _check(octets, "bad_hcs", header - 2)
    length = octets[1] | octets[2] << 8
    if not header < length <= LENGTH_MAX:
        message = f"L is {length}, not between {header + 1} and {LENGTH_MAX}"
        raise malformed("bad_length", message, 1, found_length=length)
    size = length + 2
    if have < size:
        detail = {"missing_bytes": size - have, "bytes_needed": size, "bytes_have": have}
        raise malformed("truncated", f"a frame of {size} octets has only {have}", have, **detail)
    if octets[size - 1] != END:
        raise malformed("bad_end", at=size - 1, expected_end="16", found_end=f"{octets[size - 1]:02X}")
    _check(octets, "bad_fcs", size - 3)
    if have > size:
        raise malformed("bad_length", f"{have - size} octets follow a frame of {size}", size, found_length=length)
    link = Link(octets[3], octets[4], octets[5 : header - 3], octets[header - 3])
    user_data = octets[header : size - 3]
    return Frame(link, unscramble(user_data) if link.control & SCRAMBLE else user_data)


def unscramble(octets: bytes) -> bytes:
    """The true user data of scrambled ones."""
    return octets.translate(_UNSCRAMBLE)


def _check(octets: bytes, kind: str, at: int) -> None:
    expected = crc_x25(octets[1:at])
    found = octets[at] | octets[at + 1] << 8
    if expected != found:
        raise malformed(kind, at=at, expected_checksum=f"{expected:04X}", found_checksum=f"{found:04X}")


def encode_frame(frame: Frame) -> bytes:
    """`decode_frame` undone.

    Raises
    ------
    EncodeError
        If an octet is none, the address does not fit its feature octet, or the frame would be too long.
    """
    link = frame.link
    for name, octet in (("control", link.control), ("af", link.af), ("ca", link.ca)):
        if not 0 <= octet <= 0xFF:
            raise EncodeError(f"{name}: {octet} is no octet")
    if len(link.sa) != (link.af & 0x0F) + 1:
        raise EncodeError(f"sa: {len(link.sa)} octets, but AF announces {(link.af & 0x0F) + 1}")
    length = OVERHEAD + len(link.sa) + len(frame.user_data)
    if length > LENGTH_MAX:
        raise EncodeError(f"user data: {len(frame.user_data)} octets make L {length}, above {LENGTH_MAX}")
    header = bytes((*length.to_bytes(2, "little"), link.control, link.af, *link.sa, link.ca))
    user_data = frame.user_data.translate(_SCRAMBLE) if link.scrambled else frame.user_data
    body = header + crc_x25(header).to_bytes(2, "little") + user_data
    return bytes((START, *body, *crc_x25(body).to_bytes(2, "little"), END))


class FrameDecoder(stream.FrameDecoder):
    """Splits a stream into frames; L is trusted only behind a good HCS, so that a false start never holds up much."""

    starts: ClassVar[bytes] = bytes([START])
    size_max: ClassVar[int] = LENGTH_MAX + 2

    def probe(self, octets: bytes, at: int) -> int | str:
        have = len(octets) - at
        if have < 5:
            return have - 5
        header = 9 + (octets[at + 4] & 0x0F)
        length = octets[at + 1] | octets[at + 2] << 8
        if not header < length <= LENGTH_MAX:
            return KINDS["bad_length"].en
        if have < header:
            return have - header
        hcs = at + header - 2
        if crc_x25(octets[at + 1 : hcs]) != octets[hcs] | octets[hcs + 1] << 8:
            return KINDS["bad_hcs"].en
        if have < length + 2:
            return have - length - 2
        fcs = at + length - 1
        if octets[fcs + 2] != END:
            return KINDS["bad_end"].en
        if crc_x25(octets[at + 1 : fcs]) != octets[fcs] | octets[fcs + 1] << 8:
            return KINDS["bad_fcs"].en
        return length + 2
