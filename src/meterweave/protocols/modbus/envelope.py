"""The TCP envelope of prepaid 4G and NB meters: ``7B 7B command body CRC 7D 7D``.

CRC-16/MODBUS over command and body, low octet first. The body may hold 7D 7D, so that only a right CRC in front of it
tells the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fastcrc import crc16

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.checksum import crc_modbus
from meterweave.protocols.modbus.rtu import bad_crc
from meterweave.text import Text

START, END = b"{{", b"}}"  # 7B 7B, 7D 7D
OVERHEAD = 7  # all but the body [octets]
SIZE_MAX = 2048  # ours: the longest seen is a tenth of it [octets]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One envelope; equal envelopes have equal octets. `meterweave.protocols.modbus.upload` takes bodies apart."""

    command: int
    body: bytes = b""


class Command(NamedTuple):
    """What a command of the envelope means, by whether it has a body."""

    full: Text
    empty: Text


COMMANDS: dict[int, Command] = {
    0x84: Command(Text("registration", "注册"), Text("registration acknowledge", "注册应答")),
    0x89: Command(Text("alarm settings", "报警设置"), Text("alarm settings acknowledge", "报警设置应答")),
    0x90: Command(Text("pass-through", "透传"), Text("pass-through", "透传")),
    0x91: Command(Text("upload", "数据上传"), Text("upload acknowledge", "上传应答")),
    0x93: Command(Text("time answer", "对时应答"), Text("time request", "对时请求")),
    0x94: Command(Text("heartbeat", "心跳"), Text("heartbeat", "心跳")),
}


def meaning(envelope: Envelope) -> Text | None:
    """What the envelope is for; None where its command is unknown."""
    command = COMMANDS.get(envelope.command)
    return (command.full if envelope.body else command.empty) if command else None


def probe(octets: bytes, at: int) -> int | str:
    """What stands at offset `at`, which holds 7B 7B: see `meterweave.protocols.stream.FrameDecoder.probe`."""
    limit = min(len(octets), at + SIZE_MAX)
    start = at + len(START)
    done, crc = start, 0xFFFF
    end = octets.find(END, start + 3, limit)
    while end >= 0:
        crc = crc16.modbus(octets[done:end], crc)
        if crc == 0:  # the CRC of octets with their CRC is zero
            return end + len(END) - at
        done = end
        end = octets.find(END, end + 1, limit)
    return "no end of the envelope" if len(octets) - at >= SIZE_MAX else -1


def decode(octets: bytes) -> Envelope:
    """One whole envelope.

    Raises
    ------
    DecodeError
        ``bad_start``, ``truncated``, ``bad_length``, ``bad_end`` or ``bad_checksum``.
    """
    have = len(octets)
    if octets[: len(START)] != START[:have]:
        raise DecodeError("bad_start", "the envelope does not begin with 7B 7B", at=0, detail="no 7B 7B")
    if have > SIZE_MAX:
        detail = f"length {have} is above the maximum of {SIZE_MAX}"
        raise DecodeError("bad_length", detail, at=SIZE_MAX, detail=detail)
    inner, end = octets[len(START) : -len(END)], octets[-len(END) :]
    if have >= OVERHEAD and end == END:
        if crc_modbus(inner) != 0:
            raise bad_crc(crc_modbus(inner[:-2]), inner[-2:], have - 4)
        return Envelope(inner[0], inner[1:-2])
    if have >= OVERHEAD and crc_modbus(inner) == 0:
        text = f"the envelope ends with {end.hex(' ').upper()}, not 7D 7D"
        raise DecodeError("bad_end", text, at=have - 2, found_end=f"0x{end.hex().upper()}")
    text = f"the envelope has {have} octets and no end 7D 7D"
    raise DecodeError("truncated", text, at=have, bytes_needed=None, bytes_have=have)


def encode(envelope: Envelope) -> bytes:
    """The octets of `envelope`; `decode` undone.

    Raises
    ------
    EncodeError
        If a field is out of range.
    """
    if not 0 <= envelope.command <= 0xFF:
        raise EncodeError(f"command is {envelope.command}, not one octet")
    if len(envelope.body) > SIZE_MAX - OVERHEAD:
        raise EncodeError(f"body has {len(envelope.body)} octets, at most {SIZE_MAX - OVERHEAD} fit")
    inner = bytes([envelope.command]) + envelope.body
    return START + inner + crc_modbus(inner).to_bytes(2, "little") + END
