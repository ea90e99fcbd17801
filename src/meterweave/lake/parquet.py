"""One data file of the lake, and what Delta's log says of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meterweave.lake.layout import Layout

_PAGE_OCTETS = 64 << 10  # small, so that a question about one meter unpacks little beside its rows
_DICTIONARY_OCTETS = 4 << 20


def write(path: Path, layout: Layout, table: pa.Table, groups: Sequence[int]) -> str:
    """Write rows, in row groups of these lengths, to a new file, durably; the statistics for Delta's log as JSON.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    with path.open("xb") as file:
        with pq.ParquetWriter(
            file,
            layout.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in layout.schema.names if name not in layout.encodings],
            column_encoding=dict(layout.encodings),
            write_statistics=list(layout.statistics),
            data_page_size=_PAGE_OCTETS,
            dictionary_pagesize_limit=_DICTIONARY_OCTETS,
            store_schema=False,
        ) as writer:
            at = 0
            for length in groups:
                writer.write_table(table.slice(at, length), row_group_size=length)
                at += length
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
    return _delta_statistics(layout, table)


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _delta_statistics(layout: Layout, table: pa.Table) -> str:
    low, high = {}, {}
    for name in layout.statistics:
        bounds = pc.min_max(table.column(name))
        low[name], high[name] = _spelled(bounds["min"]), _spelled(bounds["max"])
    nulls = {name: table.column(name).null_count for name in layout.schema.names}
    return json.dumps({"numRecords": table.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls})


def _spelled(bound: pa.Scalar) -> int | str:
    """A number, or a time as Delta writes it."""
    if not pa.types.is_timestamp(bound.type):
        number: int = bound.as_py()
        return number
    micros = bound.cast(pa.int64()).as_py()
    seconds, micros = divmod(min(max(micros, _FIRST_US), _LAST_US), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{micros:06}Z"


# 1600-01-01 and the end of 9999. Beyond them Delta has no spelling of a time, and no meter means one.
_FIRST_US, _LAST_US = -11_676_096_000_000_000, 253_402_300_799_999_999
