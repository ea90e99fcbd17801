"""Consumption asked of a lake on disk and archives on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from meterweave.errors import ConfigError
from meterweave.lake import Lake
from meterweave.mdm import (
    SINCE_EVER_US,
    Flag,
    Ratios,
    Register,
    Terms,
    consumption_of,
    consumption_pieces,
    local_days,
    local_months,
    supply,
)
from meterweave.metering.batch import Profile, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import quantities
from meterweave.registry import Registry
from meterweave.registry.installation import install, replace
from meterweave.registry.vocabulary import Utility
from tests.mdm.rows import HOUR_US, Row, table
from tests.registry.records import add_meter, add_usage_point

IMPORT, VOLTAGE = quantities()["1-0:1.8.0"], quantities()["1-0:32.7.0"]
FIRST = date(2026, 3, 1)
DAYS = local_days(FIRST, FIRST + timedelta(days=9), SHANGHAI)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", maintain=False) as found:
        yield found


def keep(lake: Lake, rows: list[Row]) -> None:
    for batch in table(rows).to_batches():
        lake.append_blocking(batch)


def moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def registers(meter: int, values: list[int], *, first_day: int = 0, quantity: int = IMPORT.code) -> list[Row]:
    """A reading at each local midnight."""
    return [Row(meter, int(DAYS[first_day + day]), value, quantity=quantity) for day, value in enumerate(values)]


def test_an_exchange_is_continuous_and_what_comes_late_counts(lake: Lake, registry: Registry):
    noon = int(DAYS[4]) + 12 * HOUR_US
    with registry.writing() as session:
        old, new, point = add_meter(session, "1"), add_meter(session, "2"), add_usage_point(session, "P1")
        old.ct_primary, old.ct_secondary = 200, 5
        install(session, old.id, point.id, moment(int(DAYS[0]) - 5 * HOUR_US))
        replace(session, old.id, new.id, moment(noon))
        point_id, old_id, new_id = point.id, old.id, new.id
    keep(lake, registers(old_id, [100, 110, 120, 130, 140]))
    keep(lake, [Row(old_id, noon, 144, source=Source.ENTERED), Row(new_id, noon, 7, source=Source.ENTERED)])
    keep(lake, [*registers(new_id, [47, 87], first_day=5), *registers(new_id, [167, 207, 247], first_day=8)])

    def ask(boundaries: np.ndarray) -> pa.Table:
        return consumption_of(lake, registry, IMPORT, boundaries, usage_points=[point_id])

    found = ask(DAYS)
    assert found.schema.metadata == {b"unit": b"kWh", b"exponent": b"-4"}
    assert found.column("value").to_pylist() == [400, 400, 400, 400, 4 * 40 + 40, 40, None, None, 40, 40]
    assert found.column("flags")[4].as_py() == Flag.MEASURED | Flag.EXCHANGE
    assert set(found.column("usage_point").to_pylist()) == {point_id}
    assert ask(DAYS[[0, -1]]).column("value").to_pylist() == [44 * 40 + 240]

    lake.commit()
    keep(lake, registers(new_id, [127], first_day=7))
    assert ask(DAYS).column("value").to_pylist()[6:8] == [40, 40]
    assert sum(ask(DAYS).column("value").to_pylist()) == 44 * 40 + 240


def test_meters_wherever_they_hung_and_those_nobody_read(lake: Lake, registry: Registry):
    with registry.writing() as session:
        ids = [add_meter(session, str(number)).id for number in range(1, 4)]
    keep(lake, [*registers(ids[0], [5, 9]), *registers(ids[2], [9_990, 20])])
    found = consumption_of(
        lake,
        registry,
        IMPORT,
        DAYS[:2],
        meters=reversed(ids),
        terms=Terms(registers={ids[2]: Register(rollover_at=10_000)}),
    )
    assert found.column("meter").to_pylist() == ids
    assert found.column("value").to_pylist() == [4, None, 30]
    assert found.column("flags").to_pylist() == [Flag.MEASURED, Flag.GAP, Flag.MEASURED | Flag.ROLLOVER]
    assert found.column("completeness").to_pylist() == [1.0, 0.0, 1.0]


def test_usage_points_without_a_meter_have_rows_without_values(lake: Lake, registry: Registry):
    with registry.writing() as session:
        point = add_usage_point(session, "P1").id
    found = consumption_of(lake, registry, IMPORT, DAYS, usage_points=[point, point + 1])
    assert found.num_rows == 20
    assert found.column("value").null_count == 20
    assert consumption_of(lake, registry, IMPORT, DAYS, usage_points=[]).num_rows == 0


def test_a_water_meter_on_the_same_usage_point_is_another_matter(lake: Lake, registry: Registry):
    water = quantities()["8-0:1.0.0"]
    with registry.writing() as session:
        point = add_usage_point(session, "P1")
        power = add_meter(session, "1")
        tap = add_meter(session, "00000000000001", protocol="cjt188", utility=Utility.WATER)
        tap.ct_primary = 3
        for meter in (power, tap):
            install(session, meter.id, point.id, moment(int(DAYS[0])))
        point_id, power_id, tap_id = point.id, power.id, tap.id
    keep(lake, [*registers(power_id, [1, 2]), *registers(tap_id, [10, 30], quantity=water.code)])
    for quantity, value in ((IMPORT, 1), (water, 20)):
        found = consumption_of(lake, registry, quantity, DAYS[:2], usage_points=[point_id])
        assert found.column("value").to_pylist() == [value]


def test_terms_choose_series_multipliers_and_interpolation(lake: Lake, registry: Registry):
    with registry.writing() as session:
        meter = add_meter(session, "1").id
    keep(lake, registers(meter, [100, 110]))
    keep(lake, [Row(meter, int(DAYS[0]) + 1, 99, profile=Profile.SPOT)])
    keep(lake, registers(meter, [130], first_day=3))

    def ask(terms: Terms | None = None) -> list[int | None]:
        return consumption_of(lake, registry, IMPORT, DAYS[:4], meters=[meter], terms=terms).column("value").to_pylist()

    daily = [Profile.DAILY]
    assert ask() == [None, None, None]
    assert ask(Terms(profiles=daily)) == [10, None, None]
    assert ask(Terms(profiles=[])) == [None, None, None]
    assert ask(Terms(profiles=daily, interpolate=True, reach=timedelta(days=2))) == [10, 10, 10]
    assert ask(Terms(profiles=daily, ratios=Ratios.of([(meter, SINCE_EVER_US, Fraction(3))]))) == [30, None, None]


def test_a_combined_register_may_fall(lake: Lake, registry: Registry):
    net = quantities()["1-0:16.8.0"]
    with registry.writing() as session:
        meter = add_meter(session, "1").id
    keep(lake, registers(meter, [5, -7], quantity=net.code))
    found = consumption_of(lake, registry, net, DAYS[:2], meters=[meter])
    assert found.column("value").to_pylist() == [-12]


def test_neighbours_beyond_the_boundaries_pin_the_ends(lake: Lake, registry: Registry):
    with registry.writing() as session:
        meter = add_meter(session, "1").id
    start, end = int(DAYS[0]), int(DAYS[1])
    keep(lake, [Row(meter, start - HOUR_US, 50), Row(meter, start + HOUR_US, 50), Row(meter, end, 60)])
    found = consumption_of(lake, registry, IMPORT, DAYS[:2], meters=[meter])
    assert found.column("value").to_pylist() == [10]


def test_many_are_asked_for_in_pieces_with_the_same_answer(
    lake: Lake, registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    with registry.writing() as session:
        ids = [add_meter(session, str(number)).id for number in range(1, 30)]
    keep(lake, [row for meter in ids for row in registers(meter, [meter * day for day in range(1 + meter % 11)])])
    whole = consumption_of(lake, registry, IMPORT, DAYS, meters=ids)
    monkeypatch.setattr(supply, "ROWS_AT_ONCE", 20)
    pieces = list(consumption_pieces(lake, registry, IMPORT, DAYS, meters=ids))
    assert len(pieces) > 5
    assert pa.concat_tables(pieces).equals(whole)
    monkeypatch.setattr(supply, "_CELLS_AT_ONCE", 25)
    assert consumption_of(lake, registry, IMPORT, DAYS, meters=ids).equals(whole)


def test_months_of_the_named_zone(lake: Lake, registry: Registry):
    with registry.writing() as session:
        meter = add_meter(session, "1").id
    months = local_months(date(2026, 3, 1), date(2026, 4, 1), SHANGHAI)
    keep(lake, [Row(meter, int(start), 100 * number) for number, start in enumerate(months)])
    found = consumption_of(lake, registry, IMPORT, months, meters=[meter])
    assert found.column("value").to_pylist() == [100, 100]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"quantity": VOLTAGE, "meters": [1]}, "not cumulative"),
        ({}, "one of the two"),
        ({"meters": [1], "usage_points": [1]}, "one of the two"),
        ({"meters": [1], "boundaries": DAYS[:1]}, "two or more"),
    ],
)
def test_what_cannot_be_asked_is_refused(lake: Lake, registry: Registry, more: dict[str, object], words: str):
    asked = {"quantity": IMPORT, "boundaries": DAYS} | more
    with pytest.raises(ConfigError, match=words):
        consumption_of(lake, registry, asked.pop("quantity"), asked.pop("boundaries"), **asked)


def test_the_archives_tell_where_a_register_rolls_over(lake: Lake, registry: Registry):
    with registry.writing() as session:
        known, told, unknown = (add_meter(session, str(number)) for number in range(1, 4))
        for meter in (known, told):
            meter.register_digits, meter.register_decimals = 6, 2
        known.ct_primary, known.ct_secondary = 200, 3
        ids = [known.id, told.id, unknown.id]
    turn = 10**8  # 9999.99 kWh in steps of 10^-4 kWh
    keep(lake, [row for meter in ids for row in registers(meter, [turn - 30_000, 20_000, 50_000])])
    terms = Terms(registers={ids[1]: Register()})
    found = consumption_of(lake, registry, IMPORT, DAYS[:3], meters=ids, terms=terms)
    by_two = found.column("value").to_pylist()
    assert by_two[:2] == [round(50_000 * Fraction(200, 3)), 2_000_000]
    assert by_two[2:] == [None, 30_000, None, 30_000]
    assert found.column("flags")[0].as_py() == Flag.MEASURED | Flag.ROLLOVER
    assert found.column("flags")[2].as_py() & Flag.ANOMALOUS


def test_digits_say_nothing_of_registers_that_fall_or_show_another_unit(lake: Lake, registry: Registry):
    net, heat = quantities()["1-0:16.8.0"], quantities()["6-0:1.0.0"]
    with registry.writing() as session:
        electric = add_meter(session, "1")
        warm = add_meter(session, "2", protocol="cjt188", utility=Utility.HEAT)
        for meter in (electric, warm):
            meter.register_digits, meter.register_decimals = 6, 2
        electric_id, warm_id = electric.id, warm.id
    turn = 10**8
    keep(lake, registers(electric_id, [turn - 3, 2], quantity=net.code))
    keep(lake, registers(warm_id, [turn - 3, 2], quantity=heat.code))
    assert consumption_of(lake, registry, net, DAYS[:2], meters=[electric_id])["value"].to_pylist() == [5 - turn]
    assert consumption_of(lake, registry, heat, DAYS[:2], meters=[warm_id])["value"].to_pylist() == [None]
