"""Solar power on roofs: what a house with panels takes from the network, and what it gives.

One such house was measured. So that not all roofs are alike, a second sun is drawn by integers alone: a parabola from
sunrise to sunset, days that are longer in summer, and for each day its own clouds.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from meterweave.simulator.curves import PERIOD_S, Curve, Ints, curves_of
from meterweave.simulator.faults import pick

STEP_S = 1800
_DAY_STEPS = 86_400 // STEP_S
_DAYS = PERIOD_S // 86_400
_LONGEST_DAY = 165  # of the curve, which begins on 8 January
_NOON_MIN, _HALF_DAY_MIN, _HALF_DAY_SWING_MIN = 720, 300, 110
LOAD_PERMILLE = 700
"""How large the house's own load is, compared with its curve."""
_CLOUDY_PERMILLE = 150  # what the thickest clouds leave


@cache
def sun() -> Ints:
    """What panels of 1 kW give in each half hour from `curves.ANCHOR_S` on. [Wh]"""
    day = np.arange(_DAYS)
    from_longest = np.abs(day - _LONGEST_DAY)
    from_longest = np.minimum(from_longest, _DAYS - from_longest)
    half_min = _HALF_DAY_MIN + _HALF_DAY_SWING_MIN * (_DAYS // 2 - from_longest) // (_DAYS // 2)
    clear = np.array([pick(0, _CLOUDY_PERMILLE, 1000, "sun", int(one)) for one in day])
    middle_min = np.arange(_DAY_STEPS) * 30 + 15 - _NOON_MIN
    height = np.maximum(half_min[:, None] ** 2 - middle_min[None, :] ** 2, 0)
    amount: Ints = 500 * height * clear[:, None] // (1000 * half_min[:, None] ** 2)
    return amount.reshape(-1).astype(np.int64)


@cache
def net_curves(load: Curve, panels_kw: int) -> tuple[Curve, Curve]:
    """What a house with panels takes from the network and what it gives, half hour by half hour.

    Parameters
    ----------
    load : Curve
        The house's own load, of which `LOAD_PERMILLE` are used.
    """
    net = load.in_steps(STEP_S) * LOAD_PERMILLE // 1000 - sun() * panels_kw
    return (
        Curve.of(f"{load.name} net", load.utility, STEP_S, np.maximum(net, 0)),
        Curve.of(f"{load.name} solar", load.utility, STEP_S, np.maximum(-net, 0)),
    )


def measured_curves() -> tuple[Curve, Curve]:
    """What a real house with panels took from the network and what it gave, hour by hour."""
    (taken,), (given,) = curves_of("net import"), curves_of("net export")
    return taken, given
