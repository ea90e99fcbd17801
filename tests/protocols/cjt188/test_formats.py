from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.protocols.cjt188.formats import (
    FORMATS,
    Address,
    Binary,
    Clock,
    Digits,
    Metered,
    Octets,
    Status,
    Valve,
)
from meterweave.text import Text


@pytest.mark.parametrize(
    ("form", "octets", "wanted"),
    [
        (Metered(5, -2), "002301002c", {"value": "123.00", "unit": "m3"}),
        (Metered(5, -4), "7856341232", {"value": "1234.5678", "unit": "L/h"}),
        (Metered(5, -2), "010000000a", {"value": "0.01", "unit": "MWh x100"}),
        (Metered(5, -2), "ffffffff2c", {"value": None, "missing": True, "unit": "m3"}),
        (Metered(5, -2), "0100000000", {"value": "0.01", "unit": "unknown", "unit_code": "0x00"}),
        (Metered(5, -2), "0a0000002c", {"value": None, "unit": "m3", "raw": "0a0000002c"}),
        (Digits(3, -2, "Cel"), "763000", {"value": "30.76", "unit": "Cel"}),
        (Digits(3, 0, "h"), "ffffff", {"value": None, "missing": True, "unit": "h"}),
        (Binary(1, 0, "1"), "ff", {"value": "255", "unit": "1"}),
        (Octets(2, 0, "hex"), "12ab", {"value": "12ab", "unit": "hex"}),
        (Address(2, 0, "bcd"), "12ab", {"value": "ab12", "unit": "bcd"}),
        (Clock(7), "32411112090720", {"value": "2007-09-12T11:41:32", "unit": "local time"}),
        (
            Clock(7),
            "32411112092015",
            {"value": "2015-09-12T11:41:32", "unit": "local time", "year_swapped": True},
        ),
        (Clock(7), "00" * 7, {"value": None, "unit": "local time", "missing": True}),
        (Clock(7), "ff" * 7, {"value": None, "unit": "local time", "missing": True, "raw": "ff" * 7}),
        (Clock(7), "32411132130720", {"value": None, "unit": "local time", "raw": "32411132130720"}),
        (Clock(7), "32411112090000", {"value": None, "unit": "local time", "raw": "32411112090000"}),
        (
            Status(2),
            "0623",
            {"value": "0623", "unit": "hex, low byte first", "valve": "abnormal", "battery_low": True},
        ),
        (Valve(1), "55", {"value": "open", "unit": ""}),
        (Valve(1), "99", {"value": "close", "unit": ""}),
        (Valve(1), "66", {"value": "maker-specific 0x66", "unit": ""}),
    ],
)
def test_octets_and_their_value(form, octets, wanted):
    assert form.to_json(bytes.fromhex(octets)) == wanted
    assert form.from_json(wanted).hex() == octets


@pytest.mark.parametrize("kind", FORMATS.values())
@given(data=st.data())
def test_every_octet_comes_back(kind, data):
    size = {Clock: 7, Status: 2, Valve: 1}.get(kind, 4)
    form = kind(size, -2 if issubclass(kind, Digits) else 0)
    octets = data.draw(st.binary(min_size=size, max_size=size))
    assert form.from_json(form.to_json(octets)) == octets


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (Metered(5, -2), {"value": "1.00", "unit": "furlong"}),
        (Metered(5, -2), {"value": "1.001", "unit": "m3"}),
        (Metered(5, -2), {"value": "1000000.00", "unit": "m3"}),
        (Metered(5, -2), {"value": "1", "unit": "m3", "raw": "00"}),
        (Binary(1), {"value": "256"}),
        (Octets(2), {"value": "12"}),
        (Clock(7), {"value": "1989-01-01T00:00:00"}),
        (Valve(1), {"value": "maker-specific 0x166"}),
    ],
)
def test_values_that_cannot_be(form, value):
    with pytest.raises(ValueError):
        form.from_json(value)


@pytest.mark.parametrize(
    ("form", "octets", "meaning"),
    [
        (Digits(1), "ff", "the meter has no value"),
        (Digits(1), "11", None),
        (Clock(7), "00" * 7, "the meter has no value"),
        (Clock(7), "32411112130720", "no possible time"),
        (Clock(7), "32411112092015", "the octets of the year are swapped"),
        (Clock(7), "32411112090720", None),
        (Status(2), "0000", "valve open, battery good"),
        (Status(2), "0500", "valve closed, battery low"),
        (Status(2), "0300", "valve abnormal, battery good"),
        (Valve(1), "55", "open the valve"),
        (Valve(1), "00", "maker's own command"),
    ],
)
def test_the_meaning_in_words(form, octets, meaning):
    found = form.meaning(form.to_json(bytes.fromhex(octets)))
    assert (found.en if isinstance(found, Text) else found) == meaning
