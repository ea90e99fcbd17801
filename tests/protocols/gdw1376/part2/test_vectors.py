"""Frames from the wild: decoded, built again, cut anywhere, explained."""

from __future__ import annotations

import random

import pytest

from meterweave.protocols.gdw1376.part2 import CODEC
from meterweave.protocols.inspect import inspect, join_garbage
from meterweave.protocols.stream import Garbage
from tests.vectors import differences, load

VECTORS = load("gdw1376-2")
GOOD = [vector for vector in VECTORS if "afn" in vector["decoded"]]
ids = [vector["id"] for vector in VECTORS]
good_ids = [vector["id"] for vector in GOOD]


@pytest.mark.parametrize("vector", VECTORS, ids=ids)
def test_decoded_as_the_vector_says(vector):
    assert differences(vector["decoded"], inspect(CODEC, bytes.fromhex(vector["hex"]))) == []


@pytest.mark.parametrize("vector", GOOD, ids=good_ids)
def test_encoding_undoes_decoding(vector):
    octets = bytes.fromhex(vector["hex"])
    message = CODEC.decode(octets)
    assert CODEC.encode(message) == octets
    assert CODEC.from_json(CODEC.to_json(message)) == message


@pytest.mark.parametrize("vector", GOOD, ids=good_ids)
def test_built_from_the_vectors_own_keys(vector):
    message = CODEC.decode(bytes.fromhex(vector["hex"]))
    json = CODEC.to_json(message)
    wanted = dict(vector["decoded"])
    if "reserved" in json["info"]:  # reserved bits of R are in no vector
        wanted["info"] = wanted["info"] | {"reserved": json["info"]["reserved"]}
    assert CODEC.encode(CODEC.from_json(wanted)).hex() == vector["hex"]


@pytest.mark.parametrize("vector", [one for one in GOOD if "payload" in one["decoded"]])
def test_the_data_unit_is_built_from_its_names(vector):
    message = CODEC.decode(bytes.fromhex(vector["hex"]))
    json = {key: value for key, value in vector["decoded"].items() if key not in ("data", "info")}
    json["info"] = CODEC.to_json(message)["info"]
    if "content_head" in json["payload"]:  # the vector shows only the head of a file
        json["payload"] = json["payload"] | {"content": message.data[-json["payload"]["length"] :].hex()}
    assert CODEC.encode(CODEC.from_json(json)).hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS, ids=ids)
def test_the_stream_is_the_same_in_any_pieces(vector):
    octets = bytes.fromhex(vector["hex"])
    whole = _events([octets])
    assert _events([octets[at : at + 1] for at in range(len(octets))]) == whole
    dice = random.Random(vector["id"])
    for _ in range(5):
        cuts = sorted(dice.choices(range(len(octets) + 1), k=4))
        pieces = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
        assert _events(pieces) == whole


@pytest.mark.parametrize("vector", GOOD, ids=good_ids)
def test_garbage_around_hides_no_frame(vector):
    octets = bytes.fromhex(vector["hex"])
    events = _events([b"\x00\x68\x16\xfe", octets, b"\x68\x01", octets])
    assert [event for event in events if isinstance(event, bytes)] == [octets, octets]
    assert b"".join(event.octets if isinstance(event, Garbage) else event for event in events) == (
        b"\x00\x68\x16\xfe" + octets + b"\x68\x01" + octets
    )


def _events(pieces):
    decoder = CODEC.decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    # The reason of garbage may depend on where it was cut; its octets may not.
    return [
        event._replace(reason="") if isinstance(event, Garbage) else event
        for event in join_garbage([*events, *decoder.flush()])
    ]
