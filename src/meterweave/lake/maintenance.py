"""Housekeeping of the lake: fewer files, closed days for good, what is too old away.

Every step reads a version of the table, writes new files beside the old ones and swaps them in one commit. Appends go
on meanwhile and questions keep the version they began with, so nobody waits. A step that is killed leaves files that
belong to nothing, which `vacuum` deletes; a step that loses to another maintainer is simply planned anew.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.lake.days import LAST
from meterweave.lake.errors import CommitError, LakeError
from meterweave.lake.precedence import settle
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import KEPT, NEW, SUPERSEDED, DataFile, ReadingTable, Snapshot
from meterweave.metering.batch import SCHEMA

_log = logging.getLogger(__name__)
_MEMORY = "512MB"  # for reading pieces of files; the sorting is bounded by `rewrite_rows_max`
_TIER = 8  # files whose row counts fall between two powers of this are of like size


@dataclass(frozen=True, slots=True)
class Work:
    """What one round of maintenance did."""

    days_settled: int = 0
    merges: int = 0
    files_removed: int = 0
    files_forgotten: int = 0
    files_deleted: int = 0


class Maintenance:
    """Keeps one lake in order; runs beside any number of writers, in their process or in its own.

    Parameters
    ----------
    table_path : Path
        The Delta table's folder.

    Notes
    -----
    `run_once` may be called by one thread at a time. `start` and `close` run it in a thread of its own.
    """

    def __init__(self, table_path: Path, settings: LakeSettings | None = None) -> None:
        self._path, self._settings = table_path, settings or LakeSettings()
        self._closing = threading.Event()
        self._failing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Run every `maintenance_interval_s` until `close`."""
        self._thread = threading.Thread(target=self._run, name="lake-maintenance", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the step under way."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def run_once(self, now: datetime) -> Work:
        """Settle closed days, merge small files, forget and delete what is too old.

        Parameters
        ----------
        now : datetime
            With its time zone; decides which days are closed.

        Raises
        ------
        CommitError
            If the lake cannot be written just now, or another maintainer is at work.
        """
        table = ReadingTable(self._path, self._settings.zone)
        work = self._forget(table, now)
        with _Reader(self._path) as reader:
            for day in self._days_to_settle(table.snapshot(), now):
                removed = self._settle(table, reader, day)
                work = replace(work, days_settled=work.days_settled + 1, files_removed=work.files_removed + removed)
                if self._closing.is_set():
                    return work
            for files in self._files_to_merge(table.snapshot()):
                table.rewrite(files, [(files[0].layer, reader.rows(files))], self._settings.band_rows)
                work = replace(work, merges=work.merges + 1, files_removed=work.files_removed + len(files))
                if self._closing.is_set():
                    return work
        return replace(work, files_deleted=table.vacuum(self._settings.vacuum_after_h))

    def _days_to_settle(self, snapshot: Snapshot, now: datetime) -> list[date]:
        """Closed days with rows that came in, oldest first; rows that came late wait for company."""
        closed = _local_date(now - timedelta(seconds=self._settings.settle_after_s), self._settings)
        kept_days = {file.day for file in snapshot.files if file.layer == KEPT}
        oldest_ms: dict[date, int] = {}
        for file in snapshot.files:
            # A day that lies ahead is a meter's clock gone wrong; its rows wait in ``new`` until the day has been.
            if file.layer == NEW and (file.day < closed or file.day >= LAST):
                oldest_ms[file.day] = min(file.written_ms, oldest_ms.get(file.day, file.written_ms))
        patience_ms = (now.timestamp() - self._settings.late_wait_s) * 1000
        return sorted(day for day, ms in oldest_ms.items() if day not in kept_days or ms <= patience_ms)

    def _settle(self, table: ReadingTable, reader: _Reader, day: date) -> int:
        """Rewrite a day: its new rows, and the kept files whose meters they touch, become kept and superseded files."""
        snapshot = table.snapshot()
        fresh = snapshot.of_day(day, NEW)
        meters, counts = reader.meters(fresh)
        touched = [file for file in snapshot.of_day(day, KEPT) if _any_within(meters, file.meters)]
        sources = fresh + touched
        if touched:
            meters, counts = reader.meters(sources)
        table.rewrite(sources, self._settled_pieces(reader, sources, meters, counts), self._settings.band_rows)
        return len(sources)

    def _settled_pieces(
        self, reader: _Reader, sources: Sequence[DataFile], meters: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> Iterator[tuple[str, pa.Table]]:
        for low, high in _ranges(meters, counts, self._settings.rewrite_rows_max):
            kept, superseded = settle(reader.rows(sources, low, high))
            yield KEPT, kept
            yield SUPERSEDED, superseded

    def _files_to_merge(self, snapshot: Snapshot) -> Iterator[list[DataFile]]:
        """Groups of files of one day and layer whose sizes are alike. Kept files are large already."""
        groups: dict[tuple[date, str, int], list[DataFile]] = defaultdict(list)
        for file in snapshot.files:
            if file.layer != KEPT and file.rows <= self._settings.rewrite_rows_max // 2:
                groups[file.day, file.layer, _tier(file.rows)].append(file)
        for files in groups.values():
            if len(files) >= self._settings.merge_files_min:
                yield from _groups_up_to(files, self._settings.rewrite_rows_max)

    def _forget(self, table: ReadingTable, now: datetime) -> Work:
        today = _local_date(now, self._settings)
        limits = {NEW: self._settings.retention_days, KEPT: self._settings.retention_days}
        ages = [days for days in (self._settings.retention_days, self._settings.superseded_retention_days) if days]
        limits[SUPERSEDED] = min(ages, default=None)
        old = [
            file
            for file in table.snapshot().files
            if (days := limits[file.layer]) is not None and file.day < today - timedelta(days=days)
        ]
        if old:
            table.forget(old)
        return Work(files_forgotten=len(old))

    def _run(self) -> None:
        while not self._closing.wait(self._settings.maintenance_interval_s):
            try:
                self.run_once(datetime.now(UTC))
                self._failing = False
            except LakeError as error:
                if not self._failing:
                    _log.warning("maintenance of the lake waits: %s", error)
                self._failing = True
            except Exception:  # a thread that ends would let the small files pile up without a word
                if not self._failing:
                    _log.exception("maintenance of the lake failed in a way nobody thought of")
                self._failing = True


class _Reader:
    """Pieces of data files, read under a bound of memory."""

    def __init__(self, table_path: Path) -> None:
        self._path = table_path
        self._db = duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY})

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def meters(self, files: Sequence[DataFile]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The meters in `files`, ascending, and how many rows each has."""
        found = self._read(files, "SELECT meter, count(*) AS rows FROM {files} GROUP BY meter ORDER BY meter")
        return found.column("meter").to_numpy(), found.column("rows").to_numpy()

    def rows(self, files: Sequence[DataFile], low: int | None = None, high: int | None = None) -> pa.Table:
        """The rows of `files`, of all meters or of those from `low` to `high`."""
        where = "" if low is None else f"WHERE meter BETWEEN {low} AND {high}"
        found = self._read(files, f"SELECT {', '.join(SCHEMA.names)} FROM {{files}} {where}")
        return pa.table([column.cast(field.type) for column, field in zip(found.columns, SCHEMA, strict=True)], SCHEMA)

    def _read(self, files: Sequence[DataFile], sql: str) -> pa.Table:
        paths = [str(self._path / file.path) for file in files]
        try:
            return self._db.sql(sql.format(files="read_parquet($paths)"), params={"paths": paths}).to_arrow_table()
        except duckdb.IOException as error:
            raise CommitError(f"files of the lake {self._path} cannot be read: {error}") from error


def _ranges(meters: NDArray[np.int64], counts: NDArray[np.int64], rows_max: int) -> Iterator[tuple[int, int]]:
    """Ranges of meters of up to `rows_max` rows, or of one meter with more."""
    total = np.cumsum(counts)
    begin = 0
    while begin < len(meters):
        before = total[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(total, before + rows_max, side="right")))
        yield int(meters[begin]), int(meters[end - 1])
        begin = end


def _any_within(meters: NDArray[np.int64], bounds: tuple[int, int]) -> bool:
    at = np.searchsorted(meters, bounds[0])
    return bool(at < len(meters) and meters[at] <= bounds[1])


def _tier(rows: int) -> int:
    return (max(rows, 1).bit_length() - 1) // (_TIER.bit_length() - 1)


def _groups_up_to(files: Sequence[DataFile], rows_max: int) -> Iterator[list[DataFile]]:
    """The files in groups of at least two and up to `rows_max` rows."""
    total = np.cumsum([file.rows for file in files])
    cuts = [0, *(int(cut) for cut in np.flatnonzero(np.diff(total // rows_max)) + 1), len(files)]
    for begin, end in pairwise(cuts):
        if end - begin > 1:
            yield list(files[begin:end])


def _local_date(moment: datetime, settings: LakeSettings) -> date:
    return moment.astimezone(settings.zone).date()
