"""The town on real sockets: a task for each terminal, that dials the centre, and dials again when it is cut off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from meterweave.simulator.faults import Faults, pick
from meterweave.simulator.plan import Reports, series_of
from meterweave.simulator.session import Effect, Habits, HangUp, Instant, State, Terminal
from meterweave.simulator.terminal698 import Terminal698
from meterweave.simulator.terminal1376 import Terminal1376
from meterweave.simulator.town import Concentrator, Protocol

READ_MAX = 65_536
"""Octets taken from a socket at a time."""
DIAL_S = 10.0
DRAIN_S = 30.0
"""How long a centre may leave its socket unread."""
REDIAL_MIN_S, REDIAL_MAX_S = 0.5, 30.0
"""Wait before dialling again; doubled every time up to the longer one."""

TERMINALS: Mapping[Protocol, type[Terminal]] = {Protocol.DLT698: Terminal698, Protocol.GDW1376: Terminal1376}


class Address(NamedTuple):
    """Where a centre listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class TownClock:
    """The town's time: it is `start_s` when it begins, and runs `speed` times as fast as ours."""

    start_s: int  # [s since 1970, UTC]
    speed: float = 1.0
    began_s: float = 0.0  # monotonic

    def now(self) -> Instant:
        """The two times of this moment."""
        wait_s = time.monotonic()
        return Instant(wait_s, self.start_s + int((wait_s - self.began_s) * self.speed))


def terminals_of(
    town: Sequence[Concentrator], first_s: int, *, seed: int, faults: Faults, habits: Habits
) -> tuple[Terminal, ...]:
    """The terminals of a town, all offline, with everything since `first_s` to report."""
    found = []
    for site in town:
        kind = TERMINALS[site.protocol]
        reports = Reports(series_of(site.meters), first_s, slots_max=kind.slots_max, cells_max=kind.cells_max)
        found.append(kind(site, reports, first_s, seed=seed, faults=faults, habits=habits))
    return tuple(found)


async def run(terminals: Sequence[Terminal], centres: Mapping[Protocol, Address], clock: TownClock, seed: int) -> None:
    """Keep every terminal connected until cancelled; each then logs out."""
    async with asyncio.TaskGroup() as tasks:
        for terminal in terminals:
            tasks.create_task(_live(terminal, centres[terminal.site.protocol], clock, seed))


async def _live(terminal: Terminal, centre: Address, clock: TownClock, seed: int) -> None:
    # The whole town does not dial in the same millisecond.
    await asyncio.sleep(pick(seed, 0, 500, "dial", terminal.site.address) / 1000)
    wait_s = REDIAL_MIN_S
    while True:
        logins = terminal.counts.logins
        with suppress(OSError, TimeoutError):
            await _dial(terminal, centre, clock)
        terminal.lost()
        wait_s = REDIAL_MIN_S if terminal.counts.logins > logins else min(REDIAL_MAX_S, 2 * wait_s)
        await asyncio.sleep(wait_s)


async def _dial(terminal: Terminal, centre: Address, clock: TownClock) -> None:
    async with asyncio.timeout(DIAL_S):
        reader, writer = await asyncio.open_connection(centre.host, centre.port, limit=READ_MAX)
    try:
        await _talk(terminal, reader, writer, clock)
    except asyncio.CancelledError:
        if terminal.state is State.ONLINE:
            writer.write(terminal.logout(clock.now()))
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.drain(), 1.0)
        raise
    finally:
        writer.close()


async def _talk(
    terminal: Terminal, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: TownClock
) -> None:
    if not await _carry_out(terminal.connected(clock.now()), writer):
        return
    while True:
        now = clock.now()
        try:
            async with asyncio.timeout(terminal.wake_s(now, clock.speed)):
                octets = await reader.read(READ_MAX)
        except TimeoutError:
            effects = terminal.tick(clock.now())
        else:
            if not octets:
                return
            effects = terminal.receive(octets, clock.now())
        if not await _carry_out(effects, writer):
            return


async def _carry_out(effects: Sequence[Effect], writer: asyncio.StreamWriter) -> bool:
    """Do what was decided; gives whether the connection still stands."""
    for effect in effects:
        if isinstance(effect, HangUp):
            return False
        writer.write(effect.octets)
    async with asyncio.timeout(DRAIN_S):
        await writer.drain()
    return True
