"""Interface N5: what a gateway and the centre say to each other, as octets and as messages; no socket, no clock.

A message is its length (four octets, the most significant first, of what follows), one octet that says what it is, and
a body: numbers in network order where there are rows of a journal, else one JSON object in UTF-8. All of it passes
inside TLS. Every length has a bound, and a smaller one until the gateway has proved who it is.

    gateway                                   centre
    Hello(version, name, key, journal)  ──►
                                        ◄──   Welcome(clock_us)         or Refusal(reason)
                                        ◄──   Plan(…)                   now, and whenever the archives change
    Rows(seq, kind, octets)             ──►                             oldest first
                                        ◄──   Kept(seq)                 on disk: the gateway may forget it
                                        ◄──   Bad(seq, reason)          never to be kept: set aside, go on
                                        ◄──   Again(seq)                not kept just now: from there again, later
                                        ◄──   Wish(id, …)
    Happened(id, …)                     ──►
    Status(…)                           ──►
    Ping                                ◄─►   Pong(clock_us)
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from meterweave.errors import ConfigError, DecodeError, EncodeError
from meterweave.field.order import Happened, Wish

VERSION = 1
"""Of the interface; the first octets of both sides say it."""

HELLO_OCTETS_MAX = 1 << 10
"""Longest message of who has not proved who it is. [octets]"""
ROWS_OCTETS_MAX = 1 << 21
"""Longest message with rows. [octets] A blob of a gateway is at most a fifth of it."""
PLAN_OCTETS_MAX = 1 << 24
"""Longest plan. [octets] Some 60,000 devices."""
SMALL_OCTETS_MAX = 1 << 18
"""Longest of all others. [octets]"""
STATUS_OCTETS_MAX = 1 << 22
"""Longest status. [octets]"""
TEXT_MAX = 500
"""Longest text in a message that is for people. [characters]"""

_HEAD = struct.Struct("!IB")
_NUMBER = struct.Struct("!Q")
_NUMBER_MAX = 1 << 63

KINDS = ("readings", "events")
"""What rows may be of, by the octet that says it."""


class Hello(NamedTuple):
    """The gateway says who it is and proves it by its key."""

    version: int
    name: str
    key: str
    journal: str
    """The id of its journal, by which two boxes with one key are told apart."""


class Welcome(NamedTuple):
    """The gateway is who it says."""

    clock_us: int
    """The centre's time of day. [us since 1970, UTC]"""


class Refusal(NamedTuple):
    """The gateway is not let in, or not any more; the connection ends."""

    reason: str


class Plan(NamedTuple):
    """What to read; see `meterweave.gateway.plan`."""

    plan: Mapping[str, Any]


class Rows(NamedTuple):
    """One blob of the gateway's journal."""

    seq: int
    kind: str
    octets: bytes
    """An Arrow IPC stream, as the journal has it."""


class Kept(NamedTuple):
    """These rows are on the centre's disk."""

    seq: int


class Bad(NamedTuple):
    """These rows, or some of them, are none that the centre will ever keep."""

    seq: int
    reason: str


class Again(NamedTuple):
    """The centre cannot keep rows just now; what follows this one it has not looked at."""

    seq: int


class Asked(NamedTuple):
    """Somebody wants something of a meter."""

    id: int
    wish: Wish
    begin_s: float
    """How long it may wait for its turn; after that nothing is sent. [s]"""


class Answered(NamedTuple):
    """What came of it."""

    id: int
    happened: Happened


class Status(NamedTuple):
    """How lines and devices fare; see `meterweave.gateway.status`."""

    status: Mapping[str, Any]


class Ping(NamedTuple):
    """Are you there?"""


class Pong(NamedTuple):
    """Yes."""

    clock_us: int
    """The sender's time of day. [us since 1970, UTC]"""


Message = Hello | Welcome | Refusal | Plan | Rows | Kept | Bad | Again | Asked | Answered | Status | Ping | Pong

_TYPES: tuple[type[Message], ...] = (
    Hello,
    Welcome,
    Refusal,
    Plan,
    Rows,
    Kept,
    Bad,
    Again,
    Asked,
    Answered,
    Status,
    Ping,
    Pong,
)
_NUMBERS: Mapping[type[Message], int] = {kind: number for number, kind in enumerate(_TYPES, 1)}
_MAX: Mapping[type[Message], int] = {
    Hello: HELLO_OCTETS_MAX,
    Plan: PLAN_OCTETS_MAX,
    Rows: ROWS_OCTETS_MAX,
    Status: STATUS_OCTETS_MAX,
}

FROM_STRANGERS = frozenset({Hello})
"""What a centre takes of a connection before it knows who is there."""
FROM_GATEWAY = frozenset({Rows, Answered, Status, Ping, Pong})
"""What it takes afterwards."""
FROM_CENTRE = frozenset({Welcome, Refusal, Plan, Kept, Bad, Again, Asked, Ping, Pong})
"""What a gateway takes."""


def encode(message: Message) -> bytes:
    """The octets of a message.

    Raises
    ------
    EncodeError
        If it is longer than its kind may be.
    """
    body = _body(message)
    most = _MAX.get(type(message), SMALL_OCTETS_MAX)
    if len(body) + 1 > most:
        raise EncodeError(f"a message of {type(message).__name__} takes {len(body) + 1} octets, at most {most} may be")
    return _HEAD.pack(len(body) + 1, _NUMBERS[type(message)]) + body


def _body(message: Message) -> bytes:
    match message:
        case Rows(seq, kind, octets):
            return _NUMBER.pack(seq) + bytes((KINDS.index(kind),)) + octets
        case Kept(seq) | Again(seq):
            return _NUMBER.pack(seq)
        case Plan(content) | Status(content):
            return _json(content)
        case Asked(number, wish, begin_s):
            return _json({"id": number, "wish": wish.to_json(), "begin_s": begin_s})
        case Answered(number, happened):
            return _json({"id": number, "happened": happened.to_json()})
        case Ping():
            return b""
        case Bad(seq, reason):
            return _json({"seq": seq, "reason": reason[:TEXT_MAX]})
        case Refusal(reason):
            return _json({"reason": reason[:TEXT_MAX]})
        case _:
            return _json(message._asdict())


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


class Decoder:
    """Octets of one side in, messages out.

    Parameters
    ----------
    takes : set of message types
        What the other side may say now; any other kind of message is refused by its head, before it is held. May be
        set anew at any time.
    """

    def __init__(self, takes: frozenset[type[Message]]) -> None:
        self.takes = takes
        self._held = bytearray()

    def feed(self, octets: bytes) -> None:
        """Octets as they came."""
        self._held += octets

    def next(self) -> Message | None:
        """The next message; None while more octets are needed.

        Raises
        ------
        DecodeError
            If this is no message that the other side may send. Nothing more can be read from it.
        """
        if len(self._held) < _HEAD.size:
            return None
        size, number = _HEAD.unpack_from(self._held)
        kind = _TYPES[number - 1] if 0 < number <= len(_TYPES) else None
        if kind not in self.takes:
            said = f"message {number}" if kind is None else kind.__name__
            raise DecodeError("bad_data", f"{said} is not what may come now", at=4)
        most = _MAX.get(kind, SMALL_OCTETS_MAX)
        if not 0 < size <= most:
            raise DecodeError("bad_length", f"a message of {kind.__name__} has {size} octets, wanted 1 to {most}", at=0)
        end = _HEAD.size + size - 1
        if len(self._held) < end:
            return None
        body = bytes(memoryview(self._held)[_HEAD.size : end])
        del self._held[:end]
        return _message(kind, body)


def _message(kind: type[Message], body: bytes) -> Message:
    """The message of a body; raises `DecodeError` and nothing else."""
    try:
        if kind is Rows:
            return _rows(body)
        if kind in (Kept, Again):
            (seq,) = _NUMBER.unpack(body)
            return Kept(_number(seq)) if kind is Kept else Again(_number(seq))
        if kind is Ping:
            if body:
                raise DecodeError("bad_length", f"a ping has no body, found {len(body)} octets")
            return Ping()
        return _spoken(kind, _object(body))
    except (struct.error, KeyError, TypeError, ValueError, RecursionError, ConfigError) as error:
        raise DecodeError("bad_data", f"a message of {kind.__name__} is not as it has to be: {error}") from error


def _rows(body: bytes) -> Rows:
    (seq,) = _NUMBER.unpack_from(body)
    kind = body[_NUMBER.size] if len(body) > _NUMBER.size else len(KINDS)
    if kind >= len(KINDS):
        raise ValueError("no such kind of rows")
    return Rows(_number(seq), KINDS[kind], body[_NUMBER.size + 1 :])


def _object(body: bytes) -> dict[str, Any]:
    found = json.loads(body.decode(), parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    if b"\\u" in body:
        json.dumps(found, ensure_ascii=False).encode()  # half a character, which no database takes, is a `ValueError`
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _spoken(kind: type[Message], told: dict[str, Any]) -> Message:
    """The messages of one JSON object."""
    if kind is Plan:
        return Plan(told)
    if kind is Status:
        return Status(told)
    if told.keys() != set(kind._fields):
        raise ValueError(f"wanted {', '.join(kind._fields)}")
    if kind is Hello:
        return Hello(_number(told["version"]), _text(told["name"]), _text(told["key"]), _text(told["journal"]))
    if kind is Welcome:
        return Welcome(_number(told["clock_us"]))
    if kind is Refusal:
        return Refusal(_text(told["reason"]))
    if kind is Bad:
        return Bad(_number(told["seq"]), _text(told["reason"]))
    if kind is Asked:
        return Asked(_number(told["id"]), Wish.from_json(told["wish"]), _seconds(told["begin_s"]))
    if kind is Answered:
        return Answered(_number(told["id"]), Happened.from_json(told["happened"]))
    return Pong(_number(told["clock_us"]))


def _number(found: object) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < _NUMBER_MAX:
        raise ValueError("no number of 63 bits")
    return found


def _seconds(found: object) -> float:
    if not isinstance(found, int | float) or isinstance(found, bool) or not 0 <= found <= 86_400:
        raise ValueError("no seconds up to a day")
    return float(found)


def _text(found: object) -> str:
    if not isinstance(found, str) or len(found) > TEXT_MAX:
        raise ValueError(f"no text of up to {TEXT_MAX} characters")
    return found
