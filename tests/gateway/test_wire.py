"""Messages of interface N5: there and back, cut anywhere, bounded, and whatever comes, `DecodeError` alone."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.field.order import Happened, Outcome, Wish
from meterweave.gateway.wire import (
    FROM_CENTRE,
    FROM_GATEWAY,
    FROM_STRANGERS,
    HELLO_OCTETS_MAX,
    ROWS_OCTETS_MAX,
    TEXT_MAX,
    VERSION,
    Again,
    Answered,
    Asked,
    Bad,
    Decoder,
    Hello,
    Kept,
    Message,
    Ping,
    Plan,
    Pong,
    Refusal,
    Rows,
    Status,
    Welcome,
    encode,
)
from meterweave.text import Text

EVERYTHING = FROM_STRANGERS | FROM_GATEWAY | FROM_CENTRE
NUMBER = st.integers(0, (1 << 63) - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
"""Texts that a database can hold: a wish may have no others."""
WISH = st.builds(
    Wish,
    meter=st.integers(1, (1 << 63) - 1),
    action=st.sampled_from(["read", "state", "trip", "price"]),
    values=st.dictionaries(WORDS, WORDS, max_size=3),
    level=st.integers(0, 255),
    password=st.binary(min_size=3, max_size=3),
    operator=st.binary(min_size=4, max_size=4),
    unproven=st.booleans(),
)
HAPPENED = st.builds(
    Happened, st.sampled_from(Outcome), st.none() | st.builds(Text, WORDS, WORDS), st.none() | st.booleans()
)
CONTENT = st.dictionaries(WORDS, st.integers() | WORDS | st.lists(WORDS, max_size=2), max_size=3)
MESSAGE: st.SearchStrategy[Message] = st.one_of(
    st.builds(Hello, NUMBER, WORDS, WORDS, WORDS),
    st.builds(Welcome, NUMBER),
    st.builds(Refusal, WORDS),
    st.builds(Plan, CONTENT),
    st.builds(Rows, NUMBER, st.sampled_from(["readings", "events"]), st.binary(max_size=100)),
    st.builds(Kept, NUMBER),
    st.builds(Bad, NUMBER, WORDS),
    st.builds(Again, NUMBER),
    st.builds(Asked, NUMBER, WISH, st.integers(0, 86_400).map(float)),
    st.builds(Answered, NUMBER, HAPPENED),
    st.builds(Status, CONTENT),
    st.just(Ping()),
    st.builds(Pong, NUMBER),
)


def all_of(decoder: Decoder) -> list[Message]:
    found = []
    while (message := decoder.next()) is not None:
        found.append(message)
    return found


@given(st.lists(MESSAGE, max_size=4), st.data())
def test_messages_come_out_as_they_went_in_wherever_cut(messages: list[Message], data: st.DataObject) -> None:
    octets = b"".join(map(encode, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=4)))
    decoder, found = Decoder(EVERYTHING), list[Message]()
    for begin, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        decoder.feed(octets[begin:end])
        found += all_of(decoder)
    assert found == messages
    assert list(map(type, found)) == list(map(type, messages))


@given(st.one_of(st.binary(max_size=60), MESSAGE.map(encode)), st.data())
def test_whatever_comes_is_a_message_or_a_decode_error(octets: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(octets)
    for _ in range(data.draw(st.integers(0, 3))):
        if spoilt:
            spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    decoder = Decoder(EVERYTHING)
    decoder.feed(bytes(spoilt))
    try:
        all_of(decoder)
    except DecodeError as error:
        assert error.kind in ("bad_data", "bad_length")  # noqa: PT017 - most of what is drawn is refused


@pytest.mark.parametrize(
    ("takes", "octets"),
    [
        (FROM_STRANGERS, struct.pack("!IB", HELLO_OCTETS_MAX + 1, 1)),
        (FROM_GATEWAY, struct.pack("!IB", ROWS_OCTETS_MAX + 1, 5)),
        (FROM_CENTRE, struct.pack("!IB", 0, 4)),
        (FROM_GATEWAY, struct.pack("!IB", 10, 99)),
        (FROM_GATEWAY, struct.pack("!IB", 10, 0)),
    ],
)
def test_an_impossible_length_or_kind_is_refused_by_its_head_alone(
    takes: frozenset[type[Message]], octets: bytes
) -> None:
    decoder = Decoder(takes)
    decoder.feed(octets)
    with pytest.raises(DecodeError):
        decoder.next()


@pytest.mark.parametrize("message", [Rows(1, "readings", b""), Ping(), Kept(3)])
def test_a_stranger_says_hello_and_nothing_else(message: Message) -> None:
    decoder = Decoder(FROM_STRANGERS)
    decoder.feed(encode(message))
    with pytest.raises(DecodeError, match="not what may come now"):
        decoder.next()


def spoken(number: int, body: bytes) -> bytes:
    return struct.pack("!IB", len(body) + 1, number) + body


@pytest.mark.parametrize(
    "octets",
    [
        spoken(1, json.dumps({"version": VERSION, "name": "a", "key": "b"}).encode()),
        spoken(1, json.dumps({"version": "1", "name": "a", "key": "b", "journal": "c"}).encode()),
        spoken(1, json.dumps({"version": 1, "name": "a" * (TEXT_MAX + 1), "key": "b", "journal": "c"}).encode()),
        spoken(1, json.dumps({"version": 1, "name": ["a"], "key": "b", "journal": "c"}).encode()),
        spoken(4, b"[" * 2000),
        spoken(4, b"[1]"),
        spoken(4, b'{"a": NaN}'),
        spoken(4, b"\xff"),
        spoken(4, b'{"a": ["\\ud800"]}'),
        spoken(5, b"\x00" * 8),
        spoken(5, b"\xff" * 9),
        spoken(6, b"\x00" * 7),
        spoken(9, json.dumps({"id": 1, "wish": {}, "begin_s": 1}).encode()),
        spoken(9, json.dumps({"id": 1, "wish": Wish(meter=1, action="read").to_json(), "begin_s": -1}).encode()),
        spoken(12, b"x"),
    ],
)
def test_a_body_that_is_not_as_it_has_to_be_is_refused(octets: bytes) -> None:
    decoder = Decoder(EVERYTHING)
    decoder.feed(octets)
    with pytest.raises(DecodeError):
        decoder.next()


def test_what_is_too_long_is_not_sent() -> None:
    with pytest.raises(EncodeError, match="at most"):
        encode(Rows(1, "readings", bytes(ROWS_OCTETS_MAX)))


def test_a_reason_is_cut_where_it_is_too_long() -> None:
    decoder = Decoder(EVERYTHING)
    decoder.feed(encode(Refusal("x" * 2 * TEXT_MAX)))
    assert decoder.next() == Refusal("x" * TEXT_MAX)
