"""Rows from a gateway's journal, looked at before they are kept: whose they are, and whether they can be true.

A gateway has proved who it is, and may still be broken, or in the wrong hands. So a blob is unpacked only if it says
that it is not too large, has to have the lake's own columns, and of its rows those are kept that are of the gateway's
own meters and of possible times. Of the others the gateway is told why, and sets them aside.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from meterweave.centre.gateway_plan import Charge
from meterweave.errors import MeterweaveError
from meterweave.gateway.wire import Rows
from meterweave.lake import EVENTS_SCHEMA
from meterweave.metering.batch import SCHEMA, Profile, Quality, ReadingBatch, Source

ROWS_MAX = 20_000
"""Most rows of a blob. [rows] A gateway makes half as many at most."""
UNPACKED_MAX = 32 << 20
"""Most octets that a blob may take in memory. [octets]"""
DETAIL_MAX = 4000
"""Longest detail of an event. [characters]"""
EARLIEST_US = 946_684_800_000_000
"""2000-01-01T00:00:00Z: what happened before is of a clock that was not set. [us since 1970, UTC]"""
AHEAD_US = 3600 * 1_000_000
"""How far a gateway's clock may be ahead of the centre's. [us]"""
_BATCHES_MAX = 16
_SHOWN_MAX = 5

_FLAGS = sum(int(flag) for flag in Quality)

Bools = NDArray[np.bool_]
Why = Callable[[Bools], str]


class RowsError(MeterweaveError):
    """A blob of which nothing can be kept."""


class Checked(NamedTuple):
    """What of a blob is to be kept."""

    readings: ReadingBatch
    events: pa.RecordBatch | None
    refused: str
    """Why the others are not; empty: there are no others."""


def checked(rows: Rows, charge: Charge, now_us: int) -> Checked:
    """Look at a blob.

    Parameters
    ----------
    charge : Charge
        Of the gateway that sends it.
    now_us : int
        The centre's time. [us since 1970, UTC]

    Raises
    ------
    RowsError
        If it is none, or too large.
    """
    schema = SCHEMA if rows.kind == "readings" else EVENTS_SCHEMA
    batch = _unpacked(rows.octets, schema)
    if rows.kind == "readings":
        own, reason = _own_readings(batch, charge, now_us)
        return Checked(_readings(batch.filter(own)), None, reason)
    own, reason = _own_events(batch, charge, now_us)
    return Checked(ReadingBatch.empty(), batch.filter(own), reason)


# Unpacking ------------------------------------------------------------------------------------------------------------


def _unpacked(octets: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of an Arrow IPC stream of exactly this schema."""
    try:
        _check_size(octets)
        with ipc.open_stream(octets) as stream:
            if not stream.schema.equals(schema):
                raise RowsError(f"the columns are {stream.schema.names}, wanted {schema.names} with their types")
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, struct.error, OSError, ValueError, MemoryError) as error:
        raise RowsError(f"no Arrow stream of rows: {error}") from error
    if table.num_rows > ROWS_MAX:
        raise RowsError(f"there are {table.num_rows} rows in one blob, at most {ROWS_MAX} may be")
    lacking = [field.name for field in schema if not field.nullable and table.column(field.name).null_count]
    if lacking:
        raise RowsError(f"a null stands in {', '.join(lacking)}, where none may be")
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema)


def _check_size(octets: bytes) -> None:
    """Raise `RowsError` where unpacking would take too much: each packed buffer says how long it becomes."""
    reader = ipc.MessageReader.open_stream(octets)
    total = count = 0
    while (message := _next(reader)) is not None:
        count += 1
        if message.type == "record batch":
            body = bytes(message.body)
            total += sum(_lengths(bytes(message.metadata), body))
        if total > UNPACKED_MAX or count > _BATCHES_MAX:
            raise RowsError(
                f"the blob becomes larger than {UNPACKED_MAX} octets, or has more than {_BATCHES_MAX} parts"
            )


def _next(reader: ipc.MessageReader) -> ipc.Message | None:
    try:
        return reader.read_next_message()
    except StopIteration:
        return None


def _lengths(metadata: bytes, body: bytes) -> Iterator[int]:
    """How long each buffer of a record batch becomes. [octets]

    Arrow's columnar format, "Serialization and IPC": a message is a flatbuffer whose third field is its header, here a
    RecordBatch, whose third field is the vector of buffers: pairs of offset and length, 64 bits each. A compressed
    buffer begins with its length unpacked, -1 where it is not packed after all.
    """
    message = _u32(metadata, 0)
    header = _field(metadata, message, 2)
    batch = header + _u32(metadata, header)
    at = _field(metadata, batch, 2)
    vector = at + _u32(metadata, at)
    for index in range(_u32(metadata, vector)):
        offset, length = struct.unpack_from("<qq", metadata, vector + 4 + 16 * index)
        if not 0 <= offset <= len(body) or not 0 <= length <= len(body):
            raise RowsError("a buffer of the blob lies outside it")
        if length >= 8:
            (unpacked,) = struct.unpack_from("<q", body, offset)
            # Without compression these are data, and the length is that of the buffer.
            yield length if _field_or_none(metadata, batch, 3) is None or unpacked == -1 else _positive(unpacked)


def _positive(length: int) -> int:
    if not 0 <= length <= UNPACKED_MAX:
        raise RowsError(f"a buffer of the blob becomes {length} octets, at most {UNPACKED_MAX} may be")
    return length


def _u32(octets: bytes, at: int) -> int:
    (found,) = struct.unpack_from("<I", octets, at)
    return int(found)


def _field(octets: bytes, table: int, index: int) -> int:
    """Where a field of a flatbuffer's table stands."""
    found = _field_or_none(octets, table, index)
    if found is None:
        raise RowsError("the head of the blob lacks something")
    return found


def _field_or_none(octets: bytes, table: int, index: int) -> int | None:
    (back,) = struct.unpack_from("<i", octets, table)
    layout = table - back
    if layout < 0:
        raise RowsError("the head of the blob is broken")
    (size,) = struct.unpack_from("<H", octets, layout)
    if 4 + 2 * index + 2 > size:
        return None
    (offset,) = struct.unpack_from("<H", octets, layout + 4 + 2 * index)
    return table + offset if offset else None


# Looking at rows ------------------------------------------------------------------------------------------------------


def _own_readings(batch: pa.RecordBatch, charge: Charge, now_us: int) -> tuple[Bools, str]:
    meter = _column(batch, "meter")
    words = _in_words(batch, "profile", Profile) & _in_words(batch, "source", Source)
    quality = _column(batch, "quality")
    return _those(
        (np.isin(meter, charge.meters), lambda bad: _strangers(meter[bad])),
        (_possible(batch, "ts", now_us) & _possible(batch, "received", now_us), lambda bad: "of impossible times"),
        (words & ((quality & ~_FLAGS) == 0), lambda bad: "with an unknown profile, source or quality"),
    )


def _own_events(batch: pa.RecordBatch, charge: Charge, now_us: int) -> tuple[Bools, str]:
    meter, terminal = _column(batch, "meter"), _column(batch, "terminal")
    of_terminal = batch.column("meter").is_null().to_numpy(zero_copy_only=False)
    senders = np.append(charge.lines, charge.gateway)
    ended = batch.column("ended").is_null().to_numpy(zero_copy_only=False) | _possible(batch, "ended", now_us)
    times = _possible(batch, "ts", now_us) & _possible(batch, "received", now_us) & ended
    detail = np.array(
        [text is None or len(text) <= DETAIL_MAX for text in batch.column("detail").to_pylist()], np.bool_
    )
    return _those(
        (of_terminal | np.isin(meter, charge.meters), lambda bad: _strangers(meter[bad])),
        (np.isin(terminal, senders), lambda bad: "of a line that is not this gateway's"),
        (times, lambda bad: "of impossible times"),
        (detail & _in_words(batch, "source", Source), lambda bad: "with an unknown source or too long a detail"),
    )


def _those(*looks: tuple[Bools, Why]) -> tuple[Bools, str]:
    """Which rows pass all looks, and how many do not, by the first look that they fail."""
    passed = np.ones(len(looks[0][0]), np.bool_)
    reasons = []
    for good, why in looks:
        bad = passed & ~good
        if bad.any():
            reasons.append(f"{int(bad.sum())} of {len(bad)} rows are {why(bad)}")
        passed &= good
    return passed, "; ".join(reasons)


def _strangers(meters: NDArray[np.int64]) -> str:
    found = np.unique(meters)
    shown = ", ".join(map(str, found[:_SHOWN_MAX])) + (", …" if len(found) > _SHOWN_MAX else "")
    return f"of meters that are on no line of this gateway: {shown}"


def _possible(batch: pa.RecordBatch, name: str, now_us: int) -> Bools:
    times = _column(batch, name)
    return (times >= EARLIEST_US) & (times <= now_us + AHEAD_US)


def _in_words(batch: pa.RecordBatch, name: str, words: type[Profile] | type[Source]) -> Bools:
    return np.isin(_column(batch, name), [int(one) for one in words])


def _column(batch: pa.RecordBatch, name: str) -> NDArray[np.int64]:
    """A column as int64, nulls as 0."""
    column = batch.column(name)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    found: NDArray[np.int64] = column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _readings(batch: pa.RecordBatch) -> ReadingBatch:
    count = batch.num_rows
    return ReadingBatch(
        meter=_column(batch, "meter"),
        quantity=_column(batch, "quantity").astype(np.int32),
        profile=_column(batch, "profile").astype(np.int8),
        ts=_column(batch, "ts"),
        value=_column(batch, "value"),
        missing=batch.column("value").is_null().to_numpy(zero_copy_only=False),
        quality=_column(batch, "quality").astype(np.int32),
        source=_column(batch, "source").astype(np.int8),
        received=_column(batch, "received"),
        frame=np.zeros(count, np.int64),
    )
