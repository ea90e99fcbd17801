from __future__ import annotations

from fractions import Fraction

import pytest

from meterweave.metering.quantities import quantities
from meterweave.profiles.unit import UNITS, ratio, scale


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.01", Fraction(1, 100)),
        ("100", Fraction(100)),
        ("1e-3", Fraction(1, 1000)),
        ("1/3", Fraction(1, 3)),
        ("-0.5", Fraction(-1, 2)),
        ("2.5/3", Fraction(5, 6)),
        ("1E2", Fraction(100)),
    ],
)
def test_a_scale_is_exact(text: str, wanted: Fraction) -> None:
    assert scale(text) == wanted


@pytest.mark.parametrize("text", ["", "abc", "1/2/3", "0x10", "nan", "inf", "1e999", "1,5", "1" * 30, ".5", "1/"])
def test_what_is_no_scale_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        scale(text)


@pytest.mark.parametrize(
    ("unit", "wanted", "factor"),
    [
        ("Wh", "kWh", Fraction(1, 1000)),
        ("MJ", "kWh", Fraction(10, 36)),
        ("kWh", "J", Fraction(3_600_000)),
        ("GJ/h", "W", Fraction(10**7, 36)),
        ("L/min", "m3/h", Fraction(60, 1000)),
        ("kW", "W", Fraction(1000)),
        ("%", "1", Fraction(1, 100)),
        ("[gal_us]", "m3", Fraction(3_785_411_784, 10**12)),
        ("h", "s", Fraction(3600)),
    ],
)
def test_units_convert_exactly(unit: str, wanted: str, factor: Fraction) -> None:
    assert ratio(unit, wanted) == factor


@pytest.mark.parametrize(("unit", "wanted"), [("kWh", "kvarh"), ("m3", "kWh"), ("Cel", "K"), ("V", "A"), ("x", "V")])
def test_what_measures_something_else_does_not_convert(unit: str, wanted: str) -> None:
    assert ratio(unit, wanted) is None


def test_every_quantity_has_a_unit_that_profiles_know() -> None:
    assert {one.unit for one in quantities().values()} <= set(UNITS)
