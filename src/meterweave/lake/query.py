"""SQL over all that was acknowledged: the table's files and the journal's rows that are not in it yet.

Views of a question:

- ``readings``: one row a key, the one that `meterweave.lake.precedence` chooses;
- ``raw_readings``: every row that came in, with the `layer` it stands in (``journal`` for those not in the lake yet);
- ``quantities``: what the numbers in the column `quantity` mean;
- the tables that the caller hands in.

A question is answered from one version: first the journal's blobs are listed, then the table is read, and of the
blobs those are taken whose number is above what the table says it has. A blob the journal forgot in between is in the
table; one that the table has already is left out. So nothing is missing and nothing is there twice.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from meterweave.lake.days import day_span_us, local_days
from meterweave.lake.errors import QueryError
from meterweave.lake.journal import JournalReader, decode
from meterweave.lake.precedence import KEY, SQL
from meterweave.lake.question import check, locked_engine
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import KEPT, NEW, SUPERSEDED, DataFile, ReadingTable, Snapshot
from meterweave.metering.batch import SCHEMA
from meterweave.metering.quantities import quantities

COLUMNS = ("day", *SCHEMA.names)
TAIL_SCHEMA = SCHEMA.insert(0, pa.field("day", pa.date32(), nullable=False))
_BATCH_ROWS = 100_000


class Tail:
    """The rows of one folder of journals that the lake does not have yet, decoded once a blob."""

    def __init__(self, folder: Path, settings: LakeSettings) -> None:
        self._folder, self._settings = folder, settings
        self._readers: dict[Path, JournalReader] = {}
        self._decoded: dict[tuple[str, int], pa.Table] = {}

    def blobs(self) -> dict[tuple[str, int], pa.Table]:
        """Rows with their day, by journal id and sequence number, of all blobs that are there now.

        Raises
        ------
        QueryError
            If they are more than `query_tail_rows_max` rows.
        JournalError
            If a journal cannot be read.
        """
        found: dict[tuple[str, int], pa.Table] = {}
        room = self._settings.query_tail_rows_max
        for path in sorted(self._folder.glob("*.journal")):
            reader = self._reader(path)
            blobs = reader.index()
            room -= sum(blob.row_count for blob in blobs)
            if room < 0:
                raise QueryError(
                    f"the journals hold more than {self._settings.query_tail_rows_max} rows that the lake does not "
                    "have; ask again when it has taken them"
                )
            wanted = [blob.seq for blob in blobs]
            fresh = [seq for seq in wanted if (reader.journal_id, seq) not in self._decoded]
            if fresh:
                for seq, octets in reader.octets(fresh[0], fresh[-1]):
                    self._decoded[reader.journal_id, seq] = self._with_day(decode(octets))
            for seq in wanted:
                # A blob can be forgotten between the two reads; then the table has it.
                if (rows := self._decoded.get((reader.journal_id, seq))) is not None:
                    found[reader.journal_id, seq] = rows
        self._decoded = found
        return found

    def close(self) -> None:
        """Close the journals."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _reader(self, path: Path) -> JournalReader:
        if path not in self._readers:
            self._readers[path] = JournalReader(path)
        return self._readers[path]

    def _with_day(self, rows: pa.Table) -> pa.Table:
        days = local_days(rows.column("ts").cast(pa.int64()).to_numpy(), self._settings.zone)
        return rows.add_column(0, TAIL_SCHEMA.field("day"), pa.array(days).cast(pa.date32()))


class Questions:
    """Answers questions about one lake; any thread may ask.

    Parameters
    ----------
    table_path : Path
        The Delta table's folder; may be missing as long as nothing was committed.
    journals : Path
        The folder of the journals that are committed to it.
    """

    def __init__(self, table_path: Path, journals: Path, settings: LakeSettings | None = None) -> None:
        self._path, self._settings = table_path, settings or LakeSettings()
        self._tail = Tail(journals, self._settings)
        self._table: ReadingTable | None = None
        self._engine = locked_engine(table_path, self._settings)
        self._lock = threading.Lock()
        self._quantities = _quantity_table()

    def ask(
        self,
        sql: str,
        *,
        tables: Mapping[str, pa.Table] | None = None,
        days: tuple[date, date] | None = None,
        meter: int | None = None,
        rows_max: int | None = None,
        timeout_s: float | None = None,
    ) -> pa.Table:
        """The answer to one SELECT.

        Parameters
        ----------
        sql : str
            In DuckDB's dialect, over the views named above.
        tables : mapping, optional
            More views, for instance of the registry. Trusted: names are not checked.
        days : (date, date), optional
            First and last local day that the views hold; a question about few days of many is faster with it.
        meter : int, optional
            Let the views leave out files without this meter; the question itself must still ask for it alone.
        rows_max, timeout_s : optional
            Bounds tighter or wider than those in the settings.

        Raises
        ------
        QueryError
            If it is no single SELECT, is wrong, takes too long, too much memory, or has too many rows.
        CommitError
            If the lake cannot be read just now.
        JournalError
            If a journal cannot be read.
        """
        cursor = self._engine.cursor()
        try:
            check(cursor, sql)
            with self._lock:
                snapshot, tail = self._version(days, meter)
            _make_views(cursor, self._path, snapshot, tail, with_raw="raw_readings" in sql.lower())
            cursor.register("quantities", self._quantities)
            for name, table in (tables or {}).items():
                cursor.register(name, table)
            return self._run(
                cursor,
                sql,
                self._settings.query_rows_max if rows_max is None else rows_max,
                self._settings.query_timeout_s if timeout_s is None else timeout_s,
            )
        finally:
            cursor.close()

    def meter_month(self, meter: int, year: int, month: int) -> pa.Table:
        """All readings of one meter in one local calendar month, by quantity, profile and time.

        Raises
        ------
        QueryError, CommitError, JournalError
            As `ask`.
        """
        first = date(year, month, 1)
        last = date.fromordinal(date(year + month // 12, month % 12 + 1, 1).toordinal() - 1)
        start_us, end_us = day_span_us(first, last, self._settings.zone)
        return self.ask(
            "SELECT quantity, profile, ts, value, quality, source FROM readings "
            f"WHERE meter = {int(meter)} AND ts >= make_timestamptz({start_us}) AND ts < make_timestamptz({end_us}) "
            "ORDER BY quantity, profile, ts",
            days=(first, last),
            meter=meter,
        )

    def close(self) -> None:
        """Let go of journals and engine."""
        with self._lock:
            self._tail.close()
            self._engine.close()

    def _version(self, days: tuple[date, date] | None, meter: int | None) -> tuple[Snapshot, pa.Table]:
        blobs = self._tail.blobs()
        if self._table is None and (self._path / "_delta_log").is_dir():
            self._table = ReadingTable(self._path, self._settings.zone)
        snapshot = Snapshot(-1, ())
        if self._table is not None:
            self._table.refresh()
            snapshot = self._table.snapshot()
            done = {name: self._table.transaction_version(name) for name in {name for name, _ in blobs}}
            blobs = {(name, seq): rows for (name, seq), rows in blobs.items() if seq > done[name]}
        files = snapshot.files
        if days is not None:
            files = tuple(file for file in files if days[0] <= file.day <= days[1])
        if meter is not None:
            files = tuple(file for file in files if file.meters[0] <= meter <= file.meters[1])
        snapshot = Snapshot(snapshot.version, files)
        # One chunk: a scan costs more a chunk than a row.
        tail = pa.concat_tables(blobs.values()).combine_chunks() if blobs else TAIL_SCHEMA.empty_table()
        if days is not None:
            tail = tail.filter(pc.and_(pc.less_equal(days[0], tail["day"]), pc.less_equal(tail["day"], days[1])))
        return snapshot, tail

    def _run(self, cursor: duckdb.DuckDBPyConnection, sql: str, rows_max: int, timeout_s: float) -> pa.Table:
        late = threading.Event()

        def stop() -> None:
            late.set()
            cursor.interrupt()

        clock = threading.Timer(timeout_s, stop)
        clock.daemon = True
        clock.start()
        try:
            answer = cursor.sql(sql)
            if answer is None:
                raise QueryError("the question has no answer in rows")
            reader = answer.to_arrow_reader(_BATCH_ROWS)
            batches, rows = [], 0
            for batch in reader:
                rows += batch.num_rows
                if rows > rows_max:
                    raise QueryError(f"the answer has more than {rows_max} rows")
                if late.is_set():
                    raise QueryError(f"no answer after {timeout_s:g} s")
                batches.append(batch)
            return pa.Table.from_batches(batches, reader.schema)
        except (duckdb.Error, pa.ArrowException, OSError, RuntimeError) as error:
            if late.is_set():
                raise QueryError(f"no answer after {timeout_s:g} s") from error
            raise QueryError(str(error)) from error
        finally:
            clock.cancel()


def _make_views(
    cursor: duckdb.DuckDBPyConnection, path: Path, snapshot: Snapshot, tail: pa.Table, *, with_raw: bool
) -> None:
    """The views of one version, visible to this cursor only.

    Days that hold nothing but kept rows are read as they are. Of the others, kept, new and tail rows go through the
    choice of the reading together; a filter on key columns reaches the files through it.
    """
    cursor.register("journal_tail", tail)
    unsettled = {file.day for file in snapshot.files if file.layer == NEW}
    unsettled |= {day.as_py() for day in tail.column("day").unique()}
    settled = [file for file in snapshot.files if file.layer == KEPT and file.day not in unsettled]
    contested = [file for file in snapshot.files if file.layer != SUPERSEDED and file.day in unsettled]
    columns = ", ".join(COLUMNS)
    tail_rows = f"SELECT {columns} FROM journal_tail"
    choice = (
        f"SELECT {columns} FROM ({_union(_scan(path, contested, columns), tail_rows)}) "
        f"QUALIFY row_number() OVER (PARTITION BY day, {', '.join(KEY)} ORDER BY {SQL}) = 1"
    )
    cursor.execute(f"CREATE TEMP VIEW readings AS {_union(_scan(path, settled, columns), choice)}")
    if not with_raw:
        return
    every = _union(
        _scan(path, snapshot.files, f"{columns}, layer"), f"SELECT {columns}, 'journal' AS layer FROM journal_tail"
    )
    cursor.execute(f"CREATE TEMP VIEW raw_readings AS {every}")


def _union(*selects: str) -> str:
    return " UNION ALL ".join(select for select in selects if select)


def _scan(path: Path, files: Sequence[DataFile], columns: str) -> str:
    if not files:
        return ""
    names = ", ".join("'" + str((path / file.path).absolute()).replace("'", "''") + "'" for file in files)
    types = "{'day': DATE, 'layer': VARCHAR}"
    return f"SELECT {columns} FROM read_parquet([{names}], hive_partitioning = true, hive_types = {types})"


def _quantity_table() -> pa.Table:
    rows = [
        {
            "quantity": one.code,
            "obis": one.obis,
            "name": one.name,
            "unit": one.unit,
            "exponent": one.exponent,
            "kind": str(one.kind),
            "utility": one.utility,
            "phase": one.phase,
            "tariff": one.tariff,
            "meaning_en": one.meaning.en,
            "meaning_zh": one.meaning.zh,
        }
        for one in quantities().values()
    ]
    table = pa.Table.from_pylist(rows)
    return table.set_column(0, "quantity", table.column("quantity").cast(pa.int32()))
