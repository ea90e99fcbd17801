"""What the letters in the identifiers of `items.csv` stand for: a doubled letter an octet, a single one a digit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from meterweave.metering.batch import Profile
from meterweave.text import Text


class Choice(NamedTuple):
    """One thing a letter can stand for."""

    label: str
    """Its part of the item's name."""
    number: int
    """Its part of the OBIS code."""
    text: Text | None = None
    profile: Profile = Profile.SPOT


def tariff(number: int) -> Choice:
    """The total (0) or a tariff (1 to 63)."""
    if number == 0:
        return Choice("total", 0, Text("total", "总"))
    return Choice(f"t{number}", number, Text(f"tariff {number}", f"费率{number}"))


def _settlement(number: int) -> Choice:
    """Now (0) or the n-th last settlement day."""
    if number == 0:
        return Choice("", 0)
    text = Text(f"settlement day {number} back", f"上{number}结算日")
    return Choice(f"settlement.{number}.", number, text, Profile.SETTLEMENT)


def _back(number: int) -> Choice:
    """The n-th last record."""
    return Choice(str(number), number, Text(f"{number} back", f"上{number}次"))


def _one_of(number: int) -> Choice:
    """One of several equal parameters."""
    return Choice(str(number), number, Text(f"no. {number}", f"第{number}"))


def _harmonic(number: int) -> Choice:
    return Choice(str(number), number, Text(f"harmonic {number}", f"{number}次"))


_FREEZES: Mapping[int, Choice] = {
    0x00: Choice("timed", 0, Text("timed freeze", "定时冻结"), Profile.CURVE),
    0x01: Choice("instant", 1, Text("instant freeze", "瞬时冻结"), Profile.EVENT),
    0x02: Choice(
        "zone_table_switch", 2, Text("freeze at the switch of zone tables", "两套时区表切换冻结"), Profile.EVENT
    ),
    0x03: Choice(
        "day_table_switch", 3, Text("freeze at the switch of day tables", "两套日时段表切换冻结"), Profile.EVENT
    ),
    0x04: Choice("hourly", 4, Text("hourly freeze", "整点冻结"), Profile.CURVE),
    0x05: Choice(
        "price_switch", 5, Text("freeze at the switch of tariff prices", "两套费率电价切换冻结"), Profile.EVENT
    ),
    0x06: Choice("daily", 6, Text("daily freeze", "日冻结"), Profile.DAILY),
    0x07: Choice("step_switch", 7, Text("freeze at the switch of steps", "两套阶梯切换冻结"), Profile.EVENT),
}

WILDCARDS: Mapping[str, Mapping[int, Choice]] = {
    "tt": {number: tariff(number) for number in range(64)},
    "t": {number: tariff(number) for number in range(15)},
    "ss": {number: _settlement(number) for number in range(13)},
    "m": {4 * number: _settlement(number) for number in range(3)},
    "r": {4 * number + 1: _settlement(number) for number in range(3)},
    "nn": {number: _back(number) for number in range(1, 11)},
    "jj": {number: _one_of(number) for number in range(1, 9)},
    "ii": {number: _one_of(number) for number in range(1, 255)},
    "q": {number: _one_of(number) for number in range(1, 15)},
    "p": {number + 2: _one_of(number) for number in range(1, 9)},
    "hh": {number: _harmonic(number) for number in range(1, 22)},
    "kk": _FREEZES,
}
"""By letters: ``tt`` and ``t`` tariff, ``ss`` settlement day back, ``m`` and ``r`` months back in 1997 (90 94 98 and
91 95 99), ``nn`` record back, ``jj`` day table, ``ii`` any number, ``hh`` harmonic, ``kk`` freeze,
``q`` entry and ``p`` day table of 1997."""
