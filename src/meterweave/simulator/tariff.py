"""The four tariffs of electricity and when they hold, as most Chinese provinces divide the day.

====== ======== ========================================
tariff name     local time
====== ======== ========================================
T1     尖 sharp 19:00 to 21:00
T2     峰 peak  08:00 to 12:00, 17:00 to 19:00
T3     平 flat  07:00 to 08:00, 12:00 to 17:00, 21:00 to 23:00
T4     谷 valley 23:00 to 07:00
====== ======== ========================================

Each tariff has a register of its own, cut to whole steps like the total; so their sum may be up to four steps away
from the total, as it is in real meters.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from meterweave.simulator.curves import Curve, Ints

TARIFFS = 4
_HOURS = (4, 4, 4, 4, 4, 4, 4, 3, 2, 2, 2, 2, 3, 3, 3, 3, 3, 2, 2, 1, 1, 3, 3, 4)
"""The tariff of each local hour."""
_START_PERCENT = (0, 10, 40, 65, 100)


def start_of(start: int, tariff: int) -> int:
    """What of the total's first reading belongs to a tariff; the four add up to it."""
    return start * _START_PERCENT[tariff] // 100 - start * _START_PERCENT[tariff - 1] // 100


@lru_cache(1024)
def part_of(curve: Curve, shift_s: int, tariff: int) -> Curve:
    """What of `curve` a house uses in one tariff that is ahead of it by `shift_s`, and whole days.

    Like all curves and shifts, `shift_s` is a multiple of the curve's step.
    """
    local_hour = (np.arange(len(curve.amount)) * curve.step_s - shift_s) % 86_400 // 3600
    amount: Ints = np.where(np.array(_HOURS)[local_hour] == tariff, curve.amount, 0)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(amount)])
    return Curve(f"{curve.name} T{tariff}", curve.utility, curve.step_s, amount, before)
