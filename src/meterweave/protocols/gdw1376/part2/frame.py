"""The link frame of Q/GDW 1376.2: one start octet, the total length, a sum over all that lies between.

    68 L L  C  user data  CS 16

L is the number of octets of the whole frame, low octet first; CS is the sum modulo 256 of C and the user data. The
messages inside are full of 68H and 16H, so nothing but the length finds the end.
"""

from __future__ import annotations

from typing import NamedTuple

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols import stream
from meterweave.protocols.checksum import sum8

START, END = 0x68, 0x16
LENGTH_MIN = 15  # a frame without address field and data unit [octets]
LENGTH_MAX = 2048  # modules announce at most this as their longest message [octets]
_AROUND = 6  # 68, L, L, C before the user data; CS, 16 behind [octets]


class Frame(NamedTuple):
    """One link frame."""

    control: int
    user_data: bytes


class FrameDecoder(stream.FrameDecoder):
    """Splits what the module's serial line delivers into frames and garbage."""

    starts = bytes([START])
    size_max = LENGTH_MAX

    def probe(self, octets: bytes, at: int) -> int | str:
        held = len(octets) - at
        if held < 3:
            return held - 3
        length = octets[at + 1] | octets[at + 2] << 8
        if not LENGTH_MIN <= length <= LENGTH_MAX:
            return KINDS["bad_length"].en
        if held < length:
            return held - length
        if octets[at + length - 1] != END:
            return KINDS["bad_end"].en
        if sum8(octets[at + 3 : at + length - 2]) != octets[at + length - 2]:
            return KINDS["bad_checksum"].en
        return length


def begins(octets: bytes) -> bool:
    """Whether `octets` begin like a frame: 68H, and a length that is not above `LENGTH_MAX` as far as it is there."""
    return octets[:1] == bytes([START]) and (len(octets) < 3 or length_of(octets) <= LENGTH_MAX)


def length_of(octets: bytes) -> int:
    """The frame's own length field. [octets]"""
    return octets[1] | octets[2] << 8


def decode_frame(octets: bytes) -> Frame:
    """One whole frame.

    Raises
    ------
    DecodeError
        ``bad_start``, ``truncated``, ``bad_length``, ``bad_end`` or ``bad_checksum``: the first that applies.
    """
    if octets[:1] != bytes([START]):
        raise DecodeError("bad_start" if octets else "truncated", at=0)
    if len(octets) < 3:
        raise DecodeError("truncated", bytes_needed=None, bytes_have=len(octets))
    length = length_of(octets)
    _check_length(length, len(octets))
    end = octets[length - 1]
    if end != END:
        raise DecodeError("bad_end", at=length - 1, found_end=f"0x{end:02X}")
    expected, found = sum8(octets[3 : length - 2]), octets[length - 2]
    if expected != found:
        raise DecodeError(
            "bad_checksum",
            at=length - 2,
            expected_checksum=f"0x{expected:02X}",
            found_checksum=f"0x{found:02X}",
        )
    if length < len(octets):
        fault = f"length {length} is below the {len(octets)} octets that are there"
        raise DecodeError("bad_length", fault, at=1, detail=fault)
    return Frame(octets[3], octets[4:-2])


def _check_length(length: int, held: int) -> None:
    fault = ""
    if length < LENGTH_MIN:
        fault = f"length {length} is below the minimum of {LENGTH_MIN}"
    elif length > LENGTH_MAX:
        fault = f"length {length} is above the maximum of {LENGTH_MAX}"
    elif length > held:
        raise DecodeError("truncated", at=held, bytes_needed=length, bytes_have=held)
    if fault:
        raise DecodeError("bad_length", fault, at=1, detail=fault)


def encode_frame(frame: Frame) -> bytes:
    """`decode_frame` undone.

    Raises
    ------
    EncodeError
        If the frame would be shorter than `LENGTH_MIN` or longer than `LENGTH_MAX`.
    """
    length = len(frame.user_data) + _AROUND
    if not LENGTH_MIN <= length <= LENGTH_MAX:
        raise EncodeError(f"the frame would have {length} octets, wanted {LENGTH_MIN} to {LENGTH_MAX}")
    body = bytes([frame.control]) + frame.user_data
    return bytes([START, length & 0xFF, length >> 8]) + body + bytes([sum8(body), END])
