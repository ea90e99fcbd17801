"""What the registers in a frame mean, as far as frame, request and model tell."""

from __future__ import annotations

from typing import NamedTuple

from meterweave.protocols.modbus.pdu import fields
from meterweave.protocols.modbus.registers import Block, Value, find_block, guess_block, split
from meterweave.protocols.modbus.rtu import Frame
from meterweave.text import Text

READ_REGISTERS = (0x03, 0x04)
_REGISTERS_AT = {0x06: 2, 0x10: 5}  # where the registers of a write begin in its data [octets]


class Span(NamedTuple):
    """Registers, and the block they belong to."""

    octets: bytes
    address: int
    block: Block
    guessed: bool  # nobody said what was asked; the length alone speaks for the block

    @property
    def values(self) -> list[Value]:
        """The values the block knows in these registers."""
        return split(self.octets, self.block, self.address)


def span(frame: Frame, *, request: Frame | None = None, model: str | None = None) -> Span | None:
    """The registers `frame` carries; None where it has none, or no block knows them.

    Parameters
    ----------
    request : Frame or None
        What an answer answers: an answer does not repeat the address. None: the block whose length it has is guessed,
        see `registers.guess_block`.
    model : str or None
        Of `registers.Block.model`, where several have the same address.
    """
    kind, data = frame.kind, frame.data
    if kind == "request" and frame.function in _REGISTERS_AT:
        return _span(data[_REGISTERS_AT[frame.function] :], int.from_bytes(data[:2], "big"), model)
    if kind != "response" or frame.function not in READ_REGISTERS or len(data) % 2 == 0:
        return None
    octets = data[1:]
    if request is not None:
        return _span(octets, int.from_bytes(request.data[:2], "big"), model) if answers(frame, request) else None
    block = guess_block(len(octets) // 2)
    return Span(octets, block.address, block, True) if block and model in (None, block.model) else None


def _span(octets: bytes, address: int, model: str | None) -> Span | None:
    block = find_block(address, len(octets) // 2, model)
    return Span(octets, address, block, False) if block else None


def answers(frame: Frame, request: Frame) -> bool:
    """Whether `frame` can be the good answer to a read of registers."""
    return (
        (frame.unit, frame.function) == (request.unit, request.function)
        and request.kind == "request"
        and frame.kind == "response"
        and frame.function in READ_REGISTERS
        and len(frame.data) == 1 + 2 * int.from_bytes(request.data[2:4], "big")
    )


_RELAY = 0x0057
_RELAY_WORDS = {
    (1, 1): Text("forced trip", "强制跳闸"),
    (1, 0): Text("forced close", "强制合闸"),
    (0, 0): Text("forced control off", "退出强制控制"),
}


def meaning(frame: Frame) -> Text | None:
    """What a request is for, in words, where its registers are a known block."""
    known = fields(frame)
    if "address" not in known or "count" not in known:
        return None
    if known["address"] == _RELAY and "registers" in known:
        words = _RELAY_WORDS.get(tuple(known["registers"]))
        if words:
            return words
    block = find_block(known["address"], known["count"])
    return block.meaning if block and block.count == known["count"] else None
