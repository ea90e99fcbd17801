"""Journal to lake, every few seconds, each row exactly once.

The committer is a thread that reads the journal's oldest blobs, appends their rows to the table under the number of the
last of them, and lets the journal forget them. Killed between the two, the next run finds the number in the table and
only trims. While the lake cannot be written the rows stay in the journal, and the first success takes up where the last
one ended; the first failure and the recovery are logged, not the attempts between.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from meterweave.lake.errors import JournalError, LakeError
from meterweave.lake.journal import Blob, JournalReader, decode
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import ReadingTable

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
    """Carries one journal's rows into the table; one for each journal.

    Parameters
    ----------
    journal : JournalReader
        The journal's own reader, used by nobody else; closed by `close`.
    table_path : Path
        Made when the journal has never been committed to a table, and never again after that.
    trim : callable
        Takes the sequence number up to which the journal may forget.
    """

    def __init__(
        self, journal: JournalReader, table_path: Path, settings: LakeSettings, trim: Callable[[int], None]
    ) -> None:
        self._journal, self._path, self._settings, self._trim = journal, table_path, settings, trim
        self._table: ReadingTable | None = None
        self._step = threading.Lock()
        self._due = threading.Event()
        self._closing = threading.Event()
        self._status = CommitStatus()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> CommitStatus:
        """How it fares, now."""
        return self._status

    def start(self) -> None:
        """Commit in a thread until `close`."""
        self._thread = threading.Thread(target=self._run, name="lake-committer", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Commit now rather than at the next interval."""
        self._due.set()

    def close(self) -> None:
        """Stop after the commit under way; what is left stays in the journal."""
        self._closing.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join()
        with self._step:
            self._journal.close()

    def commit(self) -> int:
        """Carry what the journal holds into the lake; how many rows. Any thread may call this.

        Raises
        ------
        CommitError
            If the lake cannot be written just now.
        LakeError
            If the table is not the one this journal belongs to.
        """
        with self._step:
            try:
                rows = self._commit_all()
            except LakeError as error:
                self._table = None
                self._note_failure(error)
                raise
            self._note_success()
            return rows

    def _commit_all(self) -> int:
        table = self._open_table()
        table.refresh()
        done = table.transaction_version(self._journal.journal_id)
        self._status = replace(self._status, last_seq=done)
        waiting = self._journal.index()
        if waiting and waiting[0].seq <= done:
            self._trim(done)
        elif waiting and waiting[0].seq > done + 1:
            _log.error(
                "the lake ends at blob %d and the journal begins at %d: the lake is an older copy", done, waiting[0].seq
            )
        total = 0
        waiting = [blob for blob in waiting if blob.seq > done]
        while waiting and not self._closing.is_set():
            piece = _piece(waiting, self._settings.commit_rows_max)
            waiting = waiting[len(piece) :]
            octets = self._journal.octets(piece[0].seq, piece[-1].seq)
            rows = pa.concat_tables([_rows(seq, blob) for seq, blob in octets])
            table.append(rows, application=self._journal.journal_id, version=piece[-1].seq)
            self._trim(piece[-1].seq)
            total += rows.num_rows
            status = self._status
            self._status = replace(
                status, commits=status.commits + 1, rows=status.rows + rows.num_rows, last_seq=piece[-1].seq
            )
        return total

    def _open_table(self) -> ReadingTable:
        if self._table is None:
            bound_to = self._journal.table_id()
            make = ReadingTable.create if bound_to is None else ReadingTable
            table = make(self._path, self._settings.zone)
            if bound_to is None:
                self._journal.bind(table.table_id)
            elif bound_to != table.table_id:
                raise LakeError(f"the journal belongs to lake {bound_to}, but {self._path} is {table.table_id}")
            self._table = table
        return self._table

    def _run(self) -> None:
        pause = self._settings.commit_interval_s
        while not self._closing.is_set():
            self._due.wait(pause)
            self._due.clear()
            if self._closing.is_set():
                return
            try:
                self.commit()
                pause = self._settings.commit_interval_s
            except LakeError:
                pause = min(pause * 2, self._settings.retry_max_s)
            except Exception as error:  # a thread that ends would fill the journal without a word
                _log.exception("the commit to the lake failed in a way nobody thought of")
                self._note_failure(LakeError(repr(error)))
                pause = self._settings.retry_max_s

    def _note_failure(self, error: LakeError) -> None:
        if self._status.failing_since is None:
            _log.error("the lake takes no readings, the journal holds them: %s", error)
            self._status = replace(self._status, failing_since=time.time())
        self._status = replace(self._status, error=str(error))

    def _note_success(self) -> None:
        if self._status.failing_since is not None:
            _log.warning("the lake takes readings again after %.0f s", time.time() - self._status.failing_since)
        self._status = replace(self._status, failing_since=None, error="")


def _rows(seq: int, octets: bytes) -> pa.Table:
    try:
        return decode(octets)
    except (pa.ArrowException, OSError) as error:
        raise JournalError(f"blob {seq} of the journal is spoiled: {error}") from error


def _piece(waiting: list[Blob], rows_max: int) -> list[Blob]:
    """As many of the oldest blobs as `rows_max` allows, at least one."""
    rows, count = 0, 0
    for blob in waiting:
        if count and rows + blob.row_count > rows_max:
            break
        rows, count = rows + blob.row_count, count + 1
    return waiting[:count]
