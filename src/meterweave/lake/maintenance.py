"""Housekeeping of the lake: fewer files, closed days for good, what is too old away.

Every step reads a version of a table, writes new files beside the old ones and swaps them in one commit. Appends go
on meanwhile and questions keep the version they began with, so nobody waits. A step that is killed leaves files that
belong to nothing, which `vacuum` deletes; a step that loses to another maintainer is simply planned anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.lake.days import LAST
from meterweave.lake.errors import LakeError
from meterweave.lake.kind import Kind
from meterweave.lake.layout import KEPT, LAYOUTS, NEW, SUPERSEDED
from meterweave.lake.merging import FileReader, alike
from meterweave.lake.precedence import settle
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import DataFile, LakeTable, Snapshot, is_there
from meterweave.lake.worker import Worker, log_if_possible

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What one round of maintenance did."""

    days_settled: int = 0
    merges: int = 0
    files_removed: int = 0
    files_forgotten: int = 0
    files_deleted: int = 0

    def plus(self, **counts: int) -> Work:
        """That much more."""
        return replace(self, **{name: getattr(self, name) + count for name, count in counts.items()})


class Maintenance:
    """Keeps one lake in order; runs beside any number of writers, in their process or in its own.

    Parameters
    ----------
    folder : Path
        The lake's.

    Notes
    -----
    `run_once` may be called by one thread at a time. `start` and `close` run it in a thread of its own.
    """

    def __init__(self, folder: Path, settings: LakeSettings | None = None) -> None:
        self._folder, self._settings = folder, settings or LakeSettings()
        self._closing = threading.Event()
        self._failing = False
        self._worker = Worker("lake-maintenance", self._turn, self._note_failure)

    def start(self) -> None:
        """Run every `maintenance_interval_s` until `close`."""
        self._worker.start()

    def failed(self) -> str | None:
        """Why the thread is dead, if it is and should not be."""
        return self._worker.failed()

    def close(self) -> None:
        """Stop after the step under way."""
        self._closing.set()
        self._worker.join()

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
        work = Work()
        for kind in Kind:
            path = self._folder / LAYOUTS[kind].folder
            # A lake made by an import of readings has no other table.
            if kind is not Kind.READINGS and not is_there(path):
                continue
            table = LakeTable(path, self._settings.zone, kind)
            work = self._forget(table, now, work)
            with FileReader(table) as reader:
                steps = self._steps(table, reader, now)
                while not self._closing.is_set() and (done := next(steps, None)) is not None:
                    work = work.plus(**done)
            if self._closing.is_set():
                return work
            work = work.plus(files_deleted=table.vacuum(self._settings.vacuum_after_h))
        return work

    def _steps(self, table: LakeTable, reader: FileReader, now: datetime) -> Iterator[dict[str, int]]:
        """Rewrites one after the other, each done when it is given; what it did."""
        if table.layout.kind is not Kind.READINGS:
            yield from self._merge(table, reader, now)
            return
        for day in self._days_to_settle(table.snapshot(), now):
            yield {"days_settled": 1, "files_removed": self._settle(table, reader, day)}
        # Kept files are large already.
        files = [file for file in table.snapshot().files if file.layer != KEPT]
        settings = self._settings
        for group in alike(
            files, lambda file: file.rows, settings.rewrite_rows_max, lambda _: settings.merge_files_min
        ):
            table.rewrite(group, [(group[0].layer, reader.rows(group))], settings.band_rows)
            yield {"merges": 1, "files_removed": len(group)}

    def _merge(self, table: LakeTable, reader: FileReader, now: datetime) -> Iterator[dict[str, int]]:
        """Fewer files of events, of each event the report that counts; fewer files of frames."""
        closed = self._local_date(now - timedelta(seconds=self._settings.settle_after_s))
        if table.layout.period == "month":
            closed = closed.replace(day=1)

        def files_min(day: date) -> int:
            return 2 if day < closed else self._settings.merge_files_min

        files = table.snapshot().files
        for group in alike(files, reader.unpacked_octets, self._settings.rewrite_octets_max, files_min):
            rows = reader.events(group) if table.layout.kind is Kind.EVENTS else reader.rows(group)
            fewer = rows.num_rows < sum(file.rows for file in group)
            table.rewrite(group, [("", rows)], self._settings.band_rows, data_change=fewer)
            yield {"merges": 1, "files_removed": len(group)}

    def _days_to_settle(self, snapshot: Snapshot, now: datetime) -> list[date]:
        """Closed days with rows that came in, oldest first; rows that came late wait for company."""
        closed = self._local_date(now - timedelta(seconds=self._settings.settle_after_s))
        kept_days = {file.day for file in snapshot.files if file.layer == KEPT}
        oldest_ms: dict[date, int] = {}
        for file in snapshot.files:
            # A day that lies ahead is a meter's clock gone wrong; its rows wait in ``new`` until the day has been.
            if file.layer == NEW and (file.day < closed or file.day >= LAST):
                oldest_ms[file.day] = min(file.written_ms, oldest_ms.get(file.day, file.written_ms))
        patience_ms = (now.timestamp() - self._settings.late_wait_s) * 1000
        return sorted(day for day, ms in oldest_ms.items() if day not in kept_days or ms <= patience_ms)

    def _settle(self, table: LakeTable, reader: FileReader, day: date) -> int:
        """Rewrite a day: its new rows, and the kept files whose meters they touch, become kept and superseded files."""
        snapshot = table.snapshot()
        fresh = snapshot.of_day(day, NEW)
        meters, counts = reader.meters(fresh)
        touched = [file for file in snapshot.of_day(day, KEPT) if _any_within(meters, file.owners)]
        sources = fresh + touched
        if touched:
            meters, counts = reader.meters(sources)
        table.rewrite(sources, self._settled_pieces(reader, sources, meters, counts), self._settings.band_rows)
        return len(sources)

    def _settled_pieces(
        self, reader: FileReader, sources: Sequence[DataFile], meters: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> Iterator[tuple[str, pa.Table]]:
        for low, high in _ranges(meters, counts, self._settings.rewrite_rows_max):
            kept, superseded = settle(reader.rows(sources, low, high))
            yield KEPT, kept
            yield SUPERSEDED, superseded

    def _forget(self, table: LakeTable, now: datetime, work: Work) -> Work:
        today, ages = self._local_date(now), self._ages_days(table.layout.kind)
        old = [
            file
            for file in table.snapshot().files
            if (days := ages.get(file.layer)) is not None and file.day < today - timedelta(days=days)
        ]
        if old:
            table.forget(old)
        return work.plus(files_forgotten=len(old))

    def _ages_days(self, kind: Kind) -> dict[str, int | None]:
        """How old files of each layer may grow; None: as old as they like."""
        if kind is not Kind.READINGS:
            return {"": self._settings.frames_days if kind is Kind.FRAMES else None}
        age, superseded = self._settings.retention_days, self._settings.superseded_retention_days
        return {NEW: age, KEPT: age, SUPERSEDED: min((days for days in (age, superseded) if days), default=None)}

    def _local_date(self, moment: datetime) -> date:
        return moment.astimezone(self._settings.zone).date()

    def _turn(self) -> bool:
        if self._closing.wait(self._settings.maintenance_interval_s):
            return False
        self.run_once(datetime.now(UTC))
        self._failing = False
        return True

    def _note_failure(self, error: BaseException) -> None:
        """One line a failure, not one a round; the small files that pile up meanwhile are merged when it is over."""
        first, self._failing = not self._failing, True
        if not first:
            return
        if isinstance(error, LakeError):
            log_if_possible(_log.warning, "maintenance of the lake waits: %s", error)
        else:
            log_if_possible(_log.error, "maintenance of the lake failed in a way nobody thought of", cause=error)


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
