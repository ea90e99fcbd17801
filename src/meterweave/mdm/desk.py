"""Where readings are entered: into the archives, with who and when, and into the lake, where all others are.

The archives come first and say what counts. What the lake does not have of them is found by asking it, not by
remembering: an entry that was interrupted in between is completed by making it again, or by whatever is entered next.
The lake is written through a journal of its own, so all this works beside a running centre.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.lake import CommitError, JournalError, Lake, LakeError, LakeSettings
from meterweave.lake.days import local_days
from meterweave.metering.batch import SCHEMA, Profile, Quality, Source
from meterweave.registry import Registry
from meterweave.registry.changes import ArchiveSession
from meterweave.registry.entered import (
    EntryReport,
    Kept,
    Key,
    Point,
    Terms,
    import_exchanges,
    import_readings,
    recent,
)
from meterweave.registry.importing import ImportLimits

JOURNAL = "entered"
"""The name of the journal of entered readings."""

WAIT_S = 30.0
"""How long another who enters readings is waited for. [s] The largest import holds the journal for about that."""

REACH = timedelta(days=62)
"""How far about an instant readings that came in otherwise are looked for."""

_LOOK_EVERY_S = 0.1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Desk:
    """Archives and lake, to enter readings into both; blocks.

    Attributes
    ----------
    registry : Registry
        The archives.
    folder : Path
        The lake's; made if it is not there.
    settings : LakeSettings
        Of the lake.
    """

    registry: Registry
    folder: Path
    settings: LakeSettings

    def import_octets(
        self, octets: bytes, name: str, terms: Terms, *, limits: ImportLimits | None = None
    ) -> EntryReport:
        """Enter a file of readings, see `meterweave.registry.entered.import_readings`.

        Raises
        ------
        RegistryBusy, LakeError
            If archives or lake cannot be written just now; after a `LakeError` the same again completes it.
        """
        if terms.check:
            with self._to_look() as lake:
                return import_readings(self.registry, octets, name, terms, partial(about, lake), limits=limits)
        with self.lake() as lake:
            report = import_readings(self.registry, octets, name, terms, partial(about, lake), limits=limits)
            deliver(lake, report.kept)
        return report

    def exchange_octets(
        self, octets: bytes, name: str, terms: Terms, *, limits: ImportLimits | None = None
    ) -> EntryReport:
        """Exchange the meters of a file, see `meterweave.registry.entered.import_exchanges`.

        Raises
        ------
        RegistryBusy, LakeError
            As `import_octets`.
        """
        if terms.check:
            with self._to_look() as lake:
                return import_exchanges(self.registry, octets, name, terms, partial(about, lake), limits=limits)
        with self.lake() as lake:
            report = import_exchanges(self.registry, octets, name, terms, partial(about, lake), limits=limits)
            deliver(lake, report.kept)
        return report

    def enter(self, write: Callable[[ArchiveSession, Lake], tuple[Result, Sequence[Kept]]]) -> Result:
        """Do what `write` does in one transaction of the archives, and bring the readings that it keeps into the lake.

        Raises
        ------
        MeterweaveError
            Whatever `write` raises, then nothing is changed; else as `import_octets`.
        """
        with self.lake() as lake:
            with self.registry.writing() as session:
                result, kept = write(session, lake)
            deliver(lake, kept)
        return result

    @contextmanager
    def lake(self) -> Iterator[Lake]:
        """The lake, for entered readings, with all there were; whoever has it already is waited for.

        Raises
        ------
        LakeError
            If it cannot be opened, or somebody else enters readings for longer than `WAIT_S`.
        """
        lake = self._opened()
        try:
            with self.registry.reading() as session:
                kept = recent(session)
            _bring(lake, kept)
            yield lake
        finally:
            lake.close()

    def _to_look(self) -> Lake:
        return Lake.open(self.folder, self.settings, write=False)

    def _opened(self) -> Lake:
        patience = time.monotonic() + WAIT_S
        while True:
            try:
                return Lake.open(self.folder, self.settings, journal=JOURNAL, maintain=False)
            except JournalError as error:
                if not isinstance(error.__cause__, BlockingIOError) or time.monotonic() > patience:
                    raise
            time.sleep(_LOOK_EVERY_S)


def deliver(lake: Lake, kept: Sequence[Kept]) -> int:
    """Bring readings of the archives into the lake, as far as they are not there; how many were not.

    Raises
    ------
    LakeError
        If the lake cannot take them; they are in the archives.
    """
    try:
        return _bring(lake, kept)
    except LakeError as error:
        raise LakeError(
            f"the archives have the readings, the lake has not all of them yet ({error}); enter the same again"
        ) from error


def _bring(lake: Lake, kept: Sequence[Kept]) -> int:
    if not kept:
        return 0
    missing = _missing(lake, _rows(kept))
    count: int = missing.num_rows
    if count:
        lake.append_blocking(missing)
    try:
        lake.commit()
    except CommitError:
        # They are safe in the journal, from where questions see them; whoever enters next commits them.
        return count
    return count


def about(
    lake: Lake, asked: Sequence[tuple[int, int, datetime]], since: datetime | None = None
) -> Mapping[Key, Sequence[Point]]:
    """Of registers the last reading before an instant, that at it, and the first after it, which nobody entered.

    Parameters
    ----------
    asked : sequence of (meter, quantity, instant)
        A register may be asked for at several instants.
    since : datetime, optional
        Since when to look, where that is longer than `REACH`.

    Raises
    ------
    LakeError
        If the lake cannot answer.
    """
    if not asked:
        return {}
    meters, quantities, instants = zip(*asked, strict=True)
    us = np.array([_us(one) for one in instants], np.int64)
    reach = REACH // _MICROSECOND
    first_us = min(int(us.min()) - reach, int(us.min()) if since is None else _us(since))
    wanted = pa.table(
        {
            "meter": pa.array(meters, pa.int64()),
            "quantity": pa.array(quantities, pa.int32()),
            "instant": pa.array(us).cast(SCHEMA.field("ts").type),
            "place": np.arange(len(asked)),
        }
    )
    found = lake.query(
        "SELECT r.meter, r.quantity, max(ts) FILTER (ts < instant) AS before, "
        "arg_max(value, ts) FILTER (ts < instant) AS stood, min(ts) FILTER (ts > instant) AS after, "
        "arg_min(value, ts) FILTER (ts > instant) AS stands, max(ts) FILTER (ts = instant) AS at, "
        "arg_max(value, received) FILTER (ts = instant) AS said "
        "FROM readings AS r JOIN wanted AS w ON r.meter = w.meter AND r.quantity = w.quantity "
        f"WHERE r.meter BETWEEN {min(meters)} AND {max(meters)} AND value IS NOT NULL "
        f"AND source NOT IN ({Source.ENTERED:d}, {Source.ESTIMATED:d}) AND quality & {Quality.TIME_INVALID:d} = 0 "
        "GROUP BY place, r.meter, r.quantity",
        tables={"wanted": wanted},
        days=_days(np.array([first_us, int(us.max()) + reach]), lake),
    )
    points: defaultdict[Key, set[Point]] = defaultdict(set)
    for row in found.to_pylist():
        three = ((row["before"], row["stood"]), (row["at"], row["said"]), (row["after"], row["stands"]))
        points[row["meter"], row["quantity"]] |= {Point(ts, value) for ts, value in three if ts is not None}
    return {key: sorted(some) for key, some in points.items()}


def _rows(kept: Sequence[Kept]) -> pa.RecordBatch:
    columns = {
        "meter": [one.entry.meter for one in kept],
        "quantity": [one.entry.quantity for one in kept],
        "profile": [Profile.SPOT] * len(kept),
        "ts": [one.entry.ts for one in kept],
        "value": [one.entry.value for one in kept],
        "quality": [Quality.WITHDRAWN if one.withdrawn else Quality.GOOD for one in kept],
        "source": [Source.ESTIMATED if one.entry.estimated else Source.ENTERED for one in kept],
        "received": [one.entered_at for one in kept],
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[one.name], one.type) for one in SCHEMA], schema=SCHEMA)


def _missing(lake: Lake, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Those of `rows` that the lake does not have, to the microsecond in which they were entered."""
    names = ("meter", "quantity", "ts", "value", "source", "received")
    same = " AND ".join(f"r.{name} = w.{name}" for name in names)
    ids = np.asarray(rows.column("meter"))
    days = _days(np.asarray(rows.column("ts").cast(pa.int64())), lake)
    numbered = pa.table({"place": np.arange(rows.num_rows), **{name: rows.column(name) for name in names}})
    found = lake.query(
        f"SELECT DISTINCT w.place FROM raw_readings AS r JOIN wanted AS w ON {same} "
        f"WHERE r.profile = {Profile.SPOT:d} AND r.source IN ({Source.ENTERED:d}, {Source.ESTIMATED:d}) "
        f"AND r.meter BETWEEN {ids.min()} AND {ids.max()}",
        tables={"wanted": numbered},
        days=days,
    )
    there = np.zeros(rows.num_rows, np.bool_)
    there[found.column("place").to_numpy()] = True
    return rows.filter(pa.array(~there))


def _days(instants: NDArray[np.int64], lake: Lake) -> tuple[date, date]:
    """The local days of the first and the last of some instants."""
    ends = np.array([instants.min(), instants.max()], np.int64)
    first, last = local_days(ends, lake.settings.zone).astype("datetime64[D]").tolist()
    return first, last


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
