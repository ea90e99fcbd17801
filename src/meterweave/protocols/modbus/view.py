"""A message as a JSON object, and back; ``protocol`` tells RTU frames and envelopes apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.modbus import envelope_view, rtu_view
from meterweave.protocols.modbus.envelope import Envelope
from meterweave.protocols.modbus.frame import Message, encode

Json = dict[str, Any]


def to_json(message: Message) -> Json:
    """Every field of `message`; of an answer that stands alone the values are guessed, see `registers.guess_block`."""
    return envelope_view.to_json(message) if isinstance(message, Envelope) else rtu_view.to_json(message)


def from_json(found: Mapping[str, Any]) -> Message:
    """`to_json` undone.

    Raises
    ------
    EncodeError
        If a field is missing or impossible; the sentence names it.
    """
    protocol = found.get("protocol", rtu_view.PROTOCOL)
    message: Message
    if protocol == envelope_view.PROTOCOL:
        message = envelope_view.from_json(found)
    elif protocol == rtu_view.PROTOCOL:
        message = rtu_view.from_json(found)
    else:
        raise EncodeError(f"protocol is {protocol!r}, not {rtu_view.PROTOCOL} or {envelope_view.PROTOCOL}")
    encode(message)  # to refuse here what no frame can carry
    return message
