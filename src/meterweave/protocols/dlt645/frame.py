"""The link frame of DL/T 645 (2007, clause 5.2; 1997 has the same): octets to `Frame` and back.

    FE.. 68 A0 A1 A2 A3 A4 A5 68 C L DATA[L] CS 16

Every octet of DATA is sent with 33H added. CS is the sum of all octets from the first 68H to the last of DATA as they
are sent. The wake-up octets FEH in front are no part of the sum.
"""

from __future__ import annotations

import re
from typing import ClassVar, NamedTuple

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols import stream
from meterweave.protocols.bcd import encode_address
from meterweave.protocols.checksum import sum8

WAKE_UP, START, END = 0xFE, 0x68, 0x16
SECOND_START, CONTROL, LENGTH, DATA = 7, 8, 9, 10
"""Offsets from the first 68H. [octets]"""
DATA_MAX = 255
"""The standard allows 200 octets in replies and 50 in writes; senders in the field go up to what L can say."""
WAKE_UP_MAX = 0xFFFF
"""More wake-up octets than this are a stuck line, not a frame's."""
OVERHEAD = 12
"""Octets of a frame beside DATA."""

REPLY, ERROR, FOLLOWS, FUNCTION = 0x80, 0x40, 0x20, 0x1F
"""Bits of the control code: D7 meter to master, D6 error, D5 more data follow, D4..D0 function (clause 5.2.4)."""

_OFFSET = 0x33
_SENT = bytes((octet + _OFFSET) & 0xFF for octet in range(256))
_MEANT = bytes((octet - _OFFSET) & 0xFF for octet in range(256))
_ADDRESS = re.compile(r"[0-9a-f]{12}")


class Frame(NamedTuple):
    """One DL/T 645 message. What its data say depends on the control code: see `message`."""

    address: str
    """12 digits, most significant first; lower-case a to f where a meter or a wildcard has such nibbles."""
    control: int
    """The control code C."""
    data: bytes = b""
    """DATA with the 33H taken off."""
    wake_up: int = 0
    """How many FEH stood before the frame."""

    @property
    def is_reply(self) -> bool:
        """Whether the meter speaks."""
        return bool(self.control & REPLY)

    @property
    def is_error(self) -> bool:
        """Whether the meter refuses."""
        return self.is_reply and bool(self.control & ERROR)

    @property
    def follows(self) -> bool:
        """Whether the meter has more data, to be asked for with 12H (02H in 1997)."""
        return self.is_reply and bool(self.control & FOLLOWS)

    @property
    def function(self) -> int:
        """Bits D4 to D0 of the control code."""
        return self.control & FUNCTION


class FrameDecoder(stream.FrameDecoder):
    """Splits what a line delivers into DL/T 645 frames; wake-up octets between frames count as garbage."""

    starts: ClassVar[bytes] = bytes([START])
    size_max: ClassVar[int] = DATA_MAX + OVERHEAD

    def probe(self, octets: bytes, at: int) -> int | str:
        try:
            if octets[at + 7] != START:
                return KINDS["bad_start"].en
            end = at + 11 + octets[at + 9]
            if octets[end] != END:
                return KINDS["bad_end"].en
        except IndexError:
            return self._missing(octets, at)
        if sum(octets[at : end - 1]) & 0xFF != octets[end - 1]:
            return KINDS["bad_checksum"].en
        return end + 1 - at

    def _missing(self, octets: bytes, at: int) -> int:
        """How many octets the frame at `at` lacks at least, as a negative number."""
        have = len(octets) - at
        return have - OVERHEAD - (octets[at + LENGTH] if have > LENGTH else 0)


def decode(octets: bytes) -> Frame:
    """One whole frame, with any number of wake-up octets in front.

    Raises
    ------
    DecodeError
        ``bad_start``, ``truncated``, ``bad_end``, ``bad_checksum`` or ``bad_length`` (octets after the end): the first
        that applies.
    """
    body = octets.lstrip(b"\xfe")
    size = len(body)
    _check(body, len(octets) - size)
    return Frame(body[6:0:-1].hex(), body[CONTROL], body[DATA : size - 2].translate(_MEANT), len(octets) - size)


def unchecked(body: bytes) -> Frame:
    """What a frame without wake-up octets says whose head and data are there but whose end or checksum is wrong."""
    return Frame(body[6:0:-1].hex(), body[CONTROL], body[DATA : DATA + body[LENGTH]].translate(_MEANT))


def _check(body: bytes, lead: int) -> None:
    """Raise what is wrong with the frame `body`, which stands behind `lead` wake-up octets."""
    have = len(body)
    if lead > WAKE_UP_MAX:
        raise DecodeError("bad_start", f"{lead} wake-up octets are more than {WAKE_UP_MAX}", at=0)
    if have and body[0] != START:
        raise DecodeError(
            "bad_start", f"the first octet is {body[0]:02X}H, not 68H", at=lead, detail="no 68H at offset 0"
        )
    if have > SECOND_START and body[SECOND_START] != START:
        message = f"the octet at offset 7 is {body[SECOND_START]:02X}H, not 68H"
        raise DecodeError("bad_start", message, at=lead + SECOND_START, detail="no 68H at offset 7")
    needed = body[LENGTH] + OVERHEAD if have > LENGTH else None
    if needed is None or have < needed:
        raise DecodeError("truncated", at=lead + have, bytes_needed=needed, bytes_have=have)
    end, found = body[needed - 1], body[needed - 2]
    if end != END:
        raise DecodeError("bad_end", at=lead + needed - 1, found_end=f"0x{end:02X}")
    expected = sum8(body[: needed - 2])
    if found != expected:
        raise DecodeError(
            "bad_checksum",
            at=lead + needed - 2,
            expected_checksum=f"0x{expected:02X}",
            found_checksum=f"0x{found:02X}",
        )
    if have > needed:
        message = f"L asks for a frame of {needed} octets, {have} are there"
        raise DecodeError("bad_length", message, at=lead + needed, bytes_needed=needed, bytes_have=have)


def encode(frame: Frame) -> bytes:
    """The octets of `frame`, wake-up octets included.

    Raises
    ------
    EncodeError
        If the address is not 12 lower-case hexadecimal digits, the control code no octet, DATA longer than 255 octets
        or the number of wake-up octets not within 0 to 65535.
    """
    if not _ADDRESS.fullmatch(frame.address):
        raise EncodeError(f"address {frame.address!r} is not 12 lower-case hexadecimal digits")
    if not 0 <= frame.control <= 0xFF:
        raise EncodeError(f"control {frame.control} is not within 0 to 255")
    if len(frame.data) > DATA_MAX:
        raise EncodeError(f"data of {len(frame.data)} octets are longer than {DATA_MAX}")
    if not 0 <= frame.wake_up <= WAKE_UP_MAX:
        raise EncodeError(f"wake_up {frame.wake_up} is not within 0 to {WAKE_UP_MAX}")
    header = bytes([START, *encode_address(frame.address, 6), START, frame.control, len(frame.data)])
    body = header + frame.data.translate(_SENT)
    return bytes([WAKE_UP]) * frame.wake_up + body + bytes([sum8(body), END])


def sent(data: bytes) -> bytes:
    """DATA as it stands on the line: 33H added to every octet."""
    return data.translate(_SENT)
