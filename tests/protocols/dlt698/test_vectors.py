"""Frames from the wild: what must be seen in them, and that they come out again as they went in."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from meterweave.errors import DecodeError
from meterweave.protocols.dlt698 import CODEC
from meterweave.protocols.explain import Field
from meterweave.protocols.inspect import inspect, join_garbage
from meterweave.protocols.stream import Garbage
from tests.vectors import differences, load

VECTORS = load("dlt698-45")
GOOD = [vector for vector in VECTORS if vector["decoded"]["kind"] in {"frame", "apdu"}]
FRAMES = [vector for vector in GOOD if vector["decoded"]["kind"] == "frame"]
BAD = [vector for vector in VECTORS if vector["decoded"]["kind"] == "malformed"]

# What others may call the error, and what is known only from frames captured beside this one.
BESIDE = {"also_acceptable", "partial_note"}

# The length of this frame is wide, which the vector's keys do not say.
WIDE = "get-long-axdr-length"


def octets_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"])


def name(vector: dict[str, Any]) -> str:
    return str(vector["id"])


def test_there_are_vectors():
    assert len(VECTORS) == 145
    assert len(GOOD) == 116
    assert len(BAD) == 25


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_what_the_octets_say(vector):
    wanted = {key: value for key, value in vector["decoded"].items() if key not in BESIDE}
    assert differences(wanted, inspect(CODEC, octets_of(vector))) == []


@pytest.mark.parametrize("vector", GOOD, ids=name)
def test_octets_to_message_and_back(vector):
    octets = octets_of(vector)
    message = CODEC.decode(octets)
    assert CODEC.encode(message) == octets
    assert CODEC.from_json(json.loads(json.dumps(CODEC.to_json(message)))) == message


@pytest.mark.parametrize("vector", [one for one in GOOD if one["id"] != WIDE], ids=name)
def test_the_vectors_keys_are_enough_to_build_it(vector):
    assert CODEC.encode(CODEC.from_json(vector["decoded"])) == octets_of(vector)


def test_keys_that_follow_from_others_may_be_left_out():
    vector = next(one for one in GOOD if one["id"] == "get-4001-wildcard")
    short = {
        "link": {"control": {"dir": 0, "prm": 1}, "address": {"sa": "AAAAAAAAAAAA", "type": "wildcard"}},
        "apdu": {"service": "GetRequestNormal", "piid": 37, "oad": "40010200"},
    }
    assert CODEC.encode(CODEC.from_json(short)) == octets_of(vector)


def pieces(octets: bytes, rng: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        size = rng.randint(1, 9)
        yield octets[at : at + size]
        at += size


@pytest.mark.parametrize("vector", FRAMES, ids=name)
def test_a_stream_in_any_pieces_gives_the_same_frames(vector):
    octets = octets_of(vector)
    rng = random.Random(vector["id"])
    noise = bytes(rng.choice(b"\x00\x11\x68\x16\xfe") for _ in range(12)) + b"\x68\xff\xff\x00\x00"
    line = noise + octets + octets + noise
    for cuts in ([line], [line[at : at + 1] for at in range(len(line))], list(pieces(line, rng))):
        decoder = CODEC.decoder()
        events = [event for cut in cuts for event in decoder.feed(cut)] + decoder.flush()
        assert [event for event in events if isinstance(event, bytes)] == [octets, octets]
        assert b"".join(event.octets if isinstance(event, Garbage) else event for event in events) == line


def assert_joined(fields: tuple[Field, ...] | list[Field], octets: bytes) -> None:
    assert b"".join(field.octets for field in fields) == octets
    for field in fields:
        assert field.name.en
        assert field.name.zh
        if any(part.octets for part in field.parts):
            assert_joined(field.parts, field.octets)


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_the_fields_of_an_explanation_join_to_the_octets(vector):
    assert_joined(CODEC.explain(octets_of(vector)), octets_of(vector))


@pytest.mark.parametrize("vector", BAD, ids=name)
def test_a_bad_frame_has_its_fault_marked(vector):
    faults = [one.fault for field in CODEC.explain(octets_of(vector)) for _, one in field.walk() if one.fault]
    assert faults


@pytest.mark.parametrize("vector", GOOD, ids=name)
def test_a_good_frame_has_no_fault(vector):
    assert not [one for field in CODEC.explain(octets_of(vector)) for _, one in field.walk() if one.fault]


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_mutated_vectors_raise_decode_error_and_nothing_else(vector):
    octets = octets_of(vector)
    rng = random.Random(vector["id"])
    for _ in range(30):
        mutated = bytearray(octets)
        for _ in range(rng.randint(1, 3)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        changed = bytes(mutated[: rng.randint(1, len(mutated))])
        assert_joined(CODEC.explain(changed), changed)
        inspect(CODEC, changed)
        try:
            message = CODEC.decode(changed)
        except DecodeError:
            continue
        assert CODEC.encode(message) == changed


def test_neighbouring_garbage_and_frames_give_the_stream():
    frame = octets_of(FRAMES[0])
    events = join_garbage([Garbage(b"\x00", "x"), frame])
    assert CODEC.stream_json is not None
    assert CODEC.stream_json(events) == {"kind": "stream", "frames": [frame.hex().upper()], "errors": []}
