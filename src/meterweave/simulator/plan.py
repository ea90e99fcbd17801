"""Which series a concentrator keeps and reports, and what of them is due next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from meterweave.metering.batch import Profile
from meterweave.simulator.town import DAY_S, LOCAL_S, Meter, Utility

QUARTER_S, HOUR_S = 900, 3600


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Readings of meters of one kind at equal distances of local time, or at the beginnings of local months."""

    utility: Utility
    three_phase: bool
    solar: bool
    profile: Profile
    period_s: int  # 0: a month
    meters: tuple[Meter, ...]

    @property
    def kind(self) -> tuple[object, ...]:
        """What tells it from the other series of a concentrator."""
        return self.utility, self.three_phase, self.solar, self.profile

    def slot_from(self, at_s: int) -> int:
        """The first moment of the series at or after `at_s`."""
        if self.period_s:
            return -(-(at_s + LOCAL_S) // self.period_s) * self.period_s - LOCAL_S
        local = datetime.fromtimestamp(at_s + LOCAL_S, UTC)
        first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        if first < local:
            first = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return int(first.timestamp()) - LOCAL_S

    def slots(self, from_s: int, to_s: int) -> Sequence[int]:
        """The moments of the series from `from_s` to before `to_s`."""
        if self.period_s:
            return range(self.slot_from(from_s), to_s, self.period_s)
        found = []
        at_s = self.slot_from(from_s)
        while at_s < to_s:
            found.append(at_s)
            at_s = self.slot_from(at_s + 1)
        return tuple(found)


_PROFILES = (Profile.CURVE, Profile.DAILY, Profile.MONTHLY)


def series_of(meters: Sequence[Meter]) -> tuple[Series, ...]:
    """The series of a concentrator: quarter hours of electricity, hours of the others, days and months of all."""
    alike: dict[tuple[Utility, bool, bool], list[Meter]] = {}
    for meter in meters:
        three_phase = meter.utility is Utility.ELECTRICITY and meter.phase == 0
        alike.setdefault((meter.utility, three_phase, meter.export is not None), []).append(meter)
    found = []
    for (utility, three_phase, solar), some in sorted(alike.items(), key=lambda item: _order(item[0])):
        periods_s = (QUARTER_S if utility is Utility.ELECTRICITY else HOUR_S, DAY_S, 0)
        found += [
            Series(utility, three_phase, solar, profile, period_s, tuple(some))
            for profile, period_s in zip(_PROFILES, periods_s, strict=True)
        ]
    return tuple(found)


def _order(kind: tuple[Utility, bool, bool]) -> tuple[int, bool, bool]:
    utility, three_phase, solar = kind
    return list(Utility).index(utility), three_phase, solar


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """What one report holds: these meters at these moments."""

    series: Series
    slots: Sequence[int]
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

    def follow(self, series: Sequence[Series], now_s: int) -> None:
        """Report these series from now on; where one was reported before, it goes on where it stands."""
        old = {cursor.series.kind: cursor for cursor in self._cursors}
        cursors = []
        for one in series:
            cursor = old.get(one.kind)
            if cursor is None or cursor.series.meters != one.meters:
                next_s = cursor.next_s if cursor and cursor.untouched else one.slot_from(now_s)
                cursor = _Cursor(one, next_s)
            cursors.append(cursor)
        self._cursors = cursors

    def next_s(self) -> int | None:
        """When the next report is due. [s since 1970, UTC]"""
        return min((cursor.next_s for cursor in self._cursors), default=None)


class _Cursor:
    """How far one series is reported: all meters before `next_s`, and some of the span that begins there."""

    def __init__(self, series: Series, next_s: int) -> None:
        self.series, self.next_s = series, next_s
        self._span: Sequence[int] = range(0)
        self._place = 0

    @property
    def untouched(self) -> bool:
        """Whether no meter of the next span is reported yet."""
        return self._place == 0

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
            self._place, self._span, self.next_s = 0, range(0), series.slot_from(span[-1] + 1)
        return Due(series, span, meters) if meters else None
