"""A simulated town is read over real sockets in both protocols until nothing lacks, and every value is the true one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from sqlalchemy import select

from meterweave.headend import HeadEndSettings
from meterweave.headend.collection import CollectionSettings, Collector
from meterweave.registry import Directory, Meter, Registry, Terminal
from meterweave.registry.importing import import_file
from meterweave.registry.vocabulary import TerminalState
from meterweave.simulator import Address, Faults, Habits, Plan, Protocol, TownClock, archives, build, terminals_of
from meterweave.simulator import run as run_town
from meterweave.simulator.town import DAY_S, LOCAL_S
from meterweave.simulator.truth import truth
from tests.headend.centre import centre, run, until

DAYS = 2


def import_archives(folder: Path, sites: tuple[object, ...], first_s: int) -> None:
    """The town's archives, each meter in its house since the town has readings."""
    registry = Registry.open(folder / "registry.sqlite")
    for written in archives.write(sites, folder / "town.csv", first_s):
        report = import_file(registry, written)
        assert report.applied, list(report.lines("en"))
    registry.close()


def collect(folder: Path, faults: Faults, *, commission: bool) -> None:
    """Let a town be collected until it is complete, and hold it against its truth."""
    now_s = int(time.time())
    first_s = (now_s + LOCAL_S) // DAY_S * DAY_S - LOCAL_S - DAYS * DAY_S
    plan = Plan(terminals=2, meters=16, others=6, first_s=first_s, days=DAYS, faults=faults)
    sites = build(plan)
    import_archives(folder, sites, first_s)

    async def work() -> None:
        async with centre(folder, HeadEndSettings(answer_s=0.5, forwarded_answer_s=0.5)) as found:
            settings = CollectionSettings(spread_s=0.01, look_s=0.2, pause_s=0.05, retry_first_s=0.2, stored_s=0.1)
            directory = Directory(found.registry)
            collector = Collector(
                found.registry, directory, found.lake, found.head_end, settings, commission=commission
            )
            doors = {one: Address("127.0.0.1", found.ports[one.value]) for one in Protocol}
            fleet = terminals_of(sites, first_s, seed=1, faults=faults, habits=Habits(), report_from_s=now_s)
            works = [
                asyncio.create_task(collector.run()),
                asyncio.create_task(run_town(fleet, doors, TownClock.beginning(), 1)),
            ]
            try:
                await until(lambda: collector.progress.complete or any(one.done() for one in works))
                assert collector.progress.complete, [one.exception() for one in works if one.done()]
                assert collector.progress.expected > 16 * DAYS * 96 * 4
                check_truth(found.lake, found.registry, sites, first_s, now_s)
                if commission:
                    await until(lambda: states(found.registry) == {TerminalState.ACTIVE})
            finally:
                for one in works:
                    one.cancel()
                await asyncio.gather(*works, return_exceptions=True)

    run(work)


def states(registry: Registry) -> set[TerminalState]:
    with registry.reading() as session:
        return set(session.scalars(select(Terminal.state)))


def check_truth(lake: object, registry: Registry, sites: tuple[object, ...], first_s: int, now_s: int) -> None:
    """Every stored reading of the past is the true one."""
    with registry.reading() as session:
        ids = dict(session.execute(select(Meter.address, Meter.id)).all())
    known = {}
    for site in sites:
        for row in truth(site, first_s, now_s).to_pylist():
            meter = ids.get(row["meter"]) or ids.get(row["meter"].zfill(14))
            known[meter, row["quantity"], row["profile"], row["ts"]] = row["value"]
    rows = lake.query("SELECT meter, quantity, profile, ts, value FROM readings WHERE value IS NOT NULL").to_pylist()
    wrong = [
        row
        for row in rows
        if row["ts"].timestamp() <= now_s
        and known.get((row["meter"], row["quantity"], row["profile"], row["ts"])) != row["value"]
    ]
    assert wrong == []
    assert len(rows) > 16 * DAYS * 96 * 4


def test_a_town_is_read_until_nothing_lacks(tmp_path: Path) -> None:
    collect(tmp_path, Faults(), commission=False)


def test_a_bad_town_gives_all_the_same_in_the_end(tmp_path: Path) -> None:
    collect(tmp_path, Faults(corrupt=0.02, cut=0.002, duplicate=0.05, late=0.05), commission=True)
