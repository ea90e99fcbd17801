"""A DL/T 698.45 terminal of the town, dialled in over a socket, hands over what the centre asks for, exactly."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meterweave.headend.operations import Done, ReadStored
from meterweave.metering.batch import Profile
from meterweave.metering.quantities import obis_code
from meterweave.registry import Registry
from meterweave.registry.importing import import_file
from meterweave.registry.meter_entries import meters_on
from meterweave.registry.vocabulary import Utility
from meterweave.simulator import Address, Faults, Habits, Protocol, TownClock, archives, build, run, terminals_of, truth
from tests.headend.centre import centre, until
from tests.headend.centre import run as run_bounded
from tests.simulator.centre import DAY_S, MIDNIGHT_S, plan, true_rows

NOW_S = MIDNIGHT_S + 3 * DAY_S + 100
WANTED = tuple(
    map(obis_code, ("1-0:1.8.0", "1-0:2.8.0", "1-0:32.7.0", "1-0:31.7.0", "1-0:16.7.0", "8-0:1.0.0", "6-0:1.0.0"))
)


def test_stored_series_reach_the_lake_as_they_are(tmp_path: Path) -> None:
    town = build(plan(terminals=1, meters=24, others=6, protocols=(Protocol.DLT698,)))
    (site,) = town
    fleet = terminals_of(town, MIDNIGHT_S, seed=1, faults=Faults(), habits=Habits(), report_from_s=NOW_S)
    registry = Registry.open(tmp_path / "registry.sqlite")
    for path in archives.write(town, tmp_path / "town.xlsx"):
        assert import_file(registry, path, dry_run=False).ok
    with registry.reading() as session:
        ((terminal, meters),) = meters_on(session, range(100)).items()
    registry.close()

    async def work() -> None:
        async with centre(tmp_path) as here:
            ports = {Protocol.DLT698: Address("127.0.0.1", here.ports["dlt698"])}
            dialling = asyncio.create_task(run(fleet, ports, TownClock.beginning(NOW_S), 1))
            await until(lambda: here.head_end.online(terminal))
            from_us, to_us = MIDNIGHT_S * 1_000_000, NOW_S * 1_000_000
            electric = tuple(meter for meter in meters if meter.utility is Utility.ELECTRICITY)
            others = tuple(meter for meter in meters if meter.utility is not Utility.ELECTRICITY)
            for asked, profile, period_s in (
                (electric, Profile.CURVE, 900),
                (others, Profile.CURVE, 3600),
                ((*electric, *others), Profile.DAILY, 0),
            ):
                outcome = await here.head_end.call(
                    terminal, ReadStored(asked, WANTED, profile, period_s, from_us, to_us)
                )
                assert isinstance(outcome, Done)
            dialling.cancel()
            await asyncio.gather(dialling, return_exceptions=True)
            names = {meter.id: meter.address_key for meter in meters}
            listed = f"quantity IN {WANTED} AND value IS NOT NULL"
            found = here.lake.query(
                f"SELECT meter, quantity, profile, epoch_us(ts) AS ts, value FROM readings WHERE {listed}"
            ).to_pylist()
            got = {(names[row["meter"]], row["quantity"], row["profile"], row["ts"], row["value"]) for row in found}
            true = true_rows([truth.truth(site, MIDNIGHT_S, NOW_S - 1)])
            assert got == {row for row in true if row[1] in WANTED}
            assert len(got) > 20_000

    run_bounded(work)
