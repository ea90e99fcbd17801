"""A centre killed while it switches meters: started again, it knows what happened to every one of them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, text

from meterweave.registry import Meter, Registry
from meterweave.registry.command_orders import Order, give
from meterweave.registry.commands import CommandKind, CommandState, list_commands
from meterweave.registry.importing import import_file
from meterweave.simulator import Address, Faults, Habits, Plan, Protocol, TownClock, archives, build, run, terminals_of
from meterweave.simulator.town import DAY_S, LOCAL_S
from tests.headend.centre import until
from tests.headend.dispatching import now

METERS = 40
KILLED_AFTER = (4, 15, 27)
"""How many commands have ended when the centre is killed."""
WITHIN_S = 100.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def start(folder: Path, doors: dict[Protocol, Address]) -> asyncio.subprocess.Process:
    options = [
        f"--{name}=127.0.0.1:{doors[one].port}" for name, one in zip(("dlt698", "gdw1376"), Protocol, strict=True)
    ]
    serve = [sys.executable, "-m", "meterweave.cli", "serve", "--data", str(folder), *options]
    # What these terminals do they do at once, so an order that has done nothing by then was never sent.
    told = os.environ | {"METERWEAVE_CONTROL__EFFECT_WITHIN_S": "3"}
    centre = await asyncio.create_subprocess_exec(
        *serve, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=told
    )
    assert centre.stdout is not None
    assert b"dlt698" in await centre.stdout.readline()
    return centre


def states(registry: Registry) -> Counter[CommandState]:
    with registry.reading() as session:
        return Counter(one.state for one in list_commands(session, limit=METERS))


async def confirmed(registry: Registry, count: int) -> None:
    await until(lambda: states(registry)[CommandState.CONFIRMED] >= count)


def hurry(registry: Registry) -> None:
    """Have what the killed centre left count as left at once; nobody wants to wait for half a minute."""
    with registry.engine.connect().execution_options(meterweave_writing=True) as connection, connection.begin():
        connection.execute(text("UPDATE commands SET claimed_until = created_at WHERE claimed_until IS NOT NULL"))


def test_killed_while_it_switches_no_meter_is_switched_twice(tmp_path: Path) -> None:
    first_s = (int(time.time()) + LOCAL_S) // DAY_S * DAY_S - LOCAL_S - DAY_S
    sites = build(Plan(terminals=2, meters=METERS, others=0, first_s=first_s, days=1))
    registry = Registry.open(tmp_path / "registry.sqlite")
    for written in archives.write(sites, tmp_path / "town.csv"):
        assert import_file(registry, written).applied
    switched: Counter[str] = Counter()

    def watch(address: str, condition: object) -> None:
        trip = condition.trip  # type: ignore[attr-defined]

        def noted(at_s: int) -> bool:
            switched[address] += 1
            return bool(trip(at_s))

        condition.trip = noted  # type: ignore[attr-defined]

    for site in sites:
        for meter in site.meters:
            watch(meter.address, meter.condition)
    with registry.reading() as session:
        addresses = {row.id: row.address for row in session.execute(select(Meter.id, Meter.address))}
    doors = {one: Address("127.0.0.1", free_port()) for one in Protocol}
    fleet = terminals_of(
        sites, first_s, seed=1, faults=Faults(), habits=Habits(heartbeat_s=5.0), report_from_s=int(time.time())
    )

    async def work() -> None:
        town = asyncio.create_task(run(fleet, doors, TownClock.beginning(), 1))
        for meter in addresses:
            order = Order("wang", str(meter), CommandKind.TRIP, now() + timedelta(minutes=9), meter, reason="test")
            give(registry, order, now=now())
        for count in KILLED_AFTER:
            centre = await start(tmp_path, doors)
            await confirmed(registry, count)
            centre.send_signal(signal.SIGKILL)
            await centre.wait()
            hurry(registry)
        centre = await start(tmp_path, doors)
        await until(
            lambda: sum(states(registry)[one] for one in (CommandState.CONFIRMED, CommandState.FAILED)) == METERS
        )
        centre.send_signal(signal.SIGTERM)
        assert await centre.wait() == 0
        town.cancel()
        await asyncio.gather(town, return_exceptions=True)

    async def bounded() -> None:
        async with asyncio.timeout(WITHIN_S):
            await work()

    asyncio.run(bounded())
    with registry.reading() as session:
        found = {addresses[one.meter_id or 0]: one for one in list_commands(session, limit=METERS)}
    truth = {meter.address: meter.condition for site in sites for meter in site.meters}
    for address, command in found.items():
        done = command.state is CommandState.CONFIRMED
        assert truth[address].closed is not done, command
        assert switched[address] == done, command
    registry.close()
