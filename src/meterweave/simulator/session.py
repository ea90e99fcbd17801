"""A terminal's session with the centre: login, heartbeats, reports repeated until confirmed. No socket, no clock.

=========== ============ ===========================================================
state       event        what follows
=========== ============ ===========================================================
OFFLINE     connected    login is sent; LOGGING_IN
LOGGING_IN  accepted     heartbeats and reports begin; ONLINE
LOGGING_IN  refused      the connection is given up; OFFLINE
ONLINE      confirmed    the next report
ONLINE      silence      the same report again; after `SENDS_MAX` times the connection is given up; OFFLINE
any         lost         OFFLINE; what was not confirmed is sent again after the next login
=========== ============ ===========================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from meterweave.errors import ConfigError
from meterweave.protocols.stream import FrameDecoder, Garbage
from meterweave.simulator.condition import Condition
from meterweave.simulator.events import Diary, Happening
from meterweave.simulator.faults import Faults, chance, corrupted
from meterweave.simulator.link import Link, link_of
from meterweave.simulator.plan import Due, Reports, Series
from meterweave.simulator.town import Concentrator

SENDS_MAX = 4
"""How often a report goes out over one connection."""
LATE_MAX = 16
"""Reports that a terminal holds back at a time."""
LATE_S = 20.0
"""How long it holds them back. [s, of the wait]"""
HEARTBEATS_UNANSWERED_MAX = 3
EVENTS_MAX = 8
"""Events in one report."""
LAST_GASP_S = 180
"""How long a terminal lives on its battery. [s, of the town]"""
WINDOW_MAX = 8
"""Reports on their way at a time."""


class Instant(NamedTuple):
    """Two times: waits are measured in one, readings in the other; with time lapse the other runs faster."""

    wait_s: float  # monotonic
    town_s: int  # the true time in the town [s since 1970, UTC]


@dataclass(frozen=True, slots=True)
class Send:
    """Send these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection."""

    reason: str


Effect = Send | HangUp


class State(Enum):
    """Where a session stands."""

    OFFLINE = auto()
    LOGGING_IN = auto()
    ONLINE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a terminal keeps up its session."""

    heartbeat_s: float = 60.0
    """From heartbeat to heartbeat. [s]"""
    answer_s: float = 10.0
    """Wait for the answer to a login, and for the confirmation of a report before it is sent again. [s]"""
    window: int = 8
    """Reports on their way at a time; the four bits that number frames of Q/GDW 1376.1 allow no more than 8."""
    bare: bool = False
    """Whether nobody has told the terminal yet which meters it has and what to report of them."""

    def __post_init__(self) -> None:
        if self.heartbeat_s <= 0 or self.answer_s <= 0:
            raise ConfigError(f"heartbeat is {self.heartbeat_s} s, answer {self.answer_s} s; wanted more than 0")
        if not 1 <= self.window <= WINDOW_MAX:
            raise ConfigError(f"window is {self.window}, wanted 1 to {WINDOW_MAX}")


@dataclass(slots=True)
class Counts:
    """What a terminal has done so far."""

    logins: int = 0
    reports_confirmed: int = 0
    reports_repeated: int = 0
    readings_confirmed: int = 0  # rows: one meter at one moment
    events_confirmed: int = 0
    questions_answered: int = 0


class Told(NamedTuple):
    """What a report of events holds: happenings with their numbers, which follow one another."""

    events: tuple[tuple[int, Happening], ...]


@dataclass(slots=True)
class _Report:
    """A report that is not confirmed."""

    due: Due | Told
    number: int
    sends: int = 0  # over this connection
    answer_by: float = 0.0

    def awaited(self, now: Instant) -> bool:
        """Whether it is on its way and its confirmation may yet come."""
        return self.sends > 0 and now.wait_s < self.answer_by


class Terminal(ABC):
    """One concentrator at the centre; a protocol says how each thing is written."""

    slots_max: int
    cells_max: int
    number_mask: int  # of the numbers that frames carry

    def __init__(
        self, site: Concentrator, reports: Reports, first_s: int, *, seed: int, faults: Faults, habits: Habits
    ) -> None:
        self.site, self.first_s, self.habits = site, first_s, habits
        self.counts = Counts()
        self.state = State.OFFLINE
        self.condition = Condition(clock_off_s=site.clock_off_s)
        self.diary = Diary(site, seed, faults.happenings, first_s)
        self._reports, self._seed, self._faults = reports, seed, faults
        self._decoder = self.decoder()
        self._effects: list[Effect] = []
        self._late: deque[tuple[float, Due]] = deque()
        self._open: dict[int, _Report] = {}  # by number, in the order of their first sending
        self._answer_by = 0.0
        self._heartbeat_at = 0.0
        self._heartbeats_unanswered = 0
        self._number = 0
        self.window = habits.window
        self.again_at: float | None = None
        """When a part of a long answer is to be sent again; None: nothing waits. [s, of waits]"""
        self._frame_count = 0
        self._due_count = 0

    # What a protocol fills in --------------------------------------------------------------------------------------

    @abstractmethod
    def decoder(self) -> FrameDecoder:
        """A fresh splitter for what the centre sends."""

    def reset(self) -> None:
        """Forget what belonged to the last connection."""
        self.window = self.habits.window
        self.again_at = None

    @abstractmethod
    def reported(self) -> Sequence[Series]:
        """What it is told to report."""

    def again(self, now: Instant) -> None:
        """Send again what `again_at` is about."""
        self.again_at = None

    @abstractmethod
    def login(self, number: int, now: Instant) -> bytes:
        """The frame of a login."""

    @abstractmethod
    def heartbeat(self, number: int, now: Instant) -> bytes:
        """The frame of a heartbeat."""

    @abstractmethod
    def logout(self, now: Instant) -> bytes:
        """The frame of a logout."""

    @abstractmethod
    def report(self, due: Due, number: int) -> bytes:
        """The frame of a report, or the first of its frames."""

    @abstractmethod
    def event_report(self, told: Told, number: int) -> bytes:
        """The frame of a report of events."""

    @abstractmethod
    def received(self, frame: bytes, now: Instant) -> None:
        """Deal with one whole frame of the centre."""

    # Events ----------------------------------------------------------------------------------------------------------

    def connected(self, now: Instant) -> list[Effect]:
        """The connection stands."""
        self._decoder = self.decoder()
        self.reset()
        self.state = State.LOGGING_IN
        self._answer_by = now.wait_s + self.habits.answer_s
        self._heartbeats_unanswered = 0
        for report in self._open.values():
            report.sends = 0
        self.send(self.login(self.next_number(), now))
        return self._taken()

    def reboot(self, town_s: int) -> None:
        """Start anew: of reports that are on their way, or due by now, nothing is known any more."""
        self.lost()
        self._open.clear()
        self._late.clear()
        while self._reports.take(town_s):
            pass

    def link(self, count: int) -> Link:
        """How long its connection number `count` lives, and how it dies."""
        return link_of(self._faults, self._seed, self.site.address, count)

    def powered(self, town_s: int) -> bool:
        """Whether it has supply; without, its battery holds for `LAST_GASP_S`."""
        return not any(since_s + LAST_GASP_S < town_s <= until_s for since_s, until_s in self.site.outages)

    def lost(self) -> None:
        """The connection is gone."""
        self.state = State.OFFLINE

    def receive(self, octets: bytes, now: Instant) -> list[Effect]:
        """The centre sent something; whatever it is, nothing is raised."""
        for event in self._decoder.feed(octets):
            if not isinstance(event, Garbage):
                self.received(event, now)
        self._go_on(now)
        return self._taken()

    def tick(self, now: Instant) -> list[Effect]:
        """Time has passed."""
        self._go_on(now)
        return self._taken()

    def wake_s(self, now: Instant, speed: float) -> float:
        """How long `tick` may wait, when the town's time runs `speed` times as fast. [s]"""
        if self.state is not State.ONLINE:
            return max(0.0, self._answer_by - now.wait_s)
        awaited = [report.answer_by for report in self._open.values() if report.awaited(now)]
        ends = [self._heartbeat_at, *awaited, *([] if self.again_at is None else [self.again_at])]
        if len(awaited) < self.window:
            if len(awaited) < len(self._open):
                return 0.0
            due_s = self._reports.next_s()
            event_s = self.diary.next_s()
            ends += [now.wait_s + (at_s - now.town_s) / speed for at_s in (due_s, event_s) if at_s is not None]
            ends += [at_s for at_s, _ in self._late]
        return max(0.0, min(ends) - now.wait_s)

    def idle(self, town_s: int) -> bool:
        """Whether everything that is due at `town_s` is confirmed."""
        due_s = self._reports.next_s()
        self.diary.look(town_s)
        waits = self._open or self._late or self.diary.waiting()
        return not waits and (due_s is None or due_s > town_s)

    # For the protocols -----------------------------------------------------------------------------------------------

    def send(self, octets: bytes) -> None:
        """Send a frame, unless a fault spoils it."""
        self._frame_count += 1
        what = (self.site.address, self._frame_count)
        if chance(self._seed, "cut", *what) < self._faults.cut:
            self._effects.append(Send(octets[: len(octets) // 2]))
            self.hang_up("the line broke")
            return
        if chance(self._seed, "corrupt", *what) < self._faults.corrupt:
            octets = corrupted(octets, self._seed, *what)
        self._effects.append(Send(octets))

    def hang_up(self, reason: str) -> None:
        """Give the connection up."""
        self._effects.append(HangUp(reason))
        self.state = State.OFFLINE

    def next_number(self) -> int:
        """The number of the next frame, under which no report is on its way."""
        while True:
            self._number = (self._number + 1) & self.number_mask
            if self._number not in self._open:
                return self._number

    def accepted(self, now: Instant) -> None:
        """The centre answered the login, or a heartbeat."""
        self._heartbeats_unanswered = 0
        if self.state is State.LOGGING_IN:
            self.state = State.ONLINE
            self.counts.logins += 1
            self._heartbeat_at = now.wait_s + self.habits.heartbeat_s

    def confirmed(self, number: int) -> None:
        """The centre confirmed what has `number`; the confirmation of an older report changes nothing."""
        report = self._open.get(number)
        if report is None or not report.sends:
            return
        del self._open[number]
        self.counts.reports_confirmed += 1
        if isinstance(report.due, Told):
            self.diary.told = max(self.diary.told, report.due.events[-1][0])
            self.counts.events_confirmed += len(report.due.events)
        else:
            self.counts.readings_confirmed += len(report.due.slots) * len(report.due.meters)
        what = (self.site.address, self.counts.reports_confirmed)
        if chance(self._seed, "duplicate", *what) < self._faults.duplicate:
            self.send(self._frame(report))

    def awaited_again(self, number: int, now: Instant) -> None:
        """A part of the report arrived: the wait for its confirmation begins anew."""
        if number in self._open:
            self._open[number].answer_by = now.wait_s + self.habits.answer_s

    def replan(self, series: Sequence[Series], town_s: int) -> None:
        """Report these series from now on; where one was reported before, it goes on where it stands."""
        self._reports.follow(series, town_s)

    # Inside ----------------------------------------------------------------------------------------------------------

    def _taken(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def _go_on(self, now: Instant) -> None:
        if self.state is State.LOGGING_IN and now.wait_s >= self._answer_by:
            self.hang_up("no answer to the login")
        if self.state is State.ONLINE and self.again_at is not None and now.wait_s >= self.again_at:
            self.again(now)
        if self.state is State.ONLINE and now.wait_s >= self._heartbeat_at:
            self._beat(now)
        if self.state is State.ONLINE:
            self._push(now)

    def _beat(self, now: Instant) -> None:
        if self._heartbeats_unanswered == HEARTBEATS_UNANSWERED_MAX:
            self.hang_up("no answer to heartbeats")
            return
        self._heartbeats_unanswered += 1
        self._heartbeat_at = now.wait_s + self.habits.heartbeat_s
        self.send(self.heartbeat(self.next_number(), now))

    def _push(self, now: Instant) -> None:
        """Send what has waited in vain again, then what is due, as far as the window goes."""
        free = self.window - sum(report.awaited(now) for report in self._open.values())
        for report in list(self._open.values()):
            if free > 0 and self.state is State.ONLINE and not report.awaited(now):
                free -= 1
                self._send_report(report, now)
        while free > 0 and self.state is State.ONLINE and (due := self._next_told(now) or self._next_due(now)):
            free -= 1
            report = _Report(due, self.next_number())
            self._open[report.number] = report
            self._send_report(report, now)

    def _send_report(self, report: _Report, now: Instant) -> None:
        if report.sends == SENDS_MAX:
            self.hang_up("a report was not confirmed")
            return
        self.counts.reports_repeated += report.sends > 0
        report.sends += 1
        report.answer_by = now.wait_s + self.habits.answer_s
        self.send(self._frame(report))

    def _frame(self, report: _Report) -> bytes:
        if isinstance(report.due, Told):
            return self.event_report(report.due, report.number)
        return self.report(report.due, report.number)

    def _next_told(self, now: Instant) -> Told | None:
        """Events that are not confirmed, unless some are on their way already."""
        self.diary.look(now.town_s)
        if any(isinstance(report.due, Told) for report in self._open.values()):
            return None
        waiting = self.diary.waiting()
        return Told(tuple(waiting[:EVENTS_MAX])) if waiting else None

    def _next_due(self, now: Instant) -> Due | None:
        if self._late and self._late[0][0] <= now.wait_s:
            return self._late.popleft()[1]
        while due := self._reports.take(now.town_s):
            self._due_count += 1
            late = chance(self._seed, "late", self.site.address, self._due_count) < self._faults.late
            if not late or len(self._late) == LATE_MAX:
                return due
            self._late.append((now.wait_s + LATE_S, due))
        return None
