"""What the meters show at a moment: exact integers, for many meters and moments at once.

Every number follows from the moment, and from the times without supply before it, as if the meter had run since a
period before `curves.ANCHOR_S`; so a register never goes back, and the curve at midnight is the freeze of midnight.
Numbers are in the steps in which the meters show them:

=========== ====================== =================================================================
utility     register               step
=========== ====================== =================================================================
electricity active import energy,  0.01 kWh
            its tariffs, and export
water, gas  volume                 0.0001 m3
heat        energy                 1 J
=========== ====================== =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from meterweave.metering.quantities import quantities
from meterweave.simulator.condition import Span
from meterweave.simulator.curves import ANCHOR_S, PERIOD_S, Curve, Ints
from meterweave.simulator.tariff import TARIFFS, part_of, start_of
from meterweave.simulator.town import DAY_S, Meter, Utility

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
EXPORT_OBIS = "1-0:2.8.0"
TARIFF_OBIS = tuple(f"1-0:1.8.{tariff}" for tariff in range(1, TARIFFS + 1))
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
    """What an electricity meter shows beside its registers; for a single-phase meter, one phase."""

    voltage_dv: tuple[Ints, ...]  # [0.1 V]
    current_ma: tuple[Ints, ...]
    power_dw: Ints  # of all phases together; negative where the house gives [0.1 W]


@dataclass(frozen=True, slots=True, eq=False)
class _Houses:
    """Meters of one utility as columns, one row a meter."""

    per: Fraction  # steps of the register for each Wh or L, and each permille of the scale
    shift_s: Ints
    scale: Ints
    start: Ints
    curves: tuple[tuple[Curve, Ints], ...]  # with the places of the meters that follow each

    @classmethod
    def of(cls, meters: Sequence[Meter], curves: Sequence[Curve], start: Sequence[int]) -> _Houses:
        places: dict[Curve, list[int]] = {}
        for place, curve in enumerate(curves):
            places.setdefault(curve, []).append(place)
        return cls(
            STEPS[meters[0].utility] / 1000,
            np.array([meter.shift_s for meter in meters], np.int64)[:, None],
            np.array([meter.scale_permille for meter in meters], np.int64)[:, None],
            np.array(start, np.int64)[:, None],
            tuple((curve, np.array(where)) for curve, where in places.items()),
        )

    def register(self, meters: Sequence[Meter], at_s: Ints) -> Ints:
        # A period more, so that a house ahead of or behind its curve does not begin before the curve does.
        since_s = at_s - ANCHOR_S + PERIOD_S + self.shift_s
        shown = np.empty(since_s.shape, np.int64)
        for curve, where in self.curves:
            used = curve.used(since_s[where])
            for row, place in enumerate(where.tolist()):
                if spans := meters[place].condition.interrupted():
                    used[row] -= _unused(curve, int(self.shift_s[place, 0]), spans, at_s)
            per = self.per / curve.step_s
            shown[where] = self.start[where] + self.scale[where] * used * per.numerator // per.denominator
        return shown

    def amount_wh(self, at_s: Ints) -> Ints:
        """What is used in the steps in which the moments lie. [Wh, scaled by a thousand]"""
        since_s = at_s - ANCHOR_S + self.shift_s
        found = np.empty(since_s.shape, np.int64)
        for curve, where in self.curves:
            found[where] = curve.during(since_s[where]) * self.scale[where] * 36 // curve.step_s
        return found


def _unused(curve: Curve, shift_s: int, spans: Sequence[Span], at_s: Ints) -> Ints:
    """What the curve has and the house did not use, having no supply; as `Curve.used` counts it."""
    total = np.zeros(at_s.shape, np.int64)
    to_curve_s = PERIOD_S + shift_s - ANCHOR_S
    last_s = int(at_s.max(initial=ANCHOR_S))
    for since_s, until_s in spans:
        if since_s < last_s:
            ends = np.maximum(np.minimum(at_s, until_s), since_s)
            total += curve.used(ends + to_curve_s) - curve.used(np.full(1, since_s + to_curve_s))
    return total


@lru_cache(2048)
def _taken(meters: tuple[Meter, ...]) -> _Houses:
    return _Houses.of(meters, [meter.curve for meter in meters], [meter.start for meter in meters])


@lru_cache(2048)
def _taken_in(meters: tuple[Meter, ...], tariff: int) -> _Houses:
    curves = [part_of(meter.curve, meter.shift_s % DAY_S, tariff) for meter in meters]
    return _Houses.of(meters, curves, [start_of(meter.start, tariff) for meter in meters])


@lru_cache(2048)
def _given(meters: tuple[Meter, ...]) -> _Houses:
    curves = [meter.export for meter in meters if meter.export]
    return _Houses.of(meters, curves, [meter.start // 4 for meter in meters])


def registers(meters: Sequence[Meter], at_s: Ints) -> Ints:
    """The registers of meters of one utility. [steps, see above]

    Returns
    -------
    shown : int64[meter, moment]
    """
    return _taken(tuple(meters)).register(meters, at_s)


def tariff_registers(meters: Sequence[Meter], at_s: Ints) -> Ints:
    """The registers of the tariffs of electricity meters; int64[tariff, meter, moment]. [0.01 kWh]"""
    found = [_taken_in(tuple(meters), tariff).register(meters, at_s) for tariff in range(1, TARIFFS + 1)]
    return np.stack(found)


def export_registers(meters: Sequence[Meter], at_s: Ints) -> Ints:
    """What the panels of meters, all of which have some, gave to the network; int64[meter, moment]. [0.01 kWh]"""
    return _given(tuple(meters)).register(meters, at_s)


def register(meter: Meter, at_s: Ints) -> Ints:
    """The register of `meter` at moments `at_s`. [steps, see above]"""
    shown: Ints = registers((meter,), at_s)[0]
    return shown


def powers_dw(meters: Sequence[Meter], at_s: Ints) -> Ints:
    """The powers that electricity meters show: the means of their curves' steps; int64[meter, moment]. [0.1 W]"""
    meters = tuple(meters)
    power = _taken(meters).amount_wh(at_s)
    solar = [place for place, meter in enumerate(meters) if meter.export]
    if solar:
        power[solar] -= _given(tuple(meters[place] for place in solar)).amount_wh(at_s)
    for place, meter in enumerate(meters):
        for span in meter.condition.interrupted():
            power[place, (at_s > span.since_s) & (at_s <= span.until_s)] = 0
    return power


def power_dw(meter: Meter, at_s: Ints) -> Ints:
    """The power that an electricity meter shows. [0.1 W]"""
    shown: Ints = powers_dw((meter,), at_s)[0]
    return shown


def electricals(meters: Sequence[Meter], at_s: Ints) -> Electrical:
    """Voltages, currents and powers of electricity meters that are all single-phase, or all three-phase.

    The voltage falls with the house's own load and with its distance from the transformer, for which the number of its
    measuring point stands, and ripples with the time of the day. All arrays are int64[meter, moment].
    """
    power = powers_dw(meters, at_s)
    lines = np.array([meter.phase for meter in meters], np.int64)[:, None]
    points = np.array([meter.point for meter in meters], np.int64)[:, None]
    if meters[0].phase:
        shares: Sequence[Ints] = (power,)
    else:
        first, second = (power * share // 1000 for share in SHARE_PERMILLE[:2])
        shares = (first, second, power - first - second)
    dark = _dark(meters, at_s)
    voltages, currents = [], []
    for place, share in enumerate(shares):
        line = np.where(lines, lines, place + 1)
        ripple = (at_s // 900 * (31 + 2 * line) + points * 7) % _RIPPLE_DV
        voltage = NOMINAL_DV - points % 60 - share // 1500 - ripple
        currents.append(np.abs(share) * 100_000 // (voltage * _POWER_FACTOR_PERCENT))
        voltages.append(np.where(dark, 0, voltage) if dark is not None else voltage)
    return Electrical(tuple(voltages), tuple(currents), power)


def _dark(meters: Sequence[Meter], at_s: Ints) -> NDArray[np.bool_] | None:
    """Where the network itself has no voltage; None: nowhere."""
    spans = meters[0].condition.outages  # of the district, so of all of them
    if not spans:
        return None
    found = np.zeros(at_s.shape, np.bool_)
    for span in spans:
        found |= (at_s > span.since_s) & (at_s <= span.until_s)
    return found


def electrical(meter: Meter, at_s: Ints) -> Electrical:
    """Voltages, currents and power of one electricity meter at moments `at_s`; all arrays are int64[moment]."""
    found = electricals((meter,), at_s)
    first = tuple(one[0] for one in found.voltage_dv), tuple(one[0] for one in found.current_ma), found.power_dw[0]
    return Electrical(*first)


def moments(*at_s: int) -> Ints:
    """Moments as an array."""
    return np.array(at_s, np.int64)
