"""Which freeze object holds a series, and the columns and the size of its rows (interface class 9, Annex A.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from meterweave.metering.batch import Profile
from meterweave.protocols.dlt698.objects import attribute
from meterweave.protocols.dlt698.selection import Road
from meterweave.protocols.dlt698.values import TimeInterval

TASKS = 0x6012_0300
"""What a terminal collected by its tasks."""
METER, FREEZE_TIME = 0x202A_0200, 0x2021_0200
"""Columns: address of the meter, time of the freeze."""

_SECOND_S, _MINUTE_S, _HOUR_S, _DAY_S = 1, 60, 3600, 86_400
_SECONDS, _MINUTES, _HOURS, _DAYS, _MONTHS = range(5)  # units of TI


class Freeze(NamedTuple):
    """A series as the protocol has it."""

    oad: int
    interval: TimeInterval
    period_s: int  # from row to row; of months the shortest


_FREEZES: Mapping[Profile, Freeze] = MappingProxyType(
    {
        Profile.DAILY: Freeze(0x5004_0200, TimeInterval(_DAYS, 1), _DAY_S),
        Profile.MONTHLY: Freeze(0x5006_0200, TimeInterval(_MONTHS, 1), 28 * _DAY_S),
    }
)
_CURVES: Mapping[int, tuple[int, TimeInterval]] = MappingProxyType(
    {
        _SECOND_S: (0x5001_0200, TimeInterval(_SECONDS, 1)),
        _MINUTE_S: (0x5002_0200, TimeInterval(_MINUTES, 1)),
        _HOUR_S: (0x5003_0200, TimeInterval(_HOURS, 1)),
    }
)
"""Curves by the unit that their period is a multiple of."""


def freeze_of(profile: Profile, period_s: int) -> Freeze | None:
    """The freeze of a series; None where the protocol has none."""
    if profile is not Profile.CURVE:
        return _FREEZES.get(profile)
    unit_s = next((unit for unit in (_HOUR_S, _MINUTE_S, _SECOND_S) if period_s > 0 and not period_s % unit), None)
    if unit_s is None or period_s > _DAY_S:
        return None
    oad, interval = _CURVES[unit_s]
    return Freeze(oad, interval._replace(value=period_s // unit_s), period_s)


def road(freeze: Freeze, oads: Sequence[int]) -> Road:
    """The columns of a freeze as a task table has them."""
    return Road(freeze.oad, (FREEZE_TIME, *oads))


_ROW_SIZE = 24
"""Octets of a row beside its values: TSA, freeze time, heads of arrays."""
_CELL_SIZES: Mapping[int, int] = MappingProxyType({1: 27, 2: 87, 3: 17, 4: 22, 5: 60})
"""Octets of attribute 2 by interface class, with four tariffs or three phases."""
_PLAIN_CELL_SIZE = 9


def row_size(oads: Sequence[int]) -> int:
    """About how long a row with these columns is. [octets]"""
    about = [attribute(oad) for oad in oads]
    return _ROW_SIZE + sum(_CELL_SIZES.get(one.interface, _PLAIN_CELL_SIZE) if one else 0 for one in about)
