"""What collection knows, in memory: counts of every terminal, plan and day, and the gaps that are left.

All of it follows from looks at the lake; the book only remembers the last one. It belongs to the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.headend.collection.counting import Look
from meterweave.headend.collection.gap import Gap, new_gap
from meterweave.headend.collection.plan import Plan
from meterweave.headend.collection.record import Counts, Key, Remembered
from meterweave.headend.collection.roster import Ints, Places, Roster
from meterweave.headend.collection.settings import CollectionSettings
from meterweave.metering.batch import Profile
from meterweave.registry.collection import GapState

_WRITTEN_AT_ONCE = 5_000  # rows of success, and as many gaps


class Tally(NamedTuple):
    """Readings of one profile, over all days that devices remember."""

    expected: int
    first_try: int
    stored: int

    @property
    def rate(self) -> float:
        """Share of what was expected that is there; 1 where nothing was."""
        return self.stored / self.expected if self.expected else 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How collection stands, in one view.

    Attributes
    ----------
    profiles : mapping of Profile to Tally
        By profile.
    counted : bool
        Whether everything was looked at since the start; before that, numbers are too small.
    gaps_open : int
        Days of meters that lack something and are asked for.
    oldest_unread_us : int or None
        The first moment that lacks something and is asked for. [us since 1970, UTC]
    given_up : int
        Readings that are missing and not asked for any more.
    calls_under_way, calls_waiting : int
        Operations on their way to terminals, and those that wait for their turn.
    """

    profiles: Mapping[Profile, Tally]
    counted: bool
    gaps_open: int
    oldest_unread_us: int | None
    given_up: int
    calls_under_way: int
    calls_waiting: int

    @property
    def expected(self) -> int:
        """Readings that are overdue."""
        return sum(one.expected for one in self.profiles.values())

    @property
    def stored(self) -> int:
        """Those of them that are there."""
        return sum(one.stored for one in self.profiles.values())

    @property
    def complete(self) -> bool:
        """Whether every expected reading is there."""
        return self.counted and self.expected == self.stored


class Writes(NamedTuple):
    """What changed since it was written last."""

    success: dict[Key, Counts]
    gaps: dict[Key, Gap | None]  # None: closed

    def __bool__(self) -> bool:
        return bool(self.success or self.gaps)


class Book:
    """Counts and gaps of all terminals.

    Parameters
    ----------
    remembered : mapping
        What was done about gaps before this process began.
    """

    def __init__(self, roster: Roster, settings: CollectionSettings, remembered: Mapping[Key, Remembered]) -> None:
        self._settings = settings
        self._remembered: dict[int, dict[tuple[int, date], Remembered]] = {}
        for key, one in remembered.items():
            self._remembered.setdefault(key.terminal, {})[key.plan, key.day] = one
        self._sheets: dict[tuple[int, date], NDArray[np.int32]] = {}  # [p, 3] of (plan, day)
        self._gaps: dict[int, dict[tuple[int, date], Gap]] = {}
        self._detail = 0  # meters in the holes of all gaps
        self._changed_gaps: dict[Key, Gap | None] = {}  # since they were written; None: closed
        self._changed: dict[tuple[int, date], NDArray[np.bool_]] = {}  # [p] of a sheet, where any did
        self.gap_count = 0
        self.skipped: set[tuple[int, date]] = set()
        """Plans and days of which gaps are left out, because there are too many."""
        self.roster = roster

    # What was seen ---------------------------------------------------------------------------------------------------

    def has_sheet(self, plan: int, day: date) -> bool:
        """Whether counts of this plan and day are known from before."""
        return (plan, day) in self._sheets

    def open_sheet(self, plan: int, day: date, written: Mapping[int, Counts]) -> None:
        """Begin with what is written of a plan and day, so that only what differs from it is written again."""
        places = self.roster.place_of()
        sheet = np.zeros((len(self.roster.posts), 3), np.int32)
        for terminal, counts in written.items():
            if terminal in places:
                sheet[places[terminal]] = counts
        self._sheets[plan, day] = sheet

    def apply(self, plan: Plan, seen: Look, *, now_us: int, now_s: float) -> set[int]:
        """Take in what a look showed; the terminals that still lack something."""
        for at, day in enumerate(seen.days):
            self._count(plan, day, seen, at)
        self._close_what_is_filled(plan, seen)
        for found in seen.gaps:
            key = Key(found.terminal, plan.id, found.day)
            gap = self.gap(key)
            if gap is not None:
                self._detail -= _meters_in(gap)
                gap.counted(found, plan, self._settings, now_us=now_us, now_s=now_s)
            elif self.gap_count < self._settings.gaps_max:
                gap = self._begin(key, new_gap(found, plan, self._settings, now_s=now_s))
            else:
                self.skipped.add((plan.id, found.day))
                continue
            if self._detail + found.meters > self._settings.detail_meters_max:
                gap.holes = None
            self._detail += _meters_in(gap)
            self._changed_gaps[key] = gap
        return {found.terminal for found in seen.gaps}

    def _close_what_is_filled(self, plan: Plan, seen: Look) -> None:
        lacking = {(found.terminal, found.day) for found in seen.gaps}
        for place in seen.places.tolist():
            terminal = self.roster.posts[place].id
            if terminal in self._gaps or terminal in self._remembered:
                for day in seen.days:
                    if (terminal, day) not in lacking:
                        self._close(Key(terminal, plan.id, day))

    def _count(self, plan: Plan, day: date, seen: Look, at: int) -> None:
        sheet = self._sheets.setdefault((plan.id, day), np.zeros((len(self.roster.posts), 3), np.int32))
        counts = np.column_stack((seen.expected[:, at], seen.first_try[:, at], seen.stored[:, at]))
        differs = (sheet[seen.places] != counts).any(axis=1)
        sheet[seen.places] = counts
        self._mark(plan.id, day, seen.places[differs])

    def _mark(self, plan: int, day: date, places: Places) -> None:
        """The counts of these are to be written."""
        if len(places):
            self._changed.setdefault((plan, day), np.zeros(len(self.roster.posts), np.bool_))[places] = True

    def _begin(self, key: Key, gap: Gap) -> Gap:
        before = self._recall(key)
        if before is not None:
            gap.attempts, gap.next_us, gap.state, gap.reason = before
        self._gaps.setdefault(key.terminal, {})[key.plan, key.day] = gap
        self.gap_count += 1
        return gap

    def _close(self, key: Key) -> None:
        gap = self.gap(key)
        if gap is not None:
            self._drop(gap)
        if self._recall(key) is not None or gap is not None:
            self._changed_gaps[key] = None

    def _recall(self, key: Key) -> Remembered | None:
        """What was done about a gap before this process began; asked once."""
        of_terminal = self._remembered.get(key.terminal, {})
        found = of_terminal.pop((key.plan, key.day), None)
        if found is not None and not of_terminal:
            del self._remembered[key.terminal]
        return found

    def _drop(self, gap: Gap) -> None:
        of_terminal = self._gaps[gap.terminal]
        del of_terminal[gap.plan, gap.day]
        if not of_terminal:
            del self._gaps[gap.terminal]
        self.gap_count -= 1
        self._detail -= _meters_in(gap)

    # What is asked ---------------------------------------------------------------------------------------------------

    def gap(self, key: Key) -> Gap | None:
        """The gap of a terminal, plan and day; None: nothing is missing, as far as is known."""
        return self._gaps.get(key.terminal, {}).get((key.plan, key.day))

    def gaps_of(self, terminal: int) -> list[Gap]:
        """All gaps of a terminal."""
        return list(self._gaps.get(terminal, {}).values())

    def take_up(self, terminal: int, now_us: int) -> None:
        """Begin anew with all that a terminal lacks, also with what was given up."""
        for gap in self.gaps_of(terminal):
            gap.take_up(now_us)
            self.note(gap)
        for key, one in self._remembered.get(terminal, {}).items():
            self._remembered[terminal][key] = Remembered(0, now_us, GapState.OPEN, one.reason)

    def note(self, gap: Gap) -> None:
        """A gap was changed: it is to be written, unless it was closed meanwhile."""
        key = Key(gap.terminal, gap.plan, gap.day)
        if self.gap(key) is gap:
            self._changed_gaps[key] = gap

    @property
    def has_writes(self) -> bool:
        """Whether anything changed since it was written."""
        return bool(self._changed or self._changed_gaps)

    def take_writes(self) -> Writes:
        """What changed since the last time, as much of it as one transaction may hold; gaps as they are now."""
        gaps: dict[Key, Gap | None] = {}
        while self._changed_gaps and len(gaps) < _WRITTEN_AT_ONCE:
            key, gap = self._changed_gaps.popitem()
            gaps[key] = None if gap is None else replace(gap)
        return Writes(self._take_success(), gaps)

    def _take_success(self) -> dict[Key, Counts]:
        found: dict[Key, Counts] = {}
        while self._changed and len(found) < _WRITTEN_AT_ONCE:
            (plan, day), changed = self._changed.popitem()
            marked = np.flatnonzero(changed)
            places, rest = np.split(marked, [_WRITTEN_AT_ONCE - len(found)])
            self._mark(plan, day, rest)
            for place, counts in zip(places.tolist(), self._sheets[plan, day][places].tolist(), strict=True):
                found[Key(self.roster.posts[place].id, plan, day)] = Counts(*counts)
        return found

    def give_back(self, writes: Writes) -> None:
        """These could not be written; what changed since goes before them, and who is gone is left out."""
        places = self.roster.place_of()
        gaps = writes.gaps | self._changed_gaps
        self._changed_gaps = {key: gap for key, gap in gaps.items() if key.terminal in places}
        for key in writes.success:
            if key.terminal in places and self.has_sheet(key.plan, key.day):
                self._mark(key.plan, key.day, np.array([places[key.terminal]]))

    # What changes around it ------------------------------------------------------------------------------------------

    def follow(self, roster: Roster) -> None:
        """The archives changed: go on with those terminals that are still there."""
        before, places = self.roster.place_of(), roster.place_of()
        common = [post.id for post in roster.posts if post.id in before]
        new, old = ([index[terminal] for terminal in common] for index in (places, before))
        for key, sheet in self._sheets.items():
            self._sheets[key] = np.zeros((len(roster.posts), 3), np.int32)
            self._sheets[key][new] = sheet[old]
        for key, changed in self._changed.items():
            self._changed[key] = np.zeros(len(roster.posts), np.bool_)
            self._changed[key][new] = changed[old]
        for gap in self._drop_where(lambda gap: gap.terminal not in places):
            self._changed_gaps[Key(gap.terminal, gap.plan, gap.day)] = None
        self.roster = roster

    def cover(self, plan: int, terminals: Places) -> None:
        """A plan covers these terminals (places in the roster) and no others: of those nothing is expected."""
        others = np.ones(len(self.roster.posts), np.bool_)
        others[terminals] = False
        for (of_plan, day), sheet in self._sheets.items():
            if of_plan == plan:
                left = np.flatnonzero(others & sheet.any(axis=1))
                sheet[left] = 0
                self._mark(plan, day, left)
        covered = {self.roster.posts[place].id for place in terminals.tolist()}
        for gap in self._drop_where(lambda gap: gap.plan == plan and gap.terminal not in covered):
            self._changed_gaps[Key(gap.terminal, gap.plan, gap.day)] = None
        for key in self._remembered_where(lambda key: key.plan == plan and key.terminal not in covered):
            self._recall(key)
            self._changed_gaps[key] = None

    def forget(self, is_kept: Callable[[int, date], bool]) -> None:
        """Drop plans and days that are looked at no more; what is written stays as it is."""
        for key in [key for key in self._sheets if not is_kept(*key)]:
            del self._sheets[key]
            self._changed.pop(key, None)
        self._drop_where(lambda gap: not is_kept(gap.plan, gap.day))
        for known in self._remembered_where(lambda key: not is_kept(key.plan, key.day)):
            self._recall(known)
        self.skipped = {key for key in self.skipped if is_kept(*key)}

    def _remembered_where(self, true: Callable[[Key], bool]) -> list[Key]:
        keys = (Key(terminal, *rest) for terminal, of_terminal in self._remembered.items() for rest in of_terminal)
        return [key for key in keys if true(key)]

    def _drop_where(self, gone: Callable[[Gap], bool]) -> list[Gap]:
        dropped = [gap for gap in self._all() if gone(gap)]
        for gap in dropped:
            self._drop(gap)
        return dropped

    def _all(self) -> Iterator[Gap]:
        for of_terminal in self._gaps.values():
            yield from of_terminal.values()

    # How it stands ---------------------------------------------------------------------------------------------------

    def progress(self, plans: Iterable[Plan], *, counted: bool, under_way: int, waiting: int) -> Progress:
        """The figures of this moment."""
        profiles = {plan.id: plan.profile for plan in plans}
        totals: dict[Profile, Ints] = {}
        for (plan, _), sheet in self._sheets.items():
            if plan in profiles:
                totals[profiles[plan]] = totals.get(profiles[plan], np.zeros(3, np.int64)) + sheet.sum(
                    axis=0, dtype=np.int64
                )
        is_open = [gap for gap in self._all() if gap.state is GapState.OPEN]
        return Progress(
            {profile: Tally(*totals[profile].tolist()) for profile in sorted(totals)},
            counted,
            sum(gap.meters for gap in is_open),
            min((gap.oldest_us for gap in is_open), default=None),
            sum(gap.missing for gap in self._all() if gap.state is GapState.GIVEN_UP),
            under_way,
            waiting,
        )


def _meters_in(gap: Gap) -> int:
    return sum(len(hole.meters) for hole in gap.holes or ())
