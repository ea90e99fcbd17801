"""The meters' own messages inside a data unit: found, unwrapped and wrapped.

A message is opaque to this protocol. In JSON it is ``{"hex": …}``; where all of its octets are one DL/T 645 or DL/T
698.45 frame, with wake-up octets FEH in front or not, the frame stands beside as ``dlt645`` or ``dlt698``; where they
are several frames with FEH between (F1H F1), these stand in ``messages``, each in the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols import dlt645, dlt698
from meterweave.protocols.codec import Codec, Json
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part2 import layout
from meterweave.protocols.gdw1376.part2.layout import Element, Reader, Short, wanted, wanted_list, wanted_octets
from meterweave.protocols.inspect import WAKE_UP, split
from meterweave.protocols.stream import Garbage
from meterweave.text import Text

CODECS: Mapping[str, Codec] = MappingProxyType({"dlt645": dlt645.CODEC, "dlt698": dlt698.CODEC})
"""What is looked for inside, by its key in JSON. The octets themselves decide, not the protocol type in front of them:
a checksummed frame is the surer witness, and no octets are a frame of both."""


class Piece(NamedTuple):
    """A frame in a message, or wake-up octets that belong to none."""

    key: str  # of `CODECS`; "" for wake-up octets
    octets: bytes


def unwrap(octets: bytes) -> list[Piece]:
    """The frames of which a message consists, in order; joined they are the message. Empty: it is something else."""
    for key in CODECS:
        if pieces := _pieces(key, octets):
            return pieces
    return []


def _pieces(key: str, octets: bytes) -> list[Piece]:
    codec = CODECS[key]
    pieces: list[Piece] = []
    lead = b""
    for event in split(codec, octets)[0]:
        if isinstance(event, Garbage):
            lead = event.octets
            if lead.strip(bytes([WAKE_UP])):
                return []
            continue
        if not _decodes(codec, event):
            return []
        if lead and not codec.wake_up:
            pieces.append(Piece("", lead))
            lead = b""
        pieces.append(Piece(key, lead + event))
        lead = b""
    if lead and pieces:
        pieces.append(Piece("", lead))
    return pieces


def _decodes(codec: Codec, frame: bytes) -> bool:
    try:
        codec.decode(frame)
    except DecodeError:
        return False
    return True


def message_json(octets: bytes) -> Json:
    """A message in JSON."""
    found: Json = {"hex": octets.hex()}
    frames = [piece for piece in unwrap(octets) if piece.key]
    if len(frames) == 1:
        return found | _frame_json(frames[0])
    if frames:
        found["messages"] = [{"hex": piece.octets.hex()} | _frame_json(piece) for piece in frames]
    return found


def _frame_json(piece: Piece) -> Json:
    codec = CODECS[piece.key]
    whole = codec.to_json(codec.decode(piece.octets))
    return {piece.key: _read_json(whole) if piece.key == "dlt645" and whole["control"] in _READS else whole}


_READS = frozenset(("0x11", "0x91", "0xB1"))  # a read of 2007, its answer, and its answer with more to follow
_DI_SIZE = 4  # octets


def _read_json(frame: Json) -> Json:
    """A DL/T 645 read or its answer: always with its identifier ``di``, and with no words of bits among its ``values``.

    An item that is such a word is one value called ``raw``, its octets with the 33H offset taken off, as an unknown
    item is; what its bits mean stands in ``details``.
    """
    data = bytes.fromhex(frame["data"])
    if len(data) < _DI_SIZE:
        return frame
    named: Json = {"di": data[_DI_SIZE - 1 :: -1].hex()} | frame
    values: Sequence[Mapping[str, object]] = named.get("values", [])
    if all(value.get("unit") != "bits" for value in values):
        return named
    raw = {"name": "raw", "value": data[_DI_SIZE:].hex(), "unit": "hex"}
    return named | {"values": [raw], "details": values}


def message_octets(value: object, path: str) -> bytes:
    """`message_json` undone; the octets in ``hex`` win, without them a frame is built from its names.

    Raises
    ------
    EncodeError
        If `value` holds no message, or one that cannot be put into octets; the sentence names it, `path` in front.
    """
    if not isinstance(value, Mapping):
        raise EncodeError(f"{path} is {value!r}, wanted an object")
    if "hex" in value:
        return wanted_octets(value["hex"], f"{path}.hex")
    for key, codec in CODECS.items():
        if key in value:
            return _frame_octets(codec, value[key], f"{path}.{key}")
    if "messages" in value:
        messages = wanted_list(value["messages"], f"{path}.messages")
        return b"".join(message_octets(one, f"{path}.messages[{index}]") for index, one in enumerate(messages))
    raise EncodeError(f"{path} wants one of hex, messages, {', '.join(CODECS)}")


def _frame_octets(codec: Codec, value: object, path: str) -> bytes:
    if not isinstance(value, Mapping):
        raise EncodeError(f"{path} is {value!r}, wanted an object")
    try:
        return codec.encode(codec.from_json(value))
    except EncodeError as error:
        raise EncodeError(f"{path}: {error}") from error


def explain_message(octets: bytes) -> tuple[Field, ...]:
    """The frames in a message, each with its own fields; nothing where it is something else."""
    return tuple(
        Field(CODECS[piece.key].title, piece.octets, parts=tuple(CODECS[piece.key].explain(piece.octets)))
        if piece.key
        else Field(Text("wake-up", "唤醒字节"), piece.octets)
        for piece in unwrap(octets)
    )


@dataclass(frozen=True, slots=True)
class InnerMessage(Element):
    """A message behind its length of `size` octets; the length is not in JSON."""

    size: int = 1

    def read(self, reader: Reader, values: Json) -> None:
        length = int.from_bytes(reader.take(self.size), "little")
        content = reader.take(min(length, reader.left))
        self.put(content, values)
        if len(content) < length:
            raise Short

    def put(self, content: bytes, values: Json) -> None:
        """What the octets behind the length say."""
        values[self.name] = message_json(content)

    def content(self, values: Mapping[str, Any], path: str) -> bytes:
        """`put` undone."""
        return message_octets(wanted(values, self.name, path), f"{path}.{self.name}")

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        content = self.content(values, path)
        if len(content) >> 8 * self.size:
            raise EncodeError(f"{path}.{self.name} has {len(content)} octets, wanted at most {256**self.size - 1}")
        return len(content).to_bytes(self.size, "little") + content

    def explain(self, reader: Reader, values: Json) -> list[Field]:
        octets = reader.take(self.size)
        length = int.from_bytes(octets, "little")
        fields = [Field(Text(f"length of the {self.en}", f"{self.zh}长度"), octets, str(length), "octets")]
        if length > reader.left:
            reader.short = True
            fields[0] = fields[0].with_fault(layout.MISMATCH_TEXT)
        content = reader.take(min(length, reader.left))
        return [*fields, self.explained(content, values)]

    def explained(self, content: bytes, values: Json) -> Field:
        """The field of the octets behind the length."""
        return Field(self.text, content, content.hex(" ").upper(), parts=explain_message(content))
