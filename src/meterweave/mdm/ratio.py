"""Multipliers of current and voltage transformers: exact fractions that hold from an instant on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import ConfigError
from meterweave.mdm.register import VALUE_MAX
from meterweave.mdm.timeline import SINCE_EVER_US, Timeline

TERM_MAX = 1 << 30
"""Numerators and denominators, in lowest terms, are below this, so that products of two stay in 64 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Ratios:
    """By which fraction the register of each meter is multiplied, from when on; use `of`.

    A meter without a row, or before its first one, has the multiplier 1.
    """

    meter: NDArray[np.int64]
    since: NDArray[np.int64]  # [us since 1970, UTC]
    numerator: NDArray[np.int64]
    denominator: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, Fraction]]) -> Ratios:
        """From (meter, since, fraction), in any order. A change takes effect at its instant. [us since 1970, UTC]

        Raises
        ------
        ConfigError
            If a fraction is not positive or its terms are 2^30 or more, or two begin at once for a meter.
        """
        table = sorted(rows)
        for meter, _, fraction in table:
            if fraction <= 0 or max(fraction.numerator, fraction.denominator) >= TERM_MAX:
                raise ConfigError(f"meter {meter}: a multiplier is a positive fraction below 2^30, not {fraction}")
        for one, other in pairwise(table):
            if one[:2] == other[:2]:
                raise ConfigError(f"meter {one[0]}: two multipliers begin at {one[1]} us")
        columns = [(meter, since, one.numerator, one.denominator) for meter, since, one in table]
        matrix = np.array(columns, np.int64).reshape(-1, 4)
        return cls(*(np.ascontiguousarray(column) for column in matrix.T))

    @property
    def changing(self) -> bool:
        """Whether there is an instant at which a multiplier changes."""
        return bool((self.since > SINCE_EVER_US).any())

    def in_force(self, meter: NDArray[np.int64], ts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numerator and denominator for each (meter, instant); int64[n] each."""
        row = Timeline(self.meter, self.since).at(meter, ts)
        # The row after the last is the multiplier of those that have none.
        return np.append(self.numerator, 1)[row], np.append(self.denominator, 1)[row]


def multiplied(
    value: NDArray[np.int64], numerator: NDArray[np.int64], denominator: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """``value · numerator / denominator`` rounded half up to a whole number, exactly, and where it is below 2^62.

    Parameters
    ----------
    value, numerator, denominator : int64[n]
        `value` of any size; the terms from 1 to 2^30.

    Returns
    -------
    int64[n], bool[n]
        0 where it does not fit.
    """
    whole, broken = value, np.flatnonzero(denominator != 1)  # divisions are slow, and most need none
    limit = np.full(len(value), VALUE_MAX - 2)
    scaled = np.flatnonzero((numerator != 1) | (denominator != 1))
    limit[scaled] = (VALUE_MAX - 1) // numerator[scaled] - 1
    if len(broken):
        whole = value.copy()
        whole[broken] //= denominator[broken]
    fits = (-limit <= whole) & (whole <= limit)
    product = np.where(fits, whole, 0) * numerator
    if len(broken):
        above, below = numerator[broken], denominator[broken]
        product[broken] += np.where(fits[broken], (2 * (value[broken] % below) * above + below) // (2 * below), 0)
    return product, fits
