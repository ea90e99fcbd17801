"""Reading data files in bounded pieces, and which of them are worth making one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from meterweave.lake.errors import CommitError
from meterweave.lake.precedence import EVENT_KEY, EVENT_SQL
from meterweave.lake.table import DataFile, LakeTable

_MEMORY = "512MB"  # for reading pieces of files; the sorting is bounded by the settings
_TIER = 8  # files whose row counts fall between two powers of this are of like size


class FileReader:
    """Pieces of a table's files, read under a bound of memory."""

    def __init__(self, table: LakeTable) -> None:
        self._table = table
        self._db = duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY})

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def meters(self, files: Sequence[DataFile]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The meters in `files`, ascending, and how many rows each has."""
        found = self._read(files, "SELECT meter, count(*) AS rows FROM {files} GROUP BY meter ORDER BY meter")
        return found.column("meter").to_numpy(), found.column("rows").to_numpy()

    def rows(self, files: Sequence[DataFile], low: int | None = None, high: int | None = None) -> pa.Table:
        """The rows of `files`; of readings all, or those of the meters from `low` to `high`."""
        return self._rows(files, "" if low is None else f"WHERE meter BETWEEN {low} AND {high}")

    def events(self, files: Sequence[DataFile]) -> pa.Table:
        """The events in `files`, one row each."""
        key = ", ".join(EVENT_KEY)
        return self._rows(files, f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {EVENT_SQL}) = 1")

    def unpacked_octets(self, file: DataFile) -> int:
        """What the rows of a file take in memory, about."""
        try:
            footer = pq.read_metadata(self._table.path / file.path)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        return sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))

    def _rows(self, files: Sequence[DataFile], which: str) -> pa.Table:
        schema = self._table.layout.schema
        found = self._read(files, f"SELECT {', '.join(schema.names)} FROM {{files}} {which}")
        return pa.table([column.cast(field.type) for column, field in zip(found.columns, schema, strict=True)], schema)

    def _read(self, files: Sequence[DataFile], sql: str) -> pa.Table:
        paths = [str(self._table.path / file.path) for file in files]
        try:
            return self._db.sql(sql.format(files="read_parquet($paths)"), params={"paths": paths}).to_arrow_table()
        except duckdb.IOException as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> CommitError:
        return CommitError(f"files of the lake {self._table.path} cannot be read: {error}")


def alike(
    files: Sequence[DataFile], weight: Callable[[DataFile], int], weight_max: int, files_min: Callable[[date], int]
) -> Iterator[list[DataFile]]:
    """Groups of files of one day and layer that are of like size and together weigh up to `weight_max`.

    Parameters
    ----------
    weight : callable
        What a file costs to read; asked only where enough files are of like size.
    files_min : callable
        How many files of a day or month are worth a rewrite.
    """
    groups: dict[tuple[date, str, int], list[DataFile]] = defaultdict(list)
    for file in files:
        groups[file.day, file.layer, _tier(file.rows)].append(file)
    for (day, _, _), some in groups.items():
        if len(some) < files_min(day):
            continue
        weights = {file.path: weight(file) for file in some}
        light = [file for file in some if weights[file.path] <= weight_max // 2]
        if len(light) >= files_min(day):
            yield from _groups_up_to(light, [weights[file.path] for file in light], weight_max)


def _tier(rows: int) -> int:
    return (max(rows, 1).bit_length() - 1) // (_TIER.bit_length() - 1)


def _groups_up_to(files: Sequence[DataFile], weights: Sequence[int], weight_max: int) -> Iterator[list[DataFile]]:
    """The files in groups of at least two and up to `weight_max`."""
    total = np.cumsum(weights)
    cuts = [0, *(int(cut) for cut in np.flatnonzero(np.diff(total // weight_max)) + 1), len(files)]
    for begin, end in pairwise(cuts):
        if end - begin > 1:
            yield list(files[begin:end])
