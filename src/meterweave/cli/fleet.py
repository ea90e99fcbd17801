"""A fleet of simulated terminals at work until somebody ends it, with a line now and then on how it goes."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

import typer

from meterweave.errors import ConfigError
from meterweave.simulator import Address, Protocol, Terminal, TownClock, run
from meterweave.simulator.session import State

STATUS_EVERY_S = 5.0


def work(fleet: Sequence[Terminal], centres: Mapping[Protocol, Address], clock: TownClock, seed: int) -> None:
    """Run the fleet against these centres until Ctrl-C or SIGTERM, and say how far it came."""
    asyncio.run(_until_stopped(fleet, centres, clock, seed))
    typer.echo(_status(fleet, clock))


def address(text: str) -> Address:
    """``HOST:PORT``, or ``[v6]:PORT``.

    Raises
    ------
    ConfigError
        If it is none.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ConfigError(f"{text!r} is no HOST:PORT")
    return Address(host.strip("[]"), int(port))


async def _until_stopped(
    fleet: Sequence[Terminal], centres: Mapping[Protocol, Address], clock: TownClock, seed: int
) -> None:
    tasks = [asyncio.create_task(run(fleet, centres, clock, seed)), asyncio.create_task(_tell(fleet, clock))]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tasks[0].cancel)
    with suppress(asyncio.CancelledError):
        await tasks[0]
    tasks[1].cancel()


async def _tell(fleet: Sequence[Terminal], clock: TownClock) -> None:
    while True:
        await asyncio.sleep(STATUS_EVERY_S)
        typer.echo(_status(fleet, clock))


def _status(fleet: Sequence[Terminal], clock: TownClock) -> str:
    total: Counter[str] = Counter()
    for terminal in fleet:
        counts = terminal.counts
        total.update(
            online=terminal.state is State.ONLINE,
            idle=terminal.idle(clock.now().town_s),
            confirmed=counts.reports_confirmed,
            rows=counts.readings_confirmed,
            repeated=counts.reports_repeated,
            answered=counts.questions_answered,
        )
    return (
        f"{total['online']}/{len(fleet)} terminals online, {total['idle']} with nothing left to send; "
        f"{total['confirmed']} reports confirmed ({total['rows']} meter moments), {total['repeated']} repeated; "
        f"{total['answered']} questions answered"
    )
