"""Calls: one conversation at a time, and the difference between not sent and sent for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from zoneinfo import ZoneInfo

import pytest

from meterweave.errors import EncodeError
from meterweave.headend import Counters, HeadEndSettings
from meterweave.headend.calls import BUSY, CUT_OFF, NOT_KEPT, OFFLINE, TOO_LATE, Caller
from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.driver import Answer, Push
from meterweave.headend.operations import (
    Ask,
    Conversation,
    Done,
    Keep,
    NotSent,
    Operation,
    Outcome,
    ReadClock,
    Refused,
    SetClock,
    Unknown,
)
from meterweave.metering.clock import SHANGHAI

SETTINGS = HeadEndSettings(answer_s=0.05, forwarded_answer_s=0.1, session_calls_max=2)
Talk = Callable[[Operation], Generator[Ask | Keep, Answer | None, Outcome]]


class Scripted(Dlt698Driver):
    """A driver whose conversations are written in the test."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(1000)
        self.talk = talk

    def converse(self, wanted: Operation, *, clock: Callable[[], int], zone: ZoneInfo) -> Conversation:
        return self.talk(wanted)


class Line:
    """The other side of a caller: what was sent, and what was given to be kept."""

    def __init__(self, talk: Talk, *, kept: bool = True) -> None:
        self.sent: list[bytes] = []
        self.offered: list[bytes] = []
        self.counters = Counters()
        self.kept = kept
        self.answers: dict[bytes, list[Answer]] = {}
        self.caller = Caller(
            Scripted(talk),
            SETTINGS,
            self.counters,
            zone=SHANGHAI,
            clock=lambda: 0,
            send=self._send,
            offer=self._offer,
        )

    def _send(self, octets: bytes) -> None:
        self.sent.append(octets)
        for answer in self.answers.get(octets, ()):
            self.caller.heard(answer)

    def _offer(self, sender: Caller, pushes: Sequence[Push]) -> None:
        self.offered += [one.octets for one in pushes]
        acknowledgements = [one.acknowledgement for one in pushes] if self.kept else []
        asyncio.get_running_loop().call_soon(sender.settle, acknowledgements, len(pushes))


def answer(number: int, octets: bytes = b"answer") -> Answer:
    return Answer(1, number, octets, None)


def ask_once(wanted: Operation) -> Conversation:
    found = yield Ask(b"question", 7)
    return Done({"octets": found.octets.decode()}) if found else Unknown(CUT_OFF)


def test_an_answer_with_the_number_of_the_question_is_the_answer() -> None:
    async def go() -> None:
        line = Line(ask_once)
        line.answers[b"question"] = [answer(6, b"another"), answer(7)]
        assert await line.caller.carry_out(ReadClock()) == Done({"octets": "answer"})
        assert line.sent == [b"question"]

    asyncio.run(go())


def test_a_question_is_asked_again_and_then_given_up() -> None:
    async def go() -> None:
        line = Line(ask_once)
        assert isinstance(await line.caller.carry_out(ReadClock()), Unknown)
        assert line.sent == [b"question"] * 2
        assert (line.counters.answers_missed, line.counters.calls_unknown) == (2, 1)

    asyncio.run(go())


def test_answers_in_several_frames_are_gathered_even_if_they_come_at_once() -> None:
    def talk(wanted: Operation) -> Conversation:
        found = [(yield Ask(b"question", 1)), (yield Ask(b"", 2)), (yield Ask(b"", 3))]
        return Done({"octets": " ".join("none" if one is None else one.octets.decode() for one in found)})

    async def go() -> None:
        line = Line(talk)
        line.answers[b"question"] = [answer(1, b"first"), answer(2, b"second")]
        assert await line.caller.carry_out(ReadClock()) == Done({"octets": "first second none"})
        assert line.sent == [b"question"]

    asyncio.run(go())


@pytest.mark.parametrize("kept", [True, False])
def test_done_means_that_what_came_is_on_disk(kept: bool) -> None:
    def talk(wanted: Operation) -> Conversation:
        for number in range(20):
            yield Keep(bytes([number]))
        return Done()

    async def go() -> None:
        line = Line(talk, kept=kept)
        assert await line.caller.carry_out(ReadClock()) == (Done() if kept else Unknown(NOT_KEPT))
        assert len(line.offered) == 20

    asyncio.run(go())


def test_a_lost_connection_tells_whether_anything_was_sent() -> None:
    async def go() -> None:
        line = Line(ask_once)
        first, second = (asyncio.create_task(line.caller.carry_out(ReadClock())) for _ in range(2))
        await asyncio.sleep(0)
        line.caller.lost()
        assert await first == Unknown(CUT_OFF)
        assert await second == NotSent(OFFLINE)
        assert await line.caller.carry_out(ReadClock()) == NotSent(OFFLINE)
        assert line.sent == [b"question"]

    asyncio.run(go())


def test_urgent_calls_go_first_and_one_call_at_a_time_is_out() -> None:
    order: list[Operation] = []

    def talk(wanted: Operation) -> Conversation:
        order.append(wanted)
        yield Ask(b"question", 7)
        return Done()

    async def go() -> None:
        line = Line(talk)
        waiting = [asyncio.create_task(line.caller.carry_out(ReadClock()))]
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(line.caller.carry_out(ReadClock())))
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(line.caller.carry_out(SetClock(), urgent=True)))
        await asyncio.sleep(0)
        assert line.sent == [b"question"]
        assert await line.caller.carry_out(ReadClock()) == NotSent(BUSY)
        for _ in range(3):
            line.caller.heard(answer(7))
            await asyncio.sleep(0.001)
        assert await asyncio.gather(*waiting) == [Done()] * 3

    asyncio.run(go())
    assert order == [ReadClock(), SetClock(), ReadClock()]


def test_whoever_stops_waiting_for_his_turn_holds_up_nobody() -> None:
    async def go() -> None:
        line = Line(ask_once)
        calls = [asyncio.create_task(line.caller.carry_out(ReadClock())) for _ in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        calls[0].cancel()
        await asyncio.sleep(0.001)
        line.caller.heard(answer(7))
        assert await calls[2] == Done({"octets": "answer"})

    asyncio.run(go())


def test_what_has_to_wait_too_long_is_not_begun() -> None:
    async def go() -> None:
        line = Line(ask_once)
        first = asyncio.create_task(line.caller.carry_out(ReadClock()))
        await asyncio.sleep(0)
        assert await line.caller.carry_out(ReadClock(), begin_s=0.001) == NotSent(TOO_LATE)
        line.caller.heard(answer(7))
        assert isinstance(await first, Done)
        line.answers[b"question"] = [answer(7)]
        assert isinstance(await line.caller.carry_out(ReadClock(), begin_s=0.001), Done)

    asyncio.run(go())


@pytest.mark.parametrize("after", [False, True])
def test_faults_cost_the_call_and_nothing_else(after: bool) -> None:
    def broken(error: Exception) -> Talk:
        def talk(wanted: Operation) -> Conversation:
            if after:
                yield Ask(b"question", 7)
            raise error

        return talk

    async def go() -> None:
        for error, before in ((EncodeError("no words for it"), Refused), (KeyError("ours"), NotSent)):
            line = Line(broken(error))
            line.answers[b"question"] = [answer(7)]
            assert isinstance(await line.caller.carry_out(ReadClock()), Unknown if after else before)
            assert isinstance(await line.caller.carry_out(ReadClock()), Unknown if after else before)

    asyncio.run(go())


def test_an_answer_that_nobody_waits_for_is_counted() -> None:
    async def go() -> None:
        line = Line(ask_once)
        line.caller.heard(answer(7))
        assert line.counters.frames_ignored == 1

    asyncio.run(go())
