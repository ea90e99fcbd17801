"""What changes in a meter's life: its relay or valve, its clock, and the times at which its house had no supply.

Every interruption is kept as a span of time that belongs to the truth: from after `since_s` up to and with `until_s`
nothing flows. The ends lie so that a reading taken at the very second of an order is the same before and after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

NEVER_S = 1 << 40
"""Later than all time. [s since 1970, UTC]"""
TRIPS_MAX = 1000
"""Interruptions that a meter's relay keeps; the earliest are joined beyond it."""


class Span(NamedTuple):
    """From after `since_s` up to and with `until_s`. [s since 1970, UTC]"""

    since_s: int
    until_s: int

    def holds(self, at_s: int) -> bool:
        """Whether the moment lies in it."""
        return self.since_s < at_s <= self.until_s


class Condition:
    """The changing part of one meter.

    Parameters
    ----------
    outages : tuple of Span
        When its district has no supply, in the order of time.
    clock_off_s : int
        Its clock minus the true time.
    """

    def __init__(self, outages: tuple[Span, ...] = (), clock_off_s: int = 0) -> None:
        self.outages = outages
        self.clock_off_s = clock_off_s
        self.closed = True
        self.permitted = False  # may be closed by the customer's button
        self.kept = False  # 保电: trips are refused
        self.trips: list[Span] = []

    def trip(self, at_s: int) -> bool:
        """Open the relay or valve; False where the supply is kept."""
        if self.kept:
            return False
        self.permitted = False
        if self.closed:
            self.closed = False
            if len(self.trips) == TRIPS_MAX:
                self.trips[:2] = [Span(self.trips[0].since_s, self.trips[1].until_s)]
            self.trips.append(Span(at_s, NEVER_S))
        return True

    def close(self, at_s: int) -> None:
        """Close the relay or valve."""
        self.permitted = False
        if not self.closed:
            self.closed = True
            self.trips[-1] = self.trips[-1]._replace(until_s=max(at_s, self.trips[-1].since_s))

    def permit(self) -> None:
        """Allow the customer to close by the button; nobody is at home in this town to press it."""
        self.permitted = not self.closed

    def keep(self, at_s: int) -> None:
        """Supply whatever comes: a relay that is open closes."""
        self.close(at_s)
        self.kept = True

    def release(self) -> None:
        """Trips are obeyed again."""
        self.kept = False

    def interrupted(self) -> tuple[Span, ...]:
        """When nothing flowed, in the order of time, no two spans overlapping."""
        if not self.trips and not self.outages:
            return ()
        return joined((*self.outages, *self.trips))

    def powered(self, at_s: int) -> bool:
        """Whether the network in front of the relay is alive."""
        return not any(span.holds(at_s) for span in self.outages)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same times without overlaps, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.since_s <= found[-1].until_s:
            found[-1] = found[-1]._replace(until_s=max(found[-1].until_s, span.until_s))
        else:
            found.append(span)
    return tuple(found)
