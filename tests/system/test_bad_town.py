"""A day in a bad town: what is stored in the end is nearly all there was, and nothing that was not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meterweave.centre import Centre, CentreSettings, Listener
from meterweave.cli.answer import archives
from meterweave.cli.demonstration import Town, import_archives
from meterweave.cli.folder import Folder
from meterweave.headend import HeadEndSettings
from meterweave.headend.collection import CollectionSettings
from meterweave.headend.collection.plan import read_plans
from meterweave.lake import Lake
from meterweave.registry import Registry
from meterweave.simulator import build
from meterweave.simulator.archives import archives_of

DAY_S = 86_400
SPEED = 1440.0
"""A day in a minute."""
LONGEST_S = 120.0
"""How long re-reading may go on after the day; only a failing test takes so long."""
WANTED_SHARE = 0.995

SETTINGS = CentreSettings(
    listeners=(Listener(protocol="dlt698", port=0), Listener(protocol="gdw1376-1", port=0)),
    # The town's day is a minute, so what is counted in our seconds goes faster too.
    head_end=HeadEndSettings(answer_s=2.0, forwarded_answer_s=4.0),
    collection=CollectionSettings(spread_s=1.0, look_s=1.0, fresh_s=1.0, retry_first_s=60.0, retry_max_s=600.0),
)

CHECK = """
SELECT count(*) FILTER (WHERE t.ts >= to_timestamp({from_s}) AND t.ts < to_timestamp({to_s})) AS due,
  count(r.value) FILTER (WHERE t.ts >= to_timestamp({from_s}) AND t.ts < to_timestamp({to_s})) AS stored,
  count(*) FILTER (WHERE r.value <> t.value) AS wrong
FROM truth t
JOIN meters m ON right(m.address, 12) = t.meter
JOIN planned p ON p.quantity = t.quantity AND p.profile = t.profile
LEFT JOIN readings r ON r.meter = m.id AND r.quantity = t.quantity AND r.profile = t.profile AND r.ts = t.ts
"""
STRANGE = """
SELECT count(*) AS strange FROM readings r JOIN meters m ON m.id = r.meter
LEFT JOIN truth t
  ON right(m.address, 12) = t.meter AND r.quantity = t.quantity AND r.profile = t.profile AND r.ts = t.ts
WHERE t.value IS NULL AND r.value IS NOT NULL AND r.profile IN (1, 2)
"""


@pytest.mark.parametrize("seed", [5, 6])
def test_a_day_in_a_bad_town(tmp_path: Path, seed: int) -> None:
    began_s = time.time()
    town = Town(
        meters=40,
        others=20,
        terminals=8,
        seed=seed,
        days=1,
        speed=SPEED,
        bad=True,
        start_s=began_s - 3 * DAY_S,
        began_s=began_s,
    )
    folder = Folder(tmp_path / "centre")
    with folder.registry() as registry:
        import_archives(registry, archives_of(build(town.plan), town.plan.first_s))
        planned = _planned(registry)
        with Lake.open(folder.lake_path) as lake:
            centre = Centre(registry, lake, SETTINGS, clock=town.clock.town_us)
            asyncio.run(_day(centre, town, tmp_path / "truth.parquet"))
    truth = pq.read_table(tmp_path / "truth.parquet")
    check = CHECK.format(from_s=town.start_s, to_s=town.start_s + DAY_S)
    (found,) = _ask(folder, check, truth=truth, planned=planned)
    assert found["wrong"] == 0
    assert found["due"] > 10_000
    assert found["stored"] >= WANTED_SHARE * found["due"]
    assert _ask(folder, STRANGE, truth=truth) == [{"strange": 0}]


def _planned(registry: Registry) -> pa.Table:
    """The series of quantities that the collection plans want, whether or not any of it ever comes."""
    with registry.reading() as session:
        plans = [plan for plan in read_plans(session) if plan.enabled]
    rows = {(code, int(plan.profile)) for plan in plans for code in plan.quantities}
    return pa.Table.from_pylist([{"quantity": code, "profile": profile} for code, profile in sorted(rows)])


async def _day(centre: Centre, town: Town, truth: Path) -> None:
    async with centre:
        ports = {one.protocol: one.port for one in centre.ports}
        process = await asyncio.create_subprocess_exec(*town.command(ports), "--truth", str(truth))
        try:
            # Six hours more, so that the end of the day can be asked for again like the rest of it.
            await _until(lambda: town.clock.town_us() >= (town.start_s + 1.25 * DAY_S) * 1e6, 2 * DAY_S / SPEED)
            await _until(lambda: _share(centre) >= WANTED_SHARE, LONGEST_S)
        finally:
            process.terminate()
            ended = await asyncio.wait_for(process.wait(), 60)
        assert ended == 0
        assert centre.head_end.counters.garbage_octets, "the town's lines were not bad"
        assert centre.head_end.counters.logins > town.terminals, "no link was ever cut"


def _share(centre: Centre) -> float:
    progress = centre.collector.progress
    return progress.stored / progress.expected if progress.counted and progress.expected else 0.0


async def _until(true: Callable[[], bool], longest_s: float) -> None:
    until = time.monotonic() + longest_s
    while not true() and time.monotonic() < until:
        await asyncio.sleep(0.1)


def _ask(folder: Folder, sql: str, **tables: pa.Table) -> list[dict[str, int]]:
    with folder.lake() as lake:
        found: list[dict[str, int]] = lake.query(sql, tables={**archives(folder), **tables}).to_pylist()
        return found
