"""Conversations with a Q/GDW 1376.1 terminal in memory, as `meterweave.headend.calls` leads them. For tests only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from meterweave.headend.driver import Answer, Login
from meterweave.headend.gdw1376 import Gdw1376Driver
from meterweave.headend.operations import Ask, Operation, Outcome
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.quantities import obis_code
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import Message, Unit, service
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Phase, Utility

ZONE = ZoneInfo("Asia/Shanghai")
REGION, TERMINAL = 0x3301, 7
NOW_US = 1_795_000_000_000_000
Terminal = Callable[[Message], Sequence[Message | bytes]]
"""What a terminal sends to a question: messages, or frames as octets."""


def meter(point: int | None, address: str = "", **given: object) -> MeterEntry:
    """An electricity meter behind the terminal; its id is a hundred more than its point."""
    text = address or f"{point or 0:012d}"
    number = 100 + (point or 0)
    entry = MeterEntry(
        number, 1, Utility.ELECTRICITY, "dlt645", text, int(text, 16), point, None, None, None, None, None, Phase.ABC
    )
    return entry._replace(**given)  # type: ignore[arg-type]


def codes(*obis: str) -> tuple[int, ...]:
    return tuple(obis_code(one) for one in obis)


def driver(region: int = REGION, terminal: int = TERMINAL, login: bytes = b"") -> Gdw1376Driver:
    """A driver to which a terminal has logged in."""
    found = Gdw1376Driver(65536)
    said = found.hear(login or part1.encode(service.login(region, terminal)))
    assert isinstance(said, Login)
    found.confirm(said, received_us=0, now_us=0, zone=ZONE)
    return found


class Line:
    """A connection; `asked` are the questions as the terminal understood them, `kept` what was to be kept."""

    def __init__(self, terminal: Terminal, head: Gdw1376Driver | None = None, now_us: int = NOW_US) -> None:
        self.terminal, self.driver, self.now_us = terminal, head or driver(), now_us
        self.asked: list[Message] = []
        self.asks: list[Ask] = []
        self.kept: list[bytes] = []
        self._early: list[Answer] = []

    def carry_out(self, wanted: Operation) -> Outcome:
        """Lead the conversation to its end."""
        talk = self.driver.converse(wanted, clock=lambda: self.now_us, zone=ZONE)
        answer: Answer | None = None
        try:
            while True:
                step = talk.send(answer)
                if isinstance(step, Ask):
                    answer = self._ask(step)
                else:
                    answer = None
                    self.kept.append(step.octets)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def readings(self) -> ReadingBatch:
        """What was kept, as the intake would read it."""
        return Gdw1376Driver.readings(self.kept, received=self.now_us, zone=ZONE)

    def rows(self) -> set[tuple[int, int, int, int, int | None]]:
        """Meter, quantity, profile, time and value of all that was kept."""
        batch = self.readings()
        values = [
            None if missing else value for value, missing in zip(batch.value.tolist(), batch.missing, strict=True)
        ]
        columns = (batch.meter.tolist(), batch.quantity.tolist(), batch.profile.tolist(), batch.ts.tolist(), values)
        return set(zip(*columns, strict=True))

    def _ask(self, ask: Ask) -> Answer | None:
        self.asks.append(ask)
        for _ in range(ask.tries if ask.octets else 1):
            if ask.octets:
                self._early = []
                question = part1.decode(ask.octets)
                assert question.number == ask.number
                self.asked.append(question)
                self._hear(self.terminal(question))
            for one in self._early:
                if one.number == ask.number:
                    self._early.remove(one)
                    return one
        return None

    def _hear(self, messages: Sequence[Message | bytes]) -> None:
        for one in messages:
            said = self.driver.hear(one if isinstance(one, bytes) else part1.encode(one))
            if isinstance(said, Answer):
                self._early.append(said)


# Terminals of few words -----------------------------------------------------------------------------------------------


def silent(question: Message) -> list[Message | bytes]:
    """Answers nothing."""
    return []


def denial(question: Message) -> Message:
    """AFN 00H F2."""
    return service.confirm(question)._replace(units=(Unit(0, dt_of([2])),))


def denying(question: Message) -> list[Message | bytes]:
    """Says no to everything."""
    return [denial(question)]


def wrong(question: Message, *errors: int) -> Message:
    """AFN 00H F3, with an error for each unit."""
    return service.confirm(question, errors)
