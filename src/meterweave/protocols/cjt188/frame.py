"""The link frame of CJ/T 188-2004 and -2018: ``[FE…] 68 T A0…A6 C L data CS 16``.

Nothing is added to the data octets, unlike DL/T 645.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols import stream
from meterweave.protocols.bcd import decode_address, encode_address
from meterweave.protocols.checksum import sum8
from meterweave.text import Text

START, END, WAKE_UP = 0x68, 0x16, 0xFE
HEADER_SIZE = 11  # 68 T A0…A6 C L [octets]
OVERHEAD = HEADER_SIZE + 2  # with CS and 16 [octets]
DATA_MAX = 0x64  # longest data field: the answer to a read [octets]

ANSWER, ERROR = 0x80, 0x40  # D7 and D6 of the control octet
FUNCTION_MASK = 0x3F  # D5…D0

FUNCTIONS: dict[int, tuple[str, Text]] = {
    0x01: ("read_data", Text("read data", "读数据")),
    0x03: ("read_address", Text("read address", "读地址")),
    0x04: ("write_data", Text("write data", "写数据")),
    0x09: ("read_key_version", Text("read key version", "读密钥版本号")),
    0x15: ("write_address", Text("write address", "写地址")),
    0x16: ("write_motor_synchronisation", Text("set the register (motor synchronisation)", "写机电同步数")),
}
"""Functions D5…D0 of the control octet: JSON name and meaning."""

_MAKERS_READ_ANSWER = 0xA1  # what some makers answer to a read instead of 81H

_ADDRESS = re.compile(r"[0-9a-f]{14}")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, request or answer; equal frames have equal octets.

    What `data` mean is told by `meterweave.protocols.cjt188.content`.
    """

    meter_type: int
    """T: what is measured, see `meterweave.protocols.cjt188.meter`; AAH stands for any."""
    address: str
    """14 digits A6…A0, the two most significant octets being the maker's code; AA x 7 any meter, 99 x 7 all meters."""
    control: int
    data: bytes = b""
    wake_up: int = 0
    """How many FEH stand before the frame."""

    @property
    def function(self) -> int:
        """The function D5…D0; the A1H with which some makers answer a read counts as a read."""
        return 0x01 if self.control == _MAKERS_READ_ANSWER else self.control & FUNCTION_MASK

    @property
    def answer(self) -> bool:
        """D7: the meter speaks."""
        return bool(self.control & ANSWER)

    @property
    def error(self) -> bool:
        """The meter refuses: D6 of an answer."""
        return self.control & (ANSWER | ERROR) == ANSWER | ERROR


class FrameDecoder(stream.FrameDecoder):
    """Splits a line into CJ/T 188 frames; wake-up octets are garbage here."""

    starts = bytes([START])
    size_max = DATA_MAX + OVERHEAD

    def probe(self, octets: bytes, at: int) -> int | str:
        have = len(octets) - at
        if have < HEADER_SIZE:
            return have - HEADER_SIZE
        length = octets[at + 10]
        if length > DATA_MAX:
            return KINDS["bad_length"].en
        size = length + OVERHEAD
        if have < size:
            return have - size
        last = at + size - 1
        if octets[last] != END:
            return KINDS["bad_end"].en
        if sum8(octets[at : last - 1]) != octets[last - 1]:
            return KINDS["bad_checksum"].en
        return size


def decode(octets: bytes) -> Frame:
    """One whole frame, wake-up octets in front allowed.

    Raises
    ------
    DecodeError
        ``bad_start``, ``truncated``, ``bad_length``, ``bad_end`` or ``bad_checksum``, looked for in this order.
    """
    frame = octets.lstrip(b"\xfe")
    wake_up = len(octets) - len(frame)
    if len(frame) < HEADER_SIZE or frame[0] != START or len(frame) != frame[10] + OVERHEAD:
        _check_size(frame, wake_up)
    if frame[10] > DATA_MAX:
        raise _too_long(frame[10], wake_up)
    if frame[-1] != END:
        raise _bad_end(frame[-1], wake_up + len(frame) - 1)
    body, found = frame[:-2], frame[-2]
    if (wanted := sum8(body)) != found:
        raise DecodeError(
            "bad_checksum",
            f"the checksum is {found:02X}H, the octets sum up to {wanted:02X}H",
            at=wake_up + len(body),
            expected_checksum=f"0x{wanted:02X}",
            found_checksum=f"0x{found:02X}",
        )
    return Frame(frame[1], decode_address(frame[2:9]), frame[9], body[HEADER_SIZE:], wake_up)


def _check_size(frame: bytes, wake_up: int) -> None:
    """Raise what is wrong with a frame that does not begin with 68H or is not as long as it says."""
    if frame and frame[0] != START:
        raise DecodeError("bad_start", f"the frame begins with {frame[0]:02X}H, not 68H", at=wake_up, detail="no 68H")
    if len(frame) < HEADER_SIZE:
        raise _truncated(None, len(frame), wake_up)
    size = frame[10] + OVERHEAD
    if frame[10] > DATA_MAX:
        raise _too_long(frame[10], wake_up)
    if len(frame) < size:
        raise _truncated(size, len(frame), wake_up)
    if frame[size - 1] != END:
        raise _bad_end(frame[size - 1], wake_up + size - 1)
    detail = f"{len(frame) - size} octets follow the end of the frame"
    raise DecodeError("bad_length", detail, at=wake_up + size, detail=detail)


def _truncated(needed: int | None, have: int, wake_up: int) -> DecodeError:
    wanted = "more than that" if needed is None else f"{needed} octets"
    return DecodeError(
        "truncated",
        f"the frame has {have} octets and needs {wanted}",
        at=wake_up + have,
        bytes_needed=needed,
        bytes_have=have,
    )


def _too_long(length: int, wake_up: int) -> DecodeError:
    detail = f"length {length} is above the maximum of {DATA_MAX}"
    return DecodeError("bad_length", detail, at=wake_up + 10, detail=detail)


def _bad_end(found: int, at: int) -> DecodeError:
    return DecodeError("bad_end", f"the frame ends with {found:02X}H, not 16H", at=at, found_end=f"0x{found:02X}")


def encode(frame: Frame) -> bytes:
    """The octets of `frame`; `decode` undone.

    Raises
    ------
    EncodeError
        If a field is out of range.
    """
    for name, value, limit in (("meter_type", frame.meter_type, 255), ("control", frame.control, 255)):
        if not 0 <= value <= limit:
            raise EncodeError(f"{name} is {value}, not one octet")
    if not _ADDRESS.fullmatch(frame.address):
        raise EncodeError(f"address {frame.address!r} is not 14 digits 0 to 9, a to f")
    if len(frame.data) > DATA_MAX:
        raise EncodeError(f"data have {len(frame.data)} octets, at most {DATA_MAX} fit")
    if frame.wake_up < 0:
        raise EncodeError(f"wake_up is {frame.wake_up}, not a number of octets")
    body = b"".join(
        (
            bytes((START, frame.meter_type)),
            encode_address(frame.address, 7),
            bytes((frame.control, len(frame.data))),
            frame.data,
        )
    )
    return bytes([WAKE_UP]) * frame.wake_up + body + bytes((sum8(body), END))
