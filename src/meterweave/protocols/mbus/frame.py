"""The link frames of EN 13757-2 (EN 60870-5-2, format class FT 1.2): octets to control, address, CI and data.

=============== ===============================================
single          ``E5``
short           ``10 C A CS 16``
control, long   ``68 L L 68 C A CI data[L-3] CS 16``
=============== ===============================================

L counts C, A, CI and data; the checksum is the sum of the same octets modulo 256.
"""

from __future__ import annotations

from typing import NamedTuple

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols import stream
from meterweave.protocols.checksum import sum8
from meterweave.protocols.stream import Garbage

SINGLE, SHORT, LONG, END = 0xE5, 0x10, 0x68, 0x16
SHORT_SIZE = 5  # [octets]
OVERHEAD = 6  # octets of a long frame that L does not count
LENGTH_MIN, LENGTH_MAX = 3, 255  # what L can be
DATA_MAX = LENGTH_MAX - LENGTH_MIN  # [octets]


class Frame(NamedTuple):
    """One link frame; what a kind of frame does not have is None."""

    control: int | None = None
    address: int | None = None
    ci: int | None = None
    data: bytes = b""


def decode_frame(octets: bytes) -> Frame:
    """One whole frame.

    Raises
    ------
    DecodeError
        ``bad_start``, ``bad_length``, ``truncated``, ``bad_end`` or ``bad_checksum``, looked for in this order.
    """
    size = frame_size(octets)
    have = len(octets)
    if have < size:
        raise DecodeError("truncated", at=have, bytes_needed=size, bytes_have=have)
    if have > size:
        raise DecodeError("bad_length", at=size, detail="octets follow the end of the frame", surplus=have - size)
    if size == 1:
        return Frame()
    if octets[-1] != END:
        raise DecodeError("bad_end", at=size - 1, found_end=f"0x{octets[-1]:02X}")
    begin = 1 if size == SHORT_SIZE else 4
    expected, found = sum8(octets[begin:-2]), octets[-2]
    if expected != found:
        raise DecodeError(
            "bad_checksum", at=size - 2, expected_checksum=f"0x{expected:02X}", found_checksum=f"0x{found:02X}"
        )
    if begin == 1:
        return Frame(octets[1], octets[2])
    return Frame(octets[4], octets[5], octets[6], octets[7:-2])


def frame_size(octets: bytes) -> int:
    """The size that the first octets of a frame promise; where they are too few to tell, the smallest possible.

    Raises
    ------
    DecodeError
        ``bad_start`` or ``bad_length``: no frame begins like this.
    """
    start = octets[0] if octets else LONG
    if start == SINGLE:
        return 1
    if start == SHORT:
        return SHORT_SIZE
    if start != LONG:
        raise DecodeError("bad_start", at=0, found_start=f"0x{start:02X}")
    if len(octets) < 2:
        return LENGTH_MIN + OVERHEAD
    if octets[1] < LENGTH_MIN:
        raise DecodeError("bad_length", at=1, detail="L must be at least 3")
    if len(octets) > 2 and octets[1] != octets[2]:
        raise DecodeError("bad_length", at=2, detail="the two length bytes differ")
    if len(octets) > 3 and octets[3] != LONG:
        raise DecodeError("bad_start", at=3, found_start=f"0x{octets[3]:02X}", detail="the second start byte is not 68")
    return octets[1] + OVERHEAD


def encode_frame(frame: Frame) -> bytes:
    """The octets of `frame`, `decode_frame` undone.

    Raises
    ------
    EncodeError
        If an octet is outside 0 to 255, or the data are longer than a frame holds.
    """
    control, address, ci, data = frame
    if control is None or address is None:
        return bytes([SINGLE])
    for name, octet in (("control", control), ("address", address), ("ci", ci or 0)):
        if not 0 <= octet <= 0xFF:
            raise EncodeError(f"{name} is {octet}, wanted 0 to 255")
    if ci is None:
        return bytes([SHORT, control, address, (control + address) & 0xFF, END])
    if len(data) > DATA_MAX:
        raise EncodeError(f"{len(data)} octets of data behind the CI field, wanted at most {DATA_MAX}")
    counted = bytes([control, address, ci]) + data
    return bytes([LONG, len(counted), len(counted), LONG]) + counted + bytes([sum8(counted), END])


class FrameDecoder(stream.FrameDecoder):
    """Splits an M-Bus line into frames.

    E5 is a whole frame and has no check of its own. Inside noise it is therefore believed only where it ends the
    noise: when a whole frame or silence follows it.
    """

    starts = bytes([SINGLE, SHORT, LONG])
    size_max = LENGTH_MAX + OVERHEAD

    def __init__(self) -> None:
        super().__init__()
        self._in_noise = False
        self._silence = False

    def probe(self, octets: bytes, at: int) -> int | str:
        found = self._probe_single(octets, at) if octets[at] == SINGLE else self._probe_checked(octets, at)
        if isinstance(found, str) or (self._silence and found < 0):
            self._in_noise = True
        elif found > 0:
            self._in_noise = False
        return found

    def flush(self) -> list[bytes | Garbage]:
        self._silence = True
        events = super().flush()
        self._silence = self._in_noise = False
        return events

    def _next_start(self, octets: bytes, at: int) -> int:
        here = super()._next_start(octets, at)
        if here > at:
            self._in_noise = True
        return here

    def _probe_single(self, octets: bytes, at: int) -> int | str:
        if not self._in_noise:
            return 1
        if at + 1 == len(octets):
            return 1 if self._silence else -1
        behind = self._probe_checked(octets, at + 1) if octets[at + 1] in (SHORT, LONG) else "noise"
        if isinstance(behind, str):
            return "an acknowledge inside noise"
        return min(behind, 1)

    def _probe_checked(self, octets: bytes, at: int) -> int | str:
        have = len(octets) - at
        try:
            size = frame_size(octets[at : at + 4])
        except DecodeError as error:
            return str(error)
        # The octets that fix a long frame's size come first; wait for them alone.
        known = size if octets[at] == SHORT or have >= 4 else 4
        if have < known:
            return have - known
        if octets[at + size - 1] != END:
            return KINDS["bad_end"].en
        begin = at + (1 if octets[at] == SHORT else 4)
        return size if sum8(octets[begin : at + size - 2]) == octets[at + size - 2] else KINDS["bad_checksum"].en
