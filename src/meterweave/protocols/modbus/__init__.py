"""Modbus RTU on prepaid electricity meters, and the TCP envelope of their 4G models.

pymodbus knows the protocol; here are the meters: their registers, relays, clocks and uploads.

    >>> from meterweave.protocols import modbus
    >>> modbus.encode(modbus.set_relay(1, modbus.Relay.TRIP)).hex()
    '01100057000204000100012775'
"""

from meterweave.protocols.codec import Codec
from meterweave.protocols.modbus.batch import decode_batch
from meterweave.protocols.modbus.commands import Relay, acknowledge, read_block, set_relay, time_answer
from meterweave.protocols.modbus.content import Span, span
from meterweave.protocols.modbus.envelope import Envelope
from meterweave.protocols.modbus.explain import explain
from meterweave.protocols.modbus.frame import FrameDecoder, Message, begins, decode, encode
from meterweave.protocols.modbus.pdu import build, fields, read_reply, read_request, write_request
from meterweave.protocols.modbus.readings import Reader
from meterweave.protocols.modbus.registers import Block, Value, blocks, find_block
from meterweave.protocols.modbus.rtu import Frame
from meterweave.protocols.modbus.view import from_json, to_json
from meterweave.text import Text

__all__ = [
    "CODEC",
    "Block",
    "Envelope",
    "Frame",
    "FrameDecoder",
    "Message",
    "Reader",
    "Relay",
    "Span",
    "Value",
    "acknowledge",
    "blocks",
    "build",
    "decode",
    "decode_batch",
    "encode",
    "explain",
    "fields",
    "find_block",
    "from_json",
    "read_block",
    "read_reply",
    "read_request",
    "set_relay",
    "span",
    "time_answer",
    "to_json",
    "write_request",
]


def _meter_text(key: int) -> str:
    """A unit address in decimal; the digits of a serial number, which read as hexadecimal are far above any unit."""
    return str(key) if key <= 0xFF else f"{key:x}"


CODEC = Codec(
    name="modbus",
    title=Text("Modbus RTU prepaid meters and their 4G envelope", "Modbus-RTU预付费电能表及其4G报文"),
    aliases=("modbus-rtu", "modbus-prepaid", "prepaid-4g"),
    decoder=FrameDecoder,
    decode=decode,
    encode=encode,
    to_json=to_json,
    from_json=from_json,
    explain=explain,
    decode_batch=decode_batch,
    begins=begins,
    meter_text=_meter_text,
)
