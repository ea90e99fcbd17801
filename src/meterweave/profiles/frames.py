"""Messages that are whole frames of a protocol, one or more, as octets or written as text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from meterweave.metering.batch import ReadingBatch, Source
from meterweave.profiles.document import PAYLOAD_MAX
from meterweave.profiles.message import NOBODY, Heard, Sender, Shown, Value
from meterweave.profiles.topic import device_name
from meterweave.protocols.codec import Codec
from meterweave.text import Text

OCTETS, HEX, BASE64 = "octets", "hex", "base64"
_WAKE_UP = b"\xfe"  # octets before a frame that are no garbage
_NO_FRAME = Text("the message holds no whole frame", "报文中没有完整的帧")
_BROKEN = Text("a frame of the message cannot be read", "报文中有无法解析的帧")


class Split(NamedTuple):
    """A payload, taken apart."""

    frames: Sequence[bytes] = ()
    garbage: int = 0  # octets
    problem: Text | None = None


@dataclass(frozen=True, slots=True)
class Frames:
    """What the payloads of a model hold: frames of its protocol, read by the tables of the protocol's standard."""

    codec: Codec
    payload: str
    """`OCTETS`, `HEX` or `BASE64`."""

    def hear(self, told: Sequence[tuple[str, bytes]], received: int, zone: ZoneInfo) -> list[Heard]:
        """See `meterweave.profiles.message.Content`; all frames are decoded together."""
        split = [self.split(payload) for _, payload in told]
        frames = [frame for one in split for frame in one.frames]
        batch = self.codec.decode_batch(frames, received=received, zone=zone)
        readings: list[list[Value]] = [[] for _ in told]
        origin = [index for index, one in enumerate(split) for _ in one.frames]
        for frame, value in _values(batch):
            readings[origin[frame]].append(value)
        broken = {origin[one.frame] for one in batch.bad}
        return [
            self._heard(named, split[index], tuple(readings[index]), index in broken)
            for index, (named, _) in enumerate(told)
        ]

    def _heard(self, named: str, split: Split, readings: tuple[Value, ...], broken: bool) -> Heard:
        address = named
        if not named and readings:
            key = readings[0].key
            address = "" if key is None else device_name(self.codec.meter_text(key).replace(" ", "-"))
        problem = split.problem or (_BROKEN if broken else None) or (None if address else NOBODY)
        return Heard(address, readings if address else (), (), None, problem, split.garbage)

    def split(self, payload: bytes) -> Split:
        """The whole frames of a payload."""
        if len(payload) > PAYLOAD_MAX:
            return Split(
                problem=Text(
                    f"the message has {len(payload)} octets, more than {PAYLOAD_MAX}",
                    f"报文{len(payload)}字节，超过{PAYLOAD_MAX}字节",
                )
            )
        try:
            octets = self._octets(payload)
        except (ValueError, binascii.Error):
            return Split(problem=Text(f"the message is no {self.payload}", f"报文不是{self.payload}格式"))
        decoder = self.codec.decoder()
        events = [*decoder.feed(octets), *decoder.flush()]
        frames = [event for event in events if isinstance(event, bytes)]
        lost = (event.octets for event in events if not isinstance(event, bytes))
        garbage = sum(len(one) for one in lost if one.strip(_WAKE_UP))
        if not frames:
            return Split((), garbage, _NO_FRAME)
        if garbage:
            words = Text(f"{garbage} octets belong to no frame", f"{garbage}字节不属于任何帧")
            return Split(frames, garbage, words)
        return Split(frames)

    def show(self, payload: bytes, received: int, zone: ZoneInfo) -> list[Shown]:
        """See `meterweave.profiles.message.Content`."""
        frames = self.split(payload).frames
        batch = self.codec.decode_batch(frames, received=received, zone=zone)
        return [Shown(str(frame + 1), frames[frame].hex()) for frame in batch.frame.tolist()]

    def _octets(self, payload: bytes) -> bytes:
        if self.payload == HEX:
            return bytes.fromhex(payload.decode("ascii"))
        return base64.b64decode(payload.strip(), validate=True) if self.payload == BASE64 else payload

    def write(self, device: Sender, now_s: int, zone: ZoneInfo) -> bytes:
        """See `meterweave.profiles.message.Content`: what the device answers when it is asked everything."""
        octets = b"".join(device.feed(one, now_s) for one in device.questions())
        if self.payload == HEX:
            return octets.hex().encode()
        return base64.b64encode(octets) if self.payload == BASE64 else octets


def _values(batch: ReadingBatch) -> list[tuple[int, Value]]:
    """The readings of a batch, each with its frame."""
    source = np.where(batch.source == Source.FORWARDED, batch.source, np.int8(Source.PUSHED))
    told = zip(batch.value.tolist(), batch.missing.tolist(), strict=True)
    stored = [None if lacks else value for value, lacks in told]
    before, after = (batch.meter, batch.quantity, batch.profile, batch.ts), (batch.quality, source)
    columns = [*(one.tolist() for one in before), stored, *(one.tolist() for one in after)]
    return list(zip(batch.frame.tolist(), map(Value, *columns), strict=True))
