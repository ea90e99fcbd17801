"""The town on real sockets: a task for each terminal, that dials the centre, and dials again when it is cut off."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from meterweave.simulator.clock import TownClock
from meterweave.simulator.faults import Faults, pick
from meterweave.simulator.link import End, Link
from meterweave.simulator.plan import Reports
from meterweave.simulator.session import Effect, Habits, HangUp, State, Terminal
from meterweave.simulator.terminal698 import Terminal698
from meterweave.simulator.terminal1376 import Terminal1376
from meterweave.simulator.town import Concentrator, Protocol

READ_MAX = 65_536
"""Octets taken from a socket at a time."""
DIAL_S = 10.0
DRAIN_S = 30.0
"""How long a centre may leave its socket unread."""
POWER_LOOK_S = 1.0
"""How often a terminal looks whether it has supply."""
REDIAL_MIN_S, REDIAL_MAX_S = 0.5, 30.0
"""Wait before dialling again; doubled every time up to the longer one."""

TERMINALS: Mapping[Protocol, type[Terminal]] = {Protocol.DLT698: Terminal698, Protocol.GDW1376: Terminal1376}


class Address(NamedTuple):
    """Where a centre listens."""

    host: str
    port: int


def terminals_of(
    town: Sequence[Concentrator],
    first_s: int,
    *,
    seed: int,
    faults: Faults,
    habits: Habits,
    report_from_s: int | None = None,
) -> tuple[Terminal, ...]:
    """The terminals of a town, all offline; they keep everything since `first_s`.

    By themselves they report what falls due from `report_from_s` on; without it, all they keep.
    """
    from_s = first_s if report_from_s is None else max(first_s, report_from_s)
    found = []
    for site in town:
        kind = TERMINALS[site.protocol]
        reports = Reports((), from_s, slots_max=kind.slots_max, cells_max=kind.cells_max)
        terminal = kind(site, reports, first_s, seed=seed, faults=faults, habits=habits)
        terminal.replan(terminal.reported(), from_s)
        terminal.diary.look(from_s - 1)
        terminal.diary.told = terminal.diary.count
        found.append(terminal)
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
    for count in itertools.count():
        link = terminal.link(count)
        await asyncio.sleep(link.dead_s if link.before else 0)
        while not terminal.powered(clock.now().town_s):
            await asyncio.sleep(POWER_LOOK_S)
        logins = terminal.counts.logins
        with suppress(OSError, TimeoutError):
            await _dial(terminal, centre, clock, link)
        terminal.lost()
        wait_s = REDIAL_MIN_S if terminal.counts.logins > logins else min(REDIAL_MAX_S, 2 * wait_s)
        await asyncio.sleep(wait_s)


async def _dial(terminal: Terminal, centre: Address, clock: TownClock, link: Link) -> None:
    async with asyncio.timeout(DIAL_S):
        reader, writer = await asyncio.open_connection(centre.host, centre.port, limit=READ_MAX)
    try:
        await _talk(terminal, reader, writer, clock, link.lives_s)
        if terminal.state is State.ONLINE and not terminal.powered(clock.now().town_s):
            return
        await _die(terminal, writer, clock, link)
    except asyncio.CancelledError:
        if terminal.state is State.ONLINE:
            writer.write(terminal.logout(clock.now()))
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.drain(), 1.0)
        raise
    finally:
        writer.close()


async def _die(terminal: Terminal, writer: asyncio.StreamWriter, clock: TownClock, link: Link) -> None:
    """What becomes of a link that was still good when its time was over; nothing to one that ended before."""
    if terminal.state is not State.ONLINE:
        return
    if link.end is End.HALF_OPEN:
        # The socket stays, and nobody is behind it any more.
        await asyncio.sleep(link.dead_s)
        terminal.lost()
        return
    writer.transport.abort()
    if link.end is End.REBOOT:
        terminal.reboot(clock.now().town_s)
    terminal.lost()
    await asyncio.sleep(link.dead_s)


async def _talk(
    terminal: Terminal,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    clock: TownClock,
    lives_s: float,
) -> None:
    """Until somebody hangs up, the link's time is over, or the battery is empty; then the state is still ONLINE."""
    began = clock.now()
    look_s = POWER_LOOK_S if terminal.site.outages else math.inf
    if not await _carry_out(terminal.connected(began), writer):
        return
    while True:
        now = clock.now()
        rest_s = began.wait_s + lives_s - now.wait_s
        if rest_s <= 0 or not terminal.powered(now.town_s):
            return
        try:
            async with asyncio.timeout(min(terminal.wake_s(now, clock.speed), rest_s, look_s)):
                octets = await reader.read(READ_MAX)
        except TimeoutError:
            effects = terminal.tick(clock.now())
        else:
            if not octets:
                terminal.lost()
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
