"""Load curves: what real houses used, as registers of the simulated meters integrate it.

The curves ship with the package (`data/load_curves.parquet`; where they come from is told beside it). A curve is 52
weeks long, or a part of them in whole weeks, and then begins again, so that a Monday stays a Monday. All arithmetic is
on integers: the same moment gives the same register on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

ANCHOR_S = 1_704_672_000 - 8 * 3600
"""Where the curves begin: Monday 2024-01-08, 00:00 in Shanghai. [s since 1970, UTC]"""
PERIOD_S = 52 * 7 * 86_400
"""52 weeks, after which every curve begins again, if not sooner."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One house's use of one utility, in equal steps."""

    name: str
    utility: str
    step_s: int
    amount: Ints  # of each step [Wh, or L]
    before: Ints  # the sum of all steps before; one element more than `amount` [Wh, or L]

    @classmethod
    def of(cls, name: str, utility: str, step_s: int, amount: Ints) -> Curve:
        """The curve of these amounts."""
        return cls(name, utility, step_s, amount, np.concatenate([np.zeros(1, np.int64), np.cumsum(amount)]))

    @property
    def period_s(self) -> int:
        """After how long it begins again."""
        return len(self.amount) * self.step_s

    def used(self, since_s: Ints) -> Ints:
        """What was used from `ANCHOR_S` until `since_s` seconds later, a step being used evenly.

        The result is in [Wh·s, or L·s] divided by the length of a step: divide it by `step_s` for Wh or L.
        """
        cycle, rest = np.divmod(since_s, self.period_s)
        step, second = np.divmod(rest, self.step_s)
        used: Ints = (cycle * self.before[-1] + self.before[step]) * self.step_s + self.amount[step] * second
        return used

    def during(self, since_s: Ints) -> Ints:
        """The amount of the step in which the moment `since_s` after `ANCHOR_S` lies. [Wh, or L]"""
        found: Ints = self.amount[since_s % self.period_s // self.step_s]
        return found

    def in_steps(self, step_s: int) -> Ints:
        """The amounts of 52 weeks in other steps; of a step that is split, the parts are whole. [Wh, or L]"""
        edges_s = np.arange(0, PERIOD_S + 1, step_s, dtype=np.int64)
        return np.diff(self.used(edges_s) // self.step_s)


@cache
def curves() -> tuple[Curve, ...]:
    """All curves that ship with the package."""
    with files("meterweave.simulator").joinpath("data/load_curves.parquet").open("rb") as octets:
        rows = pq.read_table(octets).to_pylist()
    return tuple(
        Curve.of(row["curve"], row["utility"], row["step_s"], np.array(row["amounts"], np.int64)) for row in rows
    )


def curves_of(utility: str) -> tuple[Curve, ...]:
    """The curves of one utility; "net import", "net export" and "charging" are the parts of special houses."""
    return tuple(curve for curve in curves() if curve.utility == utility)
