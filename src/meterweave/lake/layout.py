"""How rows of each kind are filed: which folder, by which days or months, in which order and encoding.

========= ============ ============================ =================================================================
kind      folder       parted by                    order in a file
========= ============ ============================ =================================================================
readings  raw_readings local `day` of `ts`, `layer` bands of meters, see `meterweave.lake.precedence.in_bands`
events    events       local `month` of `ts`        terminal, then `ts`
frames    frames       local `day` of `received`    terminal, then `received`
========= ============ ============================ =================================================================

Events are few, so a month of them is a file or two; there are as many frames as packets, and they go a day at a time.

Encodings were chosen by measurement, see ``docs/reference/lake-schema.md``, among those that every reader of Parquet
knows: dictionaries where few values repeat, plain or differences where they do not, zstd over all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.lake.days import local_days
from meterweave.lake.kind import EVENTS_SCHEMA, FRAMES_SCHEMA, Kind
from meterweave.lake.precedence import in_bands, sort_order, taken
from meterweave.metering.batch import SCHEMA

NEW, KEPT, SUPERSEDED = "new", "kept", "superseded"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one table is filed."""

    kind: Kind
    folder: str
    schema: pa.Schema
    period: str
    """The partition column: ``day`` or ``month``."""
    clock: str
    """The column whose time says which day or month."""
    layered: bool
    """Whether `layer` is a second partition column."""
    owner: str
    """The column whose bounds `DataFile.owners` has."""
    statistics: tuple[str, ...]
    """Columns with bounds in the files and in Delta's log."""
    encodings: Mapping[str, str]
    """Encodings of the columns that have no dictionary."""
    arrange: Callable[[pa.Table, int], tuple[pa.Table, list[int]]]
    """Rows as they are stored, and the length of each row group; the number is the rows wanted in one."""

    @property
    def partitions(self) -> list[str]:
        """The partition columns."""
        return [self.period, "layer"] if self.layered else [self.period]

    @property
    def table_schema(self) -> pa.Schema:
        """The columns of the files and those of the partitions."""
        schema = self.schema.append(pa.field(self.period, pa.date32(), nullable=False))
        return schema.append(pa.field("layer", pa.string(), nullable=False)) if self.layered else schema

    @property
    def view_schema(self) -> pa.Schema:
        """The columns of the view that questions see: those of the files after the day or month."""
        return self.schema.insert(0, pa.field(self.period, pa.date32(), nullable=False))

    def periods(self, rows: pa.Table, zone: ZoneInfo) -> NDArray[np.int32]:
        """Of each row the local day, or the first day of the local month, in days since 1970-01-01."""
        days = local_days(rows.column(self.clock).cast(pa.int64()).to_numpy(), zone)
        if self.period == "day":
            return days
        return days.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int32)


def _by_terminal(clock: str) -> Callable[[pa.Table, int], tuple[pa.Table, list[int]]]:
    def arrange(table: pa.Table, group_rows: int) -> tuple[pa.Table, list[int]]:
        groups = [min(group_rows, table.num_rows - at) for at in range(0, table.num_rows, group_rows)]
        return taken(table, sort_order(table, ("terminal", clock))), groups

    return arrange


LAYOUTS: Mapping[Kind, Layout] = MappingProxyType(
    {
        layout.kind: layout
        for layout in (
            Layout(
                Kind.READINGS,
                folder="raw_readings",
                schema=SCHEMA,
                period="day",
                clock="ts",
                layered=True,
                owner="meter",
                statistics=("meter", "quantity", "profile", "ts", "received"),
                encodings=MappingProxyType({"value": "PLAIN", "received": "PLAIN"}),
                arrange=in_bands,
            ),
            Layout(
                Kind.EVENTS,
                folder="events",
                schema=EVENTS_SCHEMA,
                period="month",
                clock="ts",
                layered=False,
                owner="terminal",
                statistics=("terminal", "event", "ts", "received"),
                encodings=MappingProxyType({"number": "PLAIN", "detail": "PLAIN"}),
                arrange=_by_terminal("ts"),
            ),
            Layout(
                Kind.FRAMES,
                folder="frames",
                schema=FRAMES_SCHEMA,
                period="day",
                clock="received",
                layered=False,
                owner="terminal",
                statistics=("terminal", "received"),
                encodings=MappingProxyType({"octets": "PLAIN"}),
                arrange=_by_terminal("received"),
            ),
        )
    }
)
