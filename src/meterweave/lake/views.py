"""The views of a question, over one version of the lake: its files and the journal's rows that are not in it yet."""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.lake.kind import Kind
from meterweave.lake.layout import KEPT, NEW, SUPERSEDED, Layout
from meterweave.lake.precedence import EVENT_KEY, EVENT_SQL, KEY, SQL
from meterweave.lake.table import DataFile
from meterweave.lake.version import Version

READINGS, RAW_READINGS = "readings", "raw_readings"


def views(version: Version, tail: str) -> dict[str, str]:
    """The SELECT of each view over one kind of rows; `tail` is the name under which the journal's rows are known."""
    return _MAKERS[version.layout.kind](version, tail)


def _readings(version: Version, tail: str) -> dict[str, str]:
    """Days that hold nothing but kept rows are read as they are. Of the others, kept, new and tail rows go through the
    choice of the reading together; a filter on key columns reaches the files through it.
    """
    columns = _columns(version.layout)
    unsettled = {file.day for file in version.files if file.layer == NEW}
    unsettled |= {day.as_py() for day in version.tail.column("day").unique()}
    settled = [file for file in version.files if file.layer == KEPT and file.day not in unsettled]
    contested = [file for file in version.files if file.layer != SUPERSEDED and file.day in unsettled]
    open_rows = _union(_scan(version, contested, columns), f"SELECT {columns} FROM {tail}")
    # Planning a choice among nothing takes milliseconds too.
    choice = _first(columns, open_rows, ("day", *KEY), SQL) if unsettled or not settled else ""
    every = _union(
        _scan(version, version.files, f"{columns}, layer"), f"SELECT {columns}, 'journal' AS layer FROM {tail}"
    )
    return {READINGS: _union(_scan(version, settled, columns), choice), RAW_READINGS: every}


def _events(version: Version, tail: str) -> dict[str, str]:
    columns = _columns(version.layout)
    rows = _union(_scan(version, version.files, columns), f"SELECT {columns} FROM {tail}")
    if version.span_us is not None:  # the files are of whole months
        start_us, end_us = version.span_us
        rows = f"SELECT * FROM ({rows}) WHERE ts >= make_timestamptz({start_us}) AND ts < make_timestamptz({end_us})"
    return {"events": _first(columns, rows, ("month", *EVENT_KEY), EVENT_SQL)}


def _frames(version: Version, tail: str) -> dict[str, str]:
    columns = _columns(version.layout)
    return {"frames": _union(_scan(version, version.files, columns), f"SELECT {columns} FROM {tail}")}


_MAKERS = {Kind.READINGS: _readings, Kind.EVENTS: _events, Kind.FRAMES: _frames}


def _columns(layout: Layout) -> str:
    return ", ".join(layout.view_schema.names)


def _first(columns: str, rows: str, key: Sequence[str], order: str) -> str:
    """Of each key the row that comes first."""
    return (
        f"SELECT {columns} FROM ({rows}) QUALIFY row_number() OVER (PARTITION BY {', '.join(key)} ORDER BY {order}) = 1"
    )


def _union(*selects: str) -> str:
    return " UNION ALL ".join(select for select in selects if select)


def _scan(version: Version, files: Sequence[DataFile], columns: str) -> str:
    if not files:
        return ""
    names = ", ".join("'" + str((version.folder / file.path).absolute()).replace("'", "''") + "'" for file in files)
    period, *others = version.layout.partitions
    types = ", ".join([f"'{period}': DATE", *(f"'{other}': VARCHAR" for other in others)])
    return f"SELECT {columns} FROM read_parquet([{names}], hive_partitioning = true, hive_types = {{{types}}})"
