"""SQL over all that was acknowledged: the tables' files and the journal's rows that are not in them yet.

Views of a question:

- ``readings``: one row a key, the one that `meterweave.lake.precedence` chooses;
- ``raw_readings``: every row that came in, with the `layer` it stands in (``journal`` for those not in the lake yet);
- ``events``: one row an event, chosen likewise;
- ``frames``: what went over the wire;
- ``quantities``: what the numbers in the column `quantity` mean;
- the tables that the caller hands in.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from meterweave.lake.errors import QueryError
from meterweave.lake.kind import Kind
from meterweave.lake.layout import LAYOUTS
from meterweave.lake.question import check, locked_engine
from meterweave.lake.remembered import Origin, Question, Remembered
from meterweave.lake.settings import LakeSettings
from meterweave.lake.version import Scope, Version, Versions
from meterweave.lake.views import views
from meterweave.metering.quantities import quantities

_BATCH_ROWS = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Questions:
    """Answers questions about one lake; any thread may ask.

    Parameters
    ----------
    folder : Path
        The lake's; its tables may be missing as long as nothing was committed.
    journals : Path
        The folder of the journals that are committed to it.
    """

    def __init__(self, folder: Path, journals: Path, settings: LakeSettings | None = None) -> None:
        self._settings = settings or LakeSettings()
        self._versions = Versions(folder, journals, self._settings)
        self._engine = locked_engine([folder / layout.folder for layout in LAYOUTS.values()], self._settings)
        self._quantities = _quantity_table()
        self._remembered = Remembered(self._settings.remembered_octets_max)

    def ask(
        self,
        sql: str,
        *,
        tables: Mapping[str, pa.Table] | None = None,
        scope: Scope | None = None,
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
        scope : Scope, optional
            A question about few days of many is faster with it. The views hold no other days; of the rest of the scope
            the question itself must say it too.
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
            # A view that is not named in the question is not made: decoding the tail of frames is not free.
            kinds = [kind for kind in Kind if kind in sql.lower()]
            for name, select in self._views(cursor, kinds, scope or Scope()).items():
                if name in sql.lower():
                    cursor.execute(f"CREATE TEMP VIEW {name} AS {select}")
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
        return self._ask_ours(
            Kind.READINGS,
            "SELECT quantity, profile, ts, value, quality, source FROM readings "
            f"WHERE meter = {int(meter)} ORDER BY quantity, profile, ts",
            Scope((first, last), meter),
        )

    def meter_days(self, meter: int, first: date, last: date) -> pa.Table:
        """All readings of one meter of the local days `first` to `last`, by quantity, profile and time.

        Columns as `meter_month`, and `received`. What did not change since it was asked for last is not read again.

        Raises
        ------
        QueryError, CommitError, JournalError
            As `ask`.
        """
        (version,) = self._versions.of([Kind.READINGS], Scope((first, last), int(meter)))
        question = Question(int(meter), first.toordinal(), last.toordinal())
        origin = Origin(tuple(file.path for file in version.files), version.tail)
        found = self._remembered.find(question, origin)
        if found is None:
            found = self._answer(
                version,
                "SELECT quantity, profile, ts, value, quality, source, received FROM readings "
                f"WHERE meter = {int(meter)} ORDER BY quantity, profile, ts",
            )
            self._remembered.keep(question, origin, found)
        return found

    def stream_day(
        self, day: date, *, meters: pa.Array | None, profiles: Sequence[int], quantities: Sequence[int]
    ) -> Iterator[pa.RecordBatch]:
        """The readings of many meters of one local day, in no particular order, a bounded batch at a time.

        Parameters
        ----------
        meters : int64 array, optional
            Ids; without it, of all meters.
        profiles, quantities : sequence of int
            Only these; none: all.

        Raises
        ------
        QueryError, CommitError, JournalError
            As `ask`.
        """
        (version,) = self._versions.of([Kind.READINGS], Scope((day, day)))
        where = [f"day = DATE '{day.isoformat()}'"]
        where += [f"profile IN ({_numbers(profiles)})"] if profiles else []
        where += [f"quantity IN ({_numbers(quantities)})"] if quantities else []
        where += ["meter IN (SELECT id FROM wanted_meters)"] if meters is not None else []
        cursor = self._engine.cursor()
        try:
            if meters is not None:
                cursor.register("wanted_meters", pa.table({"id": meters}))
            cursor.register(_tail_name(version), version.tail)
            rows = views(version, _tail_name(version))[Kind.READINGS]
            asked = f"SELECT meter, quantity, profile, ts, value, quality, source FROM ({rows}) WHERE " + " AND ".join(
                where
            )
            yield from cursor.sql(asked).to_arrow_reader(_BATCH_ROWS)
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryError(str(error)) from error
        finally:
            cursor.close()

    def frames_of(self, terminal: int, received: datetime) -> pa.Table:
        """The frames of a terminal that carry one moment of receipt: those that brought the readings with the same.

        Raises
        ------
        QueryError, CommitError, JournalError
            As `ask`.
        """
        received_us = (received - _EPOCH) // timedelta(microseconds=1)
        return self._ask_ours(
            Kind.FRAMES,
            "SELECT direction, protocol, octets FROM frames "
            f"WHERE terminal = {int(terminal)} AND received = make_timestamptz({received_us})",
            Scope(owner=terminal, received_us=received_us),
        )

    def close(self) -> None:
        """Let go of journals and engine."""
        self._versions.close()
        self._engine.close()

    def _ask_ours(self, kind: Kind, sql: str, scope: Scope) -> pa.Table:
        """The answer to a question of our own, which needs no check and whose scope bounds it.

        As few calls as possible: each lets go of the interpreter's lock and, beside a busy event loop, waits for it.
        """
        (version,) = self._versions.of([kind], scope)
        return self._answer(version, sql)

    def _answer(self, version: Version, sql: str) -> pa.Table:
        """The answer to a question of our own about one kind of rows of one version."""
        cursor = self._engine.cursor()
        try:
            kind, tail = version.layout.kind, _tail_name(version)
            cursor.register(tail, version.tail)
            return cursor.sql(f"WITH {kind} AS ({views(version, tail)[kind]}) {sql}").to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
        finally:
            cursor.close()

    def _views(self, cursor: duckdb.DuckDBPyConnection, kinds: Collection[Kind], scope: Scope) -> dict[str, str]:
        """The SELECT of each view of one version."""
        selects: dict[str, str] = {}
        for version in self._versions.of(kinds, scope):
            tail = _tail_name(version)
            cursor.register(tail, version.tail)
            selects |= views(version, tail)
        return selects

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


def _tail_name(version: Version) -> str:
    return f"journal_{version.layout.kind}"


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(str(int(one)) for one in numbers)


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
