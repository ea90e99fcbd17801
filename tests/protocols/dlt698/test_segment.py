"""Fragments and blocks: cut, acknowledged, joined, and given up where they do not fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import EncodeError
from meterweave.protocols.dlt698.frame import DIR, Link
from meterweave.protocols.dlt698.get import BlockFailed, BlockNormal, BlockRecord, GetRequestNext, GetResponseNext
from meterweave.protocols.dlt698.message import ACKNOWLEDGEMENT, FIRST, LAST, MIDDLE, Fragment, Message, decode, encode
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.segment import (
    Acknowledge,
    AskNext,
    BlockJoiner,
    FragmentJoiner,
    FragmentSender,
    GivenUp,
    Joined,
    Whole,
    acknowledgement,
    split,
)
from meterweave.protocols.dlt698.services import decode_apdu, encode_apdu
from tests.protocols.dlt698 import strategies

LINK = Link(0xC3, 5, bytes.fromhex("120000000033"), 0x10)
FRAGMENTS = (
    "683900E30512000000003310F2EF0000"
    "850304500402000300202102000000100200000020020001011C07E805060000000105060001E240219D16",
    "683900E30512000000003310F2EF01C0"
    "0600004E2006000075300600009C4006000082B00105060000000A06000000010600000002060000DAE516",
    "681A00E30512000000003310CBF30240000306000000040000CE8416",
)
WHOLE = b"".join(bytes.fromhex(octets)[16:-3] for octets in FRAGMENTS)


def fragment(kind: int, number: int, payload: bytes = b"x") -> Message:
    return Message(Link(0xE3, 5, bytes(6), 0), fragment=Fragment(kind << 14 | number, payload))


def test_the_worked_example():
    joiner = FragmentJoiner()
    steps = [joiner.feed(decode(bytes.fromhex(octets))) for octets in FRAGMENTS]
    assert isinstance(steps[0], Acknowledge)
    assert encode(steps[0].message).hex().upper() == "6811006305120000000033100575" + "0080D67816"
    assert isinstance(steps[1], Acknowledge)
    assert encode(steps[1].message).hex().upper() == "6811006305120000000033100575" + "01800E6116"
    assert steps[2] == Joined(WHOLE)
    frames = split(decode_apdu(WHOLE), LINK, 40)
    assert [encode(frame).hex().upper() for frame in frames] == list(FRAGMENTS)


@settings(max_examples=60, deadline=None)
@given(apdu=strategies.apdus(), size_max=st.integers(1, 60))
def test_what_is_split_is_joined_again(apdu, size_max):
    frames = split(apdu, LINK, size_max)
    if len(frames) == 1:
        assert frames == [Message(LINK, apdu)]
        return
    sender, joiner = FragmentSender(frames), FragmentJoiner()
    while not sender.last:
        assert not sender.acknowledged(frames[0])  # no acknowledgement
        step = joiner.feed(decode(encode(sender.current)))
        assert isinstance(step, Acknowledge)
        again = joiner.feed(sender.current)  # sent twice, acknowledged twice, taken once
        assert again == step
        assert sender.acknowledged(step.message)
    assert not sender.acknowledged(step.message)
    assert joiner.feed(sender.current) == Joined(encode_apdu(apdu))
    assert joiner.feed(sender.current) is None


def test_a_late_acknowledgement_is_not_the_current_ones():
    frames = split(decode_apdu(WHOLE), LINK, 40)
    sender = FragmentSender(frames)
    answer = acknowledgement(frames[1])
    assert answer is not None
    assert answer.link is not None
    assert answer.link.control & DIR == 0
    assert not sender.acknowledged(answer)


def test_nothing_cannot_be_split():
    with pytest.raises(EncodeError, match="size_max"):
        split(decode_apdu(WHOLE), LINK, 0)


def test_what_needs_no_acknowledgement():
    assert acknowledgement(fragment(LAST, 2)) is None
    assert acknowledgement(fragment(ACKNOWLEDGEMENT, 2)) is None
    assert acknowledgement(Message(LINK)) is None
    assert acknowledgement(Message(None, decode_apdu(WHOLE))) is None


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([fragment(FIRST, 1)], "has number 1"),
        ([fragment(MIDDLE, 1)], "follows no first"),
        ([fragment(LAST, 1)], "follows no first"),
        ([fragment(FIRST, 0), fragment(MIDDLE, 2)], "fragment 2 follows fragment 0"),
        ([fragment(FIRST, 0), fragment(LAST, 0)], "fragment 0 follows fragment 0"),
        ([fragment(FIRST, 0, bytes(50)), fragment(LAST, 1, bytes(51))], "more than 100 octets"),
    ],
)
def test_a_transfer_that_does_not_fit_is_given_up(frames, reason):
    joiner = FragmentJoiner(size_max=100)
    *before, last = [joiner.feed(frame) for frame in frames]
    assert all(isinstance(step, Acknowledge) for step in before)
    assert isinstance(last, GivenUp)
    assert reason in last.reason
    assert isinstance(joiner.feed(fragment(FIRST, 0)), Acknowledge)  # ready for the next


def test_the_joiner_passes_over_what_is_no_part_of_an_apdu():
    joiner = FragmentJoiner()
    assert joiner.feed(Message(LINK)) is None
    assert joiner.feed(fragment(ACKNOWLEDGEMENT, 0)) is None


def test_a_first_fragment_begins_anew():
    joiner = FragmentJoiner()
    joiner.feed(fragment(FIRST, 0, b"old"))
    joiner.feed(fragment(FIRST, 0, b"new"))
    assert joiner.feed(fragment(LAST, 1, b"er")) == Joined(b"newer")


def test_numbers_of_fragments_wrap():
    joiner = FragmentJoiner()
    joiner.feed(fragment(FIRST, 0))
    for number in range(1, 4096):
        assert isinstance(joiner.feed(fragment(MIDDLE, number)), Acknowledge)
    assert joiner.feed(fragment(LAST, 0)) == Joined(b"x" * 4097)


# Blocks


def rows(*numbers: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    return tuple(((6, number),) for number in numbers)


def table(*numbers: int, oad: int = 0x50040200) -> ResultRecord:
    return ResultRecord(oad, (0x00100201,), rows(*numbers))


def block(number: int, content, *, last: int = 0) -> GetResponseNext:
    return GetResponseNext(0x45, last, number, content)


@pytest.mark.parametrize("first", [0, 1])
def test_blocks_of_a_table_are_one_table_again(first):
    joiner = BlockJoiner()
    assert joiner.feed(block(first, BlockRecord((table(1, 2),)))) == AskNext(GetRequestNext(0x05, first))
    assert joiner.feed(block(first, BlockRecord((table(1, 2),)))) == AskNext(GetRequestNext(0x05, first))  # again
    assert isinstance(joiner.feed(block(first + 1, BlockRecord((table(3),)))), AskNext)
    other = table(4, oad=0x50060200)
    last = joiner.feed(block(first + 2, BlockRecord((other,)), last=1))
    assert last == Whole(BlockRecord((table(1, 2, 3), other)))


def test_tables_that_failed_or_are_empty_are_not_joined():
    failed = ResultRecord(0x50040200, (0x00100201,), 6)
    joiner = BlockJoiner()
    joiner.feed(block(0, BlockRecord(())))
    joiner.feed(block(1, BlockRecord((failed,))))
    assert joiner.feed(block(2, BlockRecord((table(1),)), last=1)) == Whole(BlockRecord((failed, table(1))))


def test_blocks_of_values():
    one, two = ResultNormal(0x20000200, (18, 2200)), ResultNormal(0x20010200, 4)
    joiner = BlockJoiner()
    joiner.feed(block(1, BlockNormal((one,))))
    assert joiner.feed(block(2, BlockNormal((two,)), last=1)) == Whole(BlockNormal((one, two)))
    assert joiner.feed(block(1, BlockNormal((two,)), last=1)) == Whole(BlockNormal((two,)))


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([block(2, BlockNormal(()))], "first block has number 2"),
        ([block(0, BlockNormal(())), block(2, BlockNormal(()))], "block 2 follows block 0"),
        ([block(0, BlockNormal(())), block(1, BlockRecord(()))], "no answer"),
        ([block(0, BlockFailed(10), last=1)], "segmented transfer cancelled"),
        ([block(0, BlockRecord((table(*range(9)),))), block(1, BlockRecord((table(1),)))], "more than 10 results"),
        ([block(0, BlockNormal((ResultNormal(0, 0),) * 11))], "more than 10 results"),
    ],
)
def test_blocks_that_do_not_fit_are_given_up(blocks, reason):
    joiner = BlockJoiner(results_max=10)
    *_, last = [joiner.feed(one) for one in blocks]
    assert isinstance(last, GivenUp)
    assert reason in last.reason
    assert isinstance(joiner.feed(block(0, BlockNormal(()))), AskNext)
