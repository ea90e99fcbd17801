"""What a lake keeps: readings, events and the frames that brought them, each as rows of one schema.

The columns are described in ``docs/reference/lake-schema.md``. The frames of a reading are those of its meter's
terminal that carry the same `received`: all that comes in with one tick of the head-end is stamped with one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from meterweave.metering.batch import SCHEMA

_MOMENT = pa.timestamp("us", tz="UTC")

EVENTS_SCHEMA = pa.schema(
    [
        pa.field("terminal", pa.int64(), nullable=False),
        pa.field("meter", pa.int64(), nullable=True),
        pa.field("event", pa.int32(), nullable=False),
        pa.field("ts", _MOMENT, nullable=False),
        pa.field("ended", _MOMENT, nullable=True),
        pa.field("number", pa.int32(), nullable=True),
        pa.field("detail", pa.string(), nullable=True),
        pa.field("source", pa.int8(), nullable=False),
        pa.field("received", _MOMENT, nullable=False),
    ]
)
FRAMES_SCHEMA = pa.schema(
    [
        pa.field("terminal", pa.int64(), nullable=False),
        pa.field("received", _MOMENT, nullable=False),
        pa.field("direction", pa.int8(), nullable=False),
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("octets", pa.binary(), nullable=False),
    ]
)


class Kind(StrEnum):
    """Which of the lake's tables a row belongs to."""

    READINGS = "readings"
    EVENTS = "events"
    FRAMES = "frames"


SCHEMAS: Mapping[Kind, pa.Schema] = MappingProxyType(
    {Kind.READINGS: SCHEMA, Kind.EVENTS: EVENTS_SCHEMA, Kind.FRAMES: FRAMES_SCHEMA}
)


class Rows(NamedTuple):
    """What one caller wants kept, all of it or nothing; the fields stand in the order of `Kind`."""

    readings: pa.RecordBatch | None = None
    events: pa.RecordBatch | None = None
    frames: pa.RecordBatch | None = None
