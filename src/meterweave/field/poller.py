"""Reads the devices of one line by its plan: decides who is asked what, and what is known of each.

Like the line below it, a `Poller` touches neither port nor clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from meterweave.field.line import WAKE_UP, End, Line, Question, Result, Send, Wait
from meterweave.field.plan import DevicePlan, LinePlan, answers_s, pace
from meterweave.field.schedule import FOLLOWS_MAX, Schedule
from meterweave.profiles import Answer, Profile, Purpose, Request
from meterweave.text import Text

COLLISION_ATTEMPTS = 3
"""After so many broken answers in a row, and none whole, it is told that two devices may have one address."""
FAILED_TURNS = 3
"""After so many turns in a row that ended half-way it is told."""
IDLE_S = 1.0
"""How often a line that has nothing to do looks for calls, and whether it is still held. [s]"""
CALLS_MAX = 32
"""Calls that wait for one line; one more is not taken."""


class Told(Enum):
    """What somebody should know of a device."""

    SILENT = Text("does not answer", "无应答")
    BROKEN = Text(
        "answers only with broken frames: noise, or two devices with one address", "应答帧均损坏：线路干扰或地址重复"
    )
    PARTLY = Text("answers only some of what it is asked", "仅应答部分请求")
    DOUBLED = Text("answers twice: two devices have this address", "重复应答：两台设备地址相同")
    BACK = Text("answers again", "恢复应答")


class Notice(NamedTuple):
    """Something happened to a device that is worth a line in a log."""

    device: DevicePlan
    told: Told


class Got(NamedTuple):
    """A device answered."""

    device: DevicePlan
    answer: Answer


@dataclass(slots=True)
class DeviceCounters:
    """What was seen of one device since the start."""

    asked: int = 0
    """Requests sent, repetitions included."""
    answered: int = 0
    refused: int = 0
    """Of the answers, how many said no."""
    timeouts: int = 0
    bad_frames: int = 0
    broken_in_row: int = 0
    """Broken answers since the last whole one."""
    doubled: int = 0
    """Requests sent once and answered twice."""
    polls: int = 0
    """Readings from the first request to the last."""
    polls_failed: int = 0
    failed_in_row: int = 0
    """Of these, how many since the last that went well."""


class Called(NamedTuple):
    """What came of a call."""

    answers: tuple[Answer, ...]
    end: End
    """`ANSWERED` where every request was, or the device refused one, which ends the call."""
    sent_count: int
    """Requests that were sent; of an order that was sent and not answered nobody knows whether it was obeyed."""


@dataclass(slots=True, eq=False)
class Call:
    """Requests to one device that somebody waits for, outside its plan."""

    meter: int
    requests: Sequence[Request]
    done: Callable[[Called], None]
    dropped: bool = False
    """Whether nobody waits any more; then it is not begun."""
    begun: bool = False
    """Whether its turn has come; then it ends soon, one way or the other."""
    answers: list[Answer] = field(default_factory=list)
    sent_count: int = 0


class Poller:
    """One line being read.

    Attributes
    ----------
    counters : dict of int to DeviceCounters
        By meter.
    held : bool
        While set, no device's turn begins: what was read before has nowhere to go.
    """

    def __init__(self, plan: LinePlan) -> None:
        self.plan = plan
        self.line: Line[Answer] = Line(plan.devices[0].profile.speech.codec.decoder)
        self.line.on_doubled = self._doubled
        self.schedule = Schedule(plan.devices, plan.back_off_max_s)
        self.counters = {device.meter: DeviceCounters() for device in plan.devices}
        self.held = False
        self._index_of = {device.meter: index for index, device in enumerate(plan.devices)}
        self._known: dict[int, Told] = {}
        self._got: list[Got] = []
        self._notices: list[Notice] = []
        self._calls: deque[Call] = deque()
        self._call: Call | None = None  # whose turn it is instead
        self._index: int | None = None  # whose turn it is
        self._begun = 0.0
        self._has_answered = False  # in this turn
        self._left: deque[Request] = deque()
        self._request: Request | None = None
        self._follows = 0

    def step(self, now: float) -> Send | Wait:
        """What to do now."""
        while True:
            step = self.line.step(now)
            if isinstance(step, Send | Wait):
                return step
            if step is not None:
                self._over(step, now)
            elif not self._ask(now):
                return Wait(now + IDLE_S if self.held else min(self.schedule.wake_s(), now + IDLE_S))

    def heard(self, octets: bytes, now: float) -> None:
        """Octets of the line."""
        self.line.heard(octets, now)

    def opened(self, now: float, hush_until: float = 0.0) -> None:
        """The port is open; nothing is asked before what was asked over it earlier can be answered no more.

        Parameters
        ----------
        hush_until : float
            Until when whoever had the port before may be answered. [s]
        """
        self.line.counters.opened += 1
        self.line.hush(max(now + answers_s(self.plan), hush_until))
        self.schedule.try_again()

    def lost(self) -> None:
        """The port was lost: whose turn it was has it again, and nobody is to blame."""
        self.line.counters.lost += 1
        was_sent = self.line.is_sent
        self.line.forget()
        if self._call is not None:
            self._call.sent_count += was_sent
            self._end_call(self._call, End.LOST)
        self._end()

    def call(self, call: Call) -> bool:
        """Ask before all that is planned; False: too many calls wait already."""
        waiting = [one for one in self._calls if not one.dropped]
        if len(waiting) >= CALLS_MAX:
            return False
        self._calls = deque([*waiting, call])
        return True

    def end_calls(self) -> None:
        """The line is given up: who waits for it is told that nothing was sent."""
        calls, self._calls = self._calls, deque()
        for call in calls:
            if not call.dropped:
                call.done(Called((), End.LOST, 0))

    def take(self) -> tuple[list[Got], list[Notice]]:
        """Answers, those to calls too, and notices since the last call."""
        got, notices = self._got, self._notices
        self._got, self._notices = [], []
        return got, notices

    def known(self, meter: int) -> Told | None:
        """What is amiss with a device, as far as is known."""
        return self._known.get(meter)

    def failures(self, meter: int) -> int:
        """How often in a row a device did not answer; with each its pause doubles."""
        return self.schedule.failures(self._index_of[meter])

    def _ask(self, now: float) -> bool:
        """Ask the next question; False where there is none."""
        if self._index is None and not self._begin(now):
            return False
        assert self._index is not None  # `_begin` chose it
        device = self.plan.devices[self._index]
        if self._request is None:
            self._request, self._follows = self._left.popleft(), 0
        self.line.ask(self._question(self._index, device, self._request), now)
        return True

    def _begin(self, now: float) -> bool:
        while self._calls:
            call = self._calls.popleft()
            if not call.dropped:
                call.begun = True
                self._call, self._index = call, self._index_of[call.meter]
                self._left.extend(call.requests)
                return True
        return self._begin_turn(now)

    def _begin_turn(self, now: float) -> bool:
        index = None if self.held else self.schedule.next(now)
        if index is None:
            return False
        device = self.plan.devices[index]
        self._index, self._begun, self._has_answered = index, now, False
        self._left.extend(device.profile.requests(device.address, device.wanted))
        return True

    def _question(self, index: int, device: DevicePlan, request: Request) -> Question[Answer]:
        # Who did not answer last time is asked once until it does: repetitions are for what gets lost on the way.
        attempts = 1 if self.schedule.failures(index) and not self._has_answered else self.plan.attempts_max
        is_order = request.purpose is Purpose.ORDER
        if self._call is not None:  # an order is sent once: who did not answer it may have obeyed
            attempts = 1 if is_order else self.plan.attempts_max
        take = taker(device.profile, request)
        mirrored = is_order and take(request.octets.lstrip(WAKE_UP)) is not None
        return Question(index, request.octets, take, pace(self.plan, device.profile), attempts, mirrored)

    def _over(self, result: Result[Answer], now: float) -> None:
        assert self._index is not None  # a question has a turn
        device = self.plan.devices[self._index]
        self._count(device, result)
        if result.answer is not None:
            self._got.append(Got(device, result.answer))
        if self._call is not None:
            self._over_call(self._call, result)
        elif result.answer is None:
            self._end_turn(self._index, answered=False, end=result.end)
        else:
            self._has_answered = True
            if not self._goes_on(result.answer):
                self._end_turn(self._index, answered=True, end=result.end)

    def _goes_on(self, answer: Answer) -> bool:
        """Whether there is more to ask in this turn; the rest of an answer comes first."""
        self._follows += 1
        self._request = answer.more if self._follows < FOLLOWS_MAX else None
        return self._request is not None or bool(self._left)

    def _over_call(self, call: Call, result: Result[Answer]) -> None:
        call.sent_count += 1
        if result.answer is None:
            self._end_call(call, result.end)
            return
        call.answers.append(result.answer)
        if not self._goes_on(result.answer) or result.answer.refused:
            self._end_call(call, result.end)

    def _end_call(self, call: Call, end: End) -> None:
        self._end()
        call.done(Called(tuple(call.answers), end, call.sent_count))

    def _end(self) -> None:
        self._call, self._index, self._request = None, None, None
        self._left.clear()

    def _count(self, device: DevicePlan, result: Result[Answer]) -> None:
        own = self.counters[device.meter]
        missed = result.silent_count + result.broken_count
        own.asked += missed + (result.answer is not None)
        own.timeouts += result.silent_count
        own.bad_frames += result.broken_count
        own.broken_in_row += result.broken_count
        if result.answer is not None:
            own.answered += 1
            own.refused += result.answer.refused
            own.broken_in_row = 0

    def _end_turn(self, index: int, *, answered: bool, end: End) -> None:
        device = self.plan.devices[index]
        own = self.counters[device.meter]
        own.polls += answered
        own.polls_failed += not answered
        own.failed_in_row = 0 if answered else own.failed_in_row + 1
        # Who answered some of it is alive, and no pause would help it.
        self.schedule.done(index, self._begun, answered=self._has_answered)
        self._end()
        if answered:
            self._tell_back(device)
        elif end is End.BROKEN and own.broken_in_row >= COLLISION_ATTEMPTS:
            self._tell(device, Told.BROKEN)
        elif not self._has_answered:
            self._tell(device, Told.SILENT)
        elif own.failed_in_row >= FAILED_TURNS:
            self._tell(device, Told.PARTLY)

    def _doubled(self, index: int) -> None:
        device = self.plan.devices[index]
        self.counters[device.meter].doubled += 1
        self._tell(device, Told.DOUBLED)

    def _tell(self, device: DevicePlan, told: Told) -> None:
        """Say once what is amiss."""
        if self._known.get(device.meter) is not told:
            self._known[device.meter] = told
            self._notices.append(Notice(device, told))

    def _tell_back(self, device: DevicePlan) -> None:
        if self._known.get(device.meter) in (Told.SILENT, Told.BROKEN, Told.PARTLY):
            del self._known[device.meter]
            self._notices.append(Notice(device, Told.BACK))


def taker(profile: Profile, request: Request) -> Callable[[bytes], Answer | None]:
    """What tells an answer to `request` from other frames; a refusal is one."""

    def take(frame: bytes) -> Answer | None:
        answer = profile.answer(request, frame)
        return answer if answer.problem is None or answer.refused else None

    return take
