"""An estate to collect from: real archives, a real lake, and a stand-in for the terminals alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlalchemy import select, update

from meterweave.headend.collection import CollectionSettings, Collector
from meterweave.headend.collection.moments import instant_us
from meterweave.headend.operations import Done, NotSent, Operation, Outcome, ReadStored
from meterweave.lake import Lake, LakeSettings
from meterweave.metering.batch import SCHEMA, Profile, Source
from meterweave.metering.quantities import obis_code
from meterweave.registry import Directory, Meter, Registry, Terminal, UsagePoint
from meterweave.registry.address import read_address
from meterweave.registry.collection import CollectionPlan
from meterweave.registry.installation import install
from meterweave.registry.terminal_table import TerminalEntry
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalState, Utility, Wiring
from meterweave.text import Text

from .centre import WAIT_S

ENERGY, VOLTAGE = obis_code("1-0:1.8.0"), obis_code("1-0:32.7.0")
MIDNIGHT = datetime(2026, 6, 10, tzinfo=UTC) - timedelta(hours=8)
"""A midnight in Shanghai."""
DAY_US, HOUR_US, QUARTER_US = 86_400_000_000, 3_600_000_000, 900_000_000
QUICK = CollectionSettings(
    retry_first_s=0.01, attempts_max=3, pause_s=0.01, look_s=0.2, stored_s=0.01, spread_s=0.001, roster_s=0.01
)

Row = tuple[int, int, Profile, int, int | None, Source, int]
"""Meter, quantity, profile, moment, value, source, when received."""


def us(moment: datetime) -> int:
    return instant_us(moment)


def batch(rows: Iterable[Row]) -> pa.RecordBatch:
    listed = list(rows)
    columns = [
        [row[0] for row in listed],
        [row[1] for row in listed],
        [int(row[2]) for row in listed],
        [row[3] for row in listed],
        [row[4] for row in listed],
        [0 if row[4] is not None else 1 for row in listed],
        [int(row[5]) for row in listed],
        [row[6] for row in listed],
    ]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(values, pa.int64()).cast(field.type) if pa.types.is_timestamp(field.type) else
            pa.array(values, field.type)
            for values, field in zip(columns, SCHEMA, strict=True)
        ],
        schema=SCHEMA,
    )  # fmt: skip


def estate(
    registry: Registry,
    *,
    terminals: int = 1,
    meters: int = 2,
    installed: datetime | None = MIDNIGHT - timedelta(days=8),
    wiring: Wiring | None = Wiring.SINGLE_PHASE,
    state: TerminalState = TerminalState.ACTIVE,
    only: tuple[str, ...] = ("electricity-curve",),
) -> dict[int, list[int]]:
    """Terminals with electricity meters behind them; ids by terminal. Of the plans, those not in `only` are off."""
    found: dict[int, list[int]] = {}
    with registry.writing() as session:
        session.execute(update(CollectionPlan).values(enabled=CollectionPlan.name.in_(only)))
        for number in range(terminals):
            terminal = enrol(session, "dlt698", f"{number + 1:012d}", state=state)
            found[terminal.id] = []
            for place in range(meters):
                known = read_address("dlt645", f"{number * 1000 + place + 1:012d}")
                meter = Meter(
                    utility=Utility.ELECTRICITY, protocol="dlt645", address=known.text, address_key=known.key,
                    terminal_id=terminal.id, wiring=wiring,
                )  # fmt: skip
                point = UsagePoint(code=f"P{number}-{place}")
                session.add_all((meter, point))
                session.flush()
                if installed is not None:
                    install(session, meter.id, point.id, installed)
                found[terminal.id].append(meter.id)
    return found


def set_plan(registry: Registry, name: str, **values: object) -> None:
    with registry.writing() as session:
        session.execute(update(CollectionPlan).where(CollectionPlan.name == name).values(**values))


def value_of(meter: int, quantity: int, at_us: int) -> int:
    """What every meter really had."""
    return meter * 1_000_000 + quantity % 1000 + at_us // 60_000_000 % 100_000


def moments_of(asked: ReadStored) -> range:
    """The moments an operation asks for."""
    if asked.profile is Profile.CURVE:
        step = asked.period_s * 1_000_000
        return range(-(-asked.from_us // step) * step, asked.to_us, step)
    start = us(MIDNIGHT)
    return range(asked.from_us + (start - asked.from_us) % DAY_US, asked.to_us, DAY_US)


@dataclass
class StandIn:
    """Terminals that answer as a test wants; what they answer is on disk before the outcome is given."""

    lake: Lake
    now_us: Callable[[], int]
    on_enter: list[Callable[[TerminalEntry], None]] = field(default_factory=list)
    away: set[int] = field(default_factory=set)
    asked: list[tuple[int, Operation]] = field(default_factory=list)
    has: Callable[[int, int, int], bool] = lambda meter, quantity, at_us: True
    """Whether a terminal has a value of (meter, quantity, moment)."""
    outcome: Callable[[int, Operation], Outcome | None] = lambda terminal, asked: None
    """What it says instead of answering; None: it answers."""
    under_way: int = 0
    most_under_way: int = 0

    def online(self, terminal: int) -> bool:
        return terminal not in self.away

    async def call(self, terminal: int, wanted: Operation, *, urgent: bool = False) -> Outcome:
        if terminal in self.away:
            return NotSent(Text("away", "离线"))
        self.asked.append((terminal, wanted))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0.001)
            if (said := self.outcome(terminal, wanted)) is not None:
                return said
            if isinstance(wanted, ReadStored):
                rows = [
                    (one.id, code, wanted.profile, at, value_of(one.id, code, at), Source.READ, self.now_us())
                    for one in wanted.meters
                    for code in wanted.quantities
                    for at in moments_of(wanted)
                    if at <= self.now_us() and self.has(one.id, code, at)
                ]
                if rows:
                    await self.lake.append(batch(rows))
            return Done()
        finally:
            self.under_way -= 1


@dataclass
class Site:
    """All of it, running."""

    collector: Collector
    registry: Registry
    directory: Directory
    lake: Lake
    town: StandIn
    now_us: int
    began_s: float = field(default_factory=time.monotonic)

    def clock(self) -> int:
        """`now_us`, and the moments since: back-off goes by it."""
        return self.now_us + round((time.monotonic() - self.began_s) * 1e6)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not true():
                await asyncio.sleep(0.01)

    def enter(self, terminal: int) -> None:
        """A terminal logs in."""
        with self.registry.reading() as session:
            row = session.scalars(select(Terminal).where(Terminal.id == terminal)).one()
        entry = self.directory.snapshot.terminal(row.protocol, row.address_key)
        assert entry is not None
        for listener in self.town.on_enter:
            listener(entry)


@asynccontextmanager
async def collecting(
    folder: Path,
    prepare: Callable[[Registry], object],
    *,
    now: datetime = MIDNIGHT + timedelta(hours=12),
    settings: CollectionSettings = QUICK,
    change: Callable[[StandIn], object] = lambda town: None,
    before: Callable[[Lake], object] = lambda lake: None,
    commission: bool = False,
    lake_settings: LakeSettings | None = None,
) -> AsyncIterator[Site]:
    """Archives as `prepare` makes them, a lake as `before` fills it, and a collector at work on them."""
    registry = Registry.open(folder / "registry.sqlite")
    prepare(registry)
    directory = Directory(registry)
    with Lake.open(folder / "lake", lake_settings, maintain=False) as lake:
        before(lake)
        town = StandIn(lake, lambda: site.now_us)
        change(town)
        collector = Collector(
            registry,
            directory,
            lake,
            town,
            settings,
            clock=lambda: site.clock(),  # noqa: PLW0108 - there is no site yet
            commission=commission,
        )
        site = Site(collector, registry, directory, lake, town, us(now))
        task = asyncio.create_task(collector.run())
        try:
            yield site
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            failed = None if task.cancelled() else task.exception()
    registry.close()
    if failed is not None and not isinstance(failed, asyncio.CancelledError):
        raise failed


def moments(first: datetime, last: datetime, step_us: int = QUARTER_US) -> np.ndarray:
    return np.arange(us(first), us(last), step_us)
