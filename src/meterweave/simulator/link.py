"""How long each connection of a terminal lives, and how it dies: fixed by seed, terminal and connection."""

from __future__ import annotations

from enum import Enum, auto
from math import inf, log
from typing import NamedTuple

from meterweave.simulator.faults import Faults, chance

DEAD_MIN_S, DEAD_MAX_S = 4.0, 20.0
"""How long a link is dead."""


class End(Enum):
    """How a link dies."""

    HALF_OPEN = auto()  # the terminal neither reads nor writes, and the centre is not told
    CUT = auto()  # the connection is reset, and nobody dials for a while
    REBOOT = auto()  # as if cut; the terminal has forgotten what it was about to report


class Link(NamedTuple):
    """One connection's fate."""

    before: bool  # whether it is dead already before it is dialled
    lives_s: float
    dead_s: float
    end: End


def link_of(faults: Faults, seed: int, address: str, count: int) -> Link:
    """The fate of a terminal's connection number `count`, from 0.

    Lives are as long as it takes for the share `faults.dead_link` of the time to be dead, and so is the beginning.
    """
    what = ("link", address, count)
    dead_s = DEAD_MIN_S + (DEAD_MAX_S - DEAD_MIN_S) * chance(seed, "dead for", *what)
    if not faults.dead_link:
        return Link(False, inf, dead_s, End.CUT)
    mean_s = (DEAD_MIN_S + DEAD_MAX_S) / 2 * (1 - faults.dead_link) / faults.dead_link
    lives_s = -mean_s * log(1 - chance(seed, "lives", *what))
    kind = chance(seed, "dies", *what)
    half_open = faults.reboot + (1 - faults.reboot) / 2
    end = End.REBOOT if kind < faults.reboot else End.HALF_OPEN if kind < half_open else End.CUT
    before = count == 0 and chance(seed, "dead from the beginning", address) < faults.dead_link
    return Link(before, lives_s, dead_s, end)
