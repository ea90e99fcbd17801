"""What the named values of layouts are: the table `items.csv`, with units, quantities and words.

A ``*`` in a name stands for ``total``, ``t1``, ``t2`` and so on; a ``*`` in an OBIS code for the same as value group E.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from meterweave.metering.quantities import Quantity, quantities
from meterweave.text import Text

SHIFTS: Mapping[tuple[str, str], int] = {("kW", "W"): 3, ("kvar", "var"): 3, ("kVA", "VA"): 3, ("%", "1"): -2}
"""Powers of ten from an item's unit to its quantity's, where the two differ."""


@dataclass(frozen=True, slots=True)
class Item:
    """One named value."""

    name: str
    unit: str
    obis: str  # empty where it is no quantity
    meaning: Text

    def quantity(self, tariff: int = 0) -> Quantity | None:
        """The quantity of the total (0) or of a tariff; None where there is none."""
        if tariff and "*" not in self.obis:
            return None
        return quantities().get(self.obis.replace("*", str(tariff)))

    def shift(self) -> int:
        """Power of ten from the item's unit to its quantity's."""
        quantity = self.quantity()
        return SHIFTS.get((self.unit, quantity.unit), 0) if quantity else 0


@cache
def items() -> Mapping[str, Item]:
    """Every item by name."""
    with files(__package__).joinpath("items.csv").open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        return MappingProxyType(
            {row["name"]: Item(row["name"], row["unit"], row["obis"], Text(row["en"], row["zh"])) for row in rows}
        )
