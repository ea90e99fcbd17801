"""What can be measured: the one table to which every protocol's items map.

The table is `quantities.csv`, one row a quantity. A row with ``tariffs`` = 63 stands for the total (OBIS value group E
= 0) and for tariffs 1 to 63 (E = the tariff). Stored values are integers; a stored value times ``10**exponent`` is the
value in ``unit``.

Columns: ``obis`` IEC 62056-61 A-B:C.D.E; ``name`` ours, unique; ``unit`` as UCUM writes it, with var, kvarh and CNY
beside; ``kind`` see `Kind`; ``utility`` electricity, water, gas, heat, or empty for any; ``phase`` l1, l2, l3, n or
empty; ``en``, ``zh`` the meaning.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from meterweave.text import Text

_OBIS = re.compile(r"(\d+)-(\d+):(\d+)\.(\d+)\.(\d+)")


class Kind(StrEnum):
    """How values of a quantity behave over time."""

    INSTANT = "instant"  # true at one moment: V, A, W
    INTERVAL = "interval"  # an amount over an interval, stamped as the device stamps it
    CUMULATIVE = "cumulative"  # a register that climbs until it rolls over


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measurable quantity."""

    obis: str
    name: str
    unit: str
    exponent: int  # the stored integer times 10**exponent is the value in `unit`
    kind: Kind
    utility: str
    phase: str
    tariff: int  # 0 is the total over all tariffs
    meaning: Text

    @property
    def code(self) -> int:
        """The number that stands for this quantity in stored columns."""
        return obis_code(self.obis)


def obis_code(obis: str) -> int:
    """An OBIS code packed into a positive int32: A in bits 27 to 30, B in 24 to 26, C, D, E an octet each.

    Raises
    ------
    ValueError
        If `obis` is not ``A-B:C.D.E`` with A up to 15, B up to 7 and the rest up to 255.
    """
    match = _OBIS.fullmatch(obis)
    groups = [int(group) for group in match.groups()] if match else []
    if not groups or any(group > limit for group, limit in zip(groups, (15, 7, 255, 255, 255), strict=True)):
        raise ValueError(f"{obis!r} is not an OBIS code A-B:C.D.E with A <= 15, B <= 7, C, D, E <= 255")
    a, b, c, d, e = groups
    return a << 27 | b << 24 | c << 16 | d << 8 | e


def obis_text(code: int) -> str:
    """`obis_code` undone."""
    return f"{code >> 27}-{code >> 24 & 7}:{code >> 16 & 255}.{code >> 8 & 255}.{code & 255}"


@cache
def quantities() -> Mapping[str, Quantity]:
    """Every quantity by its OBIS code, tariffs written out."""
    table: dict[str, Quantity] = {}
    with files("meterweave.metering").joinpath("quantities.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            for quantity in _with_tariffs(row):
                table[quantity.obis] = quantity
    return MappingProxyType(table)


@cache
def by_code() -> Mapping[int, Quantity]:
    """Every quantity by the number that stands for it in stored columns."""
    return MappingProxyType({quantity.code: quantity for quantity in quantities().values()})


def _with_tariffs(row: Mapping[str, str]) -> list[Quantity]:
    total = Quantity(
        obis=row["obis"],
        name=row["name"],
        unit=row["unit"],
        exponent=int(row["exponent"]),
        kind=Kind(row["kind"]),
        utility=row["utility"],
        phase=row["phase"],
        tariff=0,
        meaning=Text(row["en"], row["zh"]),
    )
    stem = total.obis.rpartition(".")[0]
    return [total] + [
        replace(
            total,
            obis=f"{stem}.{tariff}",
            name=f"{total.name}_t{tariff}",
            tariff=tariff,
            meaning=Text(f"{total.meaning.en}, tariff {tariff}", f"{total.meaning.zh}，费率{tariff}"),
        )
        for tariff in range(1, int(row["tariffs"]) + 1)
    ]
