"""What happens in a district beside consumption: outages, opened covers, magnets, orders to relays and clocks.

What nobody orders is fixed beforehand by a hash of seed, place and day, like the faults; what a centre orders is noted
when it is done. A diary keeps the last `KEPT_MAX` of both, as terminals do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from meterweave.simulator.faults import chance, pick
from meterweave.simulator.town import DAY_S, LOCAL_S, Concentrator, Meter, Utility

KEPT_MAX = 255
"""Happenings that a terminal keeps."""


class Kind(StrEnum):
    """What can happen."""

    POWER_OFF = "power_off"
    POWER_ON = "power_on"
    COVER_OPENED = "cover_opened"
    MAGNET = "magnetic_field"
    REVERSED = "reverse_current"
    CLOCK_FAULT = "clock_fault"
    TRIPPED = "relay_tripped"
    CLOSED = "relay_closed"
    CLOCK_SET = "clock_set"


OF_METERS = (Kind.COVER_OPENED, Kind.MAGNET, Kind.REVERSED, Kind.CLOCK_FAULT)
"""What happens to single meters without an order."""
LASTS_MIN_S, LASTS_MAX_S = 60, 1800
"""How long such a thing lasts."""


class Happening(NamedTuple):
    """One thing that happened."""

    kind: Kind
    at_s: int  # when it began, or happened [s since 1970, UTC]
    meter: Meter | None  # None: the terminal, or the whole district
    until_s: int | None = None  # when it was over, where it lasts
    since_s: int | None = None  # of the end of something: when that began

    @property
    def known_s(self) -> int:
        """When the terminal learns of it: what lasts is told when it is over."""
        return self.at_s if self.until_s is None else self.until_s


def fated(site: Concentrator, seed: int, rate: float, day_s: int) -> list[Happening]:
    """What the terminal learns without an order on the local day that begins at `day_s`, in that order.

    Parameters
    ----------
    rate : float
        Happenings of a meter in a day; outages are part of the town's plan.
    """
    found = [*_outages(site, day_s), *(_tamperings(site, seed, rate, day_s) if rate else ())]
    return sorted(found, key=lambda one: one.known_s)


def _outages(site: Concentrator, day_s: int) -> Iterator[Happening]:
    for since_s, until_s in site.outages:
        if day_s <= since_s < day_s + DAY_S:
            yield Happening(Kind.POWER_OFF, since_s, None)
            yield Happening(Kind.POWER_ON, until_s, None, since_s=since_s)


def _tamperings(site: Concentrator, seed: int, rate: float, day_s: int) -> Iterator[Happening]:
    for meter in site.meters:
        what = ("happens", meter.address, day_s)
        if meter.utility is Utility.ELECTRICITY and chance(seed, *what) < rate:
            at_s = day_s + pick(seed, 0, DAY_S - LASTS_MAX_S - 1, "when", *what)
            if meter.alive(at_s):
                kind = OF_METERS[pick(seed, 0, len(OF_METERS) - 1, "what", *what)]
                yield Happening(kind, at_s, meter, at_s + pick(seed, LASTS_MIN_S, LASTS_MAX_S, "lasts", *what))


class Diary:
    """What happened at one terminal, as far as it knows, and what of it the centre has not confirmed.

    Parameters
    ----------
    rate : float
        Happenings of a meter in a day.
    from_s : int
        Since when the terminal watches. [s since 1970, UTC]
    """

    def __init__(self, site: Concentrator, seed: int, rate: float, from_s: int) -> None:
        self._site, self._seed, self._rate = site, seed, rate
        self._day_s = (from_s + LOCAL_S) // DAY_S * DAY_S - LOCAL_S
        self._today = deque(one for one in self._fated(self._day_s) if one.known_s >= from_s)
        self.kept: deque[tuple[int, Happening]] = deque(maxlen=KEPT_MAX)
        self.count = 0
        """Happenings so far; the number of the newest."""
        self.told = 0
        """The number up to which the centre has confirmed."""
        self._ordered: list[Happening] = []

    def _fated(self, day_s: int) -> list[Happening]:
        return fated(self._site, self._seed, self._rate, day_s)

    @property
    def quiet(self) -> bool:
        """Whether nothing happens here but by order."""
        return not self._rate and not self._site.outages

    def note(self, kind: Kind, at_s: int, meter: Meter | None = None) -> None:
        """Something was done by an order."""
        self.look(at_s)
        happening = Happening(kind, at_s, meter)
        self._ordered.append(happening)
        self._keep(happening)

    def look(self, now_s: int) -> None:
        """Take notice of everything that happened up to `now_s`."""
        while not self.quiet:
            while self._today and self._today[0].known_s <= now_s:
                self._keep(self._today.popleft())
            if now_s < self._day_s + DAY_S:
                return
            self._day_s += DAY_S
            self._today.extend(self._fated(self._day_s))

    def next_s(self) -> int | None:
        """When the next thing happens without an order, or when to look again; None: never."""
        if self.quiet:
            return None
        return self._today[0].known_s if self._today else self._day_s + DAY_S

    def _keep(self, happening: Happening) -> None:
        self.count += 1
        self.kept.append((self.count, happening))

    def waiting(self) -> Sequence[tuple[int, Happening]]:
        """What the centre has not confirmed, oldest first, as far as it is still kept."""
        return [(number, one) for number, one in self.kept if number > self.told]

    def truth(self, from_s: int, to_s: int) -> list[Happening]:
        """All that the terminal could learn from `from_s` to before `to_s`, in that order."""
        day_s = (from_s + LOCAL_S) // DAY_S * DAY_S - LOCAL_S
        found = [one for day in range(day_s, to_s, DAY_S) for one in self._fated(day)] + self._ordered
        return sorted((one for one in found if from_s <= one.known_s < to_s), key=lambda one: one.known_s)
