"""Collection: looks what is missing, asks for it, looks again; until all is there, or the device cannot have it.

Two things happen side by side. *Looking* (`surveyor`) compares what the plans expect with what the lake has. *Calling*,
here, takes the gaps that are due to the terminals that are online: one operation a terminal at a time, the newest day
first, within the limits of the gate. What a call brought is seen by the next look, never by what the terminal said.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from meterweave.headend.collection.arrival import Arrivals
from meterweave.headend.collection.book import Progress
from meterweave.headend.collection.gap import NOT_THERE, Gap, operations, together
from meterweave.headend.collection.gate import CallGate, GateFull
from meterweave.headend.collection.plan import Plan
from meterweave.headend.collection.roster import NEVER
from meterweave.headend.collection.settings import CollectionSettings
from meterweave.headend.collection.surveyor import Surveyor
from meterweave.headend.operations import Done, NotSent, Operation, Outcome, ReadStored, Refused
from meterweave.lake import Lake
from meterweave.metering.clock import SHANGHAI
from meterweave.registry import Directory, Registry
from meterweave.registry.meter_entries import MeterEntry, meters_on
from meterweave.registry.terminal_table import TerminalEntry
from meterweave.text import Text

_TICK_S = 0.25
_CROWDED = Text("too many calls wait already", "等待的召测过多")

_log = structlog.get_logger(__name__)


class Caller(Protocol):
    """What collection needs of the head-end."""

    on_enter: list[Callable[[TerminalEntry], None]]

    def online(self, terminal: int) -> bool:
        """Whether the terminal with this id has a session."""

    async def call(self, terminal: int, wanted: Operation, *, urgent: bool = False) -> Outcome:
        """Have the terminal do something; returns when what came of it is clear, and what it said is on disk."""


class Collector:
    """Collects by the plans in the archives.

    Parameters
    ----------
    directory : Directory
        Followed by somebody else; tells when the archives changed.
    head_end : HeadEnd
        Or whatever calls terminals.
    zone : ZoneInfo
        Whose midnight parts the days.
    clock : callable
        The time of day by which readings fall due; anything but the real one is for simulated towns. [us since 1970,
        UTC]
    commission : bool
        Whether a terminal that was entered and calls for the first time gets its meters, tasks and the time.
    """

    def __init__(
        self,
        registry: Registry,
        directory: Directory,
        lake: Lake,
        head_end: Caller,
        settings: CollectionSettings | None = None,
        zone: ZoneInfo = SHANGHAI,
        *,
        clock: Callable[[], int] | None = None,
        commission: bool = False,
    ) -> None:
        self.settings = settings or CollectionSettings()
        self.gate = CallGate(self.settings)
        self._registry, self._head_end, self._clock = registry, head_end, clock or _now_us
        self._surveyor = Surveyor(
            registry, directory, lake, self.settings, zone=zone, clock=self._clock, on_look=self._schedule
        )
        self._queue: list[tuple[int, int]] = []  # when to think of which terminal: a heap
        self._queued: dict[int, int] = {}
        self._busy: set[int] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._arrivals = Arrivals(
            registry,
            self.settings,
            clock=self._clock,
            ask=self._ask,
            online=head_end.online,
            on_return=self._surveyor.came_back,
            on_work=self._go_on,
            commission=commission,
        )
        head_end.on_enter.append(self._entered)

    @property
    def progress(self) -> Progress:
        """How it stands."""
        return self._surveyor.progress(under_way=self.gate.under_way, waiting=self.gate.waiting)

    async def run(self) -> None:
        """Collect for ever; cancel to end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._surveyor.run())
                tasks.create_task(self._arrivals.run())
                tasks.create_task(self._call_for_ever())
        finally:
            self._head_end.on_enter.remove(self._entered)
            while self._calls:  # one that ends may have begun another
                for call in self._calls:
                    call.cancel()
                await asyncio.gather(*self._calls, return_exceptions=True)

    # Whom to call ----------------------------------------------------------------------------------------------------

    def _entered(self, terminal: TerminalEntry) -> None:
        """A terminal has logged in: what it lacks is asked for at once."""
        self._arrivals.entered(terminal)
        now_us = self._clock()
        for gap in self._surveyor.book.gaps_of(terminal.id):
            gap.entered(self.settings, now_us)
        self._go_on(terminal.id)

    def _go_on(self, terminal: int) -> None:
        """The next thing to do with a terminal, if it is free: what its login asks for, then what it lacks."""
        if terminal in self._busy or not self._head_end.online(terminal):
            return  # it is thought of when it is free, or back
        work = self._arrivals.take(terminal)
        if work is None:
            self._schedule((terminal,))
        else:
            self._begin(work, terminal)

    def _schedule(self, terminals: Iterable[int]) -> None:
        """Think of these when the first of their gaps is due."""
        for terminal in terminals:
            if terminal in self._busy or not self._head_end.online(terminal):
                continue  # it is thought of when it is free, or back
            gaps = self._surveyor.book.gaps_of(terminal)
            due = [gap.next_us for gap in gaps if gap.asked is None]
            at_us = min(due, default=NEVER)
            if at_us < self._queued.get(terminal, NEVER):
                self._queued[terminal] = at_us
                heapq.heappush(self._queue, (at_us, terminal))

    async def _call_for_ever(self) -> None:
        while True:
            self._call_who_is_due()
            await asyncio.sleep(_TICK_S)

    def _call_who_is_due(self) -> None:
        now_us = self._clock()
        while self._queue and self._queue[0][0] <= now_us:
            if self.gate.waiting >= self.settings.calls_max:
                return  # enough wait for their turn; who comes later may be newer
            at_us, terminal = heapq.heappop(self._queue)
            if self._queued.get(terminal) != at_us:
                continue
            del self._queued[terminal]
            if terminal not in self._busy and self._head_end.online(terminal):
                self._call(terminal, now_us)

    def _call(self, terminal: int, now_us: int) -> None:
        """Ask for the newest of what a terminal lacks, if it is known well enough what that is."""
        ready = [gap for gap in self._surveyor.book.gaps_of(terminal) if gap.is_ready(now_us)]
        if not ready:
            self._schedule((terminal,))
            return
        chosen = together(ready, self.settings)
        plan = self._surveyor.plans.get(chosen[0].plan)
        if plan is None:
            return
        oldest_s = time.monotonic() - self.settings.fresh_s
        if stale := [gap.day for gap in chosen if gap.holes is None or gap.counted_s < oldest_s]:
            self._surveyor.look_again(plan.id, stale, terminal)  # which schedules it again
            return
        self._begin(self._fill(terminal, plan, chosen), terminal)

    def _begin(self, work: Coroutine[None, None, None], terminal: int) -> None:
        call = asyncio.get_running_loop().create_task(work)
        self._busy.add(terminal)
        self._calls.add(call)
        call.add_done_callback(lambda done: self._ended(done, terminal))

    def _ended(self, call: asyncio.Task[None], terminal: int) -> None:
        self._calls.discard(call)
        self._busy.discard(terminal)
        if not call.cancelled() and (error := call.exception()) is not None:
            _log.error("a call of collection broke", terminal=terminal, exc_info=error)
        self._go_on(terminal)

    # What to say -----------------------------------------------------------------------------------------------------

    async def _fill(self, terminal: int, plan: Plan, gaps: Sequence[Gap]) -> None:
        """Ask one terminal for what these gaps lack, and have it looked at what that brought."""
        outcomes: list[tuple[ReadStored, Outcome]] = []
        for gap in gaps:
            gap.ask()
        try:
            for operation in operations(gaps, plan, await self._meters(terminal), self.settings):
                outcome = await self._ask(terminal, operation)
                outcomes.append((operation, outcome))
                if not isinstance(outcome, Done | Refused):
                    break  # the link is bad: what follows would fare no better
        finally:
            self._take_in(terminal, plan, gaps, outcomes)

    def _take_in(
        self, terminal: int, plan: Plan, gaps: Sequence[Gap], outcomes: Sequence[tuple[ReadStored, Outcome]]
    ) -> None:
        not_sent = all(isinstance(outcome, NotSent) for _, outcome in outcomes)
        refused = frozenset(meter for _, outcome in outcomes for meter in _refused_meters(outcome))
        whole = any(isinstance(outcome, Refused) and len(asked.quantities) > 1 for asked, outcome in outcomes)
        for gap in gaps:
            gap.reason = _reason(outcomes)
            gap.answered(time.monotonic())
            if not_sent:
                gap.asked = None
                gap.next_us = self._clock() + round(self.settings.retry_first_s * 1e6)
            elif isinstance(outcomes[-1][1], Done | Refused):
                meters = frozenset[int]() if gap.one_by_one else refused
                self._surveyor.absences.answered(plan.id, gap.day, terminal, meters)
                gap.one_by_one = gap.one_by_one or whole or bool(refused)
            self._surveyor.book.note(gap)
        if not not_sent:
            self._surveyor.look_again(plan.id, [gap.day for gap in gaps], terminal)

    async def _ask(self, terminal: int, operation: Operation) -> Outcome:
        try:
            async with self.gate.call(self._surveyor.lane_of(terminal)):
                return await self._head_end.call(terminal, operation)
        except GateFull:
            return NotSent(_CROWDED)

    async def _meters(self, terminal: int) -> Sequence[MeterEntry]:
        """Its meters as the archives have them; none while those cannot be read."""

        def read() -> Sequence[MeterEntry]:
            with self._registry.reading() as session:
                return meters_on(session, (terminal,)).get(terminal, ())

        try:
            return await asyncio.to_thread(read)
        except SQLAlchemyError as error:
            _log.warning("the meters of a terminal cannot be read", terminal=terminal, error=str(error))
            return ()


def _refused_meters(outcome: Outcome) -> Iterable[int]:
    return (refusal.meter for refusal in outcome.refusals) if isinstance(outcome, Done) else ()


def _reason(outcomes: Sequence[tuple[ReadStored, Outcome]]) -> Text:
    """Why not all may be there: what the last operation that was not simply done ended with."""
    for _, outcome in reversed(outcomes):
        if not isinstance(outcome, Done):
            return outcome.reason
        if outcome.refusals:
            return outcome.refusals[0].reason
    return NOT_THERE


def _now_us() -> int:
    return time.time_ns() // 1000
