"""Units behind values in CJ/T 188-2004 and -2018, and exact conversion to the units readings are stored in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from meterweave.metering.quantities import by_code

_WH = 3600  # joules in a watt-hour


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A unit and what it is worth; there is one object of each, and it equals no other."""

    text: str
    base: str  # the unit of the quantities it can be converted to
    factor: Fraction  # how many of `base` one of this unit is


_FIRST = 0x01  # J, the only unit without multiples
_BASES: dict[int, Unit] = {
    0x02: Unit("Wh", "J", Fraction(_WH)),
    0x05: Unit("kWh", "J", Fraction(_WH * 10**3)),
    0x08: Unit("MWh", "J", Fraction(_WH * 10**6)),
    0x0B: Unit("kJ", "J", Fraction(10**3)),
    0x0E: Unit("MJ", "J", Fraction(10**6)),
    0x11: Unit("GJ", "J", Fraction(10**9)),
    0x14: Unit("W", "W", Fraction(1)),
    0x17: Unit("kW", "W", Fraction(10**3)),
    0x1A: Unit("MW", "W", Fraction(10**6)),
    0x29: Unit("L", "m3", Fraction(1, 10**3)),
    0x2C: Unit("m3", "m3", Fraction(1)),
    0x32: Unit("L/h", "m3/h", Fraction(1, 10**3)),
    0x35: Unit("m3/h", "m3/h", Fraction(1)),
    0x40: Unit("J/h", "W", Fraction(1, _WH)),
    0x43: Unit("kJ/h", "W", Fraction(10**3, _WH)),
    0x46: Unit("MJ/h", "W", Fraction(10**6, _WH)),
    0x49: Unit("GJ/h", "W", Fraction(10**9, _WH)),
}


def _with_multiples() -> dict[int, Unit]:
    table = {_FIRST: Unit("J", "J", Fraction(1))}
    for code, unit in _BASES.items():
        table[code] = unit
        table[code + 1] = Unit(f"{unit.text} x10", unit.base, 10 * unit.factor)
        table[code + 2] = Unit(f"{unit.text} x100", unit.base, 100 * unit.factor)
    return table


UNITS: Mapping[int, Unit] = _with_multiples()
"""Unit by its code; the two codes after a unit are its tenfold and its hundredfold."""

UNIT_CODES: Mapping[str, int] = {unit.text: code for code, unit in UNITS.items()}

FIXED_UNITS: Mapping[str, Unit] = {
    unit.text: unit
    for unit in (Unit("Cel", "Cel", Fraction(1)), Unit("h", "s", Fraction(3600)), Unit("CNY", "CNY", Fraction(1)))
}
"""Units that are not on the wire because their item has no other."""


@cache
def conversion(unit: Unit, exponent: int, quantity: int) -> tuple[int, int] | None:
    """What a sent integer must be multiplied with and divided by to be a stored integer of `quantity`.

    Parameters
    ----------
    unit, exponent
        The sent integer times ``10**exponent`` is the value in `unit`.
    quantity : int
        `meterweave.metering.quantities.Quantity.code`.

    Returns
    -------
    tuple of int, or None
        Numerator and denominator in lowest terms; None where the unit does not measure this quantity.
    """
    target = by_code()[quantity]
    if target.unit != unit.base:
        return None
    return (unit.factor * Fraction(10) ** (exponent - target.exponent)).as_integer_ratio()
