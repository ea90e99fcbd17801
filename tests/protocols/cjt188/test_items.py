from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from meterweave.metering.quantities import by_code
from meterweave.protocols.cjt188.formats import Digits, Metered
from meterweave.protocols.cjt188.items import identifiers, layout
from meterweave.protocols.cjt188.meter import Medium, meter_kind
from meterweave.protocols.cjt188.readings import columns
from meterweave.protocols.cjt188.units import FIXED_UNITS, UNITS, conversion

LAYOUTS = sorted(
    {
        row["layout"]
        for row in csv.DictReader(
            files("meterweave.protocols.cjt188").joinpath("items.csv").read_text(encoding="utf-8").splitlines()
        )
    }
)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_measured_item_converts_to_its_quantity(name):
    for item in layout(name).items:
        for quantity in item.quantities.values():
            assert isinstance(item.format, Digits), item.name
            if isinstance(item.format, Metered):
                ways = [conversion(unit, item.format.exponent, quantity) for unit in UNITS.values()]
                assert any(ways), f"{item.name}: no unit measures {by_code()[quantity].name}"
            else:
                assert conversion(FIXED_UNITS[item.format.unit], item.format.exponent, quantity), item.name


def test_no_conversion_leaves_64_bits():
    for name in LAYOUTS:
        for item in layout(name).items:
            for quantity in item.quantities.values():
                for unit in (*UNITS.values(), *FIXED_UNITS.values()):
                    ratio = conversion(unit, item.format.exponent, quantity)
                    if ratio:
                        assert 10 ** (2 * item.format.size) * ratio[0] < 2**63 or isinstance(item.format, Metered)
                        assert 10 ** (2 * (item.format.size - 1)) * ratio[0] < 2**63


def test_every_layout_of_an_identifier_is_used_and_named():
    used = {rule.layout.name for known in identifiers().values() for rule in known.rules}
    assert used | {"error_status"} == set(LAYOUTS)
    for known in identifiers().values():
        assert known.meaning.en
        assert known.meaning.zh
        for rule in known.rules:
            assert all(item.meaning.en and item.meaning.zh and item.clause for item in rule.layout.items)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("volume", 0x16),
        ("heat_2004", 0x2E),
        ("heat_2018", 0x2B),
        ("heat_cooling_2018", 0x39),
        ("clock", 0x0A),
        ("settlement_volume", 0x08),
        ("freeze_timed", 0x1A),
        ("prices", 0x12),
        ("prices_write", 0x13),
        ("purchase", 0x12),
        ("purchase_write", 0x08),
        ("key", 0x0C),
        ("register", 0x08),
        ("valve", 0x04),
        ("status", 0x05),
        ("new_address", 0x0A),
    ],
)
def test_lengths_are_those_of_the_standard(name, length):
    assert layout(name).size + 3 == length


def test_families_are_numbered():
    names = [rule.layout.items[0].name for di in (0xD120, 0xD12B, 0xD301) for rule in identifiers()[di].rules]
    assert names == ["volume.settlement.1", "volume.settlement.12", "freeze.timed.2.time"]
    assert identifiers()[0xD12B].meaning.en.endswith(" 12")


def test_the_medium_chooses_the_quantity():
    found = {
        medium: [by_code()[column.quantity].obis for column in columns(layout("volume"), medium)] for medium in Medium
    }
    assert found == {
        Medium.UNKNOWN: [],
        Medium.COOLING: [],
        Medium.HEAT: [],
        Medium.GAS: ["7-0:3.0.0", "7-0:3.2.0"],
        Medium.COLD_WATER: ["8-0:1.0.0", "8-0:1.2.0"],
        Medium.HOT_WATER: ["9-0:1.0.0", "9-0:1.2.0"],
    }


@pytest.mark.parametrize(
    ("meter_type", "name"),
    [
        (0x10, "cold_water"),
        (0x13, "reclaimed_water"),
        (0x19, "water"),
        (0x20, "heat"),
        (0x21, "cooling"),
        (0x27, "heat"),
        (0x30, "gas"),
        (0x39, "gas"),
        (0x40, "other"),
        (0xAA, "wildcard"),
        (0x00, "unknown"),
    ],
)
def test_meter_types(meter_type, name):
    assert meter_kind(meter_type).name == name
