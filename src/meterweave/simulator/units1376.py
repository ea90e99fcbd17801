"""Data units of a Q/GDW 1376.1 terminal: day freezes, curves, present registers, its clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from meterweave.metering.batch import Profile
from meterweave.metering.decimal import to_text
from meterweave.protocols.gdw1376.part1 import Unit, build_unit
from meterweave.simulator import registers
from meterweave.simulator.curves import Ints
from meterweave.simulator.meter645 import local
from meterweave.simulator.plan import Due
from meterweave.simulator.town import Meter

PRESENT, HISTORY = 0x0C, 0x0D  # AFN
CLOCK, PRESENT_ENERGY, DAY_ENERGY = 2, 129, 161
POWER_CURVE, VOLTAGE_CURVE, CURRENT_CURVE, ENERGY_CURVE = 81, 89, 92, 101
_PHASES = "abc"
STEP_CODES: Mapping[int, int] = {900: 1, 1800: 2, 3600: 3}
"""Density octet of a curve by its step in seconds."""


def items_of(meter: Meter) -> tuple[int, ...]:
    """The curves that a meter has."""
    phases = range(1 if meter.phase else 3)
    voltages, currents = (tuple(first + one for one in phases) for first in (VOLTAGE_CURVE, CURRENT_CURVE))
    return (ENERGY_CURVE, *voltages, *currents, POWER_CURVE)


def due_units(due: Due) -> list[Unit]:
    """What a report holds."""
    units = []
    for meter in due.meters:
        slots = [at for at in due.slots if meter.alive(at)]
        if due.series.profile is Profile.DAILY:
            units += [day_unit(meter, at) for at in slots]
        else:
            units += [curve_unit(meter, item, slots, due.series.period_s) for item in items_of(meter)]
    return units


def day_unit(meter: Meter, at_s: int) -> Unit:
    """The freeze of the day that ends at `at_s` (F161); the meter has no tariffs."""
    day = (local(at_s) - timedelta(days=1)).date()
    values = {"freeze.day": day.isoformat(), **_register(meter, at_s, at_s)}
    return build_unit(HISTORY, True, [meter.point], [DAY_ENERGY], values)


def present_unit(meter: Meter, now_s: int) -> Unit:
    """The register as it stands (F129)."""
    return build_unit(PRESENT, True, [meter.point], [PRESENT_ENERGY], _register(meter, now_s, now_s))


def _register(meter: Meter, at_s: int, read_s: int) -> dict[str, str]:
    number = int(registers.register(meter, registers.moments(at_s))[0])
    return {
        "read_time": local(read_s).isoformat(timespec="minutes"),
        "tariff_count": "0",
        "energy.forward_active.total": to_text(number * 100, -4),
    }


def clock_unit(clock: datetime) -> Unit:
    """The terminal's clock (F2)."""
    values = {"clock": clock.isoformat(timespec="seconds"), "clock.weekday": str(clock.isoweekday())}
    return build_unit(PRESENT, True, [0], [CLOCK], values)


def curve_unit(meter: Meter, item: int, slots: Sequence[int], step_s: int) -> Unit:
    """One curve of a meter."""
    name, numbers, exponent = _curve(meter, item, np.array(slots, np.int64))
    values = {
        "curve.start": local(slots[0]).isoformat(timespec="minutes"),
        "curve.density": str(STEP_CODES[step_s]),
        "curve.count": str(len(slots)),
        **{f"{name}[{index}]": to_text(number, exponent) for index, number in enumerate(numbers)},
    }
    return build_unit(HISTORY, True, [meter.point], [item], values)


def _curve(meter: Meter, item: int, at_s: Ints) -> tuple[str, list[int], int]:
    """Name, numbers and exponent of a curve; the exponents are those of the formats A.7, A.9, A.11 and A.25."""
    if item == ENERGY_CURVE:
        return "energy.forward_active.total", registers.register(meter, at_s).tolist(), -2
    electrical = registers.electrical(meter, at_s)
    if item == POWER_CURVE:
        return "active_power.total", electrical.power_dw.tolist(), -4
    if item >= CURRENT_CURVE:
        place = item - CURRENT_CURVE
        return f"current.{_PHASES[place]}", electrical.current_ma[place].tolist(), registers.CURRENT_EXPONENT
    place = item - VOLTAGE_CURVE
    return f"voltage.{_PHASES[place]}", electrical.voltage_dv[place].tolist(), registers.VOLTAGE_EXPONENT
