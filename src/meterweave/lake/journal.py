"""The journal: where rows are safe from the moment we say that they are.

One SQLite file in WAL mode with ``synchronous=FULL``: a transaction is on disk, fsync and all, when `append` returns.
A row of the table ``blob`` is an Arrow IPC stream of many rows of one kind, compressed with LZ4 (measured: a quarter of
the CPU of zstd at these sizes, at twice its octets, and the journal is short-lived). A torn last page, a half-written
WAL or a killed process are SQLite's to repair, which it does when the file is next opened: it keeps every transaction
whose checksums hold and drops what follows the first that does not, which nobody was told about.

Sequence numbers climb for ever and are never given twice; with the journal's own id they name a blob for good, which is
what makes the commit to the lake exactly-once. Each opening of the file goes on at the number of microseconds since
1970, which is ahead of all that were given before: so a journal that lost its end, or was restored from an older copy,
gives no number again that the lake may have seen.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa
from pyarrow import ipc

from meterweave.lake.errors import JournalError, JournalFull
from meterweave.lake.kind import Kind

FORMAT = 2
_PAGE_OCTETS = 8192
_BUSY_TIMEOUT_S = 10.0
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS blob (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  size INTEGER NOT NULL,
  unpacked INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  octets BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  journal_id TEXT NOT NULL,
  format INTEGER NOT NULL,
  trimmed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS destination (
  kind TEXT PRIMARY KEY,
  table_id TEXT NOT NULL
);
INSERT OR IGNORE INTO identity VALUES (1, '{{journal_id}}', {FORMAT}, 0);
COMMIT;
"""
_INSERT = "INSERT INTO blob (seq, kind, row_count, size, unpacked, created_us, octets) VALUES "
# Handing small blobs to other threads costs more than unpacking them.
_PACKING = ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_UNPACKING = ipc.IpcReadOptions(use_threads=False)


class Parcel(NamedTuple):
    """Rows of one kind, packed for the journal."""

    kind: Kind
    row_count: int
    unpacked: int  # octets the rows take in memory
    octets: bytes


class Packed(NamedTuple):
    """One row of the journal as it is handed on whole."""

    seq: int
    kind: Kind
    octets: bytes


class Held(NamedTuple):
    """What a journal holds."""

    blobs: int
    rows: int
    octets: int
    oldest_us: int | None
    """When the first of it was written. [us since 1970, UTC]"""
    newest_us: int | None
    """When the last of it was. [us since 1970, UTC]"""


class Blob(NamedTuple):
    """One row of the journal, without its octets."""

    seq: int
    kind: Kind
    row_count: int
    unpacked: int  # octets in memory


def encode(kind: Kind, batch: pa.RecordBatch) -> Parcel:
    """`batch` as an Arrow IPC stream compressed with LZ4."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema, options=_PACKING) as stream:
        stream.write_batch(batch)
    return Parcel(kind, batch.num_rows, batch.nbytes, sink.getvalue().to_pybytes())


def decode(octets: bytes) -> pa.Table:
    """The rows that `encode` packed."""
    return ipc.open_stream(octets, options=_UNPACKING).read_all()


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
            self.journal_id, found = db.execute("SELECT journal_id, format FROM identity").fetchone()
            if found != FORMAT:
                raise JournalError(f"the journal {path} has format {found}, this program writes {FORMAT}")
            self._count(db)
            (last,) = db.execute(
                "SELECT max(trimmed, (SELECT COALESCE(MAX(seq), 0) FROM blob)) FROM identity"
            ).fetchone()
            self._last_seq: int = max(last, time.time_ns() // 1000)
        except BlockingIOError as error:
            self.close()
            raise JournalError(f"the journal {path} has another writer") from error
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise JournalError(f"cannot open the journal {path}: {error}") from error
        except JournalError:
            self.close()
            raise

    @property
    def last_seq(self) -> int:
        """The number given last; the next one is higher."""
        return self._last_seq

    def append(self, *parcels: Parcel) -> int:
        """Keep parcels, all of them or none; they are on disk on return. The sequence number of the last.

        One statement is one transaction here: each more would let go of the interpreter's lock and, beside a busy
        event loop, wait milliseconds to have it back.

        Raises
        ------
        JournalFull
            If they do not fit under `octets_max`; nothing was kept.
        JournalError
            If the disk refuses; nothing was acknowledged, and the next call tries a fresh connection.
        """
        size = sum(len(parcel.octets) for parcel in parcels)
        if self.octets_held + size > self.octets_max:
            raise JournalFull(
                f"the journal holds {self.octets_held} octets of at most {self.octets_max}; {size} more do not fit"
            )
        now_us, first = time.time_ns() // 1000, self._last_seq + 1
        values = [
            value
            for seq, (kind, row_count, unpacked, octets) in enumerate(parcels, first)
            for value in (seq, kind.value, row_count, len(octets), unpacked, now_us, octets)
        ]
        self._last_seq += len(parcels)  # also where it fails: then nobody knows whether the numbers were used
        try:
            rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(parcels))
            self._connect().execute(_INSERT + rows, values)
        except (sqlite3.Error, OverflowError) as error:
            self._drop_connection()
            raise JournalError(f"the journal {self.path} cannot be written: {error}") from error
        self.octets_held += size
        self.rows_held += sum(parcel.row_count for parcel in parcels)
        return self._last_seq

    def merge(self, seqs: Sequence[int], parcel: Parcel) -> None:
        """Put one parcel with the same rows in the place of several blobs of its kind: small blobs cost space.

        Parameters
        ----------
        seqs : sequence of int
            Of all blobs of this kind from the first to the last, in order; the parcel has the number of the last.

        Raises
        ------
        JournalError
            If the disk refuses; then all is as it was.
        """
        values = (parcel.row_count, len(parcel.octets), parcel.unpacked, parcel.octets, seqs[-1])
        between = "kind = ? AND seq >= ? AND seq < ?"
        created = f"min(created_us, (SELECT MIN(created_us) FROM blob WHERE {between}))"
        change = (
            f"UPDATE blob SET row_count = ?, size = ?, unpacked = ?, octets = ?, created_us = {created} WHERE seq = ?"
        )
        others = (parcel.kind.value, seqs[0], seqs[-1])
        try:
            db = self._connect()
            db.execute("BEGIN IMMEDIATE")
            db.execute(change, (*values[:4], *others, values[4]))
            db.execute(f"DELETE FROM blob WHERE {between}", others)
            db.execute("COMMIT")
            self._count(db)
        except sqlite3.Error as error:
            self._drop_connection()
            raise JournalError(f"the journal {self.path} cannot be written: {error}") from error

    def trim(self, seq: int) -> None:
        """Forget all blobs up to and including `seq`; their pages are used again.

        Raises
        ------
        JournalError
            If the disk refuses. Forgetting can be tried again at any time.
        """
        try:
            db = self._connect()
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE identity SET trimmed = max(trimmed, ?)", (seq,))
            db.execute("DELETE FROM blob WHERE seq <= ?", (seq,))
            db.execute("COMMIT")
            self._count(db)
        except sqlite3.Error as error:
            self._drop_connection()
            raise JournalError(f"the journal {self.path} cannot be trimmed: {error}") from error

    def remove(self, seq: int) -> None:
        """Take one blob out.

        Raises
        ------
        JournalError
            If the disk refuses; then it is still there.
        """
        try:
            db = self._connect()
            db.execute("DELETE FROM blob WHERE seq = ?", (seq,))
            self._count(db)
        except sqlite3.Error as error:
            self._drop_connection()
            raise JournalError(f"the journal {self.path} cannot be written: {error}") from error

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


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise JournalError(f"the journal holds a blob of the kind {text!r}, which is none") from None


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
        """The blobs whose numbers follow `after`, in order, without their octets."""
        rows = self._select("SELECT seq, kind, row_count, unpacked FROM blob WHERE seq > ? ORDER BY seq", after)
        return [Blob(seq, _kind(kind), row_count, unpacked) for seq, kind, row_count, unpacked in rows]

    def octets(self, kind: Kind, seqs: Sequence[int]) -> list[tuple[int, bytes]]:
        """Sequence number and octets of the blobs of a kind from the first to the last of `seqs`, in order."""
        if not seqs:
            return []
        sql = "SELECT seq, octets FROM blob WHERE seq BETWEEN ? AND ? AND kind = ? ORDER BY seq"
        return self._select(sql, seqs[0], seqs[-1], kind.value)

    def after(self, seq: int, *, count_max: int, octets_max: int) -> list[Packed]:
        """The blobs of all kinds that follow `seq`, in order; at most so many, and so large, but one at least."""
        found: list[Packed] = []
        sql = "SELECT seq, size FROM blob WHERE seq > ? ORDER BY seq LIMIT ?"
        octets = 0
        for one, size in self._select(sql, seq, count_max):
            octets += size
            if found and octets > octets_max:
                break
            ((kind, packed),) = self._select("SELECT kind, octets FROM blob WHERE seq = ?", one)
            found.append(Packed(one, _kind(kind), packed))
        return found

    def strange(self) -> list[tuple[int, str, bytes]]:
        """Sequence number, kind and octets of blobs whose kind is none, as a bit that flipped on disk leaves it."""
        sql = f"SELECT seq, kind, octets FROM blob WHERE kind NOT IN ({', '.join('?' * len(Kind))})"
        return self._select(sql, *Kind)

    def held(self) -> Held:
        """What is there, now."""
        sums = "COUNT(*), COALESCE(SUM(row_count), 0), COALESCE(SUM(size), 0)"
        return Held(*self._select(f"SELECT {sums}, MIN(created_us), MAX(created_us) FROM blob")[0])

    def trimmed(self) -> int:
        """The number up to which blobs were forgotten, because the lake had them."""
        (found,) = self._select("SELECT trimmed FROM identity")[0]
        return int(found)

    def destinations(self) -> dict[Kind, str]:
        """The ids of the tables this journal has been committed to."""
        return {Kind(kind): table_id for kind, table_id in self._select("SELECT kind, table_id FROM destination")}

    def bind(self, kind: Kind, table_id: str) -> None:
        """Write down, once and for good, which table the rows of a kind are committed to.

        Raises
        ------
        JournalError
            If the disk refuses.
        """
        try:
            self._db.execute("PRAGMA query_only = 0")
            self._db.execute("INSERT OR IGNORE INTO destination VALUES (?, ?)", (kind.value, table_id))
            self._db.execute("PRAGMA query_only = 1")
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self.path} cannot be written: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _select(self, sql: str, *values: int | str) -> list[tuple]:  # type: ignore[type-arg]  # rows of any width
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"cannot read the journal {self.path}: {error}") from error
