"""ReadingBatch: the one currency for readings; every producer makes it, every consumer takes it.

============ ================= ======================================================================================
column       type              meaning
============ ================= ======================================================================================
``meter``    int64             who was measured: a registry id; fresh from a codec, the *wire key* (see below)
``quantity`` int32             `meterweave.metering.quantities.obis_code` of the quantity
``profile``  int8              `Profile`
``ts``       timestamp[us,UTC] the instant for which the value holds; a freeze of day D holds at 00:00 of D + 1, local
``value``    int64, nullable   scaled by the quantity's exponent; null: the device said that it has no value
``quality``  int32             `Quality` flags
``source``   int8              `Source`
``received`` timestamp[us,UTC] when the octets came in
============ ================= ======================================================================================

A codec knows no registry. It names a meter by its wire key, the address digits read as one hexadecimal number
(12 digits of DL/T 645: 48 bits); a codec whose devices are named otherwise says so in its own documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Profile(IntEnum):
    """Which series of a quantity a reading belongs to."""

    SPOT = 0
    CURVE = 1
    DAILY = 2
    MONTHLY = 3
    SETTLEMENT = 4
    EVENT = 5


class Quality(IntFlag):
    """What is known about a value beside the value; 0 is a plain good reading."""

    GOOD = 0
    NO_VALUE = 1  # the device answered that it has no value; `value` is null
    ROUNDED = 2  # the device sent finer steps than the quantity's exponent holds
    TIME_INVALID = 4  # the device's time cannot be true; `ts` is `received`
    OUT_OF_RANGE = 8  # the number does not fit 64 bits at the quantity's exponent; `value` is null
    WITHDRAWN = 16  # a person entered it and took it back; it counts for nothing


class Source(IntEnum):
    """How a reading came."""

    READ = 0  # the device answered
    PUSHED = 1  # the device reported by itself
    FORWARDED = 2  # carried inside another protocol's frame
    ENTERED = 3  # typed in or imported
    ESTIMATED = 4


SCHEMA = pa.schema(
    [
        pa.field("meter", pa.int64(), nullable=False),
        pa.field("quantity", pa.int32(), nullable=False),
        pa.field("profile", pa.int8(), nullable=False),
        pa.field("ts", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("value", pa.int64(), nullable=True),
        pa.field("quality", pa.int32(), nullable=False),
        pa.field("source", pa.int8(), nullable=False),
        pa.field("received", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


class BadFrame(NamedTuple):
    """A frame that gave no readings because it is broken."""

    frame: int  # its index in what was handed in
    kind: str  # see `meterweave.errors.KINDS`


@dataclass(frozen=True, slots=True, eq=False)
class ReadingBatch:
    """Readings in columns of equal length, with the frames they came from.

    `frame` and `bad` are there for tracing and counting; they do not travel with `to_arrow`.
    """

    meter: NDArray[np.int64]
    quantity: NDArray[np.int32]
    profile: NDArray[np.int8]
    ts: NDArray[np.int64]  # microseconds since 1970-01-01T00:00:00Z
    value: NDArray[np.int64]  # 0 where `missing`
    missing: NDArray[np.bool_]
    quality: NDArray[np.int32]
    source: NDArray[np.int8]
    received: NDArray[np.int64]  # microseconds since 1970-01-01T00:00:00Z
    frame: NDArray[np.int64]  # index of the frame that carried the reading
    bad: tuple[BadFrame, ...] = ()

    def __len__(self) -> int:
        return len(self.meter)

    @classmethod
    def empty(cls, bad: tuple[BadFrame, ...] = ()) -> ReadingBatch:
        """No readings."""
        return cls(**{name: np.empty(0, dtype) for name, dtype in _COLUMNS.items()}, bad=bad)

    @classmethod
    def concat(cls, batches: Sequence[ReadingBatch]) -> ReadingBatch:
        """All readings of `batches`, ordered by frame; readings of one frame keep their order."""
        if not batches:
            return cls.empty()
        columns = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in _COLUMNS}
        order = np.argsort(columns["frame"], kind="stable")
        bad = tuple(sorted(bad for batch in batches for bad in batch.bad))
        return cls(**{name: column[order] for name, column in columns.items()}, bad=bad)

    def to_arrow(self) -> pa.RecordBatch:
        """The readings as an Arrow record batch of `SCHEMA`."""
        return pa.RecordBatch.from_arrays(
            [
                pa.array(self.meter),
                pa.array(self.quantity),
                pa.array(self.profile),
                pa.array(self.ts).cast(SCHEMA.field("ts").type),
                pa.array(self.value, mask=self.missing),
                pa.array(self.quality),
                pa.array(self.source),
                pa.array(self.received).cast(SCHEMA.field("received").type),
            ],
            schema=SCHEMA,
        )


_COLUMNS = {
    "meter": np.int64,
    "quantity": np.int32,
    "profile": np.int8,
    "ts": np.int64,
    "value": np.int64,
    "missing": np.bool_,
    "quality": np.int32,
    "source": np.int8,
    "received": np.int64,
    "frame": np.int64,
}


class Reading(NamedTuple):
    """One reading as the complete decoders make it; the fields are the columns of `ReadingBatch`."""

    frame: int
    meter: int
    quantity: int
    profile: int
    ts: int
    value: int | None
    quality: int
    source: int


def from_readings(readings: Sequence[Reading], *, received: int, bad: tuple[BadFrame, ...] = ()) -> ReadingBatch:
    """The columns of `readings`, in order, all received at `received`. [us since 1970, UTC]"""
    if not readings:
        return ReadingBatch.empty(bad)
    frame, meter, quantity, profile, ts, value, quality, source = zip(*readings, strict=True)
    return ReadingBatch(
        meter=np.array(meter, np.int64),
        quantity=np.array(quantity, np.int32),
        profile=np.array(profile, np.int8),
        ts=np.array(ts, np.int64),
        value=np.array([0 if one is None else one for one in value], np.int64),
        missing=np.array([one is None for one in value], np.bool_),
        quality=np.array(quality, np.int32),
        source=np.array(source, np.int8),
        received=np.full(len(readings), received, np.int64),
        frame=np.array(frame, np.int64),
        bad=bad,
    )
