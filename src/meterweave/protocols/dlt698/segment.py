"""What is too long for one frame or one APDU: fragments of the link layer (clause 6.2.5) and blocks of GET-Next.

The two are different, and a client must know both: a fragment is a piece of an APDU's octets, acknowledged frame by
frame; a block is an APDU of its own with whole results, asked for one by one. All objects here are pure: they take what
came in and give what is to be done; they know no clock and no socket, and what they hold is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from meterweave.errors import EncodeError
from meterweave.protocols.dlt698.apdu import ACD, Apdu
from meterweave.protocols.dlt698.frame import DIR, FRAGMENT, Link
from meterweave.protocols.dlt698.get import BlockFailed, BlockNormal, BlockRecord, GetRequestNext, GetResponseNext
from meterweave.protocols.dlt698.message import (
    ACKNOWLEDGEMENT,
    FIRST,
    FRAGMENT_NUMBER,
    LAST,
    MIDDLE,
    Fragment,
    Message,
)
from meterweave.protocols.dlt698.records import ResultRecord
from meterweave.protocols.dlt698.services import encode_apdu
from meterweave.protocols.dlt698.tables import DAR, word

APDU_SIZE_MAX = 1 << 20  # octets of an APDU that is being joined
RESULTS_MAX = 1 << 16  # results and rows of an answer that is being joined
BLOCK_NUMBER = 0xFFFF  # bits of the number of a block


# Fragments -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Send this acknowledgement."""

    message: Message


@dataclass(frozen=True, slots=True)
class Joined:
    """The APDU is whole; its last fragment is not acknowledged: a request is answered, a response needs nothing."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The transfer is given up; what was held is gone."""

    reason: str


def split(apdu: Apdu, link: Link, size_max: int) -> list[Message]:
    """The frames that carry `apdu`, each with at most `size_max` octets of it; one ordinary frame where that is enough.

    The frames but the last are to be acknowledged before the next is sent, see `FragmentSender`.

    Raises
    ------
    EncodeError
        If a field of `apdu` cannot be put into octets, or `size_max` is not positive.
    """
    octets = encode_apdu(apdu)
    if len(octets) <= size_max:
        return [Message(link, apdu)]
    return split_octets(octets, link, size_max)


def split_octets(octets: bytes, link: Link, size_max: int) -> list[Message]:
    """The fragments that carry the octets of an APDU that is longer than `size_max` octets.

    Raises
    ------
    EncodeError
        If `size_max` is not positive.
    """
    if size_max < 1:
        raise EncodeError(f"size_max: {size_max} octets hold nothing")
    marked = replace(link, control=link.control | FRAGMENT)
    parts = [octets[at : at + size_max] for at in range(0, len(octets), size_max)]
    kinds = [FIRST, *[MIDDLE] * (len(parts) - 2), LAST]
    return [
        Message(marked, fragment=Fragment(kind << 14 | number & FRAGMENT_NUMBER, part))
        for number, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    ]


def acknowledgement(message: Message) -> Message | None:
    """The acknowledgement of a fragment; None for a last fragment, which has none, and for what is no fragment."""
    link, fragment = message.link, message.fragment
    if link is None or fragment is None or fragment.kind not in {FIRST, MIDDLE}:
        return None
    answer = replace(link, control=link.control ^ DIR)
    return Message(answer, fragment=Fragment(ACKNOWLEDGEMENT << 14 | fragment.seq, b""))


class FragmentSender:
    """Sends frames one by one: the next goes when the one before is acknowledged."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._at = 0

    @property
    def current(self) -> Message:
        """The frame to send, and to send again while no acknowledgement comes."""
        return self._messages[self._at]

    @property
    def last(self) -> bool:
        """Whether the current frame is the last; what answers it is no acknowledgement."""
        return self._at == len(self._messages) - 1

    def acknowledged(self, message: Message) -> bool:
        """Take an acknowledgement; gives whether it is the current frame's, so that there is a next one to send."""
        wanted, found = self.current.fragment, message.fragment
        if self.last or wanted is None or found is None:
            return False
        if found.kind != ACKNOWLEDGEMENT or found.seq != wanted.seq:
            return False
        self._at += 1
        return True


class FragmentJoiner:
    """Joins the fragments of one partner into APDUs.

    A fragment that came before is acknowledged again and its octets are left; any other that is not the next ends the
    transfer, and so does an APDU of more than `size_max` octets. A first fragment begins anew whatever was before.
    """

    def __init__(self, size_max: int = APDU_SIZE_MAX) -> None:
        self.size_max = size_max
        self._held: bytearray | None = None
        self._number = -1  # of the fragment that came last

    def feed(self, message: Message) -> Acknowledge | Joined | GivenUp | None:
        """Take one frame; None where it is no part of an APDU, or repeats the end of one that is whole."""
        fragment = message.fragment
        if fragment is None or fragment.kind == ACKNOWLEDGEMENT:
            return None
        number = fragment.seq
        if fragment.kind == FIRST:
            if number != 0:
                return self._give_up(f"a first fragment has number {number}")
            self._held = bytearray()
        elif self._held is None:
            if fragment.kind == LAST and number == self._number:
                return None
            return self._give_up(f"fragment {number} follows no first fragment")
        elif fragment.kind == MIDDLE and number == self._number:
            return _acknowledge(message)
        elif number != (self._number + 1) & FRAGMENT_NUMBER:
            return self._give_up(f"fragment {number} follows fragment {self._number}")
        return self._take(message, fragment, self._held)

    def _take(self, message: Message, fragment: Fragment, held: bytearray) -> Acknowledge | Joined | GivenUp | None:
        held += fragment.payload
        self._number = fragment.seq
        if len(held) > self.size_max:
            return self._give_up(f"an APDU has more than {self.size_max} octets")
        if fragment.kind == LAST:
            self._held = None
            return Joined(bytes(held))
        return _acknowledge(message)

    def _give_up(self, reason: str) -> GivenUp:
        self._held = None
        self._number = -1
        return GivenUp(reason)


def _acknowledge(message: Message) -> Acknowledge | None:
    answer = acknowledgement(message)
    return Acknowledge(answer) if answer else None


# Blocks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskNext:
    """Send this request for the next block."""

    request: GetRequestNext


@dataclass(frozen=True, slots=True)
class Whole:
    """All blocks as one; tables that went on in the next block are one table again."""

    content: BlockNormal | BlockRecord


class BlockJoiner:
    """Joins the blocks of one answer to GET.

    The first block may have number 0 or 1, as devices differ; the others count on. At most `results_max` results and
    rows are held.
    """

    def __init__(self, results_max: int = RESULTS_MAX) -> None:
        self.results_max = results_max
        self._content: BlockNormal | BlockRecord | None = None
        self._number = -1  # of the block that came last

    def feed(self, response: GetResponseNext) -> AskNext | Whole | GivenUp:
        """Take one block."""
        content, number = response.content, response.block
        if isinstance(content, BlockFailed):
            return self._give_up(f"the device answers: {word(DAR, content.dar).en}")
        if self._content is None:
            if number > 1:
                return self._give_up(f"the first block has number {number}")
            self._content = content
        elif number == self._number and not response.last:
            return self._ask(response)
        elif number != (self._number + 1) & BLOCK_NUMBER:
            return self._give_up(f"block {number} follows block {self._number}")
        else:
            joined = _joined(self._content, content)
            if joined is None:
                return self._give_up("a block of values and a block of records are no answer")
            self._content = joined
        return self._take(response, self._content)

    def _take(self, response: GetResponseNext, content: BlockNormal | BlockRecord) -> AskNext | Whole | GivenUp:
        self._number = response.block
        if _size(content) > self.results_max:
            return self._give_up(f"the answer has more than {self.results_max} results")
        if response.last:
            self._content = None
            return Whole(content)
        return self._ask(response)

    def _ask(self, response: GetResponseNext) -> AskNext:
        return AskNext(GetRequestNext(response.piid_acd & ~ACD, response.block))

    def _give_up(self, reason: str) -> GivenUp:
        self._content = None
        return GivenUp(reason)


def _joined(one: BlockNormal | BlockRecord, other: BlockNormal | BlockRecord) -> BlockNormal | BlockRecord | None:
    if isinstance(one, BlockNormal) and isinstance(other, BlockNormal):
        return BlockNormal(one.results + other.results)
    if isinstance(one, BlockRecord) and isinstance(other, BlockRecord):
        return BlockRecord(_joined_tables(one.results, other.results))
    return None


def _joined_tables(one: tuple[ResultRecord, ...], other: tuple[ResultRecord, ...]) -> tuple[ResultRecord, ...]:
    """The tables of both, a table that goes on made one."""
    if one and other:
        before, after = one[-1], other[0]
        rows, more = before.outcome, after.outcome
        if before[:2] == after[:2] and not isinstance(rows, int) and not isinstance(more, int):
            return (*one[:-1], ResultRecord(before.oad, before.rcsd, rows + more), *other[1:])
    return one + other


def _size(content: BlockNormal | BlockRecord) -> int:
    if isinstance(content, BlockNormal):
        return len(content.results)
    return sum(1 + len(result.rows) for result in content.results)
