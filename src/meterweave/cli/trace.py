"""From a reading back to the octets that carried it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from rich.console import Console

from meterweave.cli import columns, moment, page, render
from meterweave.cli.columns import Cell
from meterweave.cli.measured import Reading
from meterweave.headend import DRIVERS
from meterweave.headend.collection.moments import instant_us
from meterweave.lake import Lake
from meterweave.protocols.capture import Chunk
from meterweave.protocols.codec import Json
from meterweave.protocols.inspect import inspect
from meterweave.protocols.registry import registry as codecs
from meterweave.protocols.session import Entry
from meterweave.registry.address import DLT698
from meterweave.text import Language, Text

DIRECTIONS = ("in", "out")
"""What the numbers in the column `direction` mean, as the decoder calls it."""

_NO_FRAME, _SA_SIZE = b"\0", 0x0F  # what begins such an APDU; the bits of AF that tell the octets of SA, less one

_HEADING = Text("Frames that carried {what} of {time}", "承载{time}{what}的原始帧")
_NONE = Text(
    "none is kept: frames are forgotten after some days, 7 unless set otherwise", "没有留存：原始帧默认仅保留7天"
)
_TOGETHER = Text(
    "none of them carries it alone; these came together with it", "没有单独承载该读数的帧；以下各帧与其同时到达"
)


class Kept(NamedTuple):
    """A frame as it is kept."""

    direction: int
    protocol: str
    octets: bytes

    @property
    def content(self) -> bytes:
        """What the protocol's decoder takes: an APDU too long for a frame is kept behind the AF and SA it came from."""
        if self.protocol == DLT698 and self.octets[:1] == _NO_FRAME and len(self.octets) > 2:
            return self.octets[3 + (self.octets[1] & _SA_SIZE) :]
        return self.octets

    def to_json(self) -> Json:
        """As one JSON object, decoded as far as the protocol's decoder gets."""
        return {
            "direction": DIRECTIONS[self.direction],
            "protocol": self.protocol,
            "octets": self.octets.hex(),
            "decoded": inspect(codecs()[self.protocol], self.content),
        }


class Trace(NamedTuple):
    """A reading and the frames it came in."""

    reading: Reading
    frames: list[Kept]
    alone: bool  # whether each of them carries it by itself; else they are all that came together with it

    def to_json(self, seen: datetime, language: Language) -> Json:
        """As one JSON object."""
        return {
            "reading": self.reading.to_json(seen, language),
            "carried_by_each": self.alone,
            "frames": [one.to_json() for one in self.frames],
        }


def trace(lake: Lake, reading: Reading, terminal: int, keys: Sequence[int]) -> Trace:
    """The frames that carried `reading`.

    Parameters
    ----------
    terminal : int
        Id of the terminal of the meter.
    keys : sequence of int
        What frames may call the meter: its wire key and the key of its own address.
    """
    together = [Kept(**row) for row in lake.frames_of(terminal, reading.received).to_pylist()]
    carrying = [one for one in together if _carries(one, reading, keys)]
    return Trace(reading, carrying or together, bool(carrying))


def show(out: Console, found: Trace, language: Language) -> None:
    """The frames field by field."""
    said = found.reading.to_json(found.reading.ts, language)
    heading = _HEADING.in_language(language).format(
        what=said["meaning"] or said["obis"], time=moment.local(found.reading.ts)
    )
    columns.write(out, [[Cell("")], [Cell(heading, "bold")]])
    if not found.frames:
        page.note(out, _NONE.in_language(language))
    elif not found.alone:
        page.note(out, _TOGETHER.in_language(language))
    for number, one in enumerate(found.frames, 1):
        chunk = Chunk(one.content, 0, moment.local(found.reading.received), DIRECTIONS[one.direction])
        columns.write(out, [[Cell("")]])
        render.frame(out, number, Entry(codecs()[one.protocol], one.content, "", chunk), language)


def _carries(frame: Kept, reading: Reading, keys: Sequence[int]) -> bool:
    """Whether the head-end takes `reading` out of this frame, and needs no other for it."""
    if frame.direction != DIRECTIONS.index("in"):
        return False
    received = instant_us(reading.received)
    batch = DRIVERS[frame.protocol].readings([frame.octets], received=received, zone=moment.zone())
    wanted = (
        np.isin(batch.meter, list(keys))
        & (batch.quantity == reading.quantity)
        & (batch.profile == reading.profile)
        & (batch.ts == instant_us(reading.ts))
    )
    return bool(wanted.any())
