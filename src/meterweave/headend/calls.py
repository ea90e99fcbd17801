"""What the centre asks of one terminal: conversations, one at a time, urgent ones first.

A `Conversation` (see `operations`) says what to send and what to keep; here is who waits for the answer, sends again,
gives up, and knows the difference between *not sent* and *sent, and nobody knows*.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import structlog

from meterweave.errors import MeterweaveError
from meterweave.headend.counters import Counters
from meterweave.headend.driver import Answer, Driver, Push
from meterweave.headend.operations import Ask, Conversation, Keep, NotSent, Operation, Outcome, Refused, Unknown
from meterweave.headend.settings import HeadEndSettings
from meterweave.text import Text

OFFLINE = Text("the terminal is not online", "终端不在线")
BUSY = Text("too many calls wait for this terminal already", "该终端等待的召测过多")
TOO_LATE = Text("the terminal was busy until it was too late", "终端一直忙，已超过时限")
CUT_OFF = Text("the connection was lost before the answer came", "应答前连接中断")
NOT_KEPT = Text("answers came that could not be kept", "收到应答但未能保存")

_EARLY_MAX = 64  # answers that came before the conversation asked for them
_KEEPING_MAX = 8  # answers of one conversation on their way to the disk
_KEPT = b"kept"  # what stands for the acknowledgement of an answer, which gets none

_log = structlog.get_logger(__name__)


class Caller:
    """The conversations of one connection.

    Parameters
    ----------
    clock : callable
        The time of day that terminals are told. [us since 1970, UTC]
    send : callable
        Sends octets to the terminal.
    offer : callable
        Gives pushes to the intake, which tells `settle` when they are on disk.
    """

    def __init__(
        self,
        driver: Driver,
        settings: HeadEndSettings,
        counters: Counters,
        *,
        zone: ZoneInfo,
        clock: Callable[[], int],
        send: Callable[[bytes], None],
        offer: Callable[[Caller, Sequence[Push]], None],
    ) -> None:
        self._driver, self._settings, self._counters, self._zone = driver, settings, counters, zone
        self._clock, self._send, self._offer = clock, send, offer
        self._turns: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())
        self._talking = False
        self._lost = False
        self._sent = False  # whether anything of the conversation went out
        self._number = -1  # of the answer that is waited for
        self._answer: asyncio.Future[Answer | None] | None = None
        self._early: deque[Answer] = deque(maxlen=_EARLY_MAX)
        self._keeping = self._not_kept = 0
        self._settled = asyncio.Event()

    async def carry_out(self, wanted: Operation, *, urgent: bool = False, begin_s: float | None = None) -> Outcome:
        """Talk with the terminal until it is clear what came of it; raises nothing but cancellation.

        With `begin_s` it is not begun later than in so many seconds.
        """
        if self._lost:
            return NotSent(OFFLINE)
        if sum(map(len, self._turns)) >= self._settings.session_calls_max:
            return NotSent(BUSY)
        if not await self._turn(urgent, begin_s):
            return NotSent(TOO_LATE)
        try:
            return NotSent(OFFLINE) if self._lost else await self._talk(wanted)
        finally:
            self._next_turn()

    def heard(self, answer: Answer) -> None:
        """The terminal answered something."""
        waiting = self._answer
        if waiting is not None and not waiting.done() and answer.number == self._number:
            waiting.set_result(answer)
        elif self._talking and len(self._early) < _EARLY_MAX:
            self._early.append(answer)
        else:
            self._counters.frames_ignored += 1

    def lost(self) -> None:
        """The connection is gone."""
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def settle(self, acknowledgements: list[bytes], settled: int) -> None:
        """Answers are dealt with; see `intake.Sender`."""
        self._keeping -= settled
        self._not_kept += settled - len(acknowledgements)
        self._settled.set()

    # Inside ----------------------------------------------------------------------------------------------------------

    async def _turn(self, urgent: bool, within_s: float | None) -> bool:
        """Wait until nobody else talks with the terminal; False: that took too long. Ends with `_next_turn`."""
        if not self._talking:
            self._talking = True
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._turns[0 if urgent else 1]
        queue.append(turn)
        try:
            async with asyncio.timeout(within_s):
                await turn
        except BaseException as error:
            if turn in queue:
                queue.remove(turn)
            elif not turn.cancelled():
                self._next_turn()  # it was given to us in the same moment
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def _next_turn(self) -> None:
        """We are done: whose turn it is next goes on, with `_talking` still set so that nobody comes between."""
        for queue in self._turns:
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._talking = False

    async def _talk(self, wanted: Operation) -> Outcome:
        self._sent, self._not_kept = False, 0
        self._early.clear()
        self._counters.calls += 1
        conversation = self._driver.converse(wanted, clock=self._clock, zone=self._zone)
        try:
            outcome = await self._follow(conversation)
        except ConnectionResetError:
            outcome = Unknown(CUT_OFF) if self._sent else NotSent(OFFLINE)
        except MeterweaveError as error:
            words = Text(str(error), str(error))
            outcome = Unknown(words) if self._sent else Refused(words)
        except Exception:  # a fault of ours must cost this call its outcome, and the session nothing
            _log.exception("a conversation broke", wanted=type(wanted).__name__)
            fault = Text("a fault of the centre; see its log", "系统内部错误，见日志")
            outcome = Unknown(fault) if self._sent else NotSent(fault)
        finally:
            conversation.close()
        if isinstance(outcome, Unknown):
            self._counters.calls_unknown += 1
        return outcome

    async def _follow(self, conversation: Conversation) -> Outcome:
        """Do what the conversation wants, step by step, to its end."""
        answer: Answer | None = None
        try:
            while True:
                step = conversation.send(answer)
                if isinstance(step, Ask):
                    answer = await self._ask(step)
                else:
                    answer = None
                    await self._keep(step)
        except StopIteration as end:
            outcome: Outcome = end.value
        await self._kept_down_to(0)
        return Unknown(NOT_KEPT) if self._not_kept else outcome

    async def _ask(self, ask: Ask) -> Answer | None:
        """The answer, from what came early, or else from what comes within the time, however often it takes to ask."""
        if ask.octets:
            self._early.clear()
        elif early := next((one for one in self._early if one.number == ask.number), None):
            self._early.remove(early)
            return early
        self._number = ask.number
        within_s = self._settings.forwarded_answer_s if ask.forwarded else self._settings.answer_s
        for _ in range(ask.tries if ask.octets else 1):
            if self._lost:
                raise ConnectionResetError
            self._answer = asyncio.get_running_loop().create_future()
            timer = asyncio.get_running_loop().call_later(within_s, _give_up, self._answer)
            if ask.octets:
                self._sent = True
                self._send(ask.octets)
            try:
                if (answer := await self._answer) is not None:
                    return answer
            finally:
                timer.cancel()
                self._answer = None
            self._counters.answers_missed += 1
        return None

    async def _keep(self, step: Keep) -> None:
        self._keeping += 1
        self._offer(self, [Push(0, step.octets, _KEPT)])
        await self._kept_down_to(_KEEPING_MAX)

    async def _kept_down_to(self, count: int) -> None:
        while self._keeping > count:
            self._settled.clear()
            await self._settled.wait()


def _give_up(answer: asyncio.Future[Answer | None]) -> None:
    if not answer.done():
        answer.set_result(None)
