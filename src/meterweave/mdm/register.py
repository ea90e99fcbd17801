"""How a register of a meter may move: up, over its last digit to nought, or by a reset that was announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import ConfigError

VALUE_MAX = 1 << 62
"""Readings are smaller than this, multiplied or not, so that no difference of two leaves 64 bits."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_US = 900_000_000  # no zone changes its offset off the UTC quarter hour
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetWindow:
    """The time of day at which a register is set to nought, every day or now and then; a wall clock's, in `zone`.

    A window from 23:45 to 00:15 passes midnight. Both ends belong to it.
    """

    zone: ZoneInfo
    start: time = time.min
    end: time = time.max

    def holds(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which instants lie in it; int64[n], microseconds since 1970, UTC."""
        quarters, where = np.unique(ts // _QUARTER_US, return_inverse=True)
        offsets = np.array([self._offset_us(int(quarter)) for quarter in quarters], np.int64)
        clock = (ts + offsets[where]) % _DAY_US
        start, end = _of_day_us(self.start), _of_day_us(self.end)
        after, before = clock >= start, clock <= end
        return after & before if start <= end else after | before

    def _offset_us(self, quarter: int) -> int:
        try:
            moment = (_EPOCH + timedelta(microseconds=quarter * _QUARTER_US)).astimezone(self.zone)
        except OverflowError:  # a time no calendar holds
            return 0
        return (moment.utcoffset() or timedelta()) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """What is known about a meter's register beside its readings; numbers in the quantity's stored steps.

    Raises
    ------
    ConfigError
        If a bound is not positive, or 2^62 or more.
    """

    rollover_at: int | None = None
    """The number at which it begins again at 0, see `rollover_at`. None: it is not known to roll over, so that every
    step backwards is an anomaly."""

    hourly_max: int | None = None
    """Most it can gain in an hour, from the fuse or the meter's rating. None: not known, and steps forward are taken
    as they are."""

    falls: bool = False
    """Whether going down is its nature (a net of import and export)."""

    reset: ResetWindow | None = None
    """When it may be set to nought. None: never."""

    def __post_init__(self) -> None:
        for name in ("rollover_at", "hourly_max"):
            value = getattr(self, name)
            if value is not None and not 0 < value < VALUE_MAX:
                raise ConfigError(f"{name} must be between 1 and 2^62 - 1, not {value}")


def rollover_at(digits: int, decimals: int, exponent: int) -> int:
    """The stored number at which a register with so many digits in all, `decimals` of them after the point, rolls over.

    >>> rollover_at(8, 2, -4)  # 000000.00 to 999999.99 kWh, stored in steps of 10^-4 kWh
    10000000000

    Raises
    ------
    ConfigError
        If there are no digits, or the place where it rolls over is no whole number below 2^62 of stored steps.
    """
    power = digits - decimals - exponent
    if digits < 1 or not 0 <= decimals <= digits or not power >= 0 or 10**power >= VALUE_MAX:
        raise ConfigError(
            f"a register of {digits} digits, {decimals} after the point, cannot be kept in steps of 10^{exponent}"
        )
    return int(10**power)


def _of_day_us(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond
