"""The journal: where readings are safe from the moment we say that they are.

One SQLite file in WAL mode with ``synchronous=FULL``: a transaction is on disk, fsync and all, when `append` returns.
A row of the table ``blob`` is an Arrow IPC stream of many readings, compressed with LZ4 (measured: a quarter of the
CPU of zstd at these sizes, at twice its octets, and the journal is short-lived). A torn last page, a half-written WAL
or a killed process are SQLite's to repair, which it does when the file is next opened: it keeps every transaction
whose checksums hold and drops what follows the first that does not, which nobody was told about.

Sequence numbers climb for ever and are never given twice, also after trimming; with the journal's own id they name a
blob for good, which is what makes the commit to the lake exactly-once.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa
from pyarrow import ipc

from meterweave.lake.errors import JournalError, JournalFull
from meterweave.metering.batch import SCHEMA

FORMAT = 1
_PAGE_OCTETS = 8192
_BUSY_TIMEOUT_S = 10.0
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS blob (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  row_count INTEGER NOT NULL,
  size INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  octets BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  journal_id TEXT NOT NULL,
  format INTEGER NOT NULL,
  table_id TEXT
);
INSERT OR IGNORE INTO identity VALUES (1, '{{journal_id}}', {FORMAT}, NULL);
COMMIT;
"""
_INSERT = "INSERT INTO blob (row_count, size, created_us, octets) VALUES (?, ?, ?, ?)"
_IPC = ipc.IpcWriteOptions(compression="lz4", use_threads=False)


class Blob(NamedTuple):
    """One row of the journal, without its octets."""

    seq: int
    row_count: int
    size: int  # octets


def encode(batch: pa.RecordBatch) -> bytes:
    """`batch` as an Arrow IPC stream compressed with LZ4."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, SCHEMA, options=_IPC) as stream:
        stream.write_batch(batch)
    octets: bytes = sink.getvalue().to_pybytes()
    return octets


def decode(octets: bytes) -> pa.Table:
    """`encode` undone: a table of `meterweave.metering.batch.SCHEMA`."""
    return ipc.open_stream(octets).read_all()


class Journal:
    """The one writer of a journal file; blocking, and to be used by one thread at a time.

    Parameters
    ----------
    path : Path
        The file; made with its folder if absent. A lock beside it keeps a second writer out.
    octets_max : int
        Most that blobs not yet trimmed may take together. [octets]

    Raises
    ------
    JournalError
        If the file cannot be opened, is no journal, or has another writer.
    """

    def __init__(self, path: Path, *, octets_max: int) -> None:
        self.path, self.octets_max = path, octets_max
        self.journal_id: str = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"cannot open the journal {path}: {error}") from error
        self._db: sqlite3.Connection | None = None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            db = self._connect()
            self.journal_id, kind = db.execute("SELECT journal_id, format FROM identity").fetchone()
            if kind != FORMAT:
                raise JournalError(f"the journal {path} has format {kind}, this program writes {FORMAT}")
            self._count(db)
        except BlockingIOError as error:
            self.close()
            raise JournalError(f"the journal {path} has another writer") from error
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise JournalError(f"cannot open the journal {path}: {error}") from error
        except JournalError:
            self.close()
            raise

    def append(self, octets: bytes, row_count: int) -> int:
        """Keep a blob of so many rows; it is on disk on return. Its sequence number.

        One statement is one transaction here: each more would let go of the interpreter's lock and, beside a busy
        event loop, wait milliseconds to have it back.

        Raises
        ------
        JournalFull
            If it does not fit under `octets_max`; nothing was kept.
        JournalError
            If the disk refuses; nothing was acknowledged, and the next call tries a fresh connection.
        """
        size = len(octets)
        if self.octets_held + size > self.octets_max:
            raise JournalFull(
                f"the journal holds {self.octets_held} octets of at most {self.octets_max}; {size} more do not fit"
            )
        try:
            seq = self._connect().execute(_INSERT, (row_count, size, time.time_ns() // 1000, octets)).lastrowid
        except sqlite3.Error as error:
            self._drop_connection()
            raise JournalError(f"the journal {self.path} cannot be written: {error}") from error
        self.octets_held += size
        self.rows_held += row_count
        return seq or 0

    def trim(self, seq: int) -> None:
        """Forget all blobs up to and including `seq`; their pages are used again.

        Raises
        ------
        JournalError
            If the disk refuses. Forgetting can be tried again at any time.
        """
        try:
            db = self._connect()
            db.execute("DELETE FROM blob WHERE seq <= ?", (seq,))
            self._count(db)
        except sqlite3.Error as error:
            self._drop_connection()
            raise JournalError(f"the journal {self.path} cannot be trimmed: {error}") from error

    def close(self) -> None:
        """Close the file and let another writer in."""
        self._drop_connection()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _connect(self) -> sqlite3.Connection:
        if self._db is None:
            if self._lock < 0:
                raise JournalError(f"the journal {self.path} is closed")
            db = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S, cached_statements=16
            )
            try:
                db.execute(f"PRAGMA page_size = {_PAGE_OCTETS}")
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_TABLES.format(journal_id=uuid.uuid4()))
            except sqlite3.Error:
                db.close()
                raise
            self._db = db
        return self._db

    def _count(self, db: sqlite3.Connection) -> None:
        rows, size = db.execute("SELECT COALESCE(SUM(row_count), 0), COALESCE(SUM(size), 0) FROM blob").fetchone()
        self.rows_held: int = rows
        self.octets_held: int = size

    def _drop_connection(self) -> None:
        """After an error the connection's state is not to be trusted; closing it rolls back."""
        if self._db is not None:
            db, self._db = self._db, None
            db.close()


class JournalReader:
    """Reads a journal that some process, this one or another, writes; blocking, for one thread at a time.

    Raises
    ------
    JournalError
        If the file cannot be opened or is no journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=_BUSY_TIMEOUT_S,
            )
            self._db.execute("PRAGMA query_only = 1")
            self.journal_id: str = self._db.execute("SELECT journal_id FROM identity").fetchone()[0]
        except sqlite3.Error as error:
            raise JournalError(f"cannot read the journal {path}: {error}") from error

    def index(self, after: int = 0) -> list[Blob]:
        """The blobs that follow `after`, in order, without their octets."""
        return [Blob(*row) for row in self._select("SELECT seq, row_count, size FROM blob WHERE seq > ?", after)]

    def octets(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Sequence number and octets of the blobs from `first` to `last`, both included, in order."""
        return self._select("SELECT seq, octets FROM blob WHERE seq BETWEEN ? AND ?", first, last)

    def table_id(self) -> str | None:
        """The id of the table this journal has been committed to; None before the first commit."""
        found: str | None = self._select("SELECT table_id FROM identity")[0][0]
        return found

    def bind(self, table_id: str) -> None:
        """Write down, once and for good, which table this journal is committed to.

        Raises
        ------
        JournalError
            If the disk refuses.
        """
        try:
            self._db.execute("PRAGMA query_only = 0")
            self._db.execute("UPDATE identity SET table_id = ? WHERE table_id IS NULL", (table_id,))
            self._db.execute("PRAGMA query_only = 1")
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self.path} cannot be written: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _select(self, sql: str, *values: int) -> list[tuple]:  # type: ignore[type-arg]  # rows of any width
        try:
            return self._db.execute(sql + (" ORDER BY seq" if values else ""), values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"cannot read the journal {self.path}: {error}") from error
