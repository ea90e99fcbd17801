"""The line to one terminal: questions go out numbered, what comes back is understood, or the talk ends in words.

A conversation is a generator over `Line`. Where it cannot go on, because nothing came or what came says no,
`TalkEndedError` is raised with the outcome; `conversations` makes it the outcome of the whole, so nothing gets out.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from meterweave.errors import DecodeError
from meterweave.headend.driver import Answer
from meterweave.headend.operations import Ask, Keep, Refused, Unknown
from meterweave.protocols.dlt698 import association, get, proxy
from meterweave.protocols.dlt698.apdu import SEQUENCE, Apdu
from meterweave.protocols.dlt698.cursor import Reader
from meterweave.protocols.dlt698.frame import PRM, USER_DATA, Link
from meterweave.protocols.dlt698.message import Message, encode
from meterweave.protocols.dlt698.readings import tsa_key
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.segment import AskNext, BlockJoiner, GivenUp
from meterweave.protocols.dlt698.selection import RCSD
from meterweave.protocols.dlt698.services import decode_apdu
from meterweave.protocols.dlt698.tables import DAR, ERROR_TYPES, word
from meterweave.protocols.dlt698.values import OAD, TSA, tsa
from meterweave.registry.address import DLT698, address_text
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

CLIENT_ADDRESS = 0x10
"""CA of the centre, as most head-ends have it."""
UNPARSED = 0
"""The number that a terminal gives an ERROR-Response to what it could not read; the centre never uses it itself."""

SUCCESS = 0
"""The DAR of what was done."""
NO_SUCH_DATA = frozenset({4, 6})
"""DARs of what a device does not have: object undefined, object does not exist."""

NO_ANSWER = Unknown(Text("the terminal did not answer", "终端无应答"))

T = TypeVar("T")
Talk = Generator[Ask | Keep, Answer | None, T]
"""A part of a conversation that gives a `T`."""
Result = ResultNormal | ResultRecord

_NORMAL_BLOCK, _RECORD_ANSWER, _PROXY_RECORD_ANSWER = b"\x85\x05", b"\x85\x03", b"\x89\x02"


class TalkEndedError(Exception):
    """The conversation is over with this outcome."""

    def __init__(self, outcome: Refused | Unknown) -> None:
        super().__init__(outcome.reason.en)
        self.outcome = outcome


class Found(NamedTuple):
    """What reading a table gave."""

    rows: int
    dar: int  # 0: success


class Line:
    """One terminal as it is asked; `link` is known as soon as it has said anything."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.number = UNPARSED
        """Of the question asked last."""

    def meet(self, af: int, sa: bytes) -> None:
        """The terminal has this address, as on the wire."""
        self.link = Link(PRM | USER_DATA, af, sa, CLIENT_ADDRESS)

    def frame(self, request: Apdu, number: int) -> bytes:
        """A question as it goes out."""
        assert self.link is not None  # whoever converses has seen to that
        return encode(Message(self.link, replace(request, piid=number)))  # type: ignore[call-arg]

    def send(self, request: Apdu, *, tries: int = 2, forwarded: bool = False, again: bool = False) -> Talk[Answer]:
        """Ask, and give what came back as it is; `again` keeps the number, as blocks of one answer have it."""
        if not again:
            self.number = self.number % SEQUENCE + 1
        answer = yield Ask(self.frame(request, self.number), self.number, tries, forwarded)
        if answer is None:
            raise TalkEndedError(NO_ANSWER)
        return answer

    def ask(self, request: Apdu, kind: type[T], *, tries: int = 2, forwarded: bool = False) -> Talk[T]:
        """Ask, and give the answer, which has to be of `kind`."""
        _, apdu = yield from self.ask_whole(request, kind, tries=tries, forwarded=forwarded)
        return apdu

    def ask_whole(
        self, request: Apdu, kind: type[T], *, tries: int = 2, forwarded: bool = False
    ) -> Talk[tuple[Answer, T]]:
        """`ask`, and give beside the answer what it is kept by; events that ride on it are kept at once."""
        answer = yield from self.send(request, tries=tries, forwarded=forwarded)
        apdu = understood(answer)
        if getattr(apdu, "follow_report", None) is not None:
            yield Keep(answer.octets)
        return answer, expected(apdu, kind, self.number)

    # Reading ---------------------------------------------------------------------------------------------------------

    def attributes(self, oads: Sequence[int], *, keep: bool = False) -> Talk[tuple[ResultNormal, ...]]:
        """Attributes of the terminal itself, in one question; `keep`: they are readings."""
        single = len(oads) == 1
        request = get.GetRequestNormal(0, oads[0]) if single else get.GetRequestNormalList(0, tuple(oads))
        answer = yield from self.send(request)
        apdu = understood(answer)
        if isinstance(apdu, get.GetResponseNext):
            found = yield from self._blocks(answer, apdu, keep=keep)
            return tuple([result for result in found if isinstance(result, ResultNormal)])
        if single:
            results: tuple[ResultNormal, ...] = (expected(apdu, get.GetResponseNormal, self.number).result,)
        else:
            results = expected(apdu, get.GetResponseNormalList, self.number).results
        if (keep and any(one.data for one in results)) or getattr(apdu, "follow_report", None) is not None:
            yield Keep(answer.octets)
        return results

    def tables(
        self, request: get.GetRequestRecord | get.GetRequestRecordList, *, keep: bool = False
    ) -> Talk[tuple[ResultRecord, ...]]:
        """Tables of the terminal, decoded; `keep`: their rows are readings or events."""
        answer = yield from self.send(request)
        apdu = understood(answer)
        if isinstance(apdu, get.GetResponseNext):
            found = yield from self._blocks(answer, apdu, keep=keep)
            return tuple([result for result in found if isinstance(result, ResultRecord)])
        if isinstance(request, get.GetRequestRecord):
            results: tuple[ResultRecord, ...] = (expected(apdu, get.GetResponseRecord, self.number).result,)
        else:
            results = expected(apdu, get.GetResponseRecordList, self.number).results
        if (keep and any(result.rows for result in results)) or getattr(apdu, "follow_report", None) is not None:
            yield Keep(answer.octets)
        return results

    def kept_rows(self, request: get.GetRequestRecord | proxy.ProxyGetRequestRecord, *, tries: int = 2) -> Talk[Found]:
        """Read one table and keep its rows without looking into them: there may be thousands."""
        forwarded = isinstance(request, proxy.ProxyGetRequestRecord)
        answer = yield from self.send(request, tries=tries, forwarded=forwarded)
        if answer.message[:2] == _NORMAL_BLOCK:
            first = expected(understood(answer), get.GetResponseNext, self.number)
            results = yield from self._blocks(answer, first, keep=True)
            tables = [one for one in results if isinstance(one, ResultRecord)]
            return Found(sum(len(one.rows) for one in tables), next((one.dar for one in tables), SUCCESS))
        found = _record_head(answer.message, forwarded=forwarded)
        if found is None:
            raise TalkEndedError(_unexpected(understood(answer), self.number))
        if found.rows:
            yield Keep(answer.octets)
        return found

    def _blocks(self, answer: Answer, apdu: get.GetResponseNext, *, keep: bool) -> Talk[tuple[Result, ...]]:
        """All results of an answer in blocks, of which the first is `apdu`."""
        joiner = BlockJoiner()
        while True:
            if isinstance(apdu.content, get.BlockFailed):
                raise TalkEndedError(refused(apdu.content.dar))
            step = joiner.feed(apdu)
            if isinstance(step, GivenUp):
                raise TalkEndedError(Unknown(Text(f"the answer broke off: {step.reason}", f"应答中断：{step.reason}")))
            if keep and apdu.content.results:
                yield Keep(answer.octets)
            if not isinstance(step, AskNext):
                return step.content.results
            answer = yield from self.send(step.request, again=True)
            apdu = expected(understood(answer), get.GetResponseNext, self.number)


def understood(answer: Answer) -> Apdu:
    """The APDU of an answer.

    Raises
    ------
    TalkEndedError
        If it cannot be decoded.
    """
    try:
        return decode_apdu(answer.message)
    except DecodeError as error:
        reason = Text(f"the answer cannot be understood: {error}", f"应答无法解析：{error}")
        raise TalkEndedError(Unknown(reason)) from None


def expected(apdu: Apdu, kind: type[T], number: int) -> T:
    """`apdu`, if it is of `kind`.

    Raises
    ------
    TalkEndedError
        If it is another, or an ERROR-Response.
    """
    if isinstance(apdu, kind):
        return apdu
    raise TalkEndedError(_unexpected(apdu, number))


def _unexpected(apdu: Apdu, number: int) -> Refused | Unknown:
    if isinstance(apdu, association.ErrorResponse):
        found = word(ERROR_TYPES, apdu.error_type)
        reason = Text(f"the terminal answers: {found.en}", f"终端应答：{found.zh}")
        # With another number it may be about something asked before, so it says nothing about this.
        return Refused(reason) if apdu.piid_acd & SEQUENCE == number else Unknown(reason)
    return Unknown(Text(f"the terminal answers with {apdu.TITLE.en}", f"终端应答了{apdu.TITLE.zh}"))


def dar_words(dar: int) -> Text:
    """What a data access result says; one outside the table keeps its number."""
    return DAR.get(dar) or Text(f"data access result {dar}", f"数据访问结果{dar}")


def refused(dar: int) -> Refused:
    """The outcome that a data access result means."""
    return Refused(dar_words(dar))


def server_of(meter: MeterEntry) -> bytes:
    """The TSA of a meter: six octets, or more where its address has more digits than zeros in front."""
    return tsa(address_text(DLT698, meter.address_key))


def answered(server: bytes, meter: MeterEntry) -> bool:
    """Whether an answer that names this TSA is the meter's."""
    return tsa_key(server) == meter.address_key


def _record_head(octets: bytes, *, forwarded: bool) -> Found | None:
    """What an answer with one A-ResultRecord holds, by its first octets; None: it is no such answer."""
    if octets[:2] != (_PROXY_RECORD_ANSWER if forwarded else _RECORD_ANSWER):
        return None
    reader = Reader(octets)
    try:
        reader.take(3)  # tag, choice, PIID-ACD
        if forwarded:
            TSA.read(reader)
        OAD.read(reader)
        RCSD.read(reader)
        return Found(reader.count(), SUCCESS) if reader.octet() else Found(0, reader.octet())
    except DecodeError:
        return None
