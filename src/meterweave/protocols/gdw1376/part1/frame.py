"""The link frame of Q/GDW 1376.1-2013 clause 5.2 (format class FT1.2 of GB/T 18657.1), and its place in a stream.

::

    68H  L  L  68H | C  A1 A1 A2 A2 A3  link user data | CS  16H

``L`` holds the protocol in bits 0 and 1 and the number of octets from ``C`` to before ``CS`` in bits 2 to 15; ``CS`` is
the sum of those octets modulo 256.
"""

from __future__ import annotations

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.checksum import sum8
from meterweave.protocols.stream import FrameDecoder as StreamDecoder

START, END = 0x68, 0x16
HEADER_SIZE = 6  # up to and including the second start octet
TRAILER_SIZE = 2  # CS and the end octet
USER_DATA_MIN = 8  # C, A1, A2, A3, AFN and SEQ: nothing shorter says what it is for
USER_DATA_MAX = 0x3FFF  # what 14 bits of length can say; 255 on radio channels (clause 5.2.4)


def user_data_length(octets: bytes, at: int = 0) -> int:
    """Octets from C to before CS, as the first length word of the frame at `at` says."""
    return (octets[at + 1] | octets[at + 2] << 8) >> 2


def frame_size(octets: bytes, at: int = 0) -> int:
    """Size of the whole frame at `at`. [octets]"""
    return user_data_length(octets, at) + HEADER_SIZE + TRAILER_SIZE


def check(octets: bytes) -> int:
    """Verify the link frame in `octets` and give its size. [octets]

    Raises
    ------
    DecodeError
        ``bad_start``, ``bad_length``, ``truncated``, ``bad_end`` or ``bad_checksum``.
    """
    have = len(octets)
    if octets[:1] != b"\x68" or (have >= HEADER_SIZE and octets[5] != START):
        at = 5 if octets[:1] == b"\x68" else 0
        raise DecodeError("bad_start", at=at, detail="68H missing at offset 0 or 5")
    if have < HEADER_SIZE:
        raise DecodeError("truncated", bytes_needed=None, bytes_have=have)
    if octets[1:3] != octets[3:5]:
        raise DecodeError("bad_length", at=1, detail="the two length words differ")
    size = frame_size(octets)
    if size < HEADER_SIZE + USER_DATA_MIN + TRAILER_SIZE:
        raise DecodeError(
            "bad_length", at=1, detail=f"{user_data_length(octets)} octets of user data, at least 8 wanted"
        )
    if have < size:
        raise DecodeError("truncated", at=have, bytes_needed=size, bytes_have=have)
    if octets[size - 1] != END:
        raise DecodeError("bad_end", at=size - 1, found_end=f"0x{octets[size - 1]:02X}")
    total = sum8(octets[HEADER_SIZE : size - TRAILER_SIZE])
    if octets[size - 2] != total:
        raise DecodeError(
            "bad_checksum",
            at=size - 2,
            expected_checksum=f"0x{total:02X}",
            found_checksum=f"0x{octets[size - 2]:02X}",
        )
    if have > size:
        raise DecodeError("bad_length", at=size, detail=f"{have - size} octets follow the end of the frame")
    return size


def wrap(protocol: int, user_data: bytes) -> bytes:
    """The frame around `user_data`, of which bits 0 and 1 of the length words are `protocol`.

    Raises
    ------
    EncodeError
        If `protocol` has more than two bits, or `user_data` is shorter than 8 or longer than 16383 octets.
    """
    if not 0 <= protocol <= 3:
        raise EncodeError(f"protocol_bits is {protocol}, wanted 0 to 3")
    if not USER_DATA_MIN <= len(user_data) <= USER_DATA_MAX:
        raise EncodeError(f"{len(user_data)} octets of user data, wanted {USER_DATA_MIN} to {USER_DATA_MAX}")
    word = (len(user_data) << 2 | protocol).to_bytes(2, "little")
    return b"".join((b"\x68", word, word, b"\x68", user_data, bytes((sum8(user_data), END))))


class FrameDecoder(StreamDecoder):
    """Splits what a terminal's line or connection delivers into frames and garbage."""

    starts = b"\x68"
    size_max = USER_DATA_MAX + HEADER_SIZE + TRAILER_SIZE

    def probe(self, octets: bytes, at: int) -> int | str:
        have = len(octets) - at
        if have < HEADER_SIZE:
            return have - HEADER_SIZE
        if octets[at + 5] != START:
            return KINDS["bad_start"].en
        if octets[at + 1 : at + 3] != octets[at + 3 : at + 5]:
            return KINDS["bad_length"].en
        size = frame_size(octets, at)
        if size < HEADER_SIZE + USER_DATA_MIN + TRAILER_SIZE:
            return KINDS["bad_length"].en
        if have < size:
            return have - size
        if octets[at + size - 1] != END:
            return KINDS["bad_end"].en
        if sum(octets[at + HEADER_SIZE : at + size - TRAILER_SIZE]) & 0xFF != octets[at + size - TRAILER_SIZE]:
            return KINDS["bad_checksum"].en
        return size


def begins(octets: bytes) -> bool:
    """Whether `octets` begin like a frame."""
    return octets[:1] == b"\x68"
