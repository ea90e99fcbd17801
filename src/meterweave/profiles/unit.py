"""Units and scales of profiles: exact fractions, never floats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit as so many of the unit that all of its kind are counted in."""

    base: str
    factor: Fraction


_HOUR = 3600
_PREFIXES = {"": Fraction(1), "k": Fraction(1000), "M": Fraction(10**6), "G": Fraction(10**9)}
_MILLI = Fraction(1, 1000)


def _units() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for prefix, factor in _PREFIXES.items():
        table[f"{prefix}J"] = Unit("J", factor)
        table[f"{prefix}Wh"] = Unit("J", factor * _HOUR)
        for base in ("W", "VA", "var", "VAh", "varh", "V", "A", "Hz"):
            table[f"{prefix}{base}"] = Unit(base, factor)
        table[f"{prefix}J/h"] = Unit("W", factor / _HOUR)
    table["%"] = Unit("1", Fraction(1, 100))
    table["mV"], table["mA"] = Unit("V", _MILLI), Unit("A", _MILLI)
    litre, foot, gallon = _MILLI, Fraction(28_316_846_592, 10**12), Fraction(3_785_411_784, 10**12)
    for name, volume in (
        ("m3", Fraction(1)),
        ("L", litre),
        ("mL", litre / 1000),
        ("[cft_i]", foot),
        ("[gal_us]", gallon),
    ):
        table[name] = Unit("m3", volume)
        for span, hours in (("h", 1), ("min", Fraction(1, 60)), ("s", Fraction(1, 3600))):
            table[f"{name}/{span}"] = Unit("m3/h", volume / hours)
    for name, seconds in (("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)):
        table[name] = Unit("s", Fraction(seconds))
    table["CNY"], table["fen"] = Unit("CNY", Fraction(1)), Unit("CNY", Fraction(1, 100))
    for name in ("Cel", "K", "deg", "1"):
        table[name] = Unit(name, Fraction(1))
    table["°C"], table["yuan"] = Unit("Cel", Fraction(1)), Unit("CNY", Fraction(1))
    return table


UNITS: Mapping[str, Unit] = _units()
"""Every unit a profile may name."""


def ratio(unit: str, wanted: str) -> Fraction | None:
    """One `unit` in `wanted`; None where they do not measure the same."""
    if unit == wanted:
        return Fraction(1)
    one, other = UNITS.get(unit), UNITS.get(wanted)
    if one is None or other is None or one.base != other.base:
        return None
    return one.factor / other.factor


_DECIMAL = re.compile(r"([+-]?\d{1,18}(?:\.\d{1,18})?)(?:[eE]([+-]?\d{1,2}))?")


def scale(text: str) -> Fraction:
    """The number that a scale says: ``0.01``, ``100``, ``1e-3``, ``1/3``.

    Raises
    ------
    ValueError
        If it says none.
    """
    dividend, slash, divisor = text.partition("/")
    found = _decimal(dividend)
    return found / _decimal(divisor) if slash else found


def _decimal(text: str) -> Fraction:
    match = _DECIMAL.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no decimal number")
    return Fraction(match[1]) * Fraction(10) ** int(match[2] or 0)
