"""What the intake keeps beside readings, as the lake takes it: events with their ids, and frames as they came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.lake import EVENTS_SCHEMA, FRAMES_SCHEMA
from meterweave.metering.events import Event

FROM_TERMINAL = 0
"""The direction of a frame that a terminal sent."""
TERMINAL = -2
"""Stands for the id of a meter where an event is the terminal's own."""


def event_rows(
    events: Sequence[Event], terminals: NDArray[np.int64], meters: NDArray[np.int64], received: int
) -> pa.RecordBatch:
    """Events as rows of `EVENTS_SCHEMA`.

    Parameters
    ----------
    terminals, meters : int64[n]
        Ids, one for each event; a meter is `TERMINAL` where the event is the terminal's own.
    received : int
        When the frames came in. [us since 1970, UTC]
    """
    columns = {
        "terminal": terminals,
        "meter": pa.array(meters, mask=meters == TERMINAL),
        "event": [one.code for one in events],
        "ts": [one.ts for one in events],
        "ended": [one.ended for one in events],
        "number": [one.number for one in events],
        "detail": [one.detail for one in events],
        "source": [one.source for one in events],
        "received": np.full(len(events), received),
    }
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], field.type) for field in EVENTS_SCHEMA], schema=EVENTS_SCHEMA
    )


def frame_rows(octets: Sequence[bytes], terminals: NDArray[np.int64], protocol: str, received: int) -> pa.RecordBatch:
    """Frames from terminals as rows of `FRAMES_SCHEMA`; parameters as of `event_rows`, one terminal for each frame."""
    count = len(octets)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(terminals),
            pa.array(np.full(count, received)).cast(FRAMES_SCHEMA.field("received").type),
            pa.array(np.full(count, FROM_TERMINAL, np.int8)),
            pa.repeat(protocol, count),
            pa.array(octets, pa.binary()),
        ],
        schema=FRAMES_SCHEMA,
    )
