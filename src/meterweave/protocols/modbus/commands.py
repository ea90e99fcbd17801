"""Requests that prepaid meters understand."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from meterweave.protocols.modbus.envelope import Envelope
from meterweave.protocols.modbus.pdu import read_request, write_request
from meterweave.protocols.modbus.registers import Block
from meterweave.protocols.modbus.rtu import Frame
from meterweave.protocols.modbus.words import clock_octets


class Relay(Enum):
    """What to do with the relay of a DDSY1352 or DTSY1352: the two registers at 0057H.

    While control is forced, arrears do not trip: end a forced close with `RELEASE`.
    """

    TRIP = (1, 1)
    CLOSE = (1, 0)
    RELEASE = (0, 0)


def set_relay(unit: int, action: Relay) -> Frame:
    """Trip or close the relay, or give it back to the prepaid logic."""
    return write_request(unit, 0x0057, action.value)


def read_block(unit: int, block: Block) -> Frame:
    """Ask for a whole block."""
    return read_request(unit, block.address, block.count)


def time_answer(moment: datetime) -> Envelope:
    """The answer to a 4G meter that asks for the time; `moment` is local.

    Raises
    ------
    ValueError
        If the year is not 2000 to 2255.
    """
    return Envelope(0x93, clock_octets(moment))


def acknowledge(received: Envelope) -> Envelope:
    """The empty answer to a registration, an upload or a heartbeat."""
    return Envelope(received.command)
