"""The Delta table `raw_readings`: every row that ever came in, once, with the layer it stands in.

======================== ==============================================================================================
layer                    rows
======================== ==============================================================================================
``new``                  as they came in; of a day that is open, or come late for one that is closed
``kept``                 the readings of closed days: one row a key, in files that hold a range of meters each
``superseded``           what lost to a kept row
======================== ==============================================================================================

Table and layers are parted by (`day`, `layer`). A commit from a journal carries the journal's id and last sequence
number as a Delta application transaction: delta-rs refuses it when another commit of that journal came between, and we
refuse it when the number is already there. Maintenance moves rows between layers in single commits under a transaction
of its own, so two maintainers cannot both rewrite a day, while appends and rewrites never stand in each other's way.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from meterweave.lake import parquet
from meterweave.lake.days import local_days
from meterweave.lake.errors import CommitError, LakeError
from meterweave.lake.precedence import in_bands
from meterweave.metering.batch import SCHEMA

NEW, KEPT, SUPERSEDED = "new", "kept", "superseded"
MAINTENANCE = "meterweave.maintenance"
"""The application transaction under which files are rewritten; its version counts the rewrites."""

TABLE_SCHEMA = SCHEMA.append(pa.field("day", pa.date32(), nullable=False)).append(
    pa.field("layer", pa.string(), nullable=False)
)
_PARTITIONS = ["day", "layer"]
_EPOCH = date(1970, 1, 1)
_APPEND_RETRIES = 50
# Every question lists the log; an hour of it, at a commit every two seconds, takes two milliseconds to list.
_CONFIGURATION: dict[str, str | None] = {
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.enableExpiredLogCleanup": "true",
}


@dataclass(frozen=True, slots=True)
class DataFile:
    """One active file of the table."""

    path: str  # relative to the table
    day: date
    layer: str
    rows: int
    octets: int
    meters: tuple[int, int]  # the smallest and the largest in it
    written_ms: int  # since 1970, UTC


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The table at one version."""

    version: int
    files: tuple[DataFile, ...]

    def of_day(self, day: date, layer: str) -> list[DataFile]:
        """The files of a day and layer."""
        return [file for file in self.files if file.day == day and file.layer == layer]


class _Part(NamedTuple):
    day: date
    layer: str
    rows: pa.Table


class ReadingTable:
    """One thread's view of the table; to be used by one thread at a time.

    Raises
    ------
    CommitError
        If there is no table at `path`, or it cannot be read.
    LakeError
        If it was made for another zone.
    """

    def __init__(self, path: Path, zone: ZoneInfo) -> None:
        self.path, self.zone = path, zone
        self._snapshot: Snapshot | None = None
        try:
            self._delta = DeltaTable(path)
            about = json.loads(self._delta.metadata().description or "{}")
        except (DeltaError, TableNotFoundError, OSError, ValueError) as error:
            raise CommitError(f"there is no lake at {path}: {error}") from error
        if about.get("zone") != zone.key:
            raise LakeError(f"the lake {path} parts its days in {about.get('zone')}, not in {zone.key}")
        self.table_id = str(self._delta.metadata().id)

    @classmethod
    def create(cls, path: Path, zone: ZoneInfo) -> ReadingTable:
        """Make the table, or open the one that is there.

        Raises
        ------
        CommitError
            If the disk refuses.
        """
        try:
            DeltaTable.create(
                path,
                schema=TABLE_SCHEMA,
                mode="ignore",
                partition_by=_PARTITIONS,
                name="raw_readings",
                description=json.dumps({"zone": zone.key}),
                configuration=_CONFIGURATION,
            )
        except (DeltaError, OSError) as error:
            raise CommitError(f"cannot make a lake at {path}: {error}") from error
        return cls(path, zone)

    def refresh(self) -> None:
        """Move to the newest version.

        Raises
        ------
        CommitError
            If the table cannot be read just now.
        """
        try:
            self._delta.update_incremental()
        except (DeltaError, TableNotFoundError, OSError) as error:
            raise CommitError(f"the lake {self.path} cannot be read: {error}") from error
        if not (self.path / "_delta_log").is_dir():
            raise CommitError(f"the lake {self.path} is gone")

    def snapshot(self) -> Snapshot:
        """The version `refresh` came to."""
        version = self._delta.version()
        if self._snapshot is None or self._snapshot.version != version:
            self._snapshot = Snapshot(version, tuple(_data_files(self._delta)))
        return self._snapshot

    def transaction_version(self, application: str) -> int:
        """The last number an application committed, 0 before its first."""
        return self._delta.transaction_version(application) or 0

    def append(self, rows: pa.Table, *, application: str, version: int) -> bool:
        """Add rows of `meterweave.metering.batch.SCHEMA` to the layer ``new``; durable on return.

        Returns
        -------
        bool
            False if this version of the application was there already, and nothing was done.

        Raises
        ------
        CommitError
            If the disk refuses or someone else commits for the same application; nothing of it is visible.
        """
        self.refresh()
        if self.transaction_version(application) >= version:
            return False
        parts = [_Part(day, NEW, part) for day, part in _by_day(rows, self.zone)]
        band_rows = max(rows.num_rows // 8, 1 << 14)
        added = [self._write(part, band_rows, data_change=True) for part in parts]
        self._commit(added, Transaction(application, version))
        return True

    def rewrite(self, removed: Sequence[DataFile], added: Iterable[tuple[str, pa.Table]], band_rows: int) -> None:
        """Replace files of one day by others of the same rows, (layer, rows) each, in one commit.

        To be called on the version from which `removed` was read: no refresh in between.

        Raises
        ------
        CommitError
            If the disk refuses, or another rewrite came between; nothing of it is visible.
        """
        day = removed[0].day
        actions: list[AddAction | RemoveAction] = [
            self._write(_Part(day, layer, rows), band_rows, data_change=False) for layer, rows in added if rows.num_rows
        ]
        self._commit(
            actions + [_removal(file, data_change=False) for file in removed],
            Transaction(MAINTENANCE, self.transaction_version(MAINTENANCE) + 1),
        )

    def forget(self, removed: Sequence[DataFile]) -> None:
        """Drop files and the rows in them.

        Raises
        ------
        CommitError
            As `rewrite`.
        """
        self._commit(
            [_removal(file, data_change=True) for file in removed],
            Transaction(MAINTENANCE, self.transaction_version(MAINTENANCE) + 1),
        )

    def vacuum(self, after_h: int) -> int:
        """Delete files that left the table, or never came to be in it, more than `after_h` hours ago; how many.

        Raises
        ------
        CommitError
            If the disk refuses.
        """
        try:
            gone = self._delta.vacuum(after_h, dry_run=False, enforce_retention_duration=False, full=True)
        except (DeltaError, OSError) as error:
            raise CommitError(f"the lake {self.path} cannot be vacuumed: {error}") from error
        return len(gone)

    def _write(self, part: _Part, band_rows: int, *, data_change: bool) -> AddAction:
        name = f"day={part.day.isoformat()}/layer={part.layer}/{uuid.uuid4()}.parquet"
        path = self.path / name
        try:
            # The table's own folder is not made here: where it is missing, a disk is not mounted.
            for folder in (path.parent.parent, path.parent):
                if not folder.is_dir():
                    folder.mkdir(exist_ok=True)
                    parquet.sync(folder.parent)
            rows, bands = in_bands(part.rows.select(SCHEMA.names), band_rows)
            statistics = parquet.write(path, rows, bands)
            size = path.stat().st_size
        except OSError as error:
            with suppress(OSError):  # what cannot be deleted now, vacuum deletes later
                path.unlink(missing_ok=True)
            raise CommitError(f"the lake {self.path} cannot be written: {error}") from error
        return AddAction(
            name,
            size,
            {"day": part.day.isoformat(), "layer": part.layer},
            time.time_ns() // 1_000_000,
            data_change,
            statistics,
        )

    def _commit(self, actions: Sequence[AddAction | RemoveAction], transaction: Transaction) -> None:
        try:
            self._delta.create_write_transaction(
                list(actions),
                "append",
                self._delta.schema(),
                _PARTITIONS,
                commit_properties=CommitProperties(max_commit_retries=_APPEND_RETRIES, app_transactions=[transaction]),
            )
            self._sync_log()
        except CommitFailedError as error:
            raise CommitError(f"another commit to the lake {self.path} came between: {error}") from error
        except (DeltaError, OSError) as error:
            raise CommitError(f"the lake {self.path} cannot be written: {error}") from error

    def _sync_log(self) -> None:
        """Make the commits since the last refresh durable: delta-rs leaves them to the system's page cache."""
        before = self._delta.version()
        self.refresh()
        log = self.path / "_delta_log"
        for version in range(before, self._delta.version() + 1):
            entry = log / f"{version:020}.json"
            if entry.exists():
                parquet.sync(entry)
        parquet.sync(log)


def _by_day(rows: pa.Table, zone: ZoneInfo) -> list[tuple[date, pa.Table]]:
    days = local_days(rows.column("ts").cast(pa.int64()).to_numpy(), zone)
    distinct, where, counts = np.unique(days, return_inverse=True, return_counts=True)
    if len(distinct) == 1:
        return [(_date(int(distinct[0])), rows)]
    order = np.argsort(where, kind="stable")
    ordered = rows.take(pa.array(order))
    starts = np.cumsum(counts) - counts
    return [
        (_date(int(day)), ordered.slice(int(start), int(count)))
        for day, start, count in zip(distinct, starts, counts, strict=True)
    ]


def _date(days: int) -> date:
    return _EPOCH + timedelta(days=days)


def _removal(file: DataFile, *, data_change: bool) -> RemoveAction:
    return RemoveAction(
        path=file.path,
        data_change=data_change,
        deletion_timestamp=time.time_ns() // 1_000_000,
        size=file.octets,
        partition_values={"day": file.day.isoformat(), "layer": file.layer},
    )


def _data_files(delta: DeltaTable) -> list[DataFile]:
    adds = pa.table(delta.get_add_actions(flatten=True))
    if not adds.num_rows:
        return []
    names = ("path", "partition.day", "partition.layer", "num_records", "size_bytes", "min.meter", "max.meter")
    columns = [adds.column(name).to_pylist() for name in (*names, "modification_time")]
    return [
        DataFile(path, day, layer, rows, octets, (low, high), written_ms)
        for path, day, layer, rows, octets, low, high, written_ms in zip(*columns, strict=True)
    ]
