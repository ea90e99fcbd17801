"""The discipline of a line: one request at a time, silence between frames, bounded waits, each answer to its question.

A `Line` decides and touches neither port nor clock: it is told what was heard and the time, and says what to send and
until when to wait. Times are seconds of one clock that never goes back.

Some answers do not say what they answer: one of Modbus names its device but not its registers. So when a request was
repeated and both copies may yet be answered, the line waits for the second answer before anything else is asked. And a
line that has just been opened is listened to before anything is asked: somebody before us may yet be answered.

Some answers are the request once more: those of Modbus to orders that write one value. A line may also echo what is
sent. Whether it does shows in what else is asked; until that is known such a copy is no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from meterweave.field.plan import Pace
from meterweave.protocols.stream import FrameDecoder, Garbage

_Answer = TypeVar("_Answer")
HUSH_MAX_S = 2.0
"""A line that never falls silent is spoken on all the same after this long: it may be noise. [s]"""
FRAME_MAX = 1024
"""An answer that goes on for longer than this is noise. [octets] No answer to what profiles ask is that long."""
WAKE_UP = b"\xfe"


class Send(NamedTuple):
    """Send these octets."""

    octets: bytes


class Wait(NamedTuple):
    """Nothing to send before this moment, unless something is heard. [s]"""

    until: float


class End(Enum):
    """What came of a question."""

    ANSWERED = "answered"
    SILENT = "silent"  # nothing was heard
    BROKEN = "broken"  # octets were heard, but no answer among them
    LOST = "lost"  # the port was lost meanwhile


@dataclass(frozen=True, slots=True)
class Question(Generic[_Answer]):
    """A request, and how its answer is known."""

    who: int
    """The device; questions to one device are told apart from each other more carefully."""
    octets: bytes
    take: Callable[[bytes], _Answer | None]
    """What a whole frame answers; None where it is no answer to this question."""
    pace: Pace
    attempts_max: int = 1
    mirrored: bool = False
    """Whether the answer may be the request once more."""


@dataclass(frozen=True, slots=True)
class Result(Generic[_Answer]):
    """How a question ended."""

    question: Question[_Answer]
    end: End
    answer: _Answer | None
    silent_count: int
    """Attempts after which nothing was heard."""
    broken_count: int
    """Attempts after which octets were heard, but no answer."""


Step = Send | Wait | Result[_Answer] | None


@dataclass(slots=True)
class LineCounters:
    """What one line saw since the start."""

    asked: int = 0
    """Requests sent, repetitions included."""
    answered: int = 0
    timeouts: int = 0
    """Attempts after which nothing was heard."""
    bad_frames: int = 0
    """Attempts after which octets were heard, but no answer."""
    garbage_octets: int = 0
    """Octets that belong to no frame."""
    frames_foreign: int = 0
    """Whole frames that answer nothing that was asked, or come when nobody is asked."""
    answers_late: int = 0
    """Second answers to a request that was repeated."""
    answers_doubled: int = 0
    """Second answers to a request that was sent once: two devices have one address."""
    opened: int = 0
    """How often the port was opened."""
    lost: int = 0
    """How often the open port was lost."""


class Line(Generic[_Answer]):
    """One line; `decoder` makes what finds frames in what is heard."""

    def __init__(self, decoder: Callable[[], FrameDecoder]) -> None:
        self.counters = LineCounters()
        self.on_doubled: Callable[[int], None] = lambda who: None
        """Called with the device when it answered one request twice."""
        self._new_decoder = decoder
        self._decoder = decoder()
        self._question: Question[_Answer] | None = None
        self._result: Result[_Answer] | None = None
        self._last: Question[_Answer] | None = None
        self._late_left = 0  # second answers to `_last` that may still come
        self._waiting = False  # for an answer, the request being out
        self._clear_at = self._asked_at = self._answer_by = self._whole_by = self._by = self._hush_until = 0.0
        self._echoes: bool | None = None  # whether the line does; None: it is not known yet
        self._echo_due = False  # one of the request that is out may come
        self._silent = self._broken = 0
        self._heard_octets = False

    @property
    def busy(self) -> bool:
        """Whether a question is open, or its result not yet taken."""
        return self._question is not None or self._result is not None

    @property
    def is_sent(self) -> bool:
        """Whether the question that is open, or whose result is not taken, went out; be it once."""
        began = self._question is not None and (self._waiting or self._silent + self._broken > 0)
        return began or self._result is not None

    def hush(self, until: float) -> None:
        """Ask nothing before this moment, and take nothing heard before for an answer: the line was opened. [s]"""
        self._hush_until = until

    def ask(self, question: Question[_Answer], now: float) -> None:
        """Begin a question; the one before has to be over."""
        assert not self.busy  # one at a time is what a line is for
        last = self._last
        if last is not None and last.who == question.who:
            late_s = last.pace.reply_s if self._late_left else 0.0
            self._clear_at = max(self._clear_at, self._by + max(question.pace.pause_s, late_s))
        self._clear_at = max(self._clear_at, self._by + question.pace.silence_s)
        self._question, self._asked_at = question, now
        self._silent = self._broken = 0

    def step(self, now: float) -> Step[_Answer]:
        """What to do now; None: no question is open."""
        if self._result is not None:
            result, self._result = self._result, None
            return result
        if self._question is None:
            return None
        if not self._waiting:
            own = self._question.pace
            hush_s = HUSH_MAX_S + own.silence_s + own.pause_s + own.reply_s
            clear_at = max(self._hush_until, min(self._clear_at, max(self._asked_at, self._hush_until) + hush_s))
            return self._send(self._question, now) if now >= clear_at else Wait(clear_at)
        if now < self._by:
            return Wait(self._by)
        self._hear_all(self._decoder.flush(), now)
        if self._waiting:
            self._missed(self._question, now)
        return self.step(now)

    def heard(self, octets: bytes, now: float) -> None:
        """Octets of the line."""
        self._heard_octets = True
        if not self._waiting:
            self._clear_at = max(self._clear_at, now + (self._last.pace.silence_s if self._last else 0.0))
        self._hear_all(self._decoder.feed(octets), now)
        question = self._question
        if self._waiting and question is not None:
            self._by = min(self._whole_by, max(self._answer_by, now + question.pace.gap_s))

    def forget(self) -> None:
        """The port was lost, and with it all that was on its way."""
        self._question = self._result = self._last = None
        self._waiting = False
        self._late_left = 0
        self._echoes = None
        self._decoder = self._new_decoder()

    def _send(self, question: Question[_Answer], now: float) -> Send:
        self._drain()
        out_s = len(question.octets) * question.pace.character_s
        self._answer_by = self._by = now + out_s + question.pace.reply_s
        frame_s = min(self._decoder.size_max, FRAME_MAX) * question.pace.character_s
        self._whole_by = self._answer_by + frame_s + question.pace.gap_s
        self._waiting, self._heard_octets = True, False
        self._echo_due = self._echoes is not False
        self.counters.asked += 1
        return Send(question.octets)

    def _drain(self) -> None:
        """What was begun before a request is no answer to it."""
        for event in self._decoder.flush():
            if isinstance(event, Garbage):
                self.counters.garbage_octets += len(event.octets)
            else:
                self.counters.frames_foreign += 1

    def _hear_all(self, events: list[bytes | Garbage], now: float) -> None:
        for event in events:
            if isinstance(event, Garbage):
                self.counters.garbage_octets += len(event.octets.strip(WAKE_UP))
            elif self._waiting and self._question is not None:
                self._hear(self._question, event, now)
            else:
                self._hear_late(event, now)

    def _hear(self, question: Question[_Answer], frame: bytes, now: float) -> None:
        if frame == question.octets.lstrip(WAKE_UP) and (self._echo_due or not question.mirrored):
            self._echo_due = False
            self._echoes = self._echoes if question.mirrored else True
            return
        answer = question.take(frame)
        if answer is None:
            self.counters.frames_foreign += 1
            return
        self.counters.answered += 1
        if self._echo_due and not question.mirrored:  # else it would have come by now
            self._echoes = False
        self._late_left = self._silent + self._broken
        self._finish(question, End.ANSWERED, answer, now)
        if self._late_left:
            self._clear_at = now + question.pace.reply_s

    def _hear_late(self, frame: bytes, now: float) -> None:
        last = self._last
        if last is None or frame == last.octets.lstrip(WAKE_UP) or last.take(frame) is None:
            self.counters.frames_foreign += 1
        elif self._late_left:
            self.counters.answers_late += 1
            self._late_left -= 1
            if not self._late_left:
                self._clear_at, self._by = now + last.pace.silence_s, now
        else:
            self.counters.answers_doubled += 1
            self.on_doubled(last.who)

    def _missed(self, question: Question[_Answer], now: float) -> None:
        """An attempt is over without an answer."""
        self._waiting = False
        if self._heard_octets:
            self._broken += 1
            self.counters.bad_frames += 1
        else:
            self._silent += 1
            self.counters.timeouts += 1
        self._clear_at = max(self._clear_at, now + question.pace.silence_s)
        if self._silent + self._broken >= question.attempts_max:
            self._late_left = self._silent + self._broken
            self._finish(question, End.BROKEN if self._broken else End.SILENT, None, now)

    def _finish(self, question: Question[_Answer], end: End, answer: _Answer | None, now: float) -> None:
        self._result = Result(question, end, answer, self._silent, self._broken)
        self._last, self._question, self._waiting, self._by = question, None, False, now
        self._clear_at = now + question.pace.silence_s
