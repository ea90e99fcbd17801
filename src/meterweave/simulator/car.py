"""Electric cars that are charged at home: real sessions, beside what their houses use anyway."""

from __future__ import annotations

from functools import cache

from meterweave.simulator.curves import Curve


@cache
def with_car(load: Curve, charging: Curve) -> Curve:
    """What a house and its car use together, in the steps of `charging`.

    Parameters
    ----------
    load : Curve
        The house without the car.
    charging : Curve
        What the car is charged with.
    """
    amount = load.in_steps(charging.step_s) + charging.in_steps(charging.step_s)
    return Curve.of(f"{load.name} and {charging.name}", load.utility, charging.step_s, amount)
