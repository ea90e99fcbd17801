"""Questions to a Q/GDW 1376.1 terminal and its answers: numbers, answers in several frames, and how it says no.

A question carries a number (PSEQ); its answer carries the same, and where it comes in several frames each further one
the next, modulo 16 (clause 5.3.3.4). A terminal says no with AFN 00H, for all of a question (F2) or unit by unit (F3),
or with the link's *no such data*.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from meterweave.headend.driver import Answer
from meterweave.headend.operations import Ask, Keep
from meterweave.protocols.gdw1376.part1 import Message, Unit, encode
from meterweave.protocols.gdw1376.part1.message import AUTHENTICATED, FIN, FIR, PROTOCOL_130, PW_SIZE_130
from meterweave.protocols.gdw1376.part1.records import ERRORS
from meterweave.protocols.gdw1376.part1.service import CONFIRM, request
from meterweave.protocols.gdw1376.part1.sources import Given, given
from meterweave.text import Text

NUMBERS = 16
PARTS_MAX = 64
"""Frames of one answer."""

DENIED = Text("the terminal denies it", "终端否认")
NO_SUCH_DATA = Text("the terminal has no such data", "终端无所召唤的数据")
NO_ANSWER = Text("the terminal does not answer", "终端无应答")
_NO_DATA_FUNCTION = 9  # of the control octet of an answer
_DENY_ALL, _BY_UNIT = 2, 3  # items Fn of AFN 00H

_T = TypeVar("_T")
Talk = Generator[Ask | Keep, Answer | None, _T]
"""A stretch of a conversation that gives something."""


class Link(NamedTuple):
    """Who is talked with, and how."""

    address_key: int
    protocol: int  # bits 0 and 1 of the length words, as the terminal itself sends them
    master: int  # MSA
    password: bytes  # message authentication PW, 16 octets

    @property
    def region(self) -> int:
        return self.address_key >> 16

    @property
    def terminal(self) -> int:
        return self.address_key & 0xFFFF


class Reply(NamedTuple):
    """The whole answer to a question."""

    answers: tuple[Answer, ...]
    denial: Text | None = None  # what the terminal says no with
    errors: tuple[int, ...] = ()  # ERR of each unit, where it says no unit by unit

    @property
    def messages(self) -> tuple[Message, ...]:
        """The frames of the answer."""
        return tuple(answer.message for answer in self.answers)

    def units(self) -> list[tuple[Message, Unit]]:
        """Every data unit, with the frame that carries it."""
        return [(message, unit) for message in self.messages for unit in message.units]


class Dialogue:
    """One conversation's way of asking.

    Parameters
    ----------
    numbers : iterator of int
        PSEQ of one question or further frame after the other, of the whole connection; taken modulo 16.
    clock : callable
        The time of day. [us since 1970, UTC]
    zone : ZoneInfo
        In which the terminal's clock runs.
    """

    def __init__(self, link: Link, numbers: Iterator[int], *, clock: Callable[[], int], zone: ZoneInfo) -> None:
        self.link, self.clock, self.zone = link, clock, zone
        self._numbers = numbers

    def now(self) -> datetime:
        """The time of day where the terminal is, without a zone as the terminal has it."""
        return datetime.fromtimestamp(self.clock() / 1e6, UTC).astimezone(self.zone).replace(tzinfo=None)

    def ask(
        self, afn: int, units: Sequence[Unit], *, tries: int = 2, forwarded: bool = False, tp: bytes = b""
    ) -> Talk[Reply | None]:
        """Ask, and gather the whole answer; None: none came, or not all of it."""
        number = next(self._numbers) % NUMBERS
        answer = yield Ask(self._frame(afn, units, number, tp), number, tries, forwarded)
        if answer is None or not answer.message.seq & FIR:
            return None
        if answer.message.afn == CONFIRM:
            return _confirmation(answer)
        parts = [answer]
        while answer.message.afn == afn and not answer.message.seq & FIN and len(parts) < PARTS_MAX:
            answer = yield Ask(b"", next(self._numbers) % NUMBERS, forwarded=forwarded)
            if answer is None:
                return None
            parts.append(answer)
        if answer.message.afn != afn or not answer.message.seq & FIN:
            return None
        return Reply(tuple(parts), _emptiness(parts))

    def keep(self, reply: Reply) -> Talk[list[Given]]:
        """Keep the readings in an answer, and say what they are of; a frame without a value is not kept."""
        found: list[Given] = []
        for answer in reply.answers:
            here = list(given(answer.message))
            if any(one.quantities for one in here):
                yield Keep(answer.octets)
            found += here
        return found

    def tag(self) -> bytes:
        """The time tag Tp of a command, of now; the terminal is not to judge its age, since its clock may be wrong."""
        now = self.now()
        return bytes([0]) + bytes.fromhex(f"{now:%S%M%H%d}") + bytes([0])

    def _frame(self, afn: int, units: Sequence[Unit], number: int, tp: bytes) -> bytes:
        link = self.link
        pw = None
        if afn in AUTHENTICATED:
            pw = link.password[:PW_SIZE_130] if link.protocol == PROTOCOL_130 else link.password
        asked = request(
            link.region,
            link.terminal,
            afn,
            units,
            number=number,
            msa=link.master,
            protocol=link.protocol,
            pw=pw,
            tp=tp,
        )
        return encode(asked)


def _confirmation(answer: Answer) -> Reply:
    units = answer.message.units
    items = units[0].items if units else ()
    if items == (_BY_UNIT,):
        # The function, then DA, DT and ERR of each unit: four octets and one.
        errors = tuple(units[0].data[5::5])
        wrong = [error for error in errors if error]
        return Reply((answer,), error_text(wrong[0]) if wrong else None, errors)
    return Reply((answer,), DENIED if items == (_DENY_ALL,) else None)


def _emptiness(parts: Sequence[Answer]) -> Text | None:
    """Whether the terminal says with the link's function that there is nothing."""
    message: Message = parts[0].message
    empty = len(parts) == 1 and not message.units
    return NO_SUCH_DATA if empty or message.control & 0x0F == _NO_DATA_FUNCTION else None


def error_text(error: int) -> Text:
    """ERR of AFN 00H F3 in words."""
    return ERRORS.get(error) or Text(f"error {error}", f"错误{error}")
