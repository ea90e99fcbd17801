"""Modbus RTU frames on a line, told apart by who speaks.

Neither direction nor size are written in a frame. Taken by its CRC alone, the beginning of an answer may pass for a
request, once in some 65,000 answers; who knows what was asked knows how long the answer is.
"""

from __future__ import annotations

from meterweave.errors import KINDS
from meterweave.protocols import stream
from meterweave.protocols.checksum import crc_modbus
from meterweave.protocols.modbus.rtu import EXCEPTION, EXCEPTION_SIZE, SIZE_MAX, Frame, shapes

_READS = (3, 4)
_WRITE_ANSWER_SIZE = 8
_NO_FRAME = "no frame of this exchange"


class AnswerDecoder(stream.FrameDecoder):
    """Finds the answer to one request: of its unit and function, as long as it has to be, or an exception."""

    starts = bytes(range(256))
    size_max = SIZE_MAX

    def __init__(self, asked: Frame) -> None:
        super().__init__()
        self._unit, self._function = asked.unit, asked.function
        count = 2 * int.from_bytes(asked.data[2:4], "big")
        self._head = bytes([asked.unit, asked.function]) + (bytes([count & 0xFF]) if asked.function in _READS else b"")
        self._size = EXCEPTION_SIZE + count if asked.function in _READS else _WRITE_ANSWER_SIZE

    def probe(self, octets: bytes, at: int) -> int | str:
        head = octets[at : at + len(self._head)]
        if head[:2] == bytes([self._unit, self._function | EXCEPTION]):
            return _whole(octets, at, EXCEPTION_SIZE)
        if not self._head.startswith(head):
            return _NO_FRAME
        return len(head) - len(self._head) if len(head) < len(self._head) else _whole(octets, at, self._size)


class QuestionDecoder(stream.FrameDecoder):
    """Finds requests, as a device hears them."""

    starts = bytes(range(256))
    size_max = SIZE_MAX

    def probe(self, octets: bytes, at: int) -> int | str:
        head = octets[at : at + SIZE_MAX]
        if len(head) < 2:
            return len(head) - 2
        shape = shapes().get(head[1])
        if shape is None:
            return _NO_FRAME
        size = shape.request.size(head)
        if size is None:
            return -1
        return _whole(octets, at, size) if size <= SIZE_MAX else _NO_FRAME


def _whole(octets: bytes, at: int, size: int) -> int | str:
    """The size of a frame that is there and whose CRC is right."""
    have = len(octets) - at
    if have < size:
        return have - size
    return size if crc_modbus(octets[at : at + size]) == 0 else KINDS["bad_checksum"].en
