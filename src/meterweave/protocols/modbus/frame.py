"""What stands on the line: RTU frames, and the maker's envelopes on a TCP connection of its 4G meters."""

from __future__ import annotations

from typing import TypeAlias

from meterweave.errors import EncodeError
from meterweave.protocols import stream
from meterweave.protocols.modbus import envelope, rtu
from meterweave.protocols.modbus.envelope import Envelope
from meterweave.protocols.modbus.rtu import Frame

Message: TypeAlias = Frame | Envelope

_ENVELOPE_OCTET = envelope.START[0]  # also a unit, 123, but 123 is no function


class FrameDecoder(stream.FrameDecoder):
    """Splits a line into RTU frames and envelopes.

    RTU frames end in silence, which octets alone do not show: their sizes are told by function and count, and proved by
    the CRC. Functions whose length the first octets do not tell are not found.
    """

    starts = bytes(range(256))
    size_max = envelope.SIZE_MAX

    def probe(self, octets: bytes, at: int) -> int | str:
        if octets[at] == _ENVELOPE_OCTET and octets[at + 1 : at + 2] == envelope.START[1:]:
            return envelope.probe(octets, at)
        return rtu.probe(octets, at)


def decode(octets: bytes) -> Message:
    """One whole RTU frame or envelope.

    Raises
    ------
    DecodeError
        See `rtu.decode` and `envelope.decode`.
    """
    return envelope.decode(octets) if octets[:2] == envelope.START else rtu.decode(octets)


def encode(message: Message) -> bytes:
    """The octets of a message; `decode` undone.

    Raises
    ------
    EncodeError
        If a field is out of range.
    """
    if isinstance(message, Envelope):
        return envelope.encode(message)
    if message.unit == message.function == _ENVELOPE_OCTET:
        raise EncodeError("function 123 of unit 123 would read as an envelope")
    return rtu.encode(message)


_OTHERS_START = 0x68  # of 645, 188, 698, 1376 and M-Bus; unit 104 is believed when its CRC is right, not before


def begins(octets: bytes) -> bool:
    """Whether `octets` begin like a frame: an envelope, or a unit with a function that exists."""
    if octets[:2] == envelope.START:
        return True
    return len(octets) >= 2 and octets[0] <= rtu.UNIT_MAX and octets[0] != _OTHERS_START and bool(rtu.lengths(octets))
