"""What journal and lake carry on this machine, with real fsyncs on a real disk.

Run: ``python -m benchmarks.lake [--rows N] [--seconds S] [--data DIR] [--json FILE]``. The lake holds 15-minute
readings of four quantities (register, power, current, voltage), 20 meters a packet, made from a seed; `--rows` says how
many. The latencies are those of callers: from handing a batch in to knowing that it is on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from meterweave.lake import FRAMES_SCHEMA, Lake, LakeSettings
from meterweave.lake.days import day_span_us
from meterweave.lake.lake import table_path
from meterweave.lake.layout import KEPT
from meterweave.lake.maintenance import Maintenance
from meterweave.lake.table import LakeTable
from meterweave.metering.batch import SCHEMA, Profile, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_code

QUANTITIES = tuple(obis_code(one) for one in ("1-0:1.8.0", "1-0:16.7.0", "1-0:31.7.0", "1-0:32.7.0"))
FIRST_DAY = date(2026, 6, 1)
DAYS = 30
POINTS = 96
FEEDS_PER_S = 20  # one caller waits for at least `group_interval_s` each time
_QUARTER_US = 900_000_000


class Result(NamedTuple):
    """One row of the table."""

    name: str
    value: float
    unit: str
    wanted: str = ""


class Sender(NamedTuple):
    """Who brings readings, and when."""

    name: str
    meters_a_packet: int
    delay_s: tuple[float, float]  # earliest and latest of the packet's mean delay
    jitter_s: float


CONCENTRATOR = Sender("packets of 20 meters", 20, (30, 600), 1)
ALONE = Sender("each meter alone at a random moment", 1, (0, 900), 0)


def household_day(meters: int, day: date, seed: int, sender: Sender = CONCENTRATOR) -> pa.Table:
    """One local day of `meters` households in the order in which packets bring it.

    Steps are those of real meters: 0.01 kWh, 0.1 W, 1 mA, 0.1 V. Power wanders by 20 % around a daily shape.
    """
    chance = np.random.default_rng(seed)
    start_us, _ = day_span_us(day, day, SHANGHAI)
    ts = start_us + np.arange(POINTS) * _QUARTER_US
    hour = np.arange(POINTS) / 4
    shape = 0.35 + 0.25 * np.exp(-((hour - 8) ** 2) / 3) + 0.6 * np.exp(-((hour - 20) ** 2) / 5)
    size_w = chance.lognormal(6.2, 0.7, meters)[:, None]
    power_w = size_w * shape * (1 + 0.2 * chance.standard_normal((meters, POINTS)))
    power_w = np.maximum(power_w + (chance.random(power_w.shape) < 0.05) * 2000, 0)
    register = chance.integers(0, 5_000_000, meters)[:, None] + np.cumsum(power_w / 4e3 * 100, axis=1)
    volts = 230 + chance.normal(0, 2, (meters, 1)) + np.cumsum(chance.normal(0, 0.15, power_w.shape), axis=1)
    values = [
        np.floor(register) * 100,
        np.rint(power_w * 10),
        np.rint(power_w / volts * 1000),
        np.rint(volts * 10) * 10,
    ]
    packets = -(-meters // sender.meters_a_packet)
    # A concentrator has its place in the quarter hour; a meter without jitter takes a new one each time.
    places = (packets, 1 if sender.jitter_s else POINTS)
    delay_s = chance.uniform(*sender.delay_s, places) + chance.normal(0, sender.jitter_s, (packets, POINTS))
    received = np.repeat((ts + delay_s * 1e6).astype(np.int64), sender.meters_a_packet, axis=0)[:meters]
    count = meters * POINTS
    shape_of = (POINTS, meters, len(QUANTITIES))
    columns: list[NDArray[np.integer]] = [
        np.broadcast_to(np.arange(1, meters + 1)[None, :, None], shape_of),
        np.broadcast_to(np.array(QUANTITIES, np.int32), shape_of),
        np.full(shape_of, Profile.CURVE, np.int8),
        np.broadcast_to(ts[:, None, None], shape_of),
        np.stack(values, axis=2).transpose(1, 0, 2).astype(np.int64),
        np.zeros(shape_of, np.int32),
        np.full(shape_of, Source.PUSHED, np.int8),
        np.broadcast_to(received.T[:, :, None], shape_of),
    ]
    flat = [pa.array(column.reshape(count * len(QUANTITIES))) for column in columns]
    return pa.table([column.cast(field.type) for column, field in zip(flat, SCHEMA, strict=True)], SCHEMA)


def pieces(rows: pa.Table, size: int) -> list[pa.RecordBatch]:
    batch = rows.combine_chunks().to_batches()[0]
    return [batch.slice(at, size) for at in range(0, batch.num_rows - size + 1, size)]


def percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(np.array(values), share * 100))


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _append_for(lake: Lake, batches: Sequence[pa.RecordBatch], callers: int, seconds: float) -> list[float]:
    """Callers that hand in one batch after the other; the time each batch took. [s]"""
    end = time.perf_counter() + seconds
    took: list[float] = []

    async def caller(number: int) -> None:
        at = number
        while (begun := time.perf_counter()) < end:
            await lake.append(batches[at % len(batches)])
            took.append(time.perf_counter() - begun)
            at += callers

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return took


def measure_append(folder: Path, seconds: float) -> list[Result]:
    """Through the asyncio face to the journal's fsync, with the lake taking it all in meanwhile."""
    results = []
    day = household_day(500, FIRST_DAY, 1)
    for size, callers in ((1, 1), (1, 1000), (100, 100)):
        batches = pieces(day.slice(0, 40_000 if size == 1 else day.num_rows), size)
        with Lake.open(folder / f"append{size}x{callers}", maintain=False) as lake:
            used = cpu_seconds()
            begun = time.perf_counter()
            took = asyncio.run(_append_for(lake, batches, callers, seconds))
            wall = time.perf_counter() - begun
            used = cpu_seconds() - used
            held = lake.status().writer.rows_held
        name = f"{size}-row batches, {callers} callers"
        results += [
            Result(f"{name}: acknowledged", len(took) * size / wall, "rows/s"),
            Result(f"{name}: time to acknowledge, p50", percentile(took, 0.5) * 1e3, "ms"),
            Result(f"{name}: time to acknowledge, p99", percentile(took, 0.99) * 1e3, "ms"),
            Result(f"{name}: CPU, commits to the lake included", used / (len(took) * size) * 1e6, "s per million rows"),
            Result(f"{name}: not in the lake yet at the end", held, "rows"),
        ]
    return results


def measure_commit(folder: Path) -> list[Result]:
    """Journal to Delta alone: decode, sort, encode, fsync, commit, trim."""
    idle = LakeSettings(commit_interval_s=3600, commit_rows_max=1_000_000_000)
    with Lake.open(folder / "commit", idle, maintain=False) as lake:
        for seed in range(4):
            for batch in pieces(household_day(2500, FIRST_DAY, seed), 20_000):
                lake.append_blocking(batch)
    with Lake.open(folder / "commit", LakeSettings(commit_interval_s=3600), maintain=False) as lake:
        begun, used = time.perf_counter(), cpu_seconds()
        rows = lake.commit()
        wall, used = time.perf_counter() - begun, cpu_seconds() - used
    return [
        Result("journal to lake", rows / wall, "rows/s"),
        Result("journal to lake, CPU", used / rows * 1e6, "s per million rows"),
    ]


def measure_disk(folder: Path) -> list[Result]:
    """Octets a reading of a settled day, by who sends."""
    results = []
    for sender in (CONCENTRATOR, ALONE):
        lake = folder / f"disk{sender.meters_a_packet}"
        table = LakeTable.create(table_path(lake), SHANGHAI)
        table.append(household_day(2000, FIRST_DAY, 1, sender), application="benchmark", version=1)
        Maintenance(lake).run_once(datetime(2026, 12, 1, tzinfo=UTC))
        table.refresh()
        kept = [file for file in table.snapshot().files if file.layer == KEPT]
        share = sum(file.octets for file in kept) / sum(file.rows for file in kept)
        results.append(Result(f"on disk after settling, {sender.name}", share, "octets/reading", "<= 3"))
    return results


def measure_frames(folder: Path) -> list[Result]:
    """What archiving the frames adds: ticks of 300 readings, each with its frame, beside the same without."""
    tick, ticks = 300, 1000
    chance = np.random.default_rng(1)
    octets = chance.bytes(70)  # what all frames share, and 30 octets that are each one's own
    rows = pieces(household_day(1000, FIRST_DAY, 1), tick)
    wires = [
        pa.RecordBatch.from_arrays(
            [
                pa.array(np.arange(tick) * 7 % 50),
                pa.array(np.full(tick, number * 5000)).cast(FRAMES_SCHEMA.field("received").type),
                pa.array(np.zeros(tick, np.int8)),
                pa.repeat("dlt698", tick),
                pa.array([octets + chance.bytes(30) for _ in range(tick)]),
            ],
            schema=FRAMES_SCHEMA,
        )
        for number in range(ticks)
    ]
    used_s = []
    for archived in (False, True):
        with Lake.open(folder / f"frames{archived}", maintain=False) as lake:
            begun = cpu_seconds()
            for number in range(ticks):
                lake.append_blocking(rows[number % len(rows)], frames=wires[number] if archived else None)
            lake.commit()
            used_s.append(cpu_seconds() - begun)
    each = (used_s[1] - used_s[0]) / (tick * ticks) * 1e6
    return [Result("archiving frames of 100 octets, CPU, journal and lake", each, "s per million frames")]


def build(folder: Path, rows: int) -> list[Result]:
    """A month of settled days with about `rows` rows."""
    meters = max(rows // (DAYS * POINTS * len(QUANTITIES)), 20)
    table = LakeTable.create(table_path(folder), SHANGHAI)
    maintenance = Maintenance(table.path.parent)
    settling = 0.0
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        table.append(household_day(meters, day, number), application="benchmark", version=number + 1)
        begun = time.perf_counter()
        maintenance.run_once(datetime(2026, 12, 1, tzinfo=UTC))
        settling += time.perf_counter() - begun
    table.refresh()
    kept = [file for file in table.snapshot().files if file.layer == KEPT]
    total = sum(file.rows for file in kept)
    return [
        Result("readings in the lake", total, "rows"),
        Result("settling days", total / settling, "rows/s"),
        Result(
            "on disk after settling, the whole lake",
            sum(file.octets for file in kept) / total,
            "octets/reading",
            "<= 3",
        ),
    ]


def measure_months(folder: Path, asked: int, ingest_per_s: int) -> list[Result]:
    """One meter's month, four quantities, meters at random; idle and while readings come in."""
    results = []
    table = LakeTable(table_path(folder), SHANGHAI)
    meters = max(file.owners[1] for file in table.snapshot().files)
    with Lake.open(folder) as lake:
        for name, rate in (("idle", 0), (f"with {ingest_per_s:,} readings/s coming in", ingest_per_s)):
            stop = threading.Event()
            feeder = threading.Thread(target=_feed, args=(lake, rate, stop))
            if rate:
                feeder.start()
                time.sleep(5)
            chance = random.Random(7)
            lake.meter_month(1, 2026, 6)
            took = []
            before = lake.status().writer.rows
            begun, used = time.perf_counter(), cpu_seconds()
            for _ in range(asked):
                once = time.perf_counter()
                month = lake.meter_month(chance.randrange(1, meters + 1), 2026, 6)
                took.append(time.perf_counter() - once)
                assert month.num_rows == DAYS * POINTS * len(QUANTITIES)
                time.sleep(0.02)
            came = (lake.status().writer.rows - before) / (time.perf_counter() - begun)
            used = (cpu_seconds() - used) / asked
            stop.set()
            if not rate:
                results.append(Result("a meter's month, CPU", used * 1e3, "ms"))
            else:
                feeder.join()
                results.append(Result("  readings that came in meanwhile", came, "rows/s"))
            for share in (0.5, 0.95, 0.99):
                wanted = "<= 100" if share == 0.95 else ""
                results.append(
                    Result(f"a meter's month, {name}, p{share * 100:.0f}", percentile(took, share) * 1e3, "ms", wanted)
                )
    return results


def _feed(lake: Lake, rate: int, stop: threading.Event) -> None:
    """`rate` readings a second, of the day after the month; as many at a time as one caller gets acknowledged."""
    size = rate // FEEDS_PER_S
    batches = pieces(household_day(2000, FIRST_DAY + timedelta(days=DAYS), 99), size)
    begun, sent = time.perf_counter(), 0
    while not stop.is_set():
        lake.append_blocking(batches[sent % len(batches)])
        sent += 1
        ahead = sent * size / rate - (time.perf_counter() - begun)
        if ahead > 0:
            time.sleep(ahead)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="readings in the lake that is asked")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each append case runs")
    parser.add_argument("--asked", type=int, default=200, help="months asked for in each case")
    parser.add_argument("--quick", action="store_true", help="small numbers that only show that it runs")
    parser.add_argument("--data", type=Path, help="where to work; what is there is kept and used again")
    parser.add_argument("--json", type=Path, help="write the results here too")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rows, chosen.seconds, chosen.asked = 500_000, 0.5, 20
    load = os.getloadavg()[0]
    folder = chosen.data or Path(tempfile.mkdtemp(prefix="meterweave-lake-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        results = measure_append(folder, chosen.seconds) + measure_commit(folder)
        results += measure_disk(folder) + measure_frames(folder)
        for name in (path for part in ("append*", "commit", "disk*", "frames*") for path in folder.glob(part)):
            shutil.rmtree(name)
        town = folder / "town"
        results += [] if town.exists() else build(town, chosen.rows)
        results += measure_months(town, chosen.asked, 100_000)
    finally:
        if chosen.data is None:
            shutil.rmtree(folder)
    shown = Table("what", "measured", "unit", "wanted", title=f"load average before: {load:.1f}")
    for result in results:
        text = f"{result.value:,.0f}" if result.value >= 100 else f"{result.value:.2f}"
        shown.add_row(result.name, text, result.unit, result.wanted)
    Console().print(shown)
    if chosen.json:
        chosen.json.write_text(json.dumps([result._asdict() for result in results], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
