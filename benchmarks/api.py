"""What the API answers, with 50 callers at once, while readings come in; and what that costs those who bring them.

Run: ``python -m benchmarks.api [--quick] [--seconds S] [--callers N] [--loop] [--json FILE]``. A centre's parts in one
process: a lake into which readings are appended at a steady pace, the API on a real socket, and callers in a process of
their own, who ask for a day's curve of a meter (96 points of one quantity; the meter has four). ``--loop`` has the API
in the event loop of those who bring readings instead of a thread of its own: what decision 0016 compares.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
import uvicorn
import uvloop
from rich.console import Console
from rich.table import Table
from tests.registry.records import add_meter

from benchmarks.lake import FIRST_DAY, household_day, percentile, pieces
from meterweave.api.server import ApiServer, configured
from meterweave.api.state import Api
from meterweave.centre.api_settings import ApiSettings
from meterweave.lake import Lake
from meterweave.lake.lake import table_path
from meterweave.lake.maintenance import Maintenance
from meterweave.lake.table import LakeTable
from meterweave.manager.door import Door
from meterweave.manager.identity import at_the_machine
from meterweave.manager.keys import add_key
from meterweave.manager.own import change_password
from meterweave.manager.sessions import Caller
from meterweave.manager.users import Wish, add_user
from meterweave.metering.clock import SHANGHAI
from meterweave.registry import Registry, TransformerDistrict
from meterweave.registry.terminals import enrol

METERS, DAYS = 5000, 3
FEEDS_PER_S = 20
WATCHED = 500  # meters that are asked for again and again, as consoles and customers do
SETTINGS = ApiSettings(port=0, identity_per_s=1e6, identity_burst=10**6, address_per_s=1e6, address_burst=10**6)


class Result(dict[str, float]):
    """Numbers by their names."""


def build(folder: Path, meters: int) -> str:
    """Archives and settled days; an API key."""
    registry = Registry.open(folder / "registry.sqlite")
    with registry.writing() as session:
        district = TransformerDistrict(code="D", name="D")
        session.add(district)
        session.flush()
        terminal = enrol(session, "dlt698", "320100001")
        terminal.district_id = district.id
        for number in range(1, meters + 1):
            add_meter(session, f"{number:012}", terminal)
    door = Door(registry, folder)
    given = add_user(
        registry, door.passwords, at_the_machine("benchmark"), Wish("bench", roles=("integrator",), everywhere=True)
    )
    here = Caller("127.0.0.1")
    entered = door.login("bench", given.password, here)
    identity = change_password(door, entered.identity, given.password, "four kettles sing loudly", here).identity
    key = add_key(registry, identity, "benchmark", ("archives.read", "readings.read"), days=1).text
    registry.close()
    table = LakeTable.create(table_path(folder / "lake"), SHANGHAI)
    maintenance = Maintenance(folder / "lake")
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        table.append(household_day(meters, day, number), application="benchmark", version=number + 1)
        maintenance.run_once(datetime(2026, 12, 1, tzinfo=UTC))
    return key


async def feed(lake: Lake, rate: int, waits_ms: list[float], lags_ms: list[float]) -> None:
    """Readings of the open day, `rate` a second; how long each batch waited for the disk, and the loop for its turn."""
    batches = pieces(household_day(2000, FIRST_DAY + timedelta(days=DAYS), 99), rate // FEEDS_PER_S)
    loop = asyncio.get_running_loop()
    due, number = loop.time(), 0
    while True:
        due += 1 / FEEDS_PER_S
        await asyncio.sleep(max(0.0, due - loop.time()))
        lags_ms.append((loop.time() - due) * 1e3)
        begun = time.perf_counter()
        await lake.append(batches[number % len(batches)])
        waits_ms.append((time.perf_counter() - begun) * 1e3)
        number += 1


async def ask(port: int, key: str, callers: int, seconds: float, among: int) -> list[float]:
    """Callers that ask again as soon as they are answered; how long each answer took. [ms]"""
    chance = random.Random(7)
    until = time.perf_counter() + seconds

    async def caller() -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        took: list[float] = []
        while (begun := time.perf_counter()) < until:
            meter, day = chance.randrange(1, among + 1), FIRST_DAY + timedelta(days=chance.randrange(DAYS))
            writer.write(
                f"GET /api/v1/meters/{meter}/readings?from={day}&quantity=active_power HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {key}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            took.append((time.perf_counter() - begun) * 1e3)
        writer.close()
        return took

    return [one for some in await asyncio.gather(*(caller() for _ in range(callers))) for one in some]


async def measured(port: int, key: str, callers: int, seconds: float, among: int) -> list[float]:
    """`ask` in a process of its own, so that callers take no time from the server's interpreter."""
    order = json.dumps([port, key, callers, seconds, among])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.api", "--ask", order, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    answered: list[float] = json.loads(out)
    return answered


async def served(stack: AsyncExitStack, make: Callable[[], Api]) -> int:
    """The API as a centre has it; its port."""
    return (await stack.enter_async_context(ApiServer(make, host="127.0.0.1", port=0))).port


async def served_here(stack: AsyncExitStack, api: Api) -> int:
    """The API in this loop; its port."""
    place = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = uvicorn.Server(configured(api))
    serving = asyncio.create_task(server.serve([place]))

    async def stop() -> None:
        server.should_exit = True
        await serving
        api.close()

    stack.push_async_callback(stop)
    while not server.started:
        await asyncio.sleep(0.01)
    return int(place.getsockname()[1])


async def run(folder: Path, key: str, chosen: argparse.Namespace) -> list[tuple[str, Result]]:
    found = []
    registry = Registry.open(folder / "registry.sqlite")
    with Lake.open(folder / "lake", maintain=False) as lake:

        def make() -> Api:
            return Api(registry, lake, folder, SETTINGS)

        async with AsyncExitStack() as stack:
            port = await (served_here(stack, make()) if chosen.loop else served(stack, make))
            await measured(port, key, 4, 1.0, 50)
            waits_ms: list[float] = []
            lags_ms: list[float] = []
            alone = asyncio.create_task(feed(lake, chosen.rate, waits_ms, lags_ms))
            await asyncio.sleep(chosen.seconds / 2)
            found.append((f"{chosen.rate:,} readings/s, nobody asks", fed(waits_ms, lags_ms)))
            alone.cancel()
            for words, rate, among in (
                ("days seen before", 0, WATCHED),
                (f"days seen before, {chosen.rate:,} readings/s", chosen.rate, WATCHED),
                (f"any day of any meter, {chosen.rate:,} readings/s", chosen.rate, METERS),
            ):
                waits_ms, lags_ms = [], []
                feeding = asyncio.create_task(feed(lake, rate, waits_ms, lags_ms)) if rate else None
                if among == WATCHED:
                    await measured(port, key, chosen.callers, 2 * chosen.seconds, among)
                used_s = time.process_time()
                took = await measured(port, key, chosen.callers, chosen.seconds, among)
                used_s = (time.process_time() - used_s) / chosen.seconds
                result = Result(per_s=len(took) / chosen.seconds, cores=used_s)
                result |= {f"p{share}": percentile(took, share / 100) for share in (50, 95, 99)}
                if feeding is not None:
                    feeding.cancel()
                    result |= fed(waits_ms, lags_ms)
                found.append((words, result))
    registry.close()
    return found


def fed(waits_ms: Sequence[float], lags_ms: Sequence[float]) -> Result:
    return Result(
        disk_p50=percentile(waits_ms, 0.5), disk_p99=percentile(waits_ms, 0.99), lag_p99=percentile(lags_ms, 0.99)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three seconds each")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--callers", type=int, default=50)
    parser.add_argument("--rate", type=int, default=20_000, help="readings a second that come in meanwhile")
    parser.add_argument("--loop", action="store_true", help="the API in the loop of those who bring readings")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ask:
        print(json.dumps(uvloop.run(ask(*json.loads(chosen.ask)))))
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    if chosen.quick:
        chosen.seconds = 3.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = build(folder, METERS)
        found = uvloop.run(run(folder, key, chosen))
    columns = ("per_s", "cores", "p50", "p95", "p99", "disk_p50", "disk_p99", "lag_p99")
    table = Table(title="a meter's day, in the loop" if chosen.loop else "a meter's day")
    for title in (
        "",
        "answers/s",
        "cores",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "disk p50 ms",
        "disk p99 ms",
        "loop late p99 ms",
    ):
        table.add_column(title, justify="right" if title else "left")
    for words, result in found:
        table.add_row(words, *(f"{result[one]:,.1f}" if one in result else "" for one in columns))
    Console(width=160).print(table)
    if chosen.json:
        chosen.json.write_text(json.dumps(dict(found), indent=1))


if __name__ == "__main__":
    main()
