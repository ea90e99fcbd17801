"""Every frame from the wild, both ways, and on a line."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from meterweave.errors import DecodeError
from meterweave.protocols.checksum import crc_modbus
from meterweave.protocols.inspect import inspect, join_garbage
from meterweave.protocols.modbus import CODEC
from meterweave.protocols.stream import Garbage
from tests.vectors import differences, load

VECTORS = load("modbus-prepaid")
GOOD = [vector for vector in VECTORS if "protocol" in vector["decoded"]]


def name(vector):
    return vector["id"]


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_the_decoder_sees_what_the_vector_says(vector):
    assert differences(vector["decoded"], inspect(CODEC, bytes.fromhex(vector["hex"]))) == []


@pytest.mark.parametrize("vector", GOOD, ids=name)
def test_the_octets_come_back_from_the_json(vector):
    octets = bytes.fromhex(vector["hex"])
    assert CODEC.encode(CODEC.from_json(vector["decoded"])) == octets
    assert CODEC.encode(CODEC.from_json(inspect(CODEC, octets))) == octets
    without_body = {key: value for key, value in vector["decoded"].items() if key != "body"}
    assert CODEC.encode(CODEC.from_json(without_body)) == octets


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
    noise = bytes.fromhex("f9ff80")
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
        if mutated[0] != 0x7B:  # a right CRC lets the damage through to the data
            mutated[-2:] = crc_modbus(bytes(mutated[:-2])).to_bytes(2, "little")
        assert b"".join(field.octets for field in CODEC.explain(bytes(mutated))) == mutated
        try:
            frame = CODEC.decode(bytes(mutated))
        except DecodeError:
            continue
        assert CODEC.encode(frame) == mutated
        assert CODEC.from_json(CODEC.to_json(frame)) == frame
