"""What the meters show at a moment: exact integers, for many meters and moments at once.

Every number follows from the moment alone, as if the meter had run since a period before `curves.ANCHOR_S`; so a
register never goes back, and the curve at midnight is the freeze of midnight. Numbers are in the steps in which the
meters show them:

=========== ====================== =================================================================
utility     register               step
=========== ====================== =================================================================
electricity active import energy   0.01 kWh
water, gas  volume                 0.0001 m3
heat        energy                 1 J
=========== ====================== =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from meterweave.metering.quantities import quantities
from meterweave.simulator.curves import ANCHOR_S, PERIOD_S, Ints
from meterweave.simulator.town import Meter, Utility

STEPS: Mapping[Utility, Fraction] = {
    Utility.ELECTRICITY: Fraction(1, 10),  # Wh to 0.01 kWh
    Utility.WATER: Fraction(10),  # L to 0.0001 m3
    Utility.GAS: Fraction(10),
    Utility.HEAT: Fraction(3600),  # Wh to J
}
"""Steps of the register for each Wh or L of the curve."""

OBIS: Mapping[Utility, str] = {
    Utility.ELECTRICITY: "1-0:1.8.0",
    Utility.WATER: "8-0:1.0.0",
    Utility.GAS: "7-0:3.0.0",
    Utility.HEAT: "6-0:1.0.0",
}
"""What the register of each utility measures."""

STEP_EXPONENT: Mapping[Utility, int] = {Utility.ELECTRICITY: -2, Utility.WATER: -4, Utility.GAS: -4, Utility.HEAT: 0}
"""Exponents of the steps in the quantity's unit."""

VOLTAGE_OBIS = ("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0")
CURRENT_OBIS = ("1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0")
POWER_OBIS = "1-0:16.7.0"
VOLTAGE_EXPONENT, CURRENT_EXPONENT, POWER_EXPONENT = -1, -3, -1

NOMINAL_DV = 2300
"""Voltage of a phase without load. [0.1 V]"""
SHARE_PERMILLE = (400, 330, 270)
"""How a three-phase meter's power divides among the phases."""
_POWER_FACTOR_PERCENT = 95
_RIPPLE_DV = 41  # the network's own slow ups and downs, from 0 to one less


def factor(obis: str, exponent: int) -> int:
    """By what a number at `exponent` is multiplied to be a stored value of the quantity."""
    return int(10 ** (exponent - quantities()[obis].exponent))


@dataclass(frozen=True, slots=True, eq=False)
class Electrical:
    """What an electricity meter shows beside its register; for a single-phase meter, one phase."""

    voltage_dv: tuple[Ints, ...]  # [0.1 V]
    current_ma: tuple[Ints, ...]
    power_dw: Ints  # of all phases together [0.1 W]


def register(meter: Meter, at_s: Ints) -> Ints:
    """The register of `meter` at moments `at_s`. [steps, see above]"""
    per = STEPS[meter.utility] / (1000 * meter.curve.step_s)
    # A period more, so that a house ahead of or behind its curve does not begin before the curve does.
    used = meter.curve.used(at_s - ANCHOR_S + PERIOD_S + meter.shift_s)
    return meter.start + meter.scale_permille * used * per.numerator // per.denominator


def power_dw(meter: Meter, at_s: Ints) -> Ints:
    """The power that an electricity meter shows: the mean of its curve's step. [0.1 W]"""
    amount_wh = meter.curve.during(at_s - ANCHOR_S + meter.shift_s)
    return amount_wh * meter.scale_permille * 36 // meter.curve.step_s


def electrical(meter: Meter, at_s: Ints) -> Electrical:
    """Voltages, currents and power of an electricity meter at moments `at_s`.

    The voltage falls with the house's own load and with its distance from the transformer, for which the number of its
    measuring point stands, and ripples with the time of the day.
    """
    power = power_dw(meter, at_s)
    if meter.phase:
        shares: Sequence[Ints] = (power,)
    else:
        first, second = (power * share // 1000 for share in SHARE_PERMILLE[:2])
        shares = (first, second, power - first - second)
    voltages, currents = [], []
    for place, share in enumerate(shares):
        line = meter.phase or place + 1
        ripple = (at_s // 900 * (31 + 2 * line) + meter.point * 7) % _RIPPLE_DV
        voltage = NOMINAL_DV - meter.point % 60 - share // 1500 - ripple
        voltages.append(voltage)
        currents.append(share * 100_000 // (voltage * _POWER_FACTOR_PERCENT))
    return Electrical(tuple(voltages), tuple(currents), power)


def moments(*at_s: int) -> Ints:
    """Moments as an array."""
    return np.array(at_s, np.int64)
