"""The archives of the town, as a centre imports them."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from meterweave.errors import ConfigError
from meterweave.registry import Installation, Meter, Registry, Terminal, UsagePoint
from meterweave.registry.importing import import_file
from meterweave.simulator import build
from meterweave.simulator.archives import archives_of, write
from tests.simulator.centre import MIDNIGHT_S, plan

TOWN = build(plan(terminals=4, meters=40, others=12))


@pytest.mark.parametrize("name", ["town.xlsx", "town.csv"])
def test_a_centre_takes_them_in(tmp_path, name):
    registry = Registry.open(str(tmp_path / "registry.sqlite"))
    written = write(TOWN, tmp_path / name, MIDNIGHT_S)
    assert len(written) == (1 if name.endswith("xlsx") else 3)
    for file in written:
        report = import_file(registry, file)
        assert report.ok, list(report.lines("en"))[:5]
    with registry.reading() as session:
        assert session.scalar(select(func.count()).select_from(Terminal)) == 4
        keys = session.execute(select(Terminal.address, Meter.wire_key).join(Meter)).all()
        houses = session.execute(
            select(Meter.asset_number, UsagePoint.code, UsagePoint.district_id, Installation.installed_at)
            .join(Installation, Installation.meter_id == Meter.id)
            .join(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        ).all()
    registry.close()
    wanted = {(site.address.lower(), site.wire_key(meter)) for site in TOWN for meter in site.meters}
    assert {(address, key) for address, key in keys} == wanted
    assert len(houses) == len(wanted)
    assert all(code == f"HOUSE-{asset}" and district for asset, code, district, _ in houses)
    assert {installed.timestamp() for *_, installed in houses} == {MIDNIGHT_S}


def test_every_record_has_the_same_columns():
    for records in archives_of(TOWN).values():
        assert len({tuple(record) for record in records}) == 1
    assert all(record["installed"] == "2026-09-21" for record in archives_of(TOWN, MIDNIGHT_S)["meters"])


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="xlsx"):
        write(TOWN, tmp_path / "town.pdf")
