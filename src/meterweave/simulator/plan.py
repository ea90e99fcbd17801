"""Which series a concentrator keeps and reports, and what of them is due next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meterweave.metering.batch import Profile
from meterweave.simulator.town import DAY_S, LOCAL_S, Meter, Utility

QUARTER_S, HOUR_S = 900, 3600


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Readings of meters of one kind at equal distances of local time."""

    utility: Utility
    three_phase: bool
    profile: Profile
    period_s: int
    meters: tuple[Meter, ...]

    def slot_from(self, at_s: int) -> int:
        """The first moment of the series at or after `at_s`."""
        return -(-(at_s + LOCAL_S) // self.period_s) * self.period_s - LOCAL_S

    def slots(self, from_s: int, to_s: int) -> range:
        """The moments of the series from `from_s` to before `to_s`."""
        return range(self.slot_from(from_s), to_s, self.period_s)


def series_of(meters: Sequence[Meter]) -> tuple[Series, ...]:
    """The series of a concentrator: quarter hours of electricity, hours of the others, and the days of all."""
    found = []
    for utility in Utility:
        for three_phase in (False, True):
            alike = tuple(
                meter
                for meter in meters
                if meter.utility is utility and three_phase == (utility is Utility.ELECTRICITY and meter.phase == 0)
            )
            if alike:
                curve_s = QUARTER_S if utility is Utility.ELECTRICITY else HOUR_S
                found.append(Series(utility, three_phase, Profile.CURVE, curve_s, alike))
                found.append(Series(utility, three_phase, Profile.DAILY, DAY_S, alike))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """What one report holds: these meters at these moments."""

    series: Series
    slots: range
    meters: tuple[Meter, ...]


class Reports:
    """What is due, in the order of time; a cursor for each series, so nothing is held however much is due.

    Parameters
    ----------
    series : sequence of Series
        What to report.
    first_s : int
        From when on.
    slots_max : int
        Moments in one report, all of one local day.
    cells_max : int
        Moments times meters in one report; one meter's moments are never divided for it.
    """

    def __init__(self, series: Sequence[Series], first_s: int, *, slots_max: int, cells_max: int) -> None:
        self._slots_max, self._cells_max = slots_max, cells_max
        self._cursors = [_Cursor(one, one.slot_from(first_s)) for one in series]

    def take(self, now_s: int) -> Due | None:
        """The next report, if it is due at `now_s`; it is not given again."""
        while self._cursors:
            cursor = min(self._cursors, key=lambda one: one.next_s)
            if cursor.next_s > now_s:
                return None
            due = cursor.take(now_s, self._slots_max, self._cells_max)
            if due:
                return due
        return None

    def next_s(self) -> int | None:
        """When the next report is due. [s since 1970, UTC]"""
        return min((cursor.next_s for cursor in self._cursors), default=None)


class _Cursor:
    """How far one series is reported: all meters before `next_s`, and some of the span that begins there."""

    def __init__(self, series: Series, next_s: int) -> None:
        self.series, self.next_s = series, next_s
        self._span = range(0)
        self._place = 0

    def take(self, now_s: int, slots_max: int, cells_max: int) -> Due | None:
        series = self.series
        if not self._span:
            midnight_s = (self.next_s + LOCAL_S) // DAY_S * DAY_S + DAY_S - LOCAL_S
            whole = series.slots(self.next_s, min(now_s + 1, midnight_s))
            self._span = whole[:slots_max]
        span = self._span
        count = max(1, cells_max // len(span))
        meters = tuple(meter for meter in series.meters[self._place : self._place + count] if meter.alive(span[0]))
        self._place += count
        if self._place >= len(series.meters):
            self._place, self._span, self.next_s = 0, range(0), span[-1] + series.period_s
        return Due(series, span, meters) if meters else None
