"""Frames from the wild, both ways."""

import random

import pytest

from meterweave.protocols.dlt645 import CODEC, FrameDecoder
from meterweave.protocols.inspect import inspect, join_garbage
from meterweave.protocols.stream import Garbage
from tests.vectors import differences, load

VECTORS = load("dlt645-2007")
GOOD = [vector for vector in VECTORS if "protocol" in vector["decoded"]]


def ids(vector: dict) -> str:
    return vector["id"]


@pytest.mark.parametrize("vector", VECTORS, ids=ids)
def test_octets_are_decoded(vector):
    assert differences(vector["decoded"], inspect(CODEC, bytes.fromhex(vector["hex"]))) == []


@pytest.mark.parametrize("vector", GOOD, ids=ids)
def test_octets_come_back(vector):
    octets = bytes.fromhex(vector["hex"])
    message = CODEC.decode(octets)
    assert CODEC.encode(message) == octets
    assert CODEC.from_json(CODEC.to_json(message)) == message


@pytest.mark.parametrize("vector", GOOD, ids=ids)
def test_octets_are_built_from_what_was_decoded(vector):
    octets = bytes.fromhex(vector["hex"]).lstrip(b"\xfe")
    assert CODEC.encode(CODEC.from_json(vector["decoded"])) == octets


@pytest.mark.parametrize("vector", GOOD, ids=ids)
def test_octets_are_built_from_names_and_values(vector):
    named = {name: value for name, value in vector["decoded"].items() if name != "data"}
    assert CODEC.encode(CODEC.from_json(named)) == bytes.fromhex(vector["hex"]).lstrip(b"\xfe")


@pytest.mark.parametrize("vector", VECTORS, ids=ids)
def test_cuts_do_not_matter(vector):
    octets = bytes.fromhex(vector["hex"])
    whole = in_pieces([octets])
    assert in_pieces([octets[at : at + 1] for at in range(len(octets))]) == whole
    chance = random.Random(octets)
    for _ in range(20):
        cuts = sorted(chance.choices(range(len(octets) + 1), k=4))
        pairs = zip([0, *cuts], [*cuts, len(octets)], strict=True)
        assert in_pieces([octets[start:end] for start, end in pairs]) == whole


@pytest.mark.parametrize("vector", GOOD, ids=ids)
def test_garbage_around_does_not_matter(vector):
    octets = bytes.fromhex(vector["hex"]).lstrip(b"\xfe")
    before, after = b"\x01\x68\xfe", b"\x16\x00"
    assert in_pieces([before + octets + octets + after]) == [before, octets, octets, after]


def in_pieces(pieces: list[bytes]) -> list[bytes]:
    decoder = FrameDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.flush()
    return [event.octets if isinstance(event, Garbage) else event for event in join_garbage(events)]
