"""Many frames to readings in columns: what the meters' own answers inside them say.

The readings are those of the DL/T 645 and DL/T 698.45 frames that the module delivers (02H F1, 06H F2, 13H F1, F1H F1
uplink), their source `Source.FORWARDED`, the meter the wire key of the inner protocol: the address in the meter's own
frame, not the one of the node. All inner frames of a batch go through the inner protocol's `decode_batch` together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Reading, ReadingBatch, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.protocols.gdw1376.part2.inner import CODECS, Piece, unwrap
from meterweave.protocols.gdw1376.part2.message import Message, decode
from meterweave.protocols.inspect import WAKE_UP

_WAKE_UP = bytes([WAKE_UP])


class _Place(NamedTuple):
    """Where the message stands in a data unit."""

    at: int  # offset of its length [octets]
    size: int  # of its length [octets]


_DELIVERED: Mapping[tuple[int, int], _Place] = MappingProxyType(
    {
        (0x02, 1): _Place(1, 1),  # behind the protocol
        (0x06, 2): _Place(5, 1),  # behind number of the node, protocol, time on the way
        (0x13, 1): _Place(3, 1),  # behind delay and protocol
        (0xF1, 1): _Place(1, 2),  # behind the protocol
    }
)
"""The functions with which a module delivers what a meter has answered."""


def delivered(message: Message) -> list[Piece]:
    """The meters' frames in `message`, without wake-up octets; none where it delivers no answer of a meter."""
    place = _DELIVERED.get((message.afn, message.fn or 0))
    if place is None or not message.uplink:
        return []
    start = place.at + place.size
    length = int.from_bytes(message.data[place.at : start], "little")
    pieces = unwrap(message.data[start : start + length])
    return [Piece(key, octets.lstrip(_WAKE_UP)) for key, octets in pieces if key]


def readings(message: Message, *, index: int = 0, received: int = 0, zone: ZoneInfo = SHANGHAI) -> tuple[Reading, ...]:
    """The readings in one message, frame by frame through the inner protocol: what `decode_batch` must equal.

    Parameters
    ----------
    index : int
        Goes into `Reading.frame`.
    received : int
        When the octets came in; the time of values without time of their own. [us since 1970, UTC]
    """
    found: list[Reading] = []
    for piece in delivered(message):
        inner = CODECS[piece.key].decode_batch([piece.octets], received=received, zone=zone)
        columns = (inner.meter, inner.quantity, inner.profile, inner.ts, inner.value, inner.missing, inner.quality)
        for meter, quantity, profile, ts, value, gone, flags in zip(*(one.tolist() for one in columns), strict=True):
            held = None if gone else value
            found.append(Reading(index, meter, quantity, profile, ts, held, flags, Source.FORWARDED))
    return tuple(found)


def decode_batch(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings in `frames`, by frame and by place in the frame.

    A frame of this protocol that is broken is in `bad`; one that is good, but carries a message that is no good frame
    of a meter, gives no readings.

    Parameters
    ----------
    frames : sequence of bytes
        Whole frames.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        In which the meters' clocks run.
    """
    bad: list[BadFrame] = []
    inner: dict[str, list[bytes]] = {key: [] for key in CODECS}
    origin: dict[str, list[int]] = {key: [] for key in CODECS}
    for index, octets in enumerate(frames):
        try:
            pieces = delivered(decode(octets))
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
            continue
        for piece in pieces:
            inner[piece.key].append(piece.octets)
            origin[piece.key].append(index)
    parts = [
        _forwarded(CODECS[key].decode_batch(inner[key], received=received, zone=zone), origin[key])
        for key in CODECS
        if inner[key]
    ]
    return ReadingBatch.concat([ReadingBatch.empty(tuple(bad)), *parts])


def _forwarded(batch: ReadingBatch, origin: Sequence[int]) -> ReadingBatch:
    """Readings of inner frames as those of the frames around them."""
    source = np.full(len(batch), Source.FORWARDED, np.int8)
    return replace(batch, frame=np.array(origin, np.int64)[batch.frame], source=source, bad=())
