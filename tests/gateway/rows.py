"""Readings and events of a gateway's meters, at times that just passed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from meterweave.lake import EVENTS_SCHEMA
from meterweave.metering.batch import Profile, Reading, Source, from_readings
from meterweave.metering.events import event_codes
from meterweave.metering.quantities import obis_code

ENERGY = obis_code("1-0:1.8.0")
OVERLOAD = event_codes()["overload"]


def now_us() -> int:
    return time.time_ns() // 1000


def readings(meters: Sequence[int], *, ts: int | None = None, value: int = 0) -> pa.RecordBatch:
    """One reading of each meter; the value is `value` plus the row's number."""
    at = now_us() if ts is None else ts
    rows = [
        Reading(index, meter, ENERGY, Profile.SPOT, at, value + index, 0, Source.READ)
        for index, meter in enumerate(meters)
    ]
    return from_readings(rows, received=at).to_arrow()


def events(
    line: int, meters: Sequence[int | None], code: int = OVERLOAD, *, ts: int | None = None, detail: str | None = None
) -> pa.RecordBatch:
    """One event of each meter on a line."""
    at = now_us() if ts is None else ts
    rows = [
        {
            "terminal": line,
            "meter": meter,
            "event": code,
            "ts": at,
            "ended": None,
            "number": None,
            "detail": detail,
            "source": int(Source.READ),
            "received": at,
        }
        for meter in meters
    ]
    return pa.RecordBatch.from_pylist(rows, EVENTS_SCHEMA)


def spread(count: int, *, meter: int, ts: int, step_us: int = 1_000_000) -> pa.RecordBatch:
    """Many readings of one meter, one a step."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.full(count, meter, np.int64)),
            pa.array(np.full(count, ENERGY, np.int32)),
            pa.array(np.zeros(count, np.int8)),
            pa.array(ts + np.arange(count) * step_us).cast(pa.timestamp("us", tz="UTC")),
            pa.array(np.arange(count)),
            pa.array(np.zeros(count, np.int32)),
            pa.array(np.zeros(count, np.int8)),
            pa.array(np.full(count, ts)).cast(pa.timestamp("us", tz="UTC")),
        ],
        schema=readings([1]).schema,
    )
