"""What collection knows, in memory: counts of every terminal, plan and day, and the gaps that are left.

All of it follows from looks at the lake; the book only remembers the last one. It belongs to the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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


@dataclass(slots=True)
class Writes:
    """What changed since it was written last."""

    success: dict[Key, Counts] = field(default_factory=dict)
    gaps: dict[Key, Gap | None] = field(default_factory=dict)

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
        self._remembered = dict(remembered)
        self._sheets: dict[tuple[int, date], NDArray[np.int32]] = {}  # [p, 3] of (plan, day)
        self._gaps: dict[int, dict[tuple[int, date], Gap]] = {}
        self._detail = 0  # meters in the holes of all gaps
        self._writes = Writes()
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
            self._writes.gaps[key] = gap
        return {found.terminal for found in seen.gaps}

    def _close_what_is_filled(self, plan: Plan, seen: Look) -> None:
        lacking = {(found.terminal, found.day) for found in seen.gaps}
        remembered = {key.terminal for key in self._remembered}
        for place in seen.places.tolist():
            terminal = self.roster.posts[place].id
            if terminal in self._gaps or terminal in remembered:
                for day in seen.days:
                    if (terminal, day) not in lacking:
                        self._close(Key(terminal, plan.id, day))

    def _count(self, plan: Plan, day: date, seen: Look, at: int) -> None:
        sheet = self._sheets.setdefault((plan.id, day), np.zeros((len(self.roster.posts), 3), np.int32))
        counts = np.column_stack((seen.expected[:, at], seen.first_try[:, at], seen.stored[:, at]))
        differs = (sheet[seen.places] != counts).any(axis=1)
        sheet[seen.places] = counts
        for row in np.flatnonzero(differs).tolist():
            key = Key(self.roster.posts[seen.places[row]].id, plan.id, day)
            self._writes.success[key] = Counts(*counts[row].tolist())

    def _begin(self, key: Key, gap: Gap) -> Gap:
        before = self._remembered.pop(key, None)
        if before is not None:
            gap.attempts, gap.next_us, gap.state, gap.reason = before
        self._gaps.setdefault(key.terminal, {})[key.plan, key.day] = gap
        self.gap_count += 1
        return gap

    def _close(self, key: Key) -> None:
        gap = self.gap(key)
        if gap is not None:
            self._drop(gap)
        if self._remembered.pop(key, None) is not None or gap is not None:
            self._writes.gaps[key] = None

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

    def note(self, gap: Gap) -> None:
        """A gap was changed: it is to be written, unless it was closed meanwhile."""
        key = Key(gap.terminal, gap.plan, gap.day)
        if self.gap(key) is gap:
            self._writes.gaps[key] = gap

    @property
    def has_writes(self) -> bool:
        """Whether anything changed since it was written."""
        return bool(self._writes)

    def take_writes(self) -> Writes:
        """What changed since the last time; gaps as they are now."""
        found, self._writes = self._writes, Writes()
        found.gaps = {key: None if gap is None else replace(gap) for key, gap in found.gaps.items()}
        return found

    def give_back(self, writes: Writes) -> None:
        """These could not be written; what changed since goes before them, and who is gone is left out."""
        places = self.roster.place_of()
        success, gaps = writes.success | self._writes.success, writes.gaps | self._writes.gaps
        self._writes = Writes(
            {key: counts for key, counts in success.items() if key.terminal in places},
            {key: gap for key, gap in gaps.items() if key.terminal in places},
        )

    # What changes around it ------------------------------------------------------------------------------------------

    def follow(self, roster: Roster) -> None:
        """The archives changed: go on with those terminals that are still there."""
        before, places = self.roster.place_of(), roster.place_of()
        common = [post.id for post in roster.posts if post.id in before]
        new, old = ([index[terminal] for terminal in common] for index in (places, before))
        for key, sheet in self._sheets.items():
            self._sheets[key] = np.zeros((len(roster.posts), 3), np.int32)
            self._sheets[key][new] = sheet[old]
        for gap in self._drop_where(lambda gap: gap.terminal not in places):
            self._writes.gaps[Key(gap.terminal, gap.plan, gap.day)] = None
        self.roster = roster

    def cover(self, plan: int, terminals: Places) -> None:
        """A plan covers these terminals (places in the roster) and no others: of those nothing is expected."""
        others = np.ones(len(self.roster.posts), np.bool_)
        others[terminals] = False
        for (of_plan, day), sheet in self._sheets.items():
            for place in np.flatnonzero(others & sheet.any(axis=1)).tolist() if of_plan == plan else ():
                sheet[place] = 0
                self._writes.success[Key(self.roster.posts[place].id, plan, day)] = Counts(0, 0, 0)
        covered = {self.roster.posts[place].id for place in terminals.tolist()}
        for gap in self._drop_where(lambda gap: gap.plan == plan and gap.terminal not in covered):
            self._writes.gaps[Key(gap.terminal, gap.plan, gap.day)] = None
        for key in [key for key in self._remembered if key.plan == plan and key.terminal not in covered]:
            del self._remembered[key]
            self._writes.gaps[key] = None

    def forget(self, is_kept: Callable[[int, date], bool]) -> None:
        """Drop plans and days that are looked at no more; what is written stays as it is."""
        for key in [key for key in self._sheets if not is_kept(*key)]:
            del self._sheets[key]
        self._drop_where(lambda gap: not is_kept(gap.plan, gap.day))
        self._remembered = {key: one for key, one in self._remembered.items() if is_kept(key.plan, key.day)}
        self.skipped = {key for key in self.skipped if is_kept(*key)}

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
