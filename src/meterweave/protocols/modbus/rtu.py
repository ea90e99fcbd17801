"""The RTU frame: unit, function, data, CRC-16 low octet first (Modbus over Serial Line V1.02, 2.5.1).

What a frame is can only be told by its length, for neither direction nor size are written in it. pymodbus knows, for
every function, how long requests and answers are; `shapes` reads its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from pymodbus.pdu import DecodePDU, ModbusPDU

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.checksum import crc_modbus

UNIT_MAX = 247  # 248 to 255 are reserved
SIZE_MIN, SIZE_MAX = 4, 256  # unit, function, data, CRC [octets]
EXCEPTION = 0x80  # added to the function of a refused request
EXCEPTION_SIZE = 5

Kind = Literal["request", "response", "exception", "unknown"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One RTU frame; equal frames have equal octets."""

    unit: int
    """Address of the device on its line; 0 is all of them."""
    function: int
    """As on the wire: an exception has 80H added."""
    data: bytes = b""
    """What stands between function and CRC."""

    @property
    def size(self) -> int:
        """[octets]"""
        return len(self.data) + SIZE_MIN

    @property
    def kind(self) -> Kind:
        """Request or answer, told by the length.

        Where a request and an answer of this length both exist, it is taken for a request: a write of one value, whose
        answer is its echo, and a read of coils whose answer would have three octets, as long as its count is possible.
        """
        if self.function & EXCEPTION:
            return "exception" if self.size == EXCEPTION_SIZE else "unknown"
        shape = shapes().get(self.function)
        if shape is None:
            return "unknown"
        head = bytes((self.unit, self.function)) + self.data
        asked, answered = shape.request.size(head) == self.size, shape.answer.size(head) == self.size
        if asked and answered and self.function <= _READ_BITS and int.from_bytes(self.data[2:4], "big") > _COILS_MAX:
            return "response"
        return "request" if asked else "response" if answered else "unknown"


_READ_BITS = 0x02  # 01 coils, 02 discrete inputs
_COILS_MAX = 2000


class Length(NamedTuple):
    """How long a frame is: always the same, or by an octet that counts those behind it."""

    fixed: int  # 0: by the count
    count_at: int

    def size(self, octets: bytes) -> int | None:
        """Size of the whole frame that begins with `octets`; None while they do not reach the count."""
        if self.fixed:
            return self.fixed
        return octets[self.count_at] + self.count_at + 3 if len(octets) > self.count_at else None


class Shape(NamedTuple):
    """The lengths of one function."""

    request: Length
    answer: Length


@cache
def shapes() -> Mapping[int, Shape]:
    """The lengths of every function whose length its first octets tell."""
    table = {}
    for function, pair in DecodePDU.pdu_table.items():
        request, answer = map(_length, pair)
        if request and answer:
            table[function] = Shape(request, answer)
    return table


def _length(pdu: type[ModbusPDU]) -> Length | None:
    if pdu.rtu_frame_size or pdu.rtu_byte_count_pos:
        return Length(pdu.rtu_frame_size, pdu.rtu_byte_count_pos)
    return None


def lengths(octets: bytes) -> list[int | None]:
    """The sizes a frame that begins with `octets` can have; None: not to be told yet; empty: unknown function."""
    function = octets[1]
    if function & EXCEPTION:
        return [EXCEPTION_SIZE] if function & ~EXCEPTION in shapes() else []
    shape = shapes().get(function)
    return [shape.request.size(octets), shape.answer.size(octets)] if shape else []


def probe(octets: bytes, at: int) -> int | str:
    """What stands at offset `at`: see `meterweave.protocols.stream.FrameDecoder.probe`.

    The shortest size whose CRC is right is the frame's.
    """
    have = len(octets) - at
    if octets[at] > UNIT_MAX:
        return "no unit has this address"
    if have < 2:
        return have - 2
    head = octets[at : at + SIZE_MAX]
    sizes = lengths(head)
    if not sizes:
        return "unknown function"
    known = sorted({size for size in sizes if size is not None and size <= SIZE_MAX})
    for size in known:
        if size <= have and crc_modbus(head[:size]) == 0:  # the CRC of octets with their CRC is zero
            return size
    if None in sizes:
        return -1
    return next((have - size for size in known if size > have), KINDS["bad_checksum"].en)


def decode(octets: bytes) -> Frame:
    """One whole frame.

    A right CRC is enough, so frames of unknown functions and odd lengths are kept.

    Raises
    ------
    DecodeError
        ``truncated``, ``bad_length`` or ``bad_checksum``.
    """
    if len(octets) < SIZE_MIN:
        raise _truncated(None, len(octets))
    if len(octets) > SIZE_MAX:
        detail = f"length {len(octets)} is above the maximum of {SIZE_MAX}"
        raise DecodeError("bad_length", detail, at=SIZE_MAX, detail=detail)
    sizes = lengths(octets)
    right = crc_modbus(octets) == 0
    if not right or len(octets) not in sizes:
        _check_length(octets, sizes, right)
    if not right:
        raise bad_crc(crc_modbus(octets[:-2]), octets[-2:], len(octets) - 2)
    return Frame(octets[0], octets[1], octets[2:-2])


def _check_length(octets: bytes, sizes: list[int | None], right: bool) -> None:
    """Raise if a frame is shorter, or longer, than its function makes it.

    Zeros behind a frame leave its CRC right, so that a right CRC alone does not tell that it ends there.
    """
    have = len(octets)
    if have in sizes:
        return
    for size in sizes:
        if size and size < have and crc_modbus(octets[:size]) == 0:
            detail = f"{have - size} octets follow the end of the frame"
            raise DecodeError("bad_length", detail, at=size, detail=detail)
    longer = [size for size in sizes if size is None or have < size <= SIZE_MAX]
    if longer and not right:
        raise _truncated(min((size for size in longer if size), default=None), have)


def _truncated(needed: int | None, have: int) -> DecodeError:
    wanted = "more than that" if needed is None else f"{needed} octets"
    text = f"the frame has {have} octets and needs {wanted}"
    return DecodeError("truncated", text, at=have, bytes_needed=needed, bytes_have=have)


def bad_crc(wanted: int, octets: bytes, at: int) -> DecodeError:
    """The error of a CRC field `octets`, low octet first, at offset `at`."""
    found = int.from_bytes(octets, "little")
    return DecodeError(
        "bad_checksum",
        f"the CRC is {found:04X}H, the octets give {wanted:04X}H",
        at=at,
        expected_checksum=f"0x{wanted:04X}",
        found_checksum=f"0x{found:04X}",
    )


def encode(frame: Frame) -> bytes:
    """The octets of `frame`; `decode` undone.

    Raises
    ------
    EncodeError
        If a field is out of range.
    """
    for name, value in (("unit", frame.unit), ("function", frame.function)):
        if not 0 <= value <= 0xFF:
            raise EncodeError(f"{name} is {value}, not one octet")
    if frame.size > SIZE_MAX:
        raise EncodeError(f"data have {len(frame.data)} octets, at most {SIZE_MAX - SIZE_MIN} fit")
    body = bytes((frame.unit, frame.function)) + frame.data
    return body + crc_modbus(body).to_bytes(2, "little")
