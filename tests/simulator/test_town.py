from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.simulator.faults import Faults, chance, corrupted, pick
from meterweave.simulator.town import Protocol, Utility, build
from tests.simulator.centre import DAY_S, MIDNIGHT_S, plan


def test_the_default_town_is_half_and_half():
    town = build(plan(terminals=20, meters=1000, others=600))
    assert [site.protocol for site in town].count(Protocol.DLT698) == 10
    meters = [meter for site in town for meter in site.meters]
    assert len(meters) == 1600
    assert len({meter.address for meter in meters}) == 1600
    assert len({site.wire_key(meter) for site in town for meter in site.meters}) == 1600
    assert {site.district for site in town} == {f"LV-{number:04d}" for number in range(1, 21)}
    for utility in (Utility.WATER, Utility.GAS, Utility.HEAT):
        assert sum(meter.utility is utility for meter in meters) == 200
    for phase in (1, 2, 3):
        assert sum(meter.phase == phase for meter in meters) > 250
    assert sum(meter.utility is Utility.ELECTRICITY and meter.phase == 0 for meter in meters) == 60


def test_points_count_from_one_without_gaps():
    for site in build(plan()):
        assert [meter.point for meter in site.meters] == list(range(1, len(site.meters) + 1))


def test_without_698_nothing_but_electricity():
    town = build(plan(protocols=(Protocol.GDW1376,)))
    assert {meter.utility for site in town for meter in site.meters} == {Utility.ELECTRICITY}


def test_the_same_plan_gives_the_same_town():
    def told(seed: int) -> list[tuple[object, ...]]:
        town = build(plan(seed=seed, faults=Faults.of(0.2)))
        return [
            (site.address, site.clock_off_s, meter.address, meter.phase, meter.shift_s, meter.start, meter.dies_s)
            for site in town
            for meter in site.meters
        ]

    assert told(1) == told(1)
    assert told(1) != told(2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"terminals": 1},
        {"terminals": -1},
        {"meters": -1},
        {"meters": 2 * 2040 + 1},
        {"others": -1},
        {"days": -1},
        {"first_s": MIDNIGHT_S + 1},
        {"first_s": MIDNIGHT_S - 3000 * DAY_S},
        {"protocols": ()},
    ],
)
def test_an_impossible_plan_is_told(wrong):
    with pytest.raises(ConfigError, match=r"wanted|too few|at most"):
        plan(**wrong)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_an_impossible_rate_is_told(rate):
    with pytest.raises(ConfigError, match="wanted 0 to 1"):
        Faults(corrupt=rate)


def test_chances_are_even_and_belong_to_what_they_are_about():
    found = [chance(1, "x", number) for number in range(2000)]
    assert 0.45 < sum(found) / len(found) < 0.55
    assert chance(1, "x", 7) == found[7] != chance(2, "x", 7)
    assert {pick(1, 3, 5, number) for number in range(100)} == {3, 4, 5}


def test_a_corrupted_frame_differs_in_one_octet():
    octets = bytes(range(50))
    for number in range(100):
        changed = corrupted(octets, 1, number)
        assert sum(one != other for one, other in zip(octets, changed, strict=True)) == 1
