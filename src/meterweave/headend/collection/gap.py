"""One gap: what is missing of a terminal, plan and day, and when to ask for it; decides, and does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf
from zlib import crc32

from meterweave.headend.collection.counting import Found, Hole
from meterweave.headend.collection.plan import Plan
from meterweave.headend.collection.settings import CollectionSettings
from meterweave.headend.operations import ReadStored
from meterweave.registry.collection import GapState
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

NOT_ASKED = Text("not asked for yet", "尚未补召")
NOT_THERE = Text("the terminal answered, and had not all of it", "终端已应答，但数据不全")
FORGOTTEN = Text("longer ago than the device remembers", "超出设备保存期限")
_DAY_S = 86_400
_DOUBLED_MAX = 60  # more is longer than any pause, and too much for a float in the end


@dataclass(slots=True)
class Gap:
    """What is missing, and what was done about it.

    `attempts` counts the attempts since the last one that brought something.
    """

    terminal: int  # id
    plan: int  # id
    day: date
    missing: int
    meters: int
    oldest_us: int
    holes: tuple[Hole, ...] | None  # None: to be counted again before it can be asked for
    next_us: int  # not asked for before [us since 1970, UTC]
    attempts: int = 0
    state: GapState = GapState.OPEN
    reason: Text = NOT_ASKED
    counted_s: float = 0.0  # when it was counted, monotonic
    asked: tuple[int, int] | None = (
        None  # readings and meters that were missing then, until it is judged what it brought
    )
    answered_s: float = inf  # when that call was over, monotonic
    one_by_one: bool = False  # ask for each quantity by itself: all together were refused

    def is_ready(self, now_us: int) -> bool:
        """Whether it is time to ask."""
        return self.asked is None and self.next_us <= now_us

    def entered(self, settings: CollectionSettings, now_us: int) -> None:
        """The terminal has logged in: ask at once, but one that comes and goes and gives nothing later each time."""
        if self.state is GapState.GIVEN_UP:
            return
        wait_s = self.attempts * settings.retry_first_s
        self.next_us = min(self.next_us, now_us + round(wait_s * 1e6))

    def take_up(self, now_us: int) -> None:
        """The device is there again, or gives again what it did not give: begin anew, also with what was given up."""
        self.attempts, self.state, self.next_us = 0, GapState.OPEN, min(self.next_us, now_us)

    def ask(self) -> None:
        """A call for it begins."""
        self.asked, self.answered_s = (self.missing, self.meters), inf

    def answered(self, now_s: float) -> None:
        """The call is over, and what it brought is on disk."""
        self.answered_s = now_s

    def counted(self, found: Found, plan: Plan, settings: CollectionSettings, *, now_us: int, now_s: float) -> None:
        """It was counted again: see what the last attempt brought, and when the next is due.

        Parameters
        ----------
        now_us, now_s : int, float
            When the count began, by the clock [us since 1970, UTC] and monotonic; one that began before the call was
            over says nothing of what it brought.
        """
        if self.asked is not None and now_s >= self.answered_s:
            missing, meters = self.asked
            self.asked = None
            if found.missing < missing:
                self.take_up(now_us)
            else:
                self._brought_nothing(settings, now_us)
            self.meters = meters
        elif found.missing < self.missing and self.attempts:
            self.take_up(now_us)  # some of it came by itself
        if found.meters > self.meters:
            # Others lack something now, which must not wait for a meter that never answers.
            self.attempts, self.state = 0, GapState.OPEN
            self.next_us = min(self.next_us, first_try_us(found, plan, settings))
        self.missing, self.meters, self.oldest_us = found.missing, found.meters, found.oldest_us
        self.holes, self.counted_s = found.holes, now_s

    def _brought_nothing(self, settings: CollectionSettings, now_us: int) -> None:
        self.attempts += 1
        if self.attempts >= settings.attempts_max:
            self.state, self.next_us = GapState.GIVEN_UP, tomorrow_us(self.terminal, now_us)
        else:
            pause_s = min(settings.retry_first_s * 2.0 ** min(self.attempts - 1, _DOUBLED_MAX), settings.retry_max_s)
            self.next_us = now_us + round(pause_s * 1e6)


def new_gap(found: Found, plan: Plan, settings: CollectionSettings, *, now_s: float) -> Gap:
    """A gap that was not there before."""
    return Gap(
        found.terminal,
        plan.id,
        found.day,
        found.missing,
        found.meters,
        found.oldest_us,
        found.holes,
        first_try_us(found, plan, settings),
        counted_s=now_s,
    )


def first_try_us(found: Found, plan: Plan, settings: CollectionSettings) -> int:
    """When to ask first: the terminals have their own places in the time after the deadline, always the same."""
    spread_s = min(settings.spread_s, plan.period_s or _DAY_S)
    return found.oldest_us + plan.deadline_s * 1_000_000 + offset_us(found.terminal, spread_s)


def offset_us(terminal: int, spread_s: float) -> int:
    """A terminal's own place in a span of time. [us]"""
    return crc32(terminal.to_bytes(8, "little", signed=True)) * round(spread_s * 1e6) >> 32


def tomorrow_us(terminal: int, now_us: int) -> int:
    """When to try again what was given up: at the terminal's own time of the day, so that all of it is tried together.

    Once a day until the device has forgotten it: the device may have been mended. [us since 1970, UTC]
    """
    day_us = _DAY_S * 1_000_000
    return now_us + day_us - (now_us - offset_us(terminal, _DAY_S)) % day_us


def together(gaps: Iterable[Gap], settings: CollectionSettings) -> list[Gap]:
    """Of ready gaps of one terminal, those to ask for now; one at least, and as many as one operation may ask for.

    Of the newest day the one that lacks least, which is soon there, and days of the same plan before it.
    """
    newest_first = sorted(gaps, key=lambda gap: (-gap.day.toordinal(), gap.missing, gap.plan))
    chosen: list[Gap] = []
    values = 0
    for gap in newest_first:
        if chosen and (gap.plan != chosen[0].plan or gap.holes is None or gap.one_by_one != chosen[0].one_by_one):
            continue
        values += sum(hole.values for hole in gap.holes or ())
        if chosen and values > settings.operation_values_max:
            break
        chosen.append(gap)
    return chosen


def operations(
    gaps: Sequence[Gap], plan: Plan, meters: Sequence[MeterEntry], settings: CollectionSettings
) -> list[ReadStored]:
    """What to ask the terminal for these gaps, newest first; no operation asks for more than it may."""
    known = {meter.id: meter for meter in meters}
    found = []
    for hole in _joined([hole for gap in gaps for hole in gap.holes or ()]):
        entries = [known[meter] for meter in hole.meters if meter in known]
        singly = [(code,) for code in hole.quantities] if gaps[0].one_by_one else [hole.quantities]
        for quantities in singly:
            room = max(1, settings.operation_values_max // (len(quantities) * hole.moments))
            for first in range(0, len(entries), room):
                some = tuple(entries[first : first + room])
                found.append(ReadStored(some, quantities, plan.profile, plan.period_s, hole.from_us, hole.to_us))
    return found


def _joined(holes: Sequence[Hole]) -> list[Hole]:
    """Holes of the same meters and quantities whose spans follow each other, as one; newest first."""
    found: list[Hole] = []
    open_ends: dict[tuple[tuple[int, ...], tuple[int, ...], int], int] = {}
    for hole in sorted(holes, key=lambda one: -one.to_us):
        after = open_ends.pop((hole.meters, hole.quantities, hole.to_us), None)
        if after is None:
            found.append(hole)
            after = len(found) - 1
        else:
            later = found[after]
            found[after] = later._replace(from_us=hole.from_us, moments=later.moments + hole.moments)
        open_ends[hole.meters, hole.quantities, hole.from_us] = after
    return found
