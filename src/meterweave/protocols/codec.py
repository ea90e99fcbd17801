"""What every protocol offers, in one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from meterweave.metering.batch import ReadingBatch
from meterweave.protocols.explain import Field
from meterweave.protocols.stream import FrameDecoder, Garbage
from meterweave.text import Text

Json = dict[str, Any]


class BatchDecoder(Protocol):
    """Frames to columns: see `meterweave.metering.batch`."""

    def __call__(self, frames: Sequence[bytes], *, received: int = ..., zone: ZoneInfo = ...) -> ReadingBatch: ...


def twelve_digits(key: int) -> str:
    """A wire key that is twelve address digits, as they are printed."""
    return f"{key:012x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One protocol: octets to messages and back, for programs, for people and in bulk."""

    name: str
    """The word of ``--protocol``."""
    title: Text
    """The standard, as people call it."""
    aliases: tuple[str, ...] = ()
    """Other words for the same, as people write them."""
    decoder: type[FrameDecoder]
    """Splits a stream into frames."""
    decode: Callable[[bytes], Any]
    """One whole frame to its message; raises `DecodeError` and nothing else, whatever the octets."""
    encode: Callable[[Any], bytes]
    """A message to its frame, `decode` undone; raises `EncodeError`."""
    to_json: Callable[[Any], Json]
    """A message as a JSON-ready object."""
    from_json: Callable[[Mapping[str, Any]], Any]
    """A message from such an object, `to_json` undone; raises `EncodeError`. Where raw octets (``data``) are given they
    win; without them they are built from the named values."""
    explain: Callable[[bytes], list[Field]]
    """A frame field by field; raises nothing: a bad frame has its fault marked."""
    decode_batch: BatchDecoder
    """Many frames to readings in columns."""
    meter_text: Callable[[int], str] = twelve_digits
    """A wire key of `decode_batch` as people write the meter's name."""
    begins: Callable[[bytes], bool]
    """Whether octets begin like a frame of this protocol, so that their failure is a bad frame's, not garbage."""
    stream_json: Callable[[Sequence[bytes | Garbage]], Json] | None = None
    """More keys for a stream's JSON, where the protocol's vectors have them."""
    wake_up: bool = False
    """Whether FEH octets before a frame belong to it, as on serial lines."""
