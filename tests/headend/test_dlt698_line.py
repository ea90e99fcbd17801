"""Answers of DL/T 698.45 terminals heard, matched, joined; whatever comes, the outcome says it in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.dlt698.line import NO_ANSWER, dar_words
from meterweave.headend.driver import Answer, Other, Part
from meterweave.headend.operations import (
    Authority,
    Done,
    NotSent,
    Operation,
    ReadClock,
    ReadEvents,
    ReadNow,
    ReadParameters,
    ReadRelay,
    ReadStored,
    Refused,
    Relay,
    RelayAction,
    SetClock,
    SyncArchives,
    SyncTasks,
    Task,
    Unknown,
)
from meterweave.metering.batch import Profile
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_code
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import Fragment, Message, access, association, get
from meterweave.protocols.dlt698.apdu import ACD, Apdu, FollowReportRecord
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.frame import LENGTH_MAX, Frame, encode_frame
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.segment import split
from meterweave.registry.vocabulary import Utility
from tests.headend import frames
from tests.headend.talk698 import MIDNIGHT_S, Scripted, a_terminal, entry

SITE, _ = a_terminal()
METERS = tuple(entry(meter, number) for number, meter in enumerate(SITE.meters, 1))
ELECTRIC = next(meter for meter in METERS if meter.protocol == "dlt698")
SERIAL = next(meter for meter in METERS if meter.protocol == "dlt645")
ENERGY = obis_code("1-0:1.8.0")
AUTHORITY = Authority(2, bytes(3), bytes(4))
DAY_US = 86_400_000_000
SPAN = (MIDNIGHT_S * 1_000_000, MIDNIGHT_S * 1_000_000 + DAY_US)
EVERYTHING: tuple[Operation, ...] = (
    ReadNow((ELECTRIC, SERIAL), (ENERGY,)),
    ReadNow((), (ENERGY,)),
    ReadStored((ELECTRIC, SERIAL), (ENERGY,), Profile.DAILY, 0, *SPAN),
    ReadEvents(*SPAN),
    SyncArchives(METERS),
    SyncTasks((Task(Utility.ELECTRICITY, Profile.DAILY, 0, (ENERGY,)),), METERS),
    ReadClock(),
    SetClock(),
    Relay(ELECTRIC, RelayAction.TRIP, AUTHORITY),
    Relay(SERIAL, RelayAction.TRIP, AUTHORITY),
    ReadRelay(ELECTRIC),
    ReadRelay(SERIAL),
    ReadParameters(),
)


def names(wanted: Operation) -> str:
    return type(wanted).__name__


def a_driver() -> Dlt698Driver:
    found = Dlt698Driver(100_000)
    found.online = True
    return found


def test_an_answer_carries_the_number_of_its_question() -> None:
    apdu = get.GetResponseNormal(5 | ACD, ResultNormal(0x4000_0200, 4))
    for control in (0xC3, 0xCB):
        octets = dlt698.encode(Message(frames.link(100, control), apdu))
        said = a_driver().hear(octets)
        assert said == Answer(0x100, 5, octets, dlt698.encode_apdu(apdu))


def test_what_a_server_does_not_answer_with_is_no_answer() -> None:
    request = get.GetRequestNormal(1, 0x4000_0200)
    assert isinstance(a_driver().hear(dlt698.encode(Message(frames.link(100, 0xC3), request))), Other)
    empty = dlt698.encode(Message(frames.link(100, 0xC3)))
    assert isinstance(a_driver().hear(empty), Other)


@pytest.mark.parametrize("control", [0xE3, 0xA3, 0xEB])
def test_fragments_with_nothing_in_them_are_no_answer(control: int) -> None:
    here = a_driver()
    link = frames.link(100, control)
    first, last = Fragment(0, b""), Fragment(0x4001, b"")
    assert isinstance(here.hear(dlt698.encode(Message(link, fragment=first))), Part)
    assert isinstance(here.hear(dlt698.encode(Message(link, fragment=last))), Other)


@given(st.sampled_from([0xC3, 0xCB, 0xE3, 0xEB, 0xA3, 0x83]), st.binary(max_size=60))
def test_whatever_is_in_a_frame_nothing_is_raised(control: int, octets: bytes) -> None:
    frame = encode_frame(Frame(frames.link(100, control), octets))
    assert a_driver().hear(frame) is not None


def test_an_answer_in_fragments_is_one_answer_that_reads_as_one_frame() -> None:
    rows = frames.day_record(range(1, 101), 1, 5).results[0]
    apdu = get.GetResponseRecord(7, rows)
    link = frames.link(100, 0xC3)
    here = a_driver()
    *parts, last = [dlt698.encode(one) for one in split(apdu, link, 300)]
    for part in parts:
        said = here.hear(part)
        assert isinstance(said, Part)
        assert dlt698.decode(said.answer).fragment is not None
    # A report comes in between, in fragments of its own.
    for one in frames.fragments(100, frames.day_record(range(50), 2, 5), 500)[:-1]:
        assert isinstance(here.hear(one), Part)
    answer = here.hear(last)
    assert answer == Answer(0x100, 7, dlt698.encode(Message(link, apdu)), dlt698.encode_apdu(apdu))
    found = Dlt698Driver.readings([answer.octets], received=0, zone=SHANGHAI)
    assert found.meter.tolist() == [int(f"{number:012d}", 16) for number in range(1, 101)]


def test_an_answer_longer_than_any_frame_is_read_all_the_same() -> None:
    rows = frames.day_record(range(1, 801), 1, 5).results[0]
    apdu = get.GetResponseRecord(7, rows)
    assert len(dlt698.encode_apdu(apdu)) > LENGTH_MAX
    here = a_driver()
    said = [here.hear(dlt698.encode(one)) for one in split(apdu, frames.link(100, 0xC3), 2000)]
    answer = said[-1]
    assert isinstance(answer, Answer)
    assert len(Dlt698Driver.readings([answer.octets], received=0, zone=SHANGHAI)) == 800


def test_before_a_terminal_has_said_its_address_nothing_is_sent() -> None:
    conversation = a_driver().converse(ReadClock(), clock=lambda: 0, zone=SHANGHAI)
    with pytest.raises(StopIteration) as end:
        next(conversation)
    assert isinstance(end.value.value, NotSent)


@pytest.mark.parametrize("wanted", EVERYTHING, ids=names)
def test_silence_is_unknown(wanted: Operation) -> None:
    terminal = Scripted(lambda _: None)
    assert terminal.have(wanted) == NO_ANSWER
    assert len({ask.number for ask in terminal.asked}) == len(terminal.asked)
    assert 0 not in {ask.number for ask in terminal.asked}
    if isinstance(wanted, Relay):
        (ask,) = terminal.asked
        assert (ask.tries, ask.forwarded) == (1, True)


@pytest.mark.parametrize("wanted", EVERYTHING, ids=names)
def test_a_complaint_is_a_refusal_in_words(wanted: Operation) -> None:
    terminal = Scripted(lambda apdu: association.ErrorResponse(piid(apdu), 2, None, None))
    outcome = terminal.have(wanted)
    assert isinstance(outcome, Refused)
    assert "service not supported" in outcome.reason.en
    assert "服务不支持" in outcome.reason.zh


@pytest.mark.parametrize("wanted", EVERYTHING, ids=names)
def test_a_complaint_about_nobody_knows_what_is_unknown(wanted: Operation) -> None:
    terminal = Scripted(lambda _: association.ErrorResponse(0, 1, None, None))
    outcome = terminal.have(wanted)
    assert isinstance(outcome, Unknown)
    assert "cannot be parsed" in outcome.reason.en


@pytest.mark.parametrize("wanted", EVERYTHING, ids=names)
def test_an_answer_to_something_else_is_unknown(wanted: Operation) -> None:
    terminal = Scripted(lambda apdu: get.GetResponseMD5(piid(apdu), 0x4000_0200, 4))
    assert isinstance(terminal.have(wanted), Unknown)
    terminal = Scripted(lambda apdu: access.SetResponseNormalList(piid(apdu), ()))
    assert isinstance(terminal.have(wanted), Unknown)


@pytest.mark.parametrize("wanted", EVERYTHING, ids=names)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_comes_back_the_conversation_ends_with_an_outcome(wanted: Operation, data: st.DataObject) -> None:
    heads = [b"\x85\x01", b"\x85\x02", b"\x85\x03", b"\x85\x04", b"\x85\x05", b"\x86\x01", b"\x87\x01", b"\x87\x02"]
    heads += [b"\x89\x01", b"\x89\x02", b"\x89\x05", b"\x89\x07"]

    def answer(apdu: Apdu) -> bytes:
        if data.draw(st.booleans(), "of its own kind"):
            own = dlt698.encode_apdu(apdu)
            head = bytes([own[0] | 0x80, *own[1:2]])
        else:
            head = data.draw(st.sampled_from(heads))
        return head + bytes([piid(apdu)]) + data.draw(st.binary(max_size=40)) + b"\0\0"

    outcome = Scripted(answer).have(wanted)
    assert isinstance(outcome, Done | Refused | Unknown)


def test_results_in_blocks_are_fetched_to_the_end() -> None:
    def answer(apdu: Apdu) -> Apdu:
        number = 1 if isinstance(apdu, get.GetRequestNormalList) else getattr(apdu, "block", 0) + 1
        oad = (0x4000_0300, 0x4001_0200, 0x4103_0200)[number - 1]
        content = get.BlockNormal((ResultNormal(oad, (Tag.UNSIGNED, number)),))
        return get.GetResponseNext(piid(apdu), int(number == 3), number, content)

    terminal = Scripted(answer)
    outcome = terminal.have(ReadParameters(("40000300", "40010200", "41030200")))
    assert outcome == Done({"40000300": "1", "40010200": "2", "41030200": "3"})
    assert [getattr(one, "block", None) for one in terminal.requests] == [None, 1, 2]


def test_blocks_of_records_are_kept_one_by_one() -> None:
    def answer(apdu: Apdu) -> Apdu:
        if isinstance(apdu, get.GetRequestNormal):
            return get.GetResponseNormal(piid(apdu), ResultNormal(apdu.oad, 4))
        number = getattr(apdu, "block", -1) + 1
        rows = frames.day_record(range(10 * number, 10 * number + 10), 1, 5).results
        return get.GetResponseNext(piid(apdu), int(number == 2), number, get.BlockRecord(rows))

    terminal = Scripted(answer)
    outcome = terminal.have(EVERYTHING[2])
    assert outcome == Done({"rows": 30})
    assert len(terminal.kept) == 3
    assert len(Dlt698Driver.readings(terminal.kept, received=0, zone=SHANGHAI)) == 30


def test_blocks_that_break_off_are_unknown_and_a_refused_block_is_refused() -> None:
    def skip(apdu: Apdu) -> Apdu:
        number = 1 if isinstance(apdu, get.GetRequestNormal) else 7
        return get.GetResponseNext(piid(apdu), 0, number, get.BlockNormal((ResultNormal(0x4000_0300, 4),)))

    outcome = Scripted(skip).have(ReadParameters(("40000300",)))
    assert isinstance(outcome, Unknown)
    assert "block 7 follows block 1" in outcome.reason.en
    failed = Scripted(lambda apdu: get.GetResponseNext(piid(apdu), 1, 1, get.BlockFailed(11)))
    assert failed.have(ReadParameters(("40000300",))) == Refused(dar_words(11))


def test_what_rides_on_an_answer_is_kept() -> None:
    event = ResultRecord(0x3106_0200, (0x2022_0200,), (((Tag.DOUBLE_LONG_UNSIGNED, 7),),))

    def answer(apdu: Apdu) -> Apdu:
        plain = get.GetResponseNormal(piid(apdu), ResultNormal(0x4000_0300, (Tag.ENUM, 1)))
        return replace(plain, follow_report=FollowReportRecord((event,)))

    terminal = Scripted(answer)
    assert isinstance(terminal.have(ReadParameters(("40000300",))), Done)
    (kept,) = terminal.kept
    assert dlt698.decode(kept).apdu == answer(terminal.requests[0])


def test_a_code_outside_the_table_keeps_its_number() -> None:
    assert "53" in dar_words(53).en
    assert "53" in dar_words(53).zh
    assert dar_words(33).zh == "请求超时"


def piid(apdu: Apdu) -> int:
    found: int = apdu.piid  # type: ignore[attr-defined]
    return found
