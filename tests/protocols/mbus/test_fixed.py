from __future__ import annotations

from dataclasses import replace

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.mbus.fixed import FixedData, FixedUnit, decode_fixed, encode_fixed, fixed_units

OCTETS = bytes.fromhex("93929190100005693165000069000000")
FIXED = decode_fixed(OCTETS)


def test_medium_and_units_share_two_octets():
    assert (FIXED.medium, FIXED.unit1, FIXED.unit2) == (4, 5, 0x29)
    assert FIXED.units == (FixedUnit("energy", "Wh", 3), FixedUnit("volume", "m3", -3))
    assert encode_fixed(FIXED) == OCTETS


def test_the_second_counter_can_have_the_unit_of_the_first():
    assert replace(FIXED, unit2=0x3E).units[1] == FIXED.units[0]
    assert replace(FIXED, unit2=0x3B).units[1] == FixedUnit("", "", 0)


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        (0x02, FixedUnit("energy", "Wh", 0)),
        (0x0A, FixedUnit("energy", "Wh", 8)),
        (0x0B, FixedUnit("energy", "J", 3)),
        (0x13, FixedUnit("energy", "J", 11)),
        (0x17, FixedUnit("power", "W", 3)),
        (0x1D, FixedUnit("power", "J/h", 3)),
        (0x2C, FixedUnit("volume", "m3", 0)),
        (0x35, FixedUnit("volume_flow", "m3/h", 0)),
        (0x38, FixedUnit("temperature", "Cel", -3)),
    ],
)
def test_units(code, unit):
    assert fixed_units()[code] == unit


def test_counters_are_bcd_or_binary():
    assert FIXED.numbers == (6531, 69)
    assert replace(FIXED, counter1=b"\x0a\0\0\0").numbers == (None, 69)
    assert replace(FIXED, status=1, counter1=b"\xff\0\0\x80").numbers == (0x800000FF, 0x69)


@pytest.mark.parametrize("wrong", [{"medium": 16}, {"unit1": 64}, {"status": -1}, {"counter2": b""}])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(EncodeError, match=next(iter(wrong))):
        encode_fixed(replace(FIXED, **wrong))


def test_types():
    assert isinstance(FIXED, FixedData)
    assert (FIXED.binary, FIXED.stored) == (False, False)
