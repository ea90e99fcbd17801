"""Many callers, one fsync: the asyncio face of the journal.

Callers hand in record batches and wait; one thread takes all that wait, joins them into one blob a kind, appends these
to the journal in one transaction and, when that is on disk, tells everyone at once. While the thread writes, the next
group gathers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from meterweave.lake.errors import JournalError, JournalFull
from meterweave.lake.journal import Journal, Parcel, encode
from meterweave.lake.kind import SCHEMAS, Kind, Rows
from meterweave.lake.settings import LakeSettings
from meterweave.lake.worker import Worker, log_if_possible

_log = logging.getLogger(__name__)

_BUSY_ROWS = 1000  # in a group, from which on all of `group_interval_s` is taken to gather more
_KINDS = tuple(Kind)
_REQUIRED = {
    kind: [index for index, field in enumerate(schema) if not field.nullable] for kind, schema in SCHEMAS.items()
}


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """What the writer holds and has done since it started."""

    rows_waiting: int
    callers_waiting: int
    groups: int  # transactions on disk
    rows: int  # rows on disk
    refused: int  # callers told that their rows were not kept
    rows_held: int  # rows in the journal that the lake does not have yet
    octets_held: int  # their size


class _Entry(NamedTuple):
    rows: Rows
    row_count: int
    octets: int  # of events and frames; readings are all of one size
    kept: asyncio.Future[int] | Future[int]
    loop: asyncio.AbstractEventLoop | None  # None: `kept` belongs to a thread


class JournalWriter:
    """Owns a journal and the one thread that writes to it.

    `append` may be called from any number of tasks of any event loop, `append_blocking` from any thread.

    Parameters
    ----------
    journal : Journal
        Closed by `close`.
    on_kept : callable, optional
        Called in the writer's thread, after every group commit, with the last sequence number; must not block.
    """

    def __init__(
        self, journal: Journal, settings: LakeSettings | None = None, *, on_kept: Callable[[int], None] | None = None
    ) -> None:
        self._journal = journal
        self._settings = settings or LakeSettings()
        self._on_kept = on_kept
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._queue: deque[_Entry] = deque()
        self._rows_waiting = self._octets_waiting = 0
        self._trim_to = 0
        self._closing = False
        self._groups = self._rows = self._refused = 0
        self._failing = False
        self._started = 0.0  # the last group, by the monotonic clock [s]
        self._gather_s = 0.0  # how long after that the next one starts
        self._worker = Worker("journal-writer", self._turn, self._note_failure)
        self._worker.start()

    @property
    def journal_id(self) -> str:
        """The journal's name for good."""
        return self._journal.journal_id

    def failed(self) -> str | None:
        """Why the thread is dead, if it is and should not be."""
        return self._worker.failed()

    def status(self) -> WriterStatus:
        """The counters, now."""
        with self._lock:
            return WriterStatus(
                rows_waiting=self._rows_waiting,
                callers_waiting=len(self._queue),
                groups=self._groups,
                rows=self._rows,
                refused=self._refused,
                rows_held=self._journal.rows_held,
                octets_held=self._journal.octets_held,
            )

    async def append(
        self,
        readings: pa.RecordBatch | None = None,
        *,
        events: pa.RecordBatch | None = None,
        frames: pa.RecordBatch | None = None,
    ) -> int:
        """Keep rows, all or none; returns once they are on disk, with the number of the last blob of their group.

        A caller that is cancelled does not know whether its rows were kept.

        Raises
        ------
        JournalFull
            If too much waits already, or the journal on disk is full. The rows were not kept.
        JournalError
            If the disk refuses, or the writer is closed. The rows were not kept as far as anyone may rely on.
        ValueError
            If a batch does not have the schema of its kind, or a null where none may be.
        """
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[int] = loop.create_future()
        self._enqueue(_entry(Rows(readings, events, frames), kept, loop))
        return await kept

    def append_blocking(
        self,
        readings: pa.RecordBatch | None = None,
        *,
        events: pa.RecordBatch | None = None,
        frames: pa.RecordBatch | None = None,
    ) -> int:
        """`append` for a thread without an event loop."""
        kept: Future[int] = Future()
        self._enqueue(_entry(Rows(readings, events, frames), kept, None))
        return kept.result()

    def trim(self, seq: int) -> None:
        """Let the journal forget up to `seq`, in the writer's own time."""
        with self._lock:
            self._trim_to = max(self._trim_to, seq)
            self._work.notify()

    def close(self) -> None:
        """Write what waits, then close the journal; later calls raise `JournalError`."""
        with self._lock:
            self._closing = True
            self._work.notify()
        self._worker.join()
        self._journal.close()

    def _enqueue(self, entry: _Entry) -> None:
        rows, octets, settings = entry.row_count, entry.octets, self._settings
        with self._lock:
            callers = len(self._queue)
            if self._closing:
                raise JournalError("the journal's writer is closed")
            if (reason := self._worker.failed()) is not None:
                raise JournalError(reason)
            full = (
                self._rows_waiting + rows > settings.queue_rows_max
                or self._octets_waiting + octets > settings.queue_octets_max
            )
            # What is larger than the whole queue is let in when it is alone.
            if (callers and full) or callers >= settings.queue_callers_max:
                self._refused += 1
                raise JournalFull(
                    f"{callers} callers wait with {self._rows_waiting} rows and {self._octets_waiting} octets of "
                    f"events and frames; {rows} rows and {octets} octets more do not fit"
                )
            self._queue.append(entry)
            self._rows_waiting += rows
            self._octets_waiting += octets
            if len(self._queue) == 1:
                self._work.notify()

    def _turn(self) -> bool:
        """One group, and what may be forgotten."""
        with self._lock:
            while not (self._queue or self._trim_to or self._closing):
                self._work.wait()
            if self._closing and not self._queue:
                return False
            pause = self._started + self._gather_s - time.monotonic()
            crowded = self._rows_waiting >= self._settings.group_rows_max
        if pause > 0 and not crowded:
            time.sleep(pause)
        with self._lock:
            group = self._take()
            trim_to, self._trim_to = self._trim_to, 0
        self._started = time.monotonic()
        if group:
            busy = min(1.0, sum(entry.row_count for entry in group) / _BUSY_ROWS)
            self._gather_s = busy * self._settings.group_interval_s
            self._keep(group)
        if trim_to:
            self._forget(trim_to)
        return True

    def _take(self) -> list[_Entry]:
        group: list[_Entry] = []
        rows = octets = 0
        for entry in self._queue:
            full = (
                rows + entry.row_count > self._settings.group_rows_max
                or octets + entry.octets > self._settings.group_octets_max
            )
            if group and full:
                break
            rows, octets = rows + entry.row_count, octets + entry.octets
            group.append(entry)
        # Last, so that where memory runs out above, everyone still stands in the queue.
        for _ in group:
            self._queue.popleft()
        self._rows_waiting -= rows
        self._octets_waiting -= octets
        return group

    def _keep(self, group: Sequence[_Entry]) -> None:
        sound = group
        try:
            sound, parcels = _pack(group)
            self._refused += len(group) - len(sound)
            if not sound:
                return
            seq = self._journal.append(*parcels)
        except JournalError as error:
            self._refused += len(sound)
            _tell(sound, error)
            return
        except BaseException as error:  # nobody may be left waiting
            self._refused += len(sound)
            _tell(sound, JournalError(f"the rows cannot be kept: {error!r}"))
            if isinstance(error, pa.ArrowException | MemoryError):
                return
            raise
        self._failing = False
        self._groups += 1
        self._rows += sum(parcel.row_count for parcel in parcels)
        _tell(sound, seq)
        if self._on_kept is not None:
            self._on_kept(seq)

    def _note_failure(self, error: BaseException) -> None:
        """One line a failure; every caller it met was told."""
        first, self._failing = not self._failing, True
        if first:
            log_if_possible(_log.error, "the journal's writer failed in a way nobody thought of", cause=error)

    def _forget(self, seq: int) -> None:
        try:
            self._journal.trim(seq)
        except JournalError:
            # The blobs stay and the lake refuses them a second time; the next commit asks again with a higher number.
            return


def _entry(rows: Rows, kept: asyncio.Future[int] | Future[int], loop: asyncio.AbstractEventLoop | None) -> _Entry:
    row_count = octets = 0
    for kind, batch in zip(_KINDS, rows, strict=True):
        if batch is None:
            continue
        if not batch.schema.equals(SCHEMAS[kind]):
            raise ValueError(f"{kind} must have the columns and types of {SCHEMAS[kind].names}, not {batch.schema}")
        row_count += batch.num_rows
        octets += 0 if kind is Kind.READINGS else batch.nbytes
    return _Entry(rows, row_count, octets, kept, loop)


def _pack(group: Sequence[_Entry]) -> tuple[Sequence[_Entry], list[Parcel]]:
    """The entries that can be kept and their rows, a parcel a kind; the others are told why not."""
    joined = _join(group)
    if any(_has_null(kind, batch) for kind, batch in joined):
        sound: list[_Entry] = []
        broken: list[_Entry] = []
        for entry in group:
            (broken if any(_has_null(kind, batch) for kind, batch in _join([entry])) else sound).append(entry)
        _tell(broken, ValueError("a null stands where none may be"))
        group, joined = sound, _join(sound)
    return group, [encode(kind, batch) for kind, batch in joined]


def _has_null(kind: Kind, batch: pa.RecordBatch) -> bool:
    return any(batch.column(index).null_count for index in _REQUIRED[kind])


def _join(group: Sequence[_Entry]) -> list[tuple[Kind, pa.RecordBatch]]:
    """All rows as one batch a kind; no readings where there is nothing at all."""
    found = []
    for index, kind in enumerate(_KINDS):
        batches = [batch for entry in group if (batch := entry.rows[index]) is not None and batch.num_rows]
        if batches:
            rows = pa.Table.from_batches(batches, SCHEMAS[kind]).combine_chunks()
            found.append((kind, rows.to_batches()[0]))
    return found or [(Kind.READINGS, pa.RecordBatch.from_pylist([], SCHEMAS[Kind.READINGS]))]


def _tell(group: Sequence[_Entry], outcome: int | Exception) -> None:
    """Resolve everyone's future; one call into each event loop, however many wait there."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[int]]] = {}
    for entry in group:
        if isinstance(entry.kept, Future):
            if entry.kept.done():
                continue  # told before, that a null stands where none may be
            if isinstance(outcome, Exception):
                entry.kept.set_exception(outcome)
            else:
                entry.kept.set_result(outcome)
        elif entry.loop is not None:
            by_loop.setdefault(entry.loop, []).append(entry.kept)
    for loop, waiting in by_loop.items():
        _in_loop(loop, _resolve_all, waiting, outcome)


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *values: object) -> None:
    try:
        loop.call_soon_threadsafe(call, *values)
    except RuntimeError:
        # The loop is closed: nobody is left to hear it.
        return


def _resolve_all(waiting: Sequence[asyncio.Future[object]], outcome: object) -> None:
    for future in waiting:
        if future.done():
            continue  # its caller was cancelled
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
