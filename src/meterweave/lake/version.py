"""What a question sees: of each kind of rows the files of one version, and what the journals hold beside them.

First the journal's blobs are listed, then the tables are read, and of the blobs those are taken whose number is above
what their table says it has. A blob the journal forgot in between is in the table; one that the table has already is
left out. So nothing is missing and nothing is there twice.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from meterweave.lake.days import FIRST, LAST, day_span_us
from meterweave.lake.kind import Kind
from meterweave.lake.layout import LAYOUTS, Layout
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import DataFile, LakeTable, is_there
from meterweave.lake.tail import Held, Tail


class Scope(NamedTuple):
    """What of the lake a question needs. It sees no other days; of the rest, whole files may be left out."""

    days: tuple[date, date] | None = None  # local, both included
    owner: int | None = None  # a meter; for events and frames, a terminal
    received_us: int | None = None

    def needs(self, file: DataFile, layout: Layout) -> bool:
        """Whether a file may hold rows of it."""
        first, last = self.periods(layout)
        return (
            first <= file.day <= last
            and (self.owner is None or file.owners[0] <= self.owner <= file.owners[1])
            and (self.received_us is None or file.received_us[0] <= self.received_us <= file.received_us[1])
        )

    def periods(self, layout: Layout) -> tuple[date, date]:
        """The first and the last day or month."""
        first, last = self.days or (FIRST, LAST)
        return (first.replace(day=1) if layout.period == "month" else first), last


class Version(NamedTuple):
    """One kind of rows as a question sees it."""

    layout: Layout
    folder: Path  # of the table
    files: Sequence[DataFile]
    tail: pa.Table
    span_us: tuple[int, int] | None = None  # [start, end) of the days asked for, since 1970, UTC; None: all


class Versions:
    """Hands out versions of one lake; any thread may ask.

    Parameters
    ----------
    folder : Path
        The lake's; its tables may be missing as long as nothing was committed.
    journals : Path
        The folder of the journals that are committed to it.
    """

    def __init__(self, folder: Path, journals: Path, settings: LakeSettings) -> None:
        self._folder, self._settings = folder, settings
        self._tail = Tail(journals, settings)
        self._tables: dict[Kind, LakeTable] = {}
        self._lock = threading.Lock()

    def of(self, kinds: Collection[Kind], scope: Scope) -> list[Version]:
        """The newest version of each kind, with at least all that is acknowledged by now.

        Raises
        ------
        QueryError
            If the journals hold too much.
        CommitError
            If the lake cannot be read just now.
        JournalError
            If a journal cannot be read.
        """
        with self._lock:
            return [self._version(kind, held, scope) for kind, held in self._tail.blobs(kinds).items()]

    def close(self) -> None:
        """Let go of the journals."""
        with self._lock:
            self._tail.close()

    def _version(self, kind: Kind, blobs: Sequence[Held], scope: Scope) -> Version:
        layout = LAYOUTS[kind]
        table = self._table(kind)
        files: Sequence[DataFile] = ()
        if table is not None:
            table.refresh()
            files = [file for file in table.snapshot().files if scope.needs(file, layout)]
            done = {name: table.transaction_version(name) for name in {blob.journal_id for blob in blobs}}
            blobs = [blob for blob in blobs if blob.seq > done[blob.journal_id]]
        span_us = None if scope.days is None else day_span_us(*scope.days, self._settings.zone)
        return Version(layout, self._folder / layout.folder, files, _joined(blobs, layout, scope), span_us)

    def _table(self, kind: Kind) -> LakeTable | None:
        path = self._folder / LAYOUTS[kind].folder
        if kind not in self._tables and is_there(path):
            self._tables[kind] = LakeTable(path, self._settings.zone, kind)
        return self._tables.get(kind)


def _joined(blobs: Sequence[Held], layout: Layout, scope: Scope) -> pa.Table:
    """The rows of the blobs that are within the scope's days, and of its owner."""
    first, last = scope.periods(layout)
    wanted = [blob for blob in blobs if blob.first <= last and blob.last >= first]
    if not wanted:
        return layout.view_schema.empty_table()
    rows = pa.concat_tables(blob.rows for blob in wanted)
    if any(blob.first < first or blob.last > last for blob in wanted):
        period = rows[layout.period]
        rows = rows.filter(pc.and_(pc.less_equal(first, period), pc.less_equal(period, last)))
    if scope.owner is not None:
        rows = rows.filter(pc.equal(rows[layout.owner], scope.owner))
    return rows.combine_chunks()  # a scan costs more a chunk than a row
