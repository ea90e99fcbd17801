"""Consumption from registers at size: a month of daily readings of many meters, in memory and out of a lake.

Run: ``python -m benchmarks.consumption [--meters N] [--lake-meters N] [--json FILE]``. One meter in fifty is exchanged
in the month, one in fifty has a current transformer, one reading in a hundred is missing, one in a hundred came twice.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from meterweave.lake import Lake
from meterweave.mdm import (
    SINCE_EVER_US,
    STILL_THERE_US,
    Ratios,
    Register,
    Spans,
    consumption,
    consumption_of,
    local_days,
)
from meterweave.metering.batch import SCHEMA, Profile, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import quantities
from meterweave.registry import Registry

IMPORT = quantities()["1-0:1.8.0"]
DAYS = local_days(date(2026, 5, 1), date(2026, 5, 31), SHANGHAI)
METERS_AT_ONCE = 60_000  # with 32 readings each, what the lake is asked for at once


class Result(NamedTuple):
    """One row of the table."""

    name: str
    value: float
    unit: str


def readings(meters: np.ndarray, seed: int) -> pa.Table:
    """A reading a meter and midnight, in the order of the packets that brought them: by day."""
    rng = np.random.default_rng(seed)
    used = rng.integers(0, 200_000, (len(DAYS), len(meters)))
    value = (rng.integers(0, 10**10, len(meters)) + np.cumsum(used, axis=0)) % 10**10
    rows = np.flatnonzero(rng.random(value.size) >= 0.01)
    rows = np.concatenate([rows, rng.choice(rows, len(rows) // 100)])
    columns = {
        "meter": np.tile(meters, len(DAYS))[rows],
        "quantity": np.full(len(rows), IMPORT.code, np.int32),
        "profile": np.full(len(rows), Profile.DAILY, np.int8),
        "ts": np.repeat(DAYS, len(meters))[rows],
        "value": value.ravel()[rows],
        "quality": np.zeros(len(rows), np.int32),
        "source": np.full(len(rows), Source.PUSHED, np.int8),
        "received": np.repeat(DAYS, len(meters))[rows] + 3_600_000_000,
    }
    return pa.table([pa.array(columns[field.name]).cast(field.type) for field in SCHEMA], schema=SCHEMA)


def history(meters: np.ndarray) -> Spans:
    """A usage point a meter; of every fiftieth pair, one meter follows the other on one."""
    rows = []
    for meter in meters.tolist():
        if meter % 100 == 0:
            rows.append((meter, meter, SINCE_EVER_US, int(DAYS[15])))
            rows.append((meter, meter + 1, int(DAYS[15]), STILL_THERE_US))
        elif meter % 100 != 1:
            rows.append((meter, meter, SINCE_EVER_US, STILL_THERE_US))
    return Spans.of(rows)


def in_memory(meters: int) -> list[Result]:
    """The pure function, without the time to make what it is fed."""
    seconds, rows, cells = 0.0, 0, 0
    for first in range(0, meters, METERS_AT_ONCE):
        some = np.arange(first, min(first + METERS_AT_ONCE, meters))
        table, spans = readings(some, first), history(some)
        ratios = Ratios.of([(meter, SINCE_EVER_US, Fraction(200, 3)) for meter in some[::50].tolist()])
        begin = time.perf_counter()
        found = consumption(table, spans, DAYS, register=Register(rollover_at=10**10), ratios=ratios)
        seconds += time.perf_counter() - begin
        rows, cells = rows + table.num_rows, cells + found.value.size
    return [
        Result("meters in memory", meters, "1"),
        Result("readings", rows, "1"),
        Result("days of usage points", cells, "1"),
        Result("time", seconds, "s"),
        Result("readings a second", rows / seconds, "1/s"),
    ]


def out_of_a_lake(meters: int) -> list[Result]:
    """`consumption_of` over a lake that holds the month."""
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry.open(Path(folder) / "registry.sqlite")
        with Lake.open(Path(folder) / "lake", maintain=False) as lake:
            for batch in readings(np.arange(meters), 0).to_batches(max_chunksize=100_000):
                lake.append_blocking(batch)
            lake.commit()
            begin = time.perf_counter()
            found = consumption_of(lake, registry, IMPORT, DAYS, meters=range(meters))
            seconds = time.perf_counter() - begin
        registry.close()
    return [
        Result("meters out of a lake", meters, "1"),
        Result("rows of the answer", found.num_rows, "1"),
        Result("time", seconds, "s"),
    ]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=1_000_000)
    parser.add_argument("--lake-meters", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    results = in_memory(asked.meters) + (out_of_a_lake(asked.lake_meters) if asked.lake_meters else [])
    results.append(Result("memory at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB"))
    table = Table("what", "value", "unit")
    for one in results:
        table.add_row(one.name, f"{one.value:,.2f}" if one.value < 100 else f"{one.value:,.0f}", one.unit)
    Console().print(table)
    if asked.json:
        asked.json.write_text(json.dumps([one._asdict() for one in results], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
