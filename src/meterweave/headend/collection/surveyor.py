"""Looking: follows archives and plans, decides what to look at, and keeps the book of what is there and what is not.

Everything that blocks happens in one thread beside the event loop, one thing at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import structlog
from sqlalchemy.exc import SQLAlchemyError

from meterweave.headend.collection import roster as rosters
from meterweave.headend.collection.absence import Absences
from meterweave.headend.collection.agenda import Agenda, Errand
from meterweave.headend.collection.book import Book, Progress, Writes
from meterweave.headend.collection.counting import Look, Pair, divided, look
from meterweave.headend.collection.gate import Lane
from meterweave.headend.collection.moments import day_moments, due_until_us, instant, local_day, window
from meterweave.headend.collection.plan import Plan, read_plans
from meterweave.headend.collection.record import Record
from meterweave.headend.collection.roster import Places, Post, Roster
from meterweave.headend.collection.settings import CollectionSettings
from meterweave.lake import Lake, LakeError, QueryError
from meterweave.lake.days import day_span_us
from meterweave.registry import Directory, Registry
from meterweave.registry.vocabulary import Channel

_CHANGED_MAX = 1000  # with more terminals changed, all are looked at
_LOAD_SHARE = 20
_VALUES_MIN = 10_000
_CELLS_AT_ONCE = 2_000  # terminals times days that are taken into the book without a pause: some 10 ms
_LANE = Lane(Channel.CELLULAR, None)  # of a terminal that the archives do not know yet

_log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class _Archives(NamedTuple):
    number: int  # of the newest change in it
    roster: Roster
    plans: dict[int, Plan]  # those enabled, by id


class Surveyor:
    """Knows what is missing.

    Parameters
    ----------
    on_look : callable
        Called in the event loop after each look with the ids of the terminals that lack something.
    """

    def __init__(
        self,
        registry: Registry,
        directory: Directory,
        lake: Lake,
        settings: CollectionSettings,
        *,
        zone: ZoneInfo,
        clock: Callable[[], int],
        on_look: Callable[[Iterable[int]], None],
    ) -> None:
        self._registry, self._directory, self._lake = registry, directory, lake
        self._settings, self._zone, self._clock, self._on_look = settings, zone, clock, on_look
        self.record = Record(registry)
        empty = np.empty(0, np.int64)
        none = Roster((), (), empty, empty.astype(np.intp), empty.astype(np.intp), empty, empty)
        self.book = Book(none, settings, {})
        self.plans: dict[int, Plan] = {}
        self.counted = False
        self._agenda = Agenda()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "collection")
        self._number = -1
        self._loaded_s = self._load_took_s = 0.0
        self._places: dict[int, int] = {}
        self._of_plan: dict[int, Places] = {}
        self._due_us: dict[int, int] = {}
        self._today: date | None = None
        self._kept: dict[int, frozenset[date]] = {}
        self.absences = Absences(settings.absent_after)
        self._values_max = settings.look_values_max
        self._written_s = 0.0
        self._failing: set[str] = set()
        self._returned: set[int] = set()

    # For those who call ----------------------------------------------------------------------------------------------

    def look_again(self, plan: int, days: Iterable[date], terminal: int) -> None:
        """Count anew what a terminal lacks of a plan on some days, soon."""
        for day in days:
            self._agenda.add(plan, day, (terminal,))
        self._wake.set()

    def lane_of(self, terminal: int) -> Lane:
        """By what a terminal is called, as the archives say."""
        post = self._post(terminal)
        return _LANE if post is None else post.lane

    def came_back(self, terminal: int) -> None:
        """A terminal was away: what was given up is taken up again, also what an earlier process gave up."""
        if self._number < 0:
            self._returned.add(terminal)
        self.book.take_up(terminal, self._clock())

    def _post(self, terminal: int) -> Post | None:
        place = self._places.get(terminal)
        return None if place is None else self.book.roster.posts[place]

    def progress(self, *, under_way: int, waiting: int) -> Progress:
        """How collection stands."""
        return self.book.progress(self.plans.values(), counted=self.counted, under_way=under_way, waiting=waiting)

    # The loop --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for ever; cancel to end, which writes what is not written yet."""
        try:
            while True:
                began = time.monotonic()
                await self._pass()
                took = time.monotonic() - began
                await asyncio.sleep(max(self._settings.pause_s, took * self._settings.pause_share))
                if not self._agenda:
                    await self._rest()
        finally:
            await self._write(force=True)
            await asyncio.to_thread(self._thread.shutdown)

    async def _rest(self) -> None:
        """Until there is something to look at again, or to write."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stored_s if self.book.has_writes else self._settings.look_s):
                await self._wake.wait()

    async def _pass(self) -> None:
        """Everything there is to look at, or as much of it as a second allows."""
        if not await self._follow_archives():
            return
        now_us = self._clock()
        await self._follow_days(now_us)
        self._note_due(now_us)
        began = time.monotonic()
        while errand := self._agenda.take(self._days_max):
            if not await self._run_errand(errand):
                break
            await self._write()
            if time.monotonic() - began > 1.0:
                break
        if not self._agenda:
            self.counted = True
            self._make_room()
        await self._write()

    async def _in_thread(self, what: str, work: Callable[[], Result]) -> Result | None:
        """What `work` gives; None, and a word in the log the first time, where archives or lake cannot be used."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (SQLAlchemyError, LakeError, OSError) as error:
            if what not in self._failing:
                _log.warning("collection cannot go on just now", work=what, error=str(error))
            self._failing.add(what)
            if isinstance(error, QueryError):
                self._values_max = max(_VALUES_MIN, self._values_max // 2)
            return None
        if what in self._failing:
            self._failing.discard(what)
            _log.warning("collection goes on", work=what)
        return found

    # Archives and plans ----------------------------------------------------------------------------------------------

    async def _follow_archives(self) -> bool:
        """Take in what changed in the archives; whether they are known."""
        age_s = time.monotonic() - self._loaded_s
        changed = self._directory.snapshot.number != self._number
        wait_s = self._settings.roster_s if changed else self._settings.roster_anew_s
        if self._number >= 0 and age_s < max(wait_s, _LOAD_SHARE * self._load_took_s):
            return await self._follow_plans(await self._in_thread("plans", self._load_plans))
        began = time.monotonic()
        found = await self._in_thread("archives", self._load)
        self._loaded_s = time.monotonic()
        self._load_took_s = self._loaded_s - began
        if found is None:
            return self._number >= 0
        if self._number < 0 and not await self._begin(found):
            return False
        before = self.book.roster
        self._number, self._places = found.number, found.roster.place_of()
        self._of_plan.clear()
        self.book.follow(found.roster)
        await self._follow_plans(found.plans)
        self._cover()
        if changed_posts := rosters.changed_posts(before, found.roster):
            self.counted = False
            some = changed_posts if len(changed_posts) <= _CHANGED_MAX else None
            for plan in self.plans.values():
                for day in self._days_of_interest(plan):
                    self._agenda.add(plan.id, day, some)
        return True

    def _load(self) -> _Archives:
        number = self._directory.snapshot.number  # before it is read: what changes meanwhile is read once more
        with self._registry.reading() as session:
            roster = rosters.load(session, unknown_start_days=self._settings.unknown_start_days)
            return _Archives(number, roster, {plan.id: plan for plan in read_plans(session) if plan.enabled})

    def _load_plans(self) -> dict[int, Plan]:
        with self._registry.reading() as session:
            return {plan.id: plan for plan in read_plans(session) if plan.enabled}

    async def _begin(self, found: _Archives) -> bool:
        """Remember what earlier processes did."""
        remembered = await self._in_thread("gaps", self.record.remembered)
        if remembered is None:
            return False
        self.book = Book(found.roster, self._settings, remembered)
        for terminal in self._returned:
            self.book.take_up(terminal, self._clock())
        self._returned.clear()
        for plan in found.plans:
            self._due_us.pop(plan, None)
        return True

    async def _follow_plans(self, plans: dict[int, Plan] | None) -> bool:
        if plans is not None and plans != self.plans:
            for plan in plans.values():
                if self.plans.get(plan.id) != plan:
                    self._due_us.pop(plan.id, None)
            self.plans = plans
            self.counted = False
            self._of_plan.clear()
            self._today = None
            self._cover()
        return True

    def _cover(self) -> None:
        """Drop what was missing of terminals on which a plan has no meter any more."""
        for plan in self.plans.values():
            self.book.cover(plan.id, np.unique(self.book.roster.post[self._meters_of(plan)]))

    def _meters_of(self, plan: Plan) -> Places:
        if plan.id not in self._of_plan:
            self._of_plan[plan.id] = self.book.roster.of_plan(plan)
        return self._of_plan[plan.id]

    # Days and moments ------------------------------------------------------------------------------------------------

    async def _follow_days(self, now_us: int) -> None:
        """When a day begins: forget what devices have forgotten."""
        today = local_day(now_us, self._zone)
        if today == self._today:
            return
        self._kept = {plan.id: frozenset(window(plan, now_us, self._zone)) for plan in self.plans.values()}
        self.book.forget(self._is_kept)
        self._agenda.forget(self._is_kept)
        settings, oldest = self._settings, {plan: min(days, default=today) for plan, days in self._kept.items()}
        absent_since = instant(now_us) - timedelta(days=settings.absent_days)

        def sweep() -> dict[int, list[Pair]]:
            self.record.sweep(oldest, today - timedelta(days=settings.kept_days), absent_since)
            return self.record.absences(absent_since)

        absent = await self._in_thread("sweep", sweep)
        if absent is not None:
            self._today = today
            self.absences.know(absent)
            self.absences.forget(self._is_kept)
            self._values_max = settings.look_values_max

    def _is_kept(self, plan: int, day: date) -> bool:
        return day in self._kept.get(plan, ())

    def _days_of_interest(self, plan: Plan) -> Iterator[date]:
        """Days that devices remember, from the first on which a meter is expected."""
        meters = self._meters_of(plan)
        since_us = int(self.book.roster.since_us[meters].min()) if len(meters) else rosters.NEVER
        for day in self._kept.get(plan.id, ()):
            if day_span_us(day, day, self._zone)[1] > since_us:
                yield day

    def _note_due(self, now_us: int) -> None:
        """Look at the days of which moments fell due since the last time; at first, at all days."""
        for plan in self.plans.values():
            due_us, before_us = due_until_us(plan, now_us), self._due_us.get(plan.id)
            for day in self._days_of_interest(plan):
                start_us, end_us = day_span_us(day, day, self._zone)
                if start_us > due_us or (before_us is not None and end_us <= before_us):
                    continue
                moments = day_moments(plan, day, self._zone)
                if before_us is None or bool(((moments > before_us) & (moments <= due_us)).any()):
                    self._agenda.add(plan.id, day, None)
            self._due_us[plan.id] = due_us

    def _make_room(self) -> None:
        """Look again at days whose gaps there was no room for."""
        if self.book.skipped and 5 * self.book.gap_count < 4 * self._settings.gaps_max:
            key = max(self.book.skipped, key=lambda one: one[1])
            self.book.skipped.discard(key)
            self._agenda.add(*key, None)

    # Looking ---------------------------------------------------------------------------------------------------------

    def _values_a_day(self, plan: Plan) -> int:
        return len(plan.quantities) * (86_400 // plan.period_s if plan.period_s else 1)

    def _days_max(self, plan_id: int) -> int:
        plan = self.plans.get(plan_id)
        if plan is None:
            return 1
        return max(1, self._values_max // max(1, self._values_a_day(plan) * len(self._meters_of(plan))))

    async def _run_errand(self, errand: Errand) -> bool:
        """Look, and take in what is seen; False, and it is to be done again, where that was not possible."""
        plan = self.plans.get(errand.plan)
        days = [day for day in errand.days if plan and self._is_kept(plan.id, day)]
        if plan is None or not days:
            return True
        for day in days:
            if not self.book.has_sheet(plan.id, day):
                written = await self._in_thread("success", lambda day=day: self.record.success_of(plan.id, day))  # type: ignore[misc]
                if written is None:
                    return self._later(errand)
                self.book.open_sheet(plan.id, day, written)
        for meters in self._parts(plan, errand, len(days)):
            if not await self._look(plan, days, meters):
                return self._later(errand)
        return True

    def _later(self, errand: Errand) -> bool:
        for day in errand.days:
            self._agenda.add(errand.plan, day, errand.terminals)
        return False

    def _parts(self, plan: Plan, errand: Errand, day_count: int) -> Iterator[Places]:
        """The meters of an errand, as many at a time as one question may be about; terminals are not divided."""
        roster, meters = self.book.roster, self._meters_of(plan)
        if errand.terminals is not None:
            wanted = [self._places[terminal] for terminal in errand.terminals if terminal in self._places]
            meters = meters[np.isin(roster.post[meters], wanted)]
        if not len(meters):
            return
        count = max(1, self._values_max // (self._values_a_day(plan) * day_count))
        posts = roster.post[meters]
        starts = np.append(np.flatnonzero(np.diff(posts, prepend=-1)), len(meters))
        at = 0
        while starts[at] < len(meters):
            after = max(at + 1, int(np.searchsorted(starts, starts[at] + count, side="right")) - 1)
            yield meters[starts[at] : starts[after]]
            at = after

    async def _look(self, plan: Plan, days: list[date], meters: Places) -> bool:
        roster, now_us, settings = self.book.roster, self._clock(), self._settings
        asked, absent = self.absences.answers(plan.id), self.absences.of_plan(plan.id)

        def work() -> Look:
            return look(
                self._lake,
                roster,
                plan,
                meters,
                days,
                now_us=now_us,
                zone=self._zone,
                absent=absent,
                asked=asked,
                holes_max=settings.holes_max,
                timeout_s=settings.look_timeout_s,
            )

        began_s = time.monotonic()
        seen = await self._in_thread("look", work)
        if seen is None:
            return False
        for some in divided(seen, roster, max(1, _CELLS_AT_ONCE // len(days))):
            self._on_look(self.book.apply(plan, some, now_us=now_us, now_s=began_s))
            await asyncio.sleep(0)  # sessions must not wait until all of a million terminals are taken in
        await self._learn(plan, seen, asked)
        return True

    async def _learn(self, plan: Plan, seen: Look, asked: set[tuple[int, date]]) -> None:
        """Note what meters were asked for, often enough, and do not have; and what was noted and is there."""
        looked_at = {self.book.roster.posts[place].id for place in seen.places.tolist()} if asked else set()
        noted, again = self.absences.judge(plan.id, seen, asked, looked_at), seen.found_again
        if not noted and not again:
            return
        at = instant(self._clock())

        def write() -> bool:
            if noted:
                self.record.note_absent(plan.id, list(noted), at)
            if again:
                self.record.forget_absent(plan.id, again)
            return True

        if await self._in_thread("absences", write) is None:
            return
        self.absences.note(plan.id, noted, again)
        for terminal in set(noted.values()):
            days = [gap.day for gap in self.book.gaps_of(terminal) if gap.plan == plan.id]
            self.look_again(plan.id, days, terminal)

    # Writing ---------------------------------------------------------------------------------------------------------

    async def _write(self, *, force: bool = False) -> None:
        """Write down what changed, not too often."""
        if not force and time.monotonic() - self._written_s < self._settings.stored_s:
            return
        while writes := self.book.take_writes():
            if not await self._write_some(writes):
                break
        self._written_s = time.monotonic()

    async def _write_some(self, writes: Writes) -> bool:
        def write() -> bool:
            self.record.write(writes.success, writes.gaps)
            return True

        written = False
        try:
            written = await self._in_thread("record", write) is not None
        finally:
            if not written:  # also when we are told to end meanwhile; writing it twice does no harm
                self.book.give_back(writes)
        return written
