"""Frames as batches, both ways: what the tests of readings and of columns share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from zoneinfo import ZoneInfo

import numpy as np

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Profile, Quality, Reading, ReadingBatch, Source, from_readings
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_code, quantities
from meterweave.protocols.dlt698.batch import decode_batch
from meterweave.protocols.dlt698.frame import Frame, Link, encode_frame
from meterweave.protocols.dlt698.message import decode
from meterweave.protocols.dlt698.readings import readings

RECEIVED = 1_700_000_000_123_456

GOOD, NO_VALUE = Quality.GOOD, Quality.NO_VALUE

READ, PUSHED, FORWARDED = Source.READ, Source.PUSHED, Source.FORWARDED

SPOT = Profile.SPOT

ENERGY, VOLTAGE = "1-0:1.8.0", "1-0:32.7.0"


def one_by_one(frames: Sequence[bytes], zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    found: list[Reading] = []
    bad = []
    for index, frame in enumerate(frames):
        try:
            found += readings(decode(frame), index=index, received=RECEIVED, zone=zone)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=RECEIVED, bad=tuple(bad))


def check(frames: Sequence[bytes], zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings of `frames`, which are the same both ways."""
    fast, slow = decode_batch(frames, received=RECEIVED, zone=zone), one_by_one(frames, zone)
    assert fast.bad == slow.bad
    for field in fields(slow):
        if field.name != "bad":
            one, other = getattr(fast, field.name), getattr(slow, field.name)
            assert one.dtype == other.dtype, field.name
            np.testing.assert_array_equal(one, other, field.name)
    return fast


def server(apdu: str, *, control: int = 0xC3, sa: str = "330000000012", feature: int | None = None) -> bytes:
    """A frame of the server with this address."""
    address = bytes.fromhex(sa)[::-1]
    link = Link(control, len(address) - 1 if feature is None else feature, address, 0x10)
    return encode_frame(Frame(link, bytes.fromhex(apdu)))


def told(frame: bytes) -> list[tuple[str, str, Profile, str, int | None, Quality, Source]]:
    """The readings of one frame, a dozen times in a batch and one by one, as people write them."""
    batch = check([frame] * 12)
    assert batch.bad == ()
    single = batch.frame == 5
    assert len(batch) == 12 * single.sum()
    texts = {obis_code(obis): obis for obis in quantities()}
    columns = (batch.quantity, batch.meter, batch.profile, batch.ts, batch.value, batch.missing, batch.quality)
    return [
        (
            texts[quantity],
            f"{meter:x}",
            Profile(profile),
            str(np.datetime64(ts + 8 * 3_600_000_000, "us"))[:19] if ts != RECEIVED else "",
            None if missing else value,
            Quality(quality),
            Source(source),
        )
        for quantity, meter, profile, ts, value, missing, quality, source in zip(
            *[column[single].tolist() for column in (*columns, batch.source)], strict=True
        )
    ]
