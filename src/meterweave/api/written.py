"""Record batches as octets of a file, piece by piece: no file is ever whole in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO, RawIOBase
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from meterweave.metering.decimal import to_text

Batches = Iterator[pa.RecordBatch]

_DIGITS = 19  # of 64 bits
_PLAIN_DECIMALS = 6  # with more, Arrow writes 1E-7
_TIME = "%Y-%m-%dT%H:%M:%S%Ez"


class Form(NamedTuple):
    """A form of file."""

    name: str  # what it ends with
    title: str
    media: str
    pieces: Callable[[pa.Schema, Batches], Iterator[bytes]]


class Sink(RawIOBase):
    """What a writer writes into, and a reader takes out of as it goes."""

    def __init__(self) -> None:
        self._held = BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, octets: Any) -> int:
        return self._held.write(octets)

    def taken(self) -> bytes:
        """All that was written since it was asked for last."""
        octets = self._held.getvalue()
        self._held = BytesIO()
        return octets


def csv_pieces(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """CSV in UTF-8 with a header; values as decimal text, so that no program makes them inexact."""
    names = [name for name in schema.names if name != "exponent"]
    yield (",".join(names) + "\n").encode()
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
    for batch in batches:
        sink = BytesIO()
        columns = {
            "value": _decimal(batch["value"], batch["exponent"]),
            "ts": pc.strftime(batch["ts"].cast(pa.timestamp("s", tz=batch["ts"].type.tz), safe=False), format=_TIME),
        }
        table = pa.table({name: _plain(columns.get(name, batch[name])) for name in names})
        pa_csv.write_csv(table, sink, options)
        yield sink.getvalue()


def arrow_pieces(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """The streaming format of Arrow IPC."""
    sink = Sink()
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=False)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        yield sink.taken()
        for batch in batches:
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


def parquet_pieces(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """Parquet with zstd; a row group a batch."""
    sink = Sink()
    writer = pq.ParquetWriter(sink, schema, compression="zstd")
    try:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.taken()
    finally:
        writer.close()
    yield sink.taken()


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _decimal(values: pa.Array, exponents: pa.Array) -> pa.Array:
    """Integers and their exponents as decimal text, exact; nulls stay null."""
    steps = exponents.to_numpy()
    found = pa.nulls(len(values), pa.string())
    for exponent in np.unique(steps).tolist():
        here = pa.array(steps == exponent)
        found = pc.replace_with_mask(found, here, _texts(values.filter(here), exponent))
    return found


def _texts(values: pa.Array, exponent: int) -> pa.Array:
    scale = -exponent
    if not 0 < scale <= _PLAIN_DECIMALS:
        return pa.array([None if one is None else to_text(one, exponent) for one in values.to_pylist()], pa.string())
    whole = values.cast(pa.decimal128(_DIGITS, 0))
    # The same integers with a point in them: only the type says where it stands.
    pointed = pa.Array.from_buffers(
        pa.decimal128(_DIGITS, scale), len(whole), whole.buffers(), whole.null_count, whole.offset
    )
    return pointed.cast(pa.string())


FORMS = (
    Form("csv", "CSV", "text/csv; charset=utf-8", csv_pieces),
    Form("arrow", "an Arrow IPC stream", "application/vnd.apache.arrow.stream", arrow_pieces),
    Form("parquet", "Parquet", "application/vnd.apache.parquet", parquet_pieces),
)
"""The forms there are."""
