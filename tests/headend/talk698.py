"""A driver and a terminal of the simulated town that talk in memory: what is asked, answered and kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.driver import Answer, Part
from meterweave.headend.operations import Ask, Operation, Outcome
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.clock import SHANGHAI
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import Message
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.association import LinkRequest
from meterweave.protocols.dlt698.frame import DIR, Frame, Link, encode_frame
from meterweave.protocols.dlt698.times import date_time
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility
from meterweave.simulator import Concentrator, Instant, Meter, Terminal
from meterweave.simulator.session import Send
from meterweave.simulator.terminal698 import Terminal698
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, small_town, talk

NOW_S = MIDNIGHT_S + DAY_S + 5000
_LOGIN = LinkRequest(0, 0, 60, date_time(datetime(2026, 9, 21)))
Spoil = Callable[[bytes], bytes | None]


def a_terminal(**given: object) -> tuple[Concentrator, Terminal698]:
    """A terminal of a small town that has logged in and reported all it had to report."""
    town, (terminal, _) = small_town(**given)  # type: ignore[arg-type]
    talk(terminal, Centre(terminal.site.protocol), NOW_S)
    assert isinstance(terminal, Terminal698)
    return town[0], terminal


def entry(meter: Meter, number: int, **known: object) -> MeterEntry:
    """A meter of the town as the archives have it."""
    size = 14 if meter.speaks == "cjt188" else 12
    found = MeterEntry(
        id=number,
        terminal=1,
        utility=Utility(meter.utility),
        protocol=meter.speaks,
        address=meter.address.zfill(size),
        address_key=int(meter.address, 16),
        point_number=None,
        port=None,
        collector=None,
        baud=None,
        tariff_count=None,
        wiring=None,
        phase=None,
    )
    return found._replace(**known)  # type: ignore[arg-type]


class Conversing:
    """One terminal on the line.

    Parameters
    ----------
    now_s : int
        The true time. [s since 1970, UTC]
    """

    def __init__(self, terminal: Terminal, now_s: int = NOW_S) -> None:
        self.terminal, self.now_s = terminal, now_s
        self.driver = Dlt698Driver(100_000)
        (login,) = terminal.connected(Instant(0.0, now_s))
        assert isinstance(login, Send)
        self.driver.hear(login.octets)
        self.driver.online = True
        self.asked: list[Ask] = []
        self.kept: list[bytes] = []

    def have(self, wanted: Operation, spoil: Spoil = lambda octets: octets) -> Outcome:
        """Hold the conversation to its end; `spoil` may change or swallow what is asked."""
        conversation = self.driver.converse(wanted, clock=lambda: self.now_s * 1_000_000, zone=SHANGHAI)
        answer: Answer | None = None
        try:
            while True:
                step = conversation.send(answer)
                answer = None
                if isinstance(step, Ask):
                    self.asked.append(step)
                    answer = self._answer(step, spoil)
                else:
                    self.kept.append(step.octets)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def _answer(self, ask: Ask, spoil: Spoil) -> Answer | None:
        octets = spoil(ask.octets)
        waiting = [octets] if octets else []
        found: Answer | None = None
        while waiting:
            for effect in self.terminal.receive(waiting.pop(0), Instant(0.0, self.now_s)):
                assert isinstance(effect, Send)
                said = self.driver.hear(effect.octets)
                if isinstance(said, Part):
                    waiting.append(said.answer)
                elif isinstance(said, Answer) and said.number == ask.number:
                    found = said
        return found

    def readings(self) -> ReadingBatch:
        """What was kept, in columns."""
        return Dlt698Driver.readings(self.kept, received=self.now_s * 1_000_000, zone=SHANGHAI)


class Scripted:
    """A driver in front of a terminal that answers what a test says.

    Parameters
    ----------
    answers : callable
        From the request to the answer: an APDU, octets of an APDU, or None for silence.
    """

    ADDRESS = bytes.fromhex("330000000001")[::-1]
    FROM = Link(0xC3, 5, ADDRESS, 0x10)

    def __init__(self, answers: Callable[[Apdu], Apdu | bytes | None], now_s: int = NOW_S) -> None:
        self.answers, self.now_s = answers, now_s
        self.driver = Dlt698Driver(100_000)
        login = dlt698.encode(Message(Link(0x81, 5, self.ADDRESS, 0), _LOGIN))
        self.driver.hear(login)
        self.driver.online = True
        self.requests: list[Apdu] = []
        self.asked: list[Ask] = []
        self.kept: list[bytes] = []

    def have(self, wanted: Operation) -> Outcome:
        """Hold the conversation to its end."""
        conversation = self.driver.converse(wanted, clock=lambda: self.now_s * 1_000_000, zone=SHANGHAI)
        answer: Answer | None = None
        try:
            while True:
                step = conversation.send(answer)
                answer = None
                if isinstance(step, Ask):
                    self.asked.append(step)
                    answer = self._answer(step)
                else:
                    self.kept.append(step.octets)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def _answer(self, ask: Ask) -> Answer | None:
        message = dlt698.decode(ask.octets)
        assert message.apdu is not None
        assert message.link == Link(self.FROM.control ^ DIR, 5, self.ADDRESS, 0x10)
        self.requests.append(message.apdu)
        reply = self.answers(message.apdu)
        if reply is None:
            return None
        octets = reply if isinstance(reply, bytes) else dlt698.encode_apdu(reply)
        said = self.driver.hear(encode_frame(Frame(self.FROM, octets)))
        return said if isinstance(said, Answer) and said.number == ask.number else None
