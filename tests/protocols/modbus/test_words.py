from __future__ import annotations

from datetime import datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.protocols.modbus.words import (
    ORDERS,
    TYPES,
    Bits,
    Clock,
    Digits,
    Float,
    Signed,
    Unsigned,
    clock_octets,
    reorder,
)


@pytest.mark.parametrize(
    ("octets", "order", "wanted"),
    [
        ("0a0b0c0d", "ABCD", "0a0b0c0d"),
        ("0c0d0a0b", "CDAB", "0a0b0c0d"),
        ("0b0a0d0c", "BADC", "0a0b0c0d"),
        ("0d0c0b0a", "DCBA", "0a0b0c0d"),
        ("0a0b", "CDAB", "0a0b"),
        ("0b0a", "DCBA", "0a0b"),
        ("0708050603040102", "CDAB", "0102030405060708"),
        ("0807060504030201", "DCBA", "0102030405060708"),
    ],
)
def test_orders(octets, order, wanted):
    assert reorder(bytes.fromhex(octets), order).hex() == wanted


@pytest.mark.parametrize("order", ORDERS)
@given(st.binary(min_size=4, max_size=8).filter(lambda octets: len(octets) % 2 == 0))
def test_an_order_undoes_itself(order, octets):
    assert reorder(reorder(octets, order), order) == octets


@pytest.mark.parametrize("name", [name for name in TYPES if name not in ("F32", "F64", "CLOCK")])
@given(data=st.data())
def test_values_come_back(name, data):
    kind, size, first = TYPES[name]
    order = data.draw(st.sampled_from(ORDERS)) if size in (2, 4, 8) else "ABCD"
    word = kind(size, first, order, data.draw(st.integers(-3, 3)), "kWh")
    octets = data.draw(st.binary(min_size=size, max_size=size))
    assert word.from_json(word.to_json(octets)) == octets


@pytest.mark.parametrize("size", [4, 8])
@given(octets=st.binary(min_size=8, max_size=8), order=st.sampled_from(ORDERS))
def test_floats_come_back_unless_they_are_none(size, octets, order):
    word, octets = Float(size, 0, order), octets[:size]
    said = word.to_json(octets)
    if said["value"] is None:
        assert said["missing"]
        assert word.to_json(word.from_json(said))["value"] is None
    else:
        assert word.from_json(said) == octets


@pytest.mark.parametrize(
    ("word", "octets", "value"),
    [
        (Unsigned(4, 0, "ABCD", -2, "kWh"), "0000007f", "1.27"),
        (Signed(2, 0, "ABCD", -3, "kW"), "ffff", "-0.001"),
        (Unsigned(1, 1, "ABCD", 0, "1"), "ff", "255"),
        (Float(4, 0, "CDAB", 0, "V"), "999a435c", "220.6"),
        (Float(4, 0, "ABCD", 0, "V"), "7fc00000", None),
        (Bits(2, 0, "ABCD", 0, "bits"), "00e0", "0x00E0"),
        (Digits(6), "123456789012", "123456789012"),
        (Clock(7, 0, "ABCD", 0, "local time"), "150a150413242a", "2021-10-21T19:36:42"),
        (Clock(7), "00000000000000", None),
        (Clock(7), "150d150413242a", None),
    ],
)
def test_octets_and_their_value(word, octets, value):
    assert word.to_json(bytes.fromhex(octets))["value"] == value


def test_exact_numbers():
    assert Signed(4, 0, "CDAB", -2).number(bytes.fromhex("ff81ffff")) == -127
    assert Float(4).number(bytes.fromhex("3f000000")) == Fraction(1, 2)
    assert Float(8).number(bytes.fromhex("7ff0000000000000")) is None


def test_clocks_come_back():
    clock = Clock(7)
    for octets in ("150a150413242a", "00" * 7):
        assert clock.from_json(clock.to_json(bytes.fromhex(octets))).hex() == octets
    assert clock.to_json(bytes(7))["missing"] is True
    assert clock.meaning(clock.to_json(bytes.fromhex("150d150413242a"))).en == "no possible time"
    assert clock.meaning(clock.to_json(bytes(7))).en == "the meter has no value"
    assert clock.meaning(clock.to_json(bytes.fromhex("150a150413242a"))) is None
    assert clock_octets(datetime(2021, 10, 21, 19, 36, 42))[3] == 4
    with pytest.raises(ValueError):
        clock_octets(datetime(1999, 1, 1))
