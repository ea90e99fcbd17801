"""A centre in this process with lines in its archives, and serial servers on real sockets that carry the meters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from meterweave.centre import Centre, CentreSettings
from meterweave.headend.dispatch import ControlSettings
from meterweave.lake import Lake
from meterweave.profiles import Device, Profile, shipped
from meterweave.registry import Meter, Registry, Terminal
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalKind, Utility
from tests.field.wire import Bus
from tests.registry.records import add_meter

WAIT_S = 90.0
"""Longer than anything takes; only a failing test waits for it."""
QUICK = "baud=115200&latency_ms=0&turnaround_ms=0&attempts=2"
"""Options of a line that is as fast as the machine."""
COMMANDS = ControlSettings(
    look_every_s=0.05, tidy_every_s=0.05, again_after_s=0.05, look_after_s=(0.05,) * 20, effect_within_s=0.05
)


class Hung(NamedTuple):
    """A meter to hang on a line, by its address in the archives."""

    address: str
    model: str

    @property
    def profile(self) -> Profile:
        return shipped(self.model)

    @property
    def device(self) -> Device:
        """What behaves so."""
        return Device(self.profile, self.address.removeprefix("u"))


def bus_of(*meters: Hung) -> Bus:
    """The meters on one line."""
    return Bus([one.device for one in meters])


def add_line(registry: Registry, name: str, port: str | None, *meters: Hung, collector: int | None = None) -> int:
    """A line of the archives; its id."""
    with registry.writing() as session:
        terminal = enrol(session, "bus", name, kind=TerminalKind.MODULE)
        terminal.port, terminal.collector_id = port, collector
        session.flush()
        for one in meters:
            hang(session, terminal, one)
        return terminal.id


def hang(session: Any, terminal: Terminal, hung: Hung, *, model: str | None = None) -> int:
    """One more meter on a line; its id."""
    profile = hung.profile
    meter = add_meter(session, hung.address, terminal, protocol=profile.protocol, utility=Utility(profile.utility))
    meter.model = hung.model if model is None else model
    session.flush()
    return meter.id


def meters_of(registry: Registry, line: str) -> dict[str, int]:
    """The ids of the meters on a line by their addresses."""
    query = select(Meter.address, Meter.id).join(Terminal, Terminal.id == Meter.terminal_id)
    with registry.reading() as session:
        return {row.address: row.id for row in session.execute(query.where(Terminal.address == line))}


class Running(NamedTuple):
    """A centre that runs, and its data."""

    centre: Centre
    registry: Registry
    lake: Lake

    def read(self, meter: int) -> set[int]:
        """The quantities that the lake has of a meter."""
        found = self.lake.query(f"SELECT DISTINCT quantity FROM readings WHERE meter = {meter}")
        return set(found["quantity"].to_pylist())

    def count(self, meter: int) -> int:
        """How many readings the lake has of a meter."""
        return int(self.lake.query(f"SELECT count(*) AS n FROM readings WHERE meter = {meter}")["n"][0].as_py())

    def events(self, meter: int) -> list[int]:
        """The codes of the events of a meter."""
        return self.lake.query(f"SELECT event FROM events WHERE meter = {meter} ORDER BY ts")["event"].to_pylist()


@asynccontextmanager
async def running(folder: Path, registry: Registry, **settings: Any) -> AsyncIterator[Running]:
    """A centre over these archives, with its lake in `folder`."""
    settings = {"listeners": (), "control": COMMANDS} | settings
    with Lake.open(folder / "lake", maintain=False) as lake:
        async with Centre(registry, lake, CentreSettings(**settings)) as centre:
            yield Running(centre, registry, lake)


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(WAIT_S):
        while not true():
            await asyncio.sleep(0.02)


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    """Carry out a test."""
    asyncio.run(test())


def whole(*meters: Hung) -> Sequence[set[int]]:
    """All quantities of each."""
    return [{point.quantity.code for point in one.profile.points} for one in meters]
