"""The building: its archives are taken in, and every meter on its lines answers as its profile says."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select

from meterweave.profiles import shipped
from meterweave.registry import Installation, Registry
from meterweave.registry.importing import import_file
from meterweave.registry.lines import lines_of
from meterweave.simulator.archives import write_tables
from meterweave.simulator.building import SHOPS, Building


async def _answered(host: str, port: int, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(question)
        async with asyncio.timeout(60):
            return await reader.read(4096)
    finally:
        writer.close()


def test_a_centre_takes_it_in_and_each_meter_answers(tmp_path):
    registry = Registry.open(str(tmp_path / "registry.sqlite"))

    async def live() -> dict[int, int]:
        found = {}
        async with Building(lambda: 1_763_000_000) as building:
            for file in write_tables(building.archives("2025-11-01"), tmp_path / "building.xlsx"):
                report = import_file(registry, file)
                assert report.ok, list(report.lines("en"))
            with registry.reading() as session:
                lines = lines_of(session, None)
            for line in lines:
                assert line.port is not None
                for meter in line.meters:
                    profile = shipped(meter.model)
                    request = profile.requests(meter.address.removeprefix("u"))[-1]
                    reply = await _answered(str(line.port.host), int(line.port.port or 0), request.octets)
                    rows = profile.answer(request, reply).rows
                    found[meter.id] = next(row.value for row in rows if row.value is not None)
        return found

    found = asyncio.run(live())
    with registry.reading() as session:
        assert session.scalar(select(func.count()).select_from(Installation)) == Building.meters
    registry.close()
    assert len(found) == Building.meters == 3 * SHOPS
