"""A recorded conversation, put back together: chunks of octets in, frames and garbage in order out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from meterweave.protocols.capture import Chunk
from meterweave.protocols.codec import Codec
from meterweave.protocols.inspect import WAKE_UP, join_garbage, split
from meterweave.protocols.recognise import covered, recognise
from meterweave.protocols.stream import FrameDecoder, Garbage


class Entry(NamedTuple):
    """One frame or one run of garbage of a conversation."""

    codec: Codec | None  # None: no protocol recognised these octets
    octets: bytes
    garbage: str  # why these octets are no frame; "" for a frame
    chunk: Chunk  # where its last octet came from


def read_session(chunks: Sequence[Chunk], codecs: Sequence[Codec]) -> list[Entry]:
    """Frames and garbage of a conversation, each direction a stream of its own.

    A chunk that one protocol covers wholly is read by that protocol, so a log may mix protocols; all else is read by
    the protocol that fits the whole conversation best, across chunks.
    """
    directions = dict.fromkeys(chunk.direction for chunk in chunks)
    streams = [b"".join(chunk.octets for chunk in chunks if chunk.direction == one) for one in directions]
    usual = recognise(streams, codecs)
    if usual is None:
        return [Entry(None, chunk.octets, "no protocol recognises these octets", chunk) for chunk in chunks]
    decoders: dict[str, FrameDecoder] = {}
    last: dict[str, Chunk] = {}
    entries: list[Entry] = []
    for chunk in chunks:
        decoder = decoders.setdefault(chunk.direction, usual.decoder())
        last[chunk.direction] = chunk
        codec = _covering(chunk.octets, (usual, *codecs)) if not decoder.held else None
        if codec and codec is not usual:
            entries += _entries(codec, split(codec, chunk.octets)[0], chunk)
        else:
            entries += _entries(usual, decoder.feed(chunk.octets), chunk)
    for direction, decoder in decoders.items():
        entries += _entries(usual, decoder.flush(), last[direction])
    return _with_wake_up(entries)


def _covering(octets: bytes, codecs: Sequence[Codec]) -> Codec | None:
    """The first protocol whose good frames are all of `octets`, wake-up octets aside."""
    for codec in codecs:
        whole = octets.lstrip(bytes([WAKE_UP])) if codec.wake_up else octets
        if whole and covered(codec, whole) == len(whole):
            return codec
    return None


def _entries(codec: Codec, events: Sequence[bytes | Garbage], chunk: Chunk) -> Iterator[Entry]:
    for event in join_garbage(events):
        if isinstance(event, Garbage):
            yield Entry(codec, event.octets, event.reason, chunk)
        else:
            yield Entry(codec, event, "", chunk)


def _with_wake_up(entries: Sequence[Entry]) -> list[Entry]:
    """The same entries; wake-up octets right before a frame of their direction become part of it where they belong."""
    joined: list[Entry] = []
    for entry in entries:
        last = joined[-1] if joined else None
        if (
            last
            and last.garbage
            and not entry.garbage
            and entry.codec
            and entry.codec.wake_up
            and last.chunk.direction == entry.chunk.direction
            and not last.octets.strip(bytes([WAKE_UP]))
        ):
            joined[-1] = entry._replace(octets=last.octets + entry.octets)
        else:
            joined.append(entry)
    return joined
