"""What a gateway has on disk: readings and events on their way, the plan, what lasts, what the centre refused.

Two SQLite files in one folder. ``gateway.journal`` is the journal of the lake (`meterweave.lake.journal`): readings and
events that the centre does not have yet. ``state.sqlite`` holds what is small. Both survive a power cut in mid-write: a
transaction is there or it is not.

A file that cannot be read at all (memory cards wear out) is put aside under another name, and a new one is begun: a
gateway that nobody is near goes on with what comes.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TypeVar

import pyarrow as pa
import structlog

from meterweave.errors import MeterweaveError
from meterweave.lake.errors import JournalError
from meterweave.lake.journal import Held, Journal, JournalReader, Packed, Parcel, decode, encode
from meterweave.lake.kind import Kind
from meterweave.metering.events import ENDED, event_kinds

JOURNAL, STATE = "gateway.journal", "state.sqlite"
JOURNAL_OCTETS_MAX = 1 << 30
"""Most that the journal holds unless told otherwise. [octets]"""
REFUSED_OCTETS_MAX = 16 << 20
"""Most that is kept of what the centre refused; the oldest goes first. [octets]"""
BROKEN_MAX = 3
"""Files that could not be read and are kept all the same, for who wants to look at them."""
ROWS_MAX = 2000
"""Most rows of one blob. [rows] Some 32 KiB: on a slow link a larger one would hold up all else that is said."""
MERGED_MIN = 64
"""So many blobs are worth making one."""
MERGED_AT_ONCE = 4096
"""Most blobs looked at in one go: the disk is busy meanwhile."""

EVENTS_AT_ONCE = 100
"""Blobs of events that are looked at together."""
UNREADABLE = (pa.ArrowException, OSError, KeyError, TypeError, ValueError, MemoryError)
"""What comes of unpacking a blob in which a bit flipped."""

_BUSY_TIMEOUT_S = 10.0
_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lasting (meter INTEGER, event INTEGER, PRIMARY KEY (meter, event));
CREATE TABLE IF NOT EXISTS refused (
  number INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  reason TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  octets BLOB NOT NULL
);
COMMIT;
"""

_log = structlog.get_logger(__name__)

Opened = TypeVar("Opened", bound="Journal | JournalReader | sqlite3.Connection")


class StoreError(MeterweaveError):
    """The gateway's own disk cannot be read or written."""


class Refused(NamedTuple):
    """How much the centre refused."""

    blobs: int
    octets: int
    last_reason: str
    """Empty: nothing was."""


class Contact(NamedTuple):
    """How the gateway stands with the centre."""

    at_us: int
    """When that was so last. [us since 1970, UTC]"""
    online: bool
    reason: str
    """Why it is not."""


class Store:
    """The one writer of a gateway's folder; blocking, for one thread at a time.

    Raises
    ------
    JournalError, StoreError
        If the folder cannot be written, or another process has it.
    """

    def __init__(self, folder: Path, *, journal_octets_max: int = JOURNAL_OCTETS_MAX) -> None:
        self.folder = folder
        path = folder / JOURNAL
        self._lasting: dict[int, set[int]] = {}
        self._lasting_changed = True
        self._note_fails = False
        self._merged_to = 0  # blobs up to this number are large
        self._journal = _whole(path, lambda: _journal(path, journal_octets_max))
        self._journal.octets_max = min(journal_octets_max, self._journal.octets_held + _room(folder))
        if self._journal.octets_max < journal_octets_max:
            _log.warning("the disk has room for less than the journal may take", octets=self._journal.octets_max)
        try:
            self._reader = JournalReader(path)
            self._state = _whole(folder / STATE, lambda: _state(folder / STATE))
            self._put_strange_aside()
            self._load_lasting()
        except BaseException:
            self._journal.close()
            raise

    @property
    def journal_id(self) -> str:
        """The journal's name for good."""
        return self._journal.journal_id

    @property
    def rows_held(self) -> int:
        """Readings and events that the centre does not have yet."""
        return self._journal.rows_held

    @property
    def octets_held(self) -> int:
        """Their size. [octets]"""
        return self._journal.octets_held

    @property
    def lasting(self) -> Mapping[int, frozenset[int]]:
        """The codes of events that began and have not ended, by meter, as far as they were kept."""
        return MappingProxyType({meter: frozenset(events) for meter, events in self._lasting.items()})

    # Rows -------------------------------------------------------------------------------------------------------------

    def append(self, readings: pa.RecordBatch | None, events: pa.RecordBatch | None) -> int:
        """Keep rows, all or none; they are on disk on return. The number of the last blob.

        Raises
        ------
        JournalFull, JournalError
            As `Journal.append`: nothing was kept.
        """
        seq = self._journal.append(*_parcels(Kind.READINGS, readings), *_parcels(Kind.EVENTS, events))
        if events is not None and events.num_rows:
            self._note_events(events)
            self._lasting_changed = True
        return seq

    def after(self, seq: int, *, count_max: int, octets_max: int) -> list[Packed]:
        """As `JournalReader.after`."""
        try:
            return self._reader.after(seq, count_max=count_max, octets_max=octets_max)
        except JournalError:
            if not self._put_strange_aside():
                raise
            return self._reader.after(seq, count_max=count_max, octets_max=octets_max)

    def forget(self, seq: int) -> None:
        """The centre has everything up to and including `seq`.

        What lasts is written down before the events that told it are gone, so that none begins anew after a restart. A
        full disk cannot take that, and only gets room again by forgetting: then it is written down the next time.
        """
        if self._lasting_changed:
            try:
                self._note_lasting()
                self._note_fails = False
            except StoreError as error:
                if not self._note_fails:
                    _log.error("what lasts cannot be written down just now", why=str(error))
                self._note_fails = True
        self._journal.trim(seq)

    def _note_lasting(self) -> None:
        rows = [(meter, event) for meter, events in self._lasting.items() for event in events]
        with self._writing() as db:
            db.execute("DELETE FROM lasting")
            db.executemany("INSERT INTO lasting VALUES (?, ?)", rows)
        self._lasting_changed = False

    def merge(self) -> int:
        """Make few large blobs of many small ones, which take thirty times the space; how many are gone.

        Not while blobs are on their way to the centre, which answers by their numbers.

        Raises
        ------
        JournalError
            If the disk refuses.
        """
        gone, group, rows = 0, list[int](), 0
        blobs = [blob for blob in self._reader.index(self._merged_to) if blob.kind is Kind.READINGS]
        for blob in blobs[:MERGED_AT_ONCE]:
            if rows + blob.row_count > ROWS_MAX and group:
                gone += self._join(group)
                self._merged_to, group, rows = group[-1], [], 0
            group.append(blob.seq)
            rows += blob.row_count
        return gone + (self._join(group) if len(group) >= MERGED_MIN else 0)

    def _join(self, seqs: list[int]) -> int:
        """Make these blobs one."""
        if len(seqs) < 2:
            return 0
        try:
            tables = [decode(octets) for _, octets in self._reader.octets(Kind.READINGS, seqs)]
            whole = encode(Kind.READINGS, pa.concat_tables(tables).combine_chunks().to_batches()[0])
        except UNREADABLE as error:  # the centre will refuse the broken one; it is then counted and set aside
            _log.error("a blob cannot be read, it is left as it is", between=(seqs[0], seqs[-1]), why=str(error))
            return 0
        self._journal.merge(seqs, whole)
        return len(seqs) - 1

    def set_aside(self, blob: Packed, reason: str) -> None:
        """The centre will never keep these rows: let them not stand in the way of the others, and be looked at."""
        self._set_aside(blob.seq, blob.kind.value, blob.octets, reason)

    def _put_strange_aside(self) -> int:
        """Set aside what is of no kind; how many blobs that were."""
        strange = self._reader.strange()
        for seq, kind, octets in strange:
            _log.error("a blob is of no kind, it is set aside", seq=seq, kind=kind)
            try:
                self._set_aside(seq, kind, octets, f"of no kind: {kind!r}")
            except StoreError as error:
                _log.error("it cannot be set aside, it is dropped", seq=seq, why=str(error))
            self._journal.remove(seq)
        return len(strange)

    def _set_aside(self, seq: int, kind: str, octets: bytes, reason: str) -> None:
        with self._writing() as db:
            db.execute(
                "INSERT INTO refused (seq, kind, reason, at_us, octets) VALUES (?, ?, ?, ?, ?)",
                (seq, kind, reason, time.time_ns() // 1000, octets),
            )
            while db.execute("SELECT SUM(length(octets)) FROM refused").fetchone()[0] > REFUSED_OCTETS_MAX:
                db.execute("DELETE FROM refused WHERE number = (SELECT MIN(number) FROM refused)")

    # What is small ----------------------------------------------------------------------------------------------------

    def plan(self) -> dict[str, Any] | None:
        """The plan as it was set last; None: there was none, or it cannot be read."""
        return _object(self._state, "plan")

    def set_plan(self, plan: Mapping[str, Any]) -> None:
        """Go on by this one, also after a restart."""
        text = json.dumps(plan, ensure_ascii=False)
        if text == _get(self._state, "plan"):
            return  # each connection begins with the plan, and memory cards wear out by writing
        with self._writing() as db:
            _set(db, "plan", text)

    def set_contact(self, contact: Contact) -> None:
        """Note how the gateway stands with the centre."""
        with self._writing() as db:
            _set(db, "contact", json.dumps(contact._asdict()))

    def latest_us(self) -> int:
        """A moment that is certainly past: something was written then. [us since 1970, UTC] 0: none is known."""
        contact = _contact(self._state)
        return max(self._reader.held().newest_us or 0, contact.at_us if contact else 0)

    def close(self) -> None:
        """Close both files and let another process in."""
        self._state.close()
        self._reader.close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _writing(self) -> _Transaction:
        return _Transaction(self._state)

    def _load_lasting(self) -> None:
        """What lasted when it was written down, and what the journal's events tell.

        Some of these may be older than what was written down. That does no harm: of each event the last word counts,
        and it is either among these or was written down.
        """
        try:
            rows = self._state.execute("SELECT meter, event FROM lasting").fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.folder / STATE} cannot be read: {error}") from error
        for meter, event in rows:
            self._lasting.setdefault(meter, set()).add(event)
        told = [blob.seq for blob in self._reader.index() if blob.kind is Kind.EVENTS]
        for at in range(0, len(told), EVENTS_AT_ONCE):
            for seq, octets in self._reader.octets(Kind.EVENTS, told[at : at + EVENTS_AT_ONCE]):
                try:
                    for batch in decode(octets).to_batches():
                        self._note_events(batch)
                except UNREADABLE as error:  # the centre will refuse it; it is then counted and set aside
                    _log.error("events cannot be read, they are left as they are", seq=seq, why=str(error))

    def _note_events(self, events: pa.RecordBatch) -> None:
        kinds = event_kinds()
        columns = (events.column(name).to_pylist() for name in ("meter", "event"))
        for meter, code in zip(*columns, strict=True):
            if code in kinds and kinds[code].lasts:
                self._lasting.setdefault(meter, set()).add(code)
            elif code - ENDED in kinds and kinds[code - ENDED].lasts:
                self._lasting.setdefault(meter, set()).discard(code - ENDED)


class Look(NamedTuple):
    """What stands in a gateway's folder, for who looks in from outside."""

    held: Held
    refused: Refused
    contact: Contact | None
    plan: Mapping[str, Any] | None


def look(folder: Path) -> Look:
    """Look into the folder of a gateway that runs, or does not.

    Raises
    ------
    JournalError, StoreError
        If there is none, or it cannot be read.
    """
    reader = JournalReader(folder / JOURNAL)
    try:
        held = reader.held()
    finally:
        reader.close()
    try:
        uri = f"{(folder / STATE).absolute().as_uri()}?mode=rw"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
        try:
            count, octets = db.execute("SELECT COUNT(*), COALESCE(SUM(length(octets)), 0) FROM refused").fetchone()
            last = db.execute("SELECT reason FROM refused ORDER BY number DESC LIMIT 1").fetchone()
            return Look(held, Refused(count, octets, last[0] if last else ""), _contact(db), _object(db, "plan"))
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreError(f"{folder / STATE} cannot be read: {error}") from error


class _Transaction:
    """All of it or nothing; what SQLite refuses is a `StoreError`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise StoreError(f"the gateway's state cannot be written: {error}") from error
        return self._db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        try:
            if error is None:
                self._db.execute("COMMIT")
                return
        except sqlite3.Error as refused:
            error = refused
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            self._db.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"the gateway's state cannot be written: {error}") from error


def _parcels(kind: Kind, rows: pa.RecordBatch | None) -> list[Parcel]:
    if rows is None:
        return []
    return [encode(kind, rows.slice(at, ROWS_MAX)) for at in range(0, rows.num_rows, ROWS_MAX)]


def _journal(path: Path, octets_max: int) -> Journal:
    """The journal, read through once: a page that cannot be read must not show up days later."""
    journal = Journal(path, octets_max=octets_max)
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
        try:
            _check(db)
        finally:
            db.close()
    except sqlite3.Error as error:
        journal.close()
        raise JournalError(f"cannot read the journal {path}: {error}") from error
    return journal


def _room(folder: Path) -> int:
    """What may be added to the journal: half of what is free, since small blobs take more on disk than they are."""
    return shutil.disk_usage(folder).free // 2


def _state(path: Path) -> sqlite3.Connection:
    db: sqlite3.Connection | None = None
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        _check(db)
        db.executescript(_TABLES)
    except sqlite3.Error as error:
        if db is not None:
            db.close()
        raise StoreError(f"{path} cannot be opened: {error}") from error
    return db


def _check(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _whole(path: Path, opened: Callable[[], Opened]) -> Opened:
    """What `opened` gives; where the file is broken, of a new one, and the broken one is put aside."""
    try:
        return opened()
    except (JournalError, StoreError) as error:
        cause = error.__cause__
        # What is only locked, or on a disk that fails just now, is an `OperationalError`, and no reason to begin anew.
        if not isinstance(cause, sqlite3.DatabaseError) or isinstance(cause, sqlite3.OperationalError):
            raise
        aside = path.with_name(f"{path.name}.broken-{time.time_ns() // 1000}")
        _log.error("a file is broken, a new one is begun", file=str(path), why=str(cause), kept_as=aside.name)
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    kept = sorted(one for one in path.parent.glob(f"{path.name}.broken-*") if one.name.rpartition("-")[2].isdecimal())
    for old in kept[:-BROKEN_MAX]:
        for suffix in ("-wal", "-shm", ""):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    return opened()


def _get(db: sqlite3.Connection, name: str) -> str | None:
    try:
        found = db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"the gateway's state cannot be read: {error}") from error
    return None if found is None else str(found[0])


def _set(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))


def _contact(db: sqlite3.Connection) -> Contact | None:
    match _object(db, "contact"):
        case {"at_us": int(at_us), "online": bool(online), "reason": str(reason)}:
            return Contact(at_us, online, reason)
    return None


def _object(db: sqlite3.Connection, name: str) -> dict[str, Any] | None:
    """What is noted there as a JSON object; None: nothing is, or it cannot be read."""
    text = _get(db, name)
    if text is None:
        return None
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        _log.error("what is on disk cannot be read, going on without", what=name, why=str(error))
        return None
