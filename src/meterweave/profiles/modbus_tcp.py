"""Modbus TCP around what profiles speak: RTU frames in, MBAP frames out, and back.

The header is transaction, protocol 0, length, unit (MODBUS Messaging on TCP/IP V1.0b, 3.1.3); RTU's CRC falls away.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from meterweave.errors import DecodeError
from meterweave.protocols.checksum import crc_modbus

_HEADER = Struct(">HHHB")
_CRC = 2
LENGTH_MIN, LENGTH_MAX = 2, 254  # unit and PDU [octets]
TRANSACTIONS = 1 << 16


class Carried(NamedTuple):
    """An RTU frame and the transaction it came under."""

    transaction: int
    frame: bytes


def wrap(frame: bytes, transaction: int) -> bytes:
    """The octets on TCP of an RTU frame."""
    unit, pdu = frame[0], frame[1:-_CRC]
    return _HEADER.pack(transaction % TRANSACTIONS, 0, len(pdu) + 1, unit) + pdu


class Unwrapper:
    """Splits what a connection delivers into RTU frames; it holds less than one frame."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, octets: bytes) -> list[Carried]:
        """The frames that `octets` complete.

        Raises
        ------
        DecodeError
            ``bad_start`` or ``bad_length``: the peer speaks something else, and the connection is of no more use.
        """
        self._held += octets
        found = []
        while len(self._held) >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(self._held)
            if protocol:
                raise DecodeError("bad_start", f"the peer speaks protocol {protocol}, not Modbus TCP")
            if not LENGTH_MIN <= length <= LENGTH_MAX:
                raise DecodeError(
                    "bad_length", f"a frame of {length} octets; Modbus TCP has {LENGTH_MIN} to {LENGTH_MAX}"
                )
            size = _HEADER.size - 1 + length
            if len(self._held) < size:
                break
            body = bytes([unit]) + bytes(self._held[_HEADER.size : size])
            del self._held[:size]
            found.append(Carried(transaction, body + crc_modbus(body).to_bytes(_CRC, "little")))
        return found
