from __future__ import annotations

import pytest

from meterweave.metering.batch import Profile
from meterweave.metering.quantities import obis_code
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import service
from meterweave.protocols.gdw1376.part1.catalogue import layouts
from meterweave.protocols.gdw1376.part1.sources import Given, answer_size, given, items_for, quantities_of

ENERGY, REACTIVE, QUADRANT, VOLTAGE, POWER, DEMAND = (
    obis_code(one) for one in ("1-0:1.8.0", "1-0:3.8.0", "1-0:5.8.0", "1-0:32.7.0", "1-0:16.7.0", "1-0:1.6.0")
)
PRESENT, HISTORY = 0x0C, 0x0D


@pytest.mark.parametrize(
    ("afn", "profile", "items"),
    [
        (PRESENT, Profile.SPOT, (25, 129, 130, 133, 145)),
        (HISTORY, Profile.CURVE, (81, 89, 101, 102, 145)),
        (HISTORY, Profile.DAILY, (161, 162, 165, 185)),
        (HISTORY, Profile.MONTHLY, (177, 178, 181, 193)),
    ],
)
def test_the_item_that_gives_least_beside(afn: int, profile: Profile, items: tuple[int, ...]) -> None:
    assert items_for(afn, profile, (ENERGY, REACTIVE, QUADRANT, VOLTAGE, POWER, DEMAND)) == items


def test_what_no_item_gives_is_left_out() -> None:
    assert items_for(HISTORY, Profile.DAILY, (VOLTAGE, obis_code("8-0:1.0.0"))) == ()


def test_every_measuring_item_gives_what_it_is_chosen_for() -> None:
    measuring = [key for key, layout in layouts().items() if key.uplink and layout.profile]
    for key in measuring:
        codes = quantities_of(key.afn, key.fn)
        profile = Profile[layouts()[key].profile.upper()]
        for code in codes:
            (item,) = items_for(key.afn, profile, [code])
            assert code in quantities_of(key.afn, item)
            assert len(quantities_of(key.afn, item)) <= len(codes)
    assert len(measuring) > 80


def test_the_size_of_a_curve_is_exact() -> None:
    values = {"curve.start": "2026-11-22T00:00", "curve.density": "1", "curve.count": "96"}
    values |= {f"energy.forward_active.total[{index}]": "1.00" for index in range(96)}
    assert answer_size(HISTORY, 101, 96) == 4 + len(part1.build_unit(HISTORY, True, [1], [101], values).data)


def test_what_an_answer_gives() -> None:
    values = {"read_time": "2026-11-22T12:00", "tariff_count": "1"}
    told = {"energy.forward_active.total": "1.0000", "energy.forward_active.t1": None}
    none = dict.fromkeys(told)
    units = [
        part1.build_unit(PRESENT, True, [3], [129], values | told),
        part1.build_unit(PRESENT, True, [4], [129], values | none),
        part1.build_unit(PRESENT, True, [0], [2], {"clock": "2026-11-22T12:00:00"}),
    ]
    question = service.request(0x3301, 7, PRESENT, [])
    assert list(given(service.answer(question, units))) == [
        Given(3, 129, frozenset({ENERGY})),
        Given(4, 129, frozenset()),
    ]
    assert list(given(question)) == []
