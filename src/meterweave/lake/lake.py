"""The lake as the rest of the centre sees it: rows in, acknowledged once safe, and answers out.

On disk::

    DIR/journal/main.journal   what is acknowledged and not in the tables yet (one file for each writing process)
    DIR/raw_readings/          the Delta tables
    DIR/events/
    DIR/frames/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from meterweave.lake.commit import CommitStatus, Committer
from meterweave.lake.errors import LakeError
from meterweave.lake.journal import Journal, JournalReader
from meterweave.lake.kind import Kind
from meterweave.lake.layout import LAYOUTS
from meterweave.lake.maintenance import Maintenance
from meterweave.lake.query import Questions
from meterweave.lake.settings import LakeSettings
from meterweave.lake.version import Scope
from meterweave.lake.writer import JournalWriter, WriterStatus


@dataclass(frozen=True, slots=True)
class LakeStatus:
    """How writing fares."""

    writer: WriterStatus
    committer: CommitStatus


class Lake:
    """One lake, opened for writing or for questions only; use `open`."""

    def __init__(
        self,
        folder: Path,
        settings: LakeSettings,
        writer: JournalWriter | None,
        committer: Committer | None,
        maintenance: Maintenance | None,
    ) -> None:
        self.folder, self.settings = folder, settings
        self._writer, self._committer, self._maintenance = writer, committer, maintenance
        self._questions = Questions(folder, journal_folder(folder), settings)

    @classmethod
    def open(
        cls,
        folder: Path | str,
        settings: LakeSettings | None = None,
        *,
        journal: str = "main",
        write: bool = True,
        maintain: bool = True,
    ) -> Lake:
        """Open a lake, and make it if it is not there.

        Parameters
        ----------
        folder : Path or str
            Where it lives, or is to live.
        journal : str
            The name of this process's journal; every writing process has its own.
        write : bool
            False: questions only, beside whatever process writes.
        maintain : bool
            Whether maintenance runs in a thread of this process. One process a lake should; more do no harm.

        Raises
        ------
        JournalError
            If the journal cannot be opened, or another process has it.
        LakeError
            If the folder is a lake with another zone.
        """
        folder, settings = Path(folder), settings or LakeSettings()
        if not write:
            return cls(folder, settings, None, None, None)
        path = journal_folder(folder) / f"{journal}.journal"
        kept = Journal(path, octets_max=settings.journal_octets_max)
        try:
            reader = JournalReader(path)
        except LakeError:
            kept.close()
            raise

        def kept_more(_: int) -> None:
            if kept.rows_held >= settings.commit_rows_max or kept.octets_held >= settings.commit_octets_max:
                committer.hurry()

        writer = JournalWriter(kept, settings, on_kept=kept_more)
        committer = Committer(reader, folder, settings, writer.trim)
        committer.start()
        maintenance = Maintenance(folder, settings) if maintain else None
        if maintenance is not None:
            maintenance.start()
        return cls(folder, settings, writer, committer, maintenance)

    async def append(
        self,
        readings: pa.RecordBatch | None = None,
        *,
        events: pa.RecordBatch | None = None,
        frames: pa.RecordBatch | None = None,
    ) -> int:
        """Keep rows; returns once they are on disk, and only then may the device be acknowledged.

        All of it or nothing is kept, with one fsync that it shares with what others append meanwhile.

        Parameters
        ----------
        readings, events, frames : pa.RecordBatch, optional
            Rows of `meterweave.metering.batch.SCHEMA`, `EVENTS_SCHEMA` and `FRAMES_SCHEMA`. Frames are dropped where
            `LakeSettings.frames_days` is 0.

        Returns
        -------
        int
            The number of the last blob of the journal that holds the rows.

        Raises
        ------
        JournalFull, JournalError, ValueError
            As `meterweave.lake.writer.JournalWriter.append`: the rows were not kept.
        LakeError
            If the lake was opened for questions only.
        """
        return await self._writing().append(readings, events=events, frames=self._archived(frames))

    def append_blocking(
        self,
        readings: pa.RecordBatch | None = None,
        *,
        events: pa.RecordBatch | None = None,
        frames: pa.RecordBatch | None = None,
    ) -> int:
        """`append` for a thread without an event loop."""
        return self._writing().append_blocking(readings, events=events, frames=self._archived(frames))

    def commit(self) -> int:
        """Carry what the journal holds into the tables now; how many rows. It happens by itself every few seconds.

        Raises
        ------
        CommitError
            If a table cannot be written just now.
        """
        if self._committer is None:
            raise LakeError("this lake was opened for questions only")
        return self._committer.commit()

    def query(
        self,
        sql: str,
        *,
        tables: Mapping[str, pa.Table] | None = None,
        days: tuple[date, date] | None = None,
        rows_max: int | None = None,
        timeout_s: float | None = None,
    ) -> pa.Table:
        """The answer to one SELECT over the lake's views, see ``docs/reference/lake-schema.md``, and `tables`.

        Sees every row whose `append` returned before. Blocks; see `meterweave.lake.query.Questions.ask`.
        """
        return self._questions.ask(sql, tables=tables, scope=Scope(days), rows_max=rows_max, timeout_s=timeout_s)

    def meter_month(self, meter: int, year: int, month: int) -> pa.Table:
        """All readings of one meter in one local calendar month, by quantity, profile and time. Blocks."""
        return self._questions.meter_month(meter, year, month)

    def meter_days(self, meter: int, first: date, last: date) -> pa.Table:
        """All readings of one meter of some local days, both included; quick when nothing changed. Blocks."""
        return self._questions.meter_days(meter, first, last)

    def stream_day(
        self,
        day: date,
        *,
        meters: pa.Array | None = None,
        profiles: Sequence[int] = (),
        quantities: Sequence[int] = (),
    ) -> Iterator[pa.RecordBatch]:
        """Readings of many meters of one local day, batch by batch; see `Questions.stream_day`. Blocks."""
        return self._questions.stream_day(day, meters=meters, profiles=profiles, quantities=quantities)

    def frames_of(self, terminal: int, received: datetime) -> pa.Table:
        """The frames (direction, protocol, octets) that brought a terminal's readings of one `received`. Blocks."""
        return self._questions.frames_of(terminal, received)

    def status(self) -> LakeStatus:
        """How writing fares, now.

        Raises
        ------
        LakeError
            If the lake was opened for questions only.
        """
        writer = self._writing()
        return LakeStatus(writer.status(), self._committer.status if self._committer else CommitStatus())

    def failed(self) -> str | None:
        """Which of the lake's threads is dead, and why; None while all are at work, and of a lake that is closed.

        Without its thread a part does nothing any more until the lake is opened anew. Failures that pass end no thread;
        `status` tells of them.
        """
        reasons = [part.failed() for part in (self._writer, self._committer, self._maintenance) if part is not None]
        return "; ".join(reason for reason in reasons if reason is not None) or None

    def close(self) -> None:
        """Keep what waits, stop all threads. What the journal holds goes into the tables at the next start."""
        if self._maintenance is not None:
            self._maintenance.close()
        if self._committer is not None:
            self._committer.close()
        if self._writer is not None:
            self._writer.close()
        self._questions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _archived(self, frames: pa.RecordBatch | None) -> pa.RecordBatch | None:
        return frames if self.settings.frames_days else None

    def _writing(self) -> JournalWriter:
        if self._writer is None:
            raise LakeError("this lake was opened for questions only")
        return self._writer


def table_path(folder: Path, kind: Kind = Kind.READINGS) -> Path:
    """Where the Delta table of a kind of rows of the lake in `folder` is."""
    return folder / LAYOUTS[kind].folder


def journal_folder(folder: Path) -> Path:
    """Where the journals of the lake in `folder` are."""
    return folder / "journal"
