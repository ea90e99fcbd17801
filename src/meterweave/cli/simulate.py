"""``meterweave simulate``: a town of meters that reports to any centre."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from meterweave.errors import ConfigError
from meterweave.simulator import Address, Faults, Habits, Plan, Protocol, Terminal, TownClock, build, run, terminals_of
from meterweave.simulator import truth as ground_truth
from meterweave.simulator.session import State
from meterweave.simulator.town import DAY_S, LOCAL_S

STATUS_EVERY_S = 5.0


def simulate(
    dlt698: Annotated[
        str | None, typer.Option("--dlt698", metavar="HOST:PORT", help="Where the centre takes DL/T 698.45 terminals.")
    ] = None,
    gdw1376: Annotated[
        str | None,
        typer.Option("--gdw1376", metavar="HOST:PORT", help="Where the centre takes Q/GDW 1376.1 terminals."),
    ] = None,
    terminals: Annotated[int, typer.Option(help="Concentrators; they speak the protocols in turn.")] = 20,
    meters: Annotated[int, typer.Option(help="Electricity meters of the whole town.")] = 1000,
    others: Annotated[
        int, typer.Option(help="Water, gas and heat meters; all behind the DL/T 698.45 concentrators.")
    ] = 600,
    seed: Annotated[int, typer.Option(help="The same seed builds the same town, with the same faults.")] = 1,
    days: Annotated[int, typer.Option(help="Local days before today that are back-filled.")] = 7,
    speed: Annotated[float, typer.Option(help="Time lapse: seconds in the town for each of ours.")] = 1.0,
    faults: Annotated[
        float,
        typer.Option(metavar="RATE", help="Spoiled frames, repeats, late reports, wrong clocks, dead meters; 0 to 1."),
    ] = 0.0,
    heartbeat: Annotated[float, typer.Option(metavar="SECONDS", help="From heartbeat to heartbeat.")] = 60.0,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="Write what every meter really had, at the end.")
    ] = None,
) -> None:
    """Run a town of concentrators and meters against a centre, until Ctrl-C.

    Every concentrator logs in, reports what its meters measured in the last days, then goes on live. What the centre
    does not confirm is sent again.
    """
    centres = {
        protocol: _address(text) for protocol, text in zip(Protocol, (dlt698, gdw1376), strict=True) if text is not None
    }
    if not centres:
        raise ConfigError("nobody to report to: give --dlt698 HOST:PORT, --gdw1376 HOST:PORT or both")
    if speed <= 0 or heartbeat <= 0:
        raise ConfigError(f"speed is {speed} and heartbeat {heartbeat}, wanted more than 0")
    now_s = int(time.time())
    first_s = (now_s + LOCAL_S) // DAY_S * DAY_S - LOCAL_S - days * DAY_S
    wanted = Plan(
        terminals=terminals,
        meters=meters,
        others=others,
        seed=seed,
        first_s=first_s,
        days=days,
        protocols=tuple(centres),
        faults=Faults.of(faults),
    )
    town = build(wanted)
    left_out = others - sum(len(site.meters) for site in town) + meters
    if left_out:
        typer.echo(f"{left_out} water, gas and heat meters are left out: no concentrator speaks DL/T 698.45", err=True)
    fleet = terminals_of(town, first_s, seed=seed, faults=wanted.faults, habits=Habits(heartbeat_s=heartbeat))
    clock = TownClock(now_s, speed, time.monotonic())
    asyncio.run(_until_stopped(fleet, centres, clock, seed))
    typer.echo(_status(fleet, clock))
    if truth:
        count = ground_truth.write(town, first_s, clock.now().town_s, truth)
        typer.echo(f"{count} true readings in {truth}")


async def _until_stopped(
    fleet: Sequence[Terminal], centres: dict[Protocol, Address], clock: TownClock, seed: int
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


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ConfigError(f"{text!r} is no HOST:PORT")
    return Address(host.strip("[]"), int(port))
