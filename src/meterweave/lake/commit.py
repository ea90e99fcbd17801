"""Journal to lake, every few seconds, each row exactly once.

The committer is a thread that reads the journal's oldest blobs, appends their rows to the table of their kind under
the number of the last of them, and lets the journal forget them when all tables have theirs. Killed in between, the
next run finds in each table the number up to which it has everything, and does only what is left. While the lake cannot
be written the rows stay in the journal, and the first success takes up where the last one ended; the first failure and
the recovery are logged, not the attempts between.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from meterweave.lake.errors import JournalError, LakeError
from meterweave.lake.journal import Blob, JournalReader, decode
from meterweave.lake.kind import Kind
from meterweave.lake.layout import LAYOUTS
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import LakeTable
from meterweave.lake.worker import Worker, log_if_possible

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """How the committer fares."""

    commits: int = 0
    rows: int = 0
    last_seq: int = 0  # of the journal, in the lake
    failing_since: float | None = None  # seconds since 1970, UTC
    error: str = ""


class Committer:
    """Carries one journal's rows into the tables; one for each journal.

    Parameters
    ----------
    journal : JournalReader
        The journal's own reader, used by nobody else; closed by `close`.
    folder : Path
        The lake's. A table in it is made when the journal has never been committed to it, and never again after that.
    trim : callable
        Takes the sequence number up to which the journal may forget.
    """

    def __init__(
        self, journal: JournalReader, folder: Path, settings: LakeSettings, trim: Callable[[int], None]
    ) -> None:
        self._journal, self._folder, self._settings, self._trim = journal, folder, settings, trim
        self._tables: dict[Kind, LakeTable] = {}
        self._step = threading.Lock()
        self._due = threading.Event()
        self._closing = threading.Event()
        self._status = CommitStatus()
        self._pause_s = settings.commit_interval_s
        self._worker = Worker("lake-committer", self._turn, self._wait_longer)

    @property
    def status(self) -> CommitStatus:
        """How it fares, now."""
        return self._status

    def start(self) -> None:
        """Commit in a thread until `close`."""
        self._worker.start()

    def failed(self) -> str | None:
        """Why the thread is dead, if it is and should not be."""
        return self._worker.failed()

    def hurry(self) -> None:
        """Commit now rather than at the next interval."""
        self._due.set()

    def close(self) -> None:
        """Stop after the commit under way; what is left stays in the journal."""
        self._closing.set()
        self._due.set()
        self._worker.join()
        with self._step:
            self._journal.close()

    def commit(self) -> int:
        """Carry what the journal holds into the lake; how many rows. Any thread may call this.

        Raises
        ------
        CommitError
            If the lake cannot be written just now.
        LakeError
            If a table is not the one this journal belongs to.
        """
        with self._step:
            try:
                rows = self._commit_all()
            except BaseException as error:
                self._tables = {}
                self._note_failure(error)
                raise
            self._note_success()
            return rows

    def _commit_all(self) -> int:
        tables = self._open_tables()
        for table in tables.values():
            table.refresh()
        done = {kind: table.transaction_version(self._journal.journal_id) for kind, table in tables.items()}
        self._status = replace(self._status, last_seq=max(done.values()))
        waiting = self._journal.index()
        if (trimmed := self._journal.trimmed()) > self._status.last_seq:
            log_if_possible(
                _log.error,
                "the lake ends at blob %d, and the journal gave it all up to %d: the lake is an older copy",
                self._status.last_seq,
                trimmed,
            )
        total = 0
        while waiting and not self._closing.is_set():
            piece = _piece(waiting, self._settings)
            waiting = waiting[len(piece) :]
            rows = 0
            for kind, table in tables.items():
                rows += self._carry([blob.seq for blob in piece if blob.kind is kind and blob.seq > done[kind]], table)
            last = piece[-1].seq
            self._trim(last)
            total += rows
            status = self._status
            self._status = replace(
                status,
                commits=status.commits + bool(rows),
                rows=status.rows + rows,
                last_seq=max(last, status.last_seq),
            )
        return total

    def _carry(self, seqs: Sequence[int], table: LakeTable) -> int:
        """Blobs of one kind into its table, in one commit; how many rows."""
        octets = self._journal.octets(table.layout.kind, seqs)
        if not octets:
            return 0
        rows = pa.concat_tables([_rows(seq, blob) for seq, blob in octets])
        table.append(rows, application=self._journal.journal_id, version=seqs[-1])
        return int(rows.num_rows)

    def _open_tables(self) -> dict[Kind, LakeTable]:
        if not self._tables:
            bound_to = self._journal.destinations()
            self._tables = {kind: self._open_table(kind, bound_to.get(kind)) for kind in Kind}
        return self._tables

    def _open_table(self, kind: Kind, bound_to: str | None) -> LakeTable:
        path = self._folder / LAYOUTS[kind].folder
        make = LakeTable.create if bound_to is None else LakeTable
        table = make(path, self._settings.zone, kind)
        if bound_to is None:
            self._journal.bind(kind, table.table_id)
        elif bound_to != table.table_id:
            raise LakeError(f"the journal belongs to lake {bound_to}, but {path} is {table.table_id}")
        return table

    def _turn(self) -> bool:
        self._due.wait(self._pause_s)
        self._due.clear()
        if self._closing.is_set():
            return False
        self.commit()
        self._pause_s = self._settings.commit_interval_s
        return True

    def _wait_longer(self, error: BaseException) -> None:
        longest_s = self._settings.retry_max_s
        self._pause_s = min(self._pause_s * 2, longest_s) if isinstance(error, LakeError) else longest_s

    def _note_failure(self, error: BaseException) -> None:
        first = self._status.failing_since is None
        foreseen = isinstance(error, LakeError)
        words = str(error) if foreseen else repr(error)
        self._status = replace(self._status, failing_since=self._status.failing_since or time.time(), error=words)
        if first:
            cause = None if foreseen else error
            log_if_possible(_log.error, "the lake takes no readings, the journal holds them: %s", words, cause=cause)

    def _note_success(self) -> None:
        since = self._status.failing_since
        self._status = replace(self._status, failing_since=None, error="")
        if since is not None:
            log_if_possible(_log.warning, "the lake takes readings again after %.0f s", time.time() - since)


def _rows(seq: int, octets: bytes) -> pa.Table:
    try:
        return decode(octets)
    except (pa.ArrowException, OSError) as error:
        raise JournalError(f"blob {seq} of the journal is spoiled: {error}") from error


def _piece(waiting: Sequence[Blob], settings: LakeSettings) -> Sequence[Blob]:
    """As many of the oldest blobs as the settings allow in one commit, at least one."""
    rows = octets = count = 0
    for blob in waiting:
        rows, octets = rows + blob.row_count, octets + blob.unpacked
        if count and (rows > settings.commit_rows_max or octets > settings.commit_octets_max):
            break
        count += 1
    return waiting[:count]
