"""The rows that the journals hold and the lake does not have yet."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from meterweave.lake.days import FIRST, LAST
from meterweave.lake.errors import QueryError
from meterweave.lake.journal import Blob, JournalReader, decode
from meterweave.lake.kind import Kind
from meterweave.lake.layout import LAYOUTS
from meterweave.lake.settings import LakeSettings


class Held(NamedTuple):
    """A blob, decoded."""

    journal_id: str
    seq: int
    rows: pa.Table  # with their day or month
    first: date  # the first of these
    last: date


class Tail:
    """What one folder of journals holds, decoded once a blob; for one thread at a time."""

    def __init__(self, folder: Path, settings: LakeSettings) -> None:
        self._folder, self._settings = folder, settings
        self._readers: dict[Path, JournalReader] = {}
        self._decoded: dict[tuple[str, int], Held] = {}

    def blobs(self, kinds: Collection[Kind]) -> dict[Kind, list[Held]]:
        """All blobs of `kinds` that are there now.

        Raises
        ------
        QueryError
            If they are more than `query_tail_rows_max` rows or `query_tail_octets_max` octets of a kind.
        JournalError
            If a journal cannot be read.
        """
        there: dict[tuple[str, int], Blob] = {}
        for path in sorted(self._folder.glob("*.journal")):
            reader = self._reader(path)
            there |= {(reader.journal_id, blob.seq): blob for blob in reader.index()}
        self._decoded = {place: held for place, held in self._decoded.items() if place in there}
        found = {}
        for kind in kinds:
            wanted = {place: blob for place, blob in there.items() if blob.kind is kind}
            self._check(kind, wanted.values())
            self._decode(kind, wanted)
            # A blob can be forgotten between the two reads; then the table has it.
            found[kind] = [self._decoded[place] for place in wanted if place in self._decoded]
        return found

    def close(self) -> None:
        """Close the journals."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _check(self, kind: Kind, blobs: Collection[Blob]) -> None:
        rows_max, octets_max = self._settings.query_tail_rows_max, self._settings.query_tail_octets_max
        if sum(blob.row_count for blob in blobs) > rows_max or sum(blob.unpacked for blob in blobs) > octets_max:
            raise QueryError(
                f"the journals hold more than {rows_max} rows or {octets_max} octets of {kind} that the lake does not "
                "have; ask again when it has taken them"
            )

    def _decode(self, kind: Kind, wanted: Collection[tuple[str, int]]) -> None:
        for reader in self._readers.values():
            name = reader.journal_id
            fresh = [seq for journal_id, seq in wanted if journal_id == name and (name, seq) not in self._decoded]
            for seq, octets in reader.octets(kind, fresh):
                self._decoded[name, seq] = _held(name, seq, kind, decode(octets), self._settings.zone)

    def _reader(self, path: Path) -> JournalReader:
        if path not in self._readers:
            self._readers[path] = JournalReader(path)
        return self._readers[path]


def _held(journal_id: str, seq: int, kind: Kind, rows: pa.Table, zone: ZoneInfo) -> Held:
    layout = LAYOUTS[kind]
    periods = pa.array(layout.periods(rows, zone)).cast(pa.date32())
    bounds = pc.min_max(periods).as_py()
    rows = rows.add_column(0, layout.view_schema.field(0), periods)
    return Held(journal_id, seq, rows, bounds["min"] or LAST, bounds["max"] or FIRST)
