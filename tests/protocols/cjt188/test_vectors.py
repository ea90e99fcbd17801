"""Every frame from the wild, both ways, and on a line."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from meterweave.errors import DecodeError
from meterweave.protocols.cjt188 import CODEC
from meterweave.protocols.inspect import inspect, join_garbage
from meterweave.protocols.stream import Garbage
from tests.vectors import differences, load

VECTORS = load("cjt188")
GOOD = [vector for vector in VECTORS if "protocol" in vector["decoded"]]


def name(vector):
    return vector["id"]


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_the_decoder_sees_what_the_vector_says(vector):
    assert differences(vector["decoded"], inspect(CODEC, bytes.fromhex(vector["hex"]))) == []


@pytest.mark.parametrize("vector", GOOD, ids=name)
@pytest.mark.parametrize("without", [(), ("data",), ("data", "control"), ("data", "payload")], ids=str)
def test_the_octets_come_back_from_the_json(vector, without):
    decoded = {key: value for key, value in vector["decoded"].items() if key not in without}
    if without == ("data", "payload") and not {"values", "valve_command"} & decoded.keys():
        decoded["payload"] = vector["decoded"].get("payload", "")
    assert CODEC.encode(CODEC.from_json(decoded)).hex() == vector["hex"]


@pytest.mark.parametrize("vector", GOOD, ids=name)
def test_wake_up_octets_belong_to_the_frame(vector):
    octets = b"\xfe\xfe\xfe" + bytes.fromhex(vector["hex"])
    assert inspect(CODEC, octets)["wake_up"] == 3
    assert CODEC.encode(CODEC.decode(octets)) == octets


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_cutting_the_stream_changes_nothing(vector):
    octets = bytes.fromhex(vector["hex"])
    dice = random.Random(vector["id"])
    wanted = _events(octets, [])
    assert _events(octets, range(1, len(octets))) == wanted
    assert _events(octets, sorted(dice.sample(range(1, len(octets)), 3))) == wanted


def _events(octets, cuts):
    """Frames and garbage of `octets` fed in pieces; the reasons for garbage may differ, its octets may not."""
    decoder = CODEC.decoder()
    edges = [0, *cuts, len(octets)]
    events = [event for start, end in pairwise(edges) for event in decoder.feed(octets[start:end])]
    return [
        ("garbage", event.octets) if isinstance(event, Garbage) else ("frame", event)
        for event in join_garbage([*events, *decoder.flush()])
    ]


@pytest.mark.parametrize("vector", GOOD, ids=name)
def test_garbage_around_hides_no_frame(vector):
    octets = bytes.fromhex(vector["hex"])
    decoder = CODEC.decoder()
    noise = bytes.fromhex("00680168ff")
    events = [*decoder.feed(noise + octets + noise + octets), *decoder.flush()]
    assert [event for event in events if isinstance(event, bytes)] == [octets, octets]


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_mutations_raise_nothing_but_decode_errors(vector):
    octets = bytes.fromhex(vector["hex"])
    dice = random.Random(vector["id"])
    for _ in range(200):
        mutated = bytearray(octets)
        for _ in range(dice.randint(1, 3)):
            mutated[dice.randrange(len(mutated))] = dice.randrange(256)
        if mutated[0] == 0x68 and len(mutated) > 13:  # a right checksum lets the damage through to the data
            mutated[-2] = sum(mutated[:-2]) & 0xFF
        assert b"".join(field.octets for field in CODEC.explain(bytes(mutated))) == mutated
        try:
            frame = CODEC.decode(bytes(mutated))
        except DecodeError:
            continue
        assert CODEC.encode(frame) == mutated
        assert CODEC.from_json(CODEC.to_json(frame)) == frame
