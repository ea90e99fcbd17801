"""One Delta table of the lake: readings, events or frames.

The rows of readings stand in layers:

======================== ==============================================================================================
layer                    rows
======================== ==============================================================================================
``new``                  as they came in; of a day that is open, or come late for one that is closed
``kept``                 the readings of closed days: one row a key, in files that hold a range of meters each
``superseded``           what lost to a kept row
======================== ==============================================================================================

A commit from a journal carries the journal's id and last sequence number as a Delta application transaction: delta-rs
refuses it when another commit of that journal came between, and we refuse it when the number is already there.
Maintenance swaps files in single commits under a transaction of its own, so two maintainers cannot both rewrite the
same rows, while appends and rewrites never stand in each other's way.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from meterweave.lake import parquet
from meterweave.lake.errors import CommitError, LakeError
from meterweave.lake.kind import Kind
from meterweave.lake.layout import LAYOUTS, NEW

MAINTENANCE = "meterweave.maintenance"
"""The application transaction under which files are rewritten; its version counts the rewrites."""

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
    day: date  # for events the first of the month
    layer: str  # of readings; else empty
    rows: int
    octets: int
    owners: tuple[int, int]  # the smallest and the largest meter in it; of events and frames, terminal
    received_us: tuple[int, int]  # the first and the last moment of receipt in it; since 1970, UTC
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


class LakeTable:
    """One thread's view of a table; to be used by one thread at a time.

    Raises
    ------
    CommitError
        If there is no table at `path`, or it cannot be read.
    LakeError
        If it was made for another zone.
    """

    def __init__(self, path: Path, zone: ZoneInfo, kind: Kind = Kind.READINGS) -> None:
        self.path, self.zone, self.layout = path, zone, LAYOUTS[kind]
        self._snapshot = Snapshot(-1, ())
        self._doubtful = False  # after a failure; delta-rs may then refuse all further use of the object
        with _as_commit_error(f"there is no lake at {path}"):
            self._delta = DeltaTable(path)
            metadata = self._delta.metadata()
            about = json.loads(metadata.description or "{}")
        if about.get("zone") != zone.key:
            raise LakeError(f"the lake {path} parts its days in {about.get('zone')}, not in {zone.key}")
        self.table_id = str(metadata.id)

    @classmethod
    def create(cls, path: Path, zone: ZoneInfo, kind: Kind = Kind.READINGS) -> LakeTable:
        """Make the table, or open the one that is there.

        Raises
        ------
        CommitError
            If the disk refuses.
        """
        layout = LAYOUTS[kind]
        with _as_commit_error(f"cannot make a lake at {path}"):
            DeltaTable.create(
                path,
                schema=layout.table_schema,
                mode="ignore",
                partition_by=layout.partitions,
                name=layout.folder,
                description=json.dumps({"zone": zone.key}),
                configuration=_CONFIGURATION,
            )
        return cls(path, zone, kind)

    def refresh(self) -> None:
        """Move to the newest version.

        Raises
        ------
        CommitError
            If the table cannot be read just now.
        """
        with self._reading():
            if self._doubtful:
                self._delta, self._snapshot = DeltaTable(self.path), Snapshot(-1, ())
                self._doubtful = False
            if self._is_newest():
                return
            self._delta.update_incremental()
            gone = not (self.path / "_delta_log").is_dir()
        if gone:
            raise CommitError(f"the lake {self.path} is gone")

    def _is_newest(self) -> bool:
        """Whether that can be told without a listing of the log: our version is the last entry of it.

        Entries go from the oldest on, so while ours is there the next would be too.
        """
        log, version = self.path / "_delta_log", self._delta.version()
        return (log / f"{version:020}.json").exists() and not (log / f"{version + 1:020}.json").exists()

    def snapshot(self) -> Snapshot:
        """The version `refresh` came to.

        Raises
        ------
        CommitError
            If the table cannot be read just now.
        """
        with self._reading():
            version = self._delta.version()
            if self._snapshot.version != version:
                self._snapshot = Snapshot(version, self._files())
        return self._snapshot

    def transaction_version(self, application: str) -> int:
        """The last number an application committed, 0 before its first.

        Raises
        ------
        CommitError
            If the table cannot be read just now.
        """
        with self._reading():
            return self._delta.transaction_version(application) or 0

    def append(self, rows: pa.Table, *, application: str, version: int) -> bool:
        """Add rows, readings to the layer ``new``; durable on return.

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
        group_rows = max(rows.num_rows // 8, 1 << 14)
        added = [self._write(part, group_rows, data_change=True) for part in self._parts(rows)]
        self._commit(added, Transaction(application, version))
        return True

    def rewrite(
        self,
        removed: Sequence[DataFile],
        added: Iterable[tuple[str, pa.Table]],
        group_rows: int,
        *,
        data_change: bool = False,
    ) -> None:
        """Replace files of one day or month by others, (layer, rows) each, in one commit.

        To be called on the version from which `removed` was read: no refresh in between.

        Parameters
        ----------
        data_change : bool
            Whether the rows are not all the same as before; for those who follow the table as a stream.

        Raises
        ------
        CommitError
            If the disk refuses, or another rewrite came between; nothing of it is visible.
        """
        day = removed[0].day
        actions: list[AddAction | RemoveAction] = [
            self._write(_Part(day, layer, rows), group_rows, data_change=data_change)
            for layer, rows in added
            if rows.num_rows
        ]
        self._commit(
            actions + [self._removal(file, data_change=data_change) for file in removed],
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
            [self._removal(file, data_change=True) for file in removed],
            Transaction(MAINTENANCE, self.transaction_version(MAINTENANCE) + 1),
        )

    def vacuum(self, after_h: int) -> int:
        """Delete files that left the table, or never came to be in it, more than `after_h` hours ago; how many.

        Raises
        ------
        CommitError
            If the disk refuses.
        """
        with self._doubting(), _as_commit_error(f"the lake {self.path} cannot be vacuumed"):
            return len(self._delta.vacuum(after_h, dry_run=False, enforce_retention_duration=False, full=True))

    def _parts(self, rows: pa.Table) -> list[_Part]:
        """The rows by day or month."""
        layer = NEW if self.layout.layered else ""
        days = self.layout.periods(rows, self.zone)
        distinct, where, counts = np.unique(days, return_inverse=True, return_counts=True)
        if len(distinct) == 1:
            return [_Part(_date(int(distinct[0])), layer, rows)]
        ordered = rows.take(pa.array(np.argsort(where, kind="stable")))
        starts = np.cumsum(counts) - counts
        return [
            _Part(_date(int(day)), layer, ordered.slice(int(start), int(count)))
            for day, start, count in zip(distinct, starts, counts, strict=True)
        ]

    def _values(self, day: date, layer: str) -> dict[str, str | None]:
        """The values of the partition columns."""
        values: dict[str, str | None] = {self.layout.period: day.isoformat()}
        return values | {"layer": layer} if self.layout.layered else values

    def _write(self, part: _Part, group_rows: int, *, data_change: bool) -> AddAction:
        values = self._values(part.day, part.layer)
        name = "/".join(f"{column}={value}" for column, value in values.items()) + f"/{uuid.uuid4()}.parquet"
        path = self.path / name
        try:
            self._make_folders(name)
            rows, groups = self.layout.arrange(part.rows.select(self.layout.schema.names), group_rows)
            statistics = parquet.write(path, self.layout, rows, groups)
            size = path.stat().st_size
        except OSError as error:
            with suppress(OSError):  # what cannot be deleted now, vacuum deletes later
                path.unlink(missing_ok=True)
            raise CommitError(f"the lake {self.path} cannot be written: {_plain(error)}") from error
        return AddAction(name, size, values, time.time_ns() // 1_000_000, data_change, statistics)

    def _make_folders(self, name: str) -> None:
        """The folders of a file; not the table's own: where that is missing, a disk is not mounted."""
        folder = self.path
        for part in name.split("/")[:-1]:
            folder /= part
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                parquet.sync(folder.parent)

    def _removal(self, file: DataFile, *, data_change: bool) -> RemoveAction:
        return RemoveAction(
            path=file.path,
            data_change=data_change,
            deletion_timestamp=time.time_ns() // 1_000_000,
            size=file.octets,
            partition_values=self._values(file.day, file.layer),
        )

    def _commit(self, actions: Sequence[AddAction | RemoveAction], transaction: Transaction) -> None:
        properties = CommitProperties(max_commit_retries=_APPEND_RETRIES, app_transactions=[transaction])
        with self._doubting(), _as_commit_error(f"the lake {self.path} cannot be written"):
            try:
                self._delta.create_write_transaction(
                    list(actions), "append", self._delta.schema(), self.layout.partitions, commit_properties=properties
                )
            except CommitFailedError as error:
                raise CommitError(f"another commit to the lake {self.path} came between: {_plain(error)}") from error
            self._sync_log()

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

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._doubting(), _as_commit_error(f"the lake {self.path} cannot be read"):
            yield

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """After a failure the next `refresh` opens the table anew."""
        try:
            yield
        except BaseException:
            self._doubtful = True
            raise

    def _files(self) -> tuple[DataFile, ...]:
        """The active files; those of the snapshot before are known already."""
        adds = pa.table(self._delta.get_add_actions(flatten=True))
        if not adds.num_rows:
            return ()
        before = {file.path: file for file in self._snapshot.files}
        paths = adds.column("path").to_pylist()
        fresh = adds.filter(pa.array([path not in before for path in paths], pa.bool_()))
        known = before | {file.path: file for file in self._described(fresh)}
        return tuple(known[path] for path in paths)

    def _described(self, adds: pa.Table) -> list[DataFile]:
        owner, layout = self.layout.owner, self.layout
        names = ("path", f"partition.{layout.period}", "num_records", "size_bytes", "modification_time")
        bounds = [pc.cast(adds.column(f"{end}.received"), pa.int64()) for end in ("min", "max")]
        layers = adds.column("partition.layer").to_pylist() if layout.layered else [""] * adds.num_rows
        columns = [adds.column(name) for name in (*names, f"min.{owner}", f"max.{owner}")] + bounds
        return [
            DataFile(path, day, layer, rows, octets, (low, high), (first, last), written_ms)
            for layer, path, day, rows, octets, written_ms, low, high, first, last in zip(
                layers, *(column.to_pylist() for column in columns), strict=True
            )
        ]


def is_there(path: Path) -> bool:
    """Whether there is a table at `path`; a folder without an entry in its log is one that could not be made."""
    log = path / "_delta_log"
    return any(log.glob("*.json")) or (log / "_last_checkpoint").exists()


@contextmanager
def _as_commit_error(trouble: str) -> Iterator[None]:
    """What delta-rs and the disk raise as a `CommitError`.

    Where delta-rs panics, out of file handles for instance, that is no `Exception`, and its class cannot be imported. A
    table that was in use may then answer `RuntimeError` for ever after.
    """
    try:
        yield
    except (DeltaError, OSError, ValueError, RuntimeError) as error:
        raise CommitError(f"{trouble}: {_plain(error)}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise CommitError(f"{trouble}: {_plain(error)}") from error


def _plain(error: BaseException) -> str:
    """What an error says, in one line: delta-rs sends several, in colours."""
    return " ".join(re.sub(r"\x1b\[\d+m|↳", " ", str(error)).split())


def _date(days: int) -> date:
    return _EPOCH + timedelta(days=days)
