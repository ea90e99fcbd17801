"""Which quantity a record is, by medium, VIF and VIFE (``obis.csv``), and how its number becomes a stored one.

Readings are made of instantaneous values of sub-unit 0. A tariff is the OBIS value group E, where the quantity has
tariffs. Everything else is left out: maxima, minima and values during errors are other quantities, sub-units are other
meters, and what a manufacturer VIFE says is the manufacturer's.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from math import gcd
from types import MappingProxyType
from typing import NamedTuple

from meterweave.metering.quantities import Quantity, quantities
from meterweave.protocols.mbus.head import Coding, Head
from meterweave.protocols.mbus.items import Format

ANY_MEDIUM = -1  # the medium of telegrams that do not tell theirs
_NUMERIC = (Coding.INTEGER, Coding.REAL, Coding.BCD, Coding.NEGATIVE_BCD)
_NUMERIC_ROLES = frozenset(("scale", "add", "none", "error"))
_WHICH_ROLES = frozenset(("import", "export", "l1", "l2", "l3", "n"))

_FACTORS: Mapping[tuple[str, str], tuple[int, int]] = {
    ("Wh", "kWh"): (1, 1000),
    ("MWh", "kWh"): (1000, 1),
    ("J", "kWh"): (1, 3_600_000),
    ("GJ", "kWh"): (10_000, 36),
    ("Wh", "J"): (3600, 1),
    ("MWh", "J"): (3_600_000_000, 1),
    ("GJ", "J"): (1_000_000_000, 1),
    ("MW", "W"): (1_000_000, 1),
    ("J/h", "W"): (1, 3600),
    ("GJ/h", "W"): (10_000_000, 36),
    ("m3/min", "m3/h"): (60, 1),
    ("m3/s", "m3/h"): (3600, 1),
    ("[cft_i]", "m3"): (28_316_846_592, 1_000_000_000_000),
    ("[gal_us]", "m3"): (3_785_411_784, 1_000_000_000_000),
    ("[gal_us]/h", "m3/h"): (3_785_411_784, 1_000_000_000_000),
    ("[gal_us]/min", "m3/h"): (227_124_707_040, 1_000_000_000_000),
    ("min", "s"): (60, 1),
    ("h", "s"): (3600, 1),
    ("d", "s"): (86_400, 1),
}
"""One of the first unit in the second, as a fraction; equal units need no row."""


class Target(NamedTuple):
    """The quantity that a record is, and the fraction that turns the record's unit into the stored steps."""

    quantity: int  # its OBIS code, packed
    multiplier: int
    divisor: int

    def at(self, exponent: int) -> tuple[int, int]:
        """Multiplier and divisor, without common factor, for numbers at `exponent`."""
        multiplier, divisor = self.multiplier, self.divisor
        if exponent >= 0:
            multiplier *= 10**exponent
        else:
            divisor *= 10**-exponent
        common = gcd(multiplier, divisor)
        return multiplier // common, divisor // common

    def convert(self, digits: int, exponent: int) -> tuple[int, bool]:
        """The stored number of ``digits · 10**exponent``, and whether it is exact; rounded half away from zero."""
        multiplier, divisor = self.at(exponent)
        whole, rest = divmod(abs(digits) * multiplier, divisor)
        whole += 2 * rest >= divisor
        return (-whole if digits < 0 else whole), rest == 0


@lru_cache(maxsize=4096)
def target(medium: int, head: Head) -> Target | None:
    """What a record with `head` measures in a meter of `medium`; None: nothing that has a quantity."""
    if head.function != "instantaneous" or head.subunit or head.coding not in _NUMERIC or not head.size:
        return None
    if head.format is not Format.NUMBER or not head.roles <= _WHICH_ROLES | _NUMERIC_ROLES:
        return None
    return target_of(medium, head.item.name, head.unit, head.tariff, head.roles & _WHICH_ROLES)


def target_of(medium: int, name: str, unit: str, tariff: int = 0, which: frozenset[str] = frozenset()) -> Target | None:
    """The same by the name of the quantity and its unit."""
    key = name, "+".join(sorted(which))
    obis = _codes().get((medium, *key)) or _codes().get((ANY_MEDIUM, *key))
    quantity = _with_tariff(obis, tariff) if obis else None
    if quantity is None:
        return None
    factor = (1, 1) if unit == quantity.unit else _FACTORS.get((unit, quantity.unit))
    if factor is None:
        return None
    # One unit is 10**-exponent stored steps; `at` puts that into the fraction.
    return Target(quantity.code, *Target(quantity.code, *factor).at(-quantity.exponent))


def _with_tariff(obis: str, tariff: int) -> Quantity | None:
    """The quantity of value group E = `tariff`, where that is what E means."""
    found = quantities().get(f"{obis.rpartition('.')[0]}.{tariff}")
    return found if found and found.tariff == tariff else None


@cache
def _codes() -> Mapping[tuple[int, str, str], str]:
    table: dict[tuple[int, str, str], str] = {}
    with files("meterweave.protocols.mbus").joinpath("obis.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            for medium in row["media"].split("|"):
                code = ANY_MEDIUM if medium == "any" else int(medium, 16)
                table[code, row["name"], row["qualifiers"]] = row["obis"]
    return MappingProxyType(table)
