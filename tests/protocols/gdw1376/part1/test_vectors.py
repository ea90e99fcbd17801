from __future__ import annotations

import copy
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.protocols.gdw1376.part1 import CODEC, FrameDecoder, decode, encode, from_json, to_json
from meterweave.protocols.inspect import inspect, join_garbage
from tests.vectors import differences, load

VECTORS = load("gdw1376-1")
GOOD = [vector for vector in VECTORS if "units" in vector["decoded"]]
GOOD_FRAMES = [bytes.fromhex(vector["hex"]) for vector in GOOD]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_vector_is_decoded(vector):
    assert differences(vector["decoded"], inspect(CODEC, bytes.fromhex(vector["hex"]))) == []


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["id"])
def test_a_vector_is_encoded(vector):
    octets = bytes.fromhex(vector["hex"])
    message = decode(octets)
    assert encode(message) == octets
    assert from_json(to_json(message)) == message


def _determined(vector):
    """Whether the keys say all: they know nothing of the reserved bit of an uplink control octet."""
    control = bytes.fromhex(vector["hex"])[6]
    return control & 0x90 != 0x90


@pytest.mark.parametrize("vector", [vector for vector in GOOD if _determined(vector)], ids=lambda vector: vector["id"])
def test_a_vector_s_keys_alone_give_its_octets(vector):
    assert encode(from_json(vector["decoded"])).hex() == vector["hex"]


def _named(vector):
    """Vectors whose values say all: none with a value that is missing but whose octets are not all EEH."""
    return (
        _determined(vector)
        and vector["id"] != "gdw1376-1-094"
        and any("values" in u for u in vector["decoded"]["units"])
    )


@pytest.mark.parametrize("vector", [vector for vector in GOOD if _named(vector)], ids=lambda vector: vector["id"])
def test_a_vector_s_values_alone_give_its_octets(vector):
    decoded = copy.deepcopy(vector["decoded"])
    for unit in decoded["units"]:
        del unit["data"]
    assert encode(from_json(decoded)).hex() == vector["hex"]


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["id"])
def test_own_values_alone_give_the_octets(vector):
    octets = bytes.fromhex(vector["hex"])
    found = to_json(decode(octets))
    for unit in found["units"]:
        if "values" in unit and not unit["values"][0]["name"].startswith("rts_"):
            del unit["data"]
    assert encode(from_json(found)) == octets


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_stream_is_split_alike_however_it_is_cut(vector):
    octets = bytes.fromhex(vector["hex"])
    whole, single = FrameDecoder(), FrameDecoder()
    wanted = join_garbage([*whole.feed(octets), *whole.flush()])
    found = [event for octet in octets for event in single.feed(bytes((octet,)))]
    assert join_garbage([*found, *single.flush()]) == wanted


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(st.sampled_from(GOOD_FRAMES), st.sampled_from([b"\x00\xff", b"\x68", b"\xfe\xfe", b"\x16"])),
        max_size=8,
    ),
    st.lists(st.integers(0, 2000), max_size=6),
)
def test_frames_are_found_among_noise_and_cuts(pieces, cuts):
    octets = b"".join(pieces)
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    decoder = FrameDecoder()
    events = [event for start, end in pairwise(edges) for event in decoder.feed(octets[start:end])]
    events += decoder.flush()
    assert [event for event in events if isinstance(event, bytes)] == [piece for piece in pieces if len(piece) > 2]
    assert b"".join(event if isinstance(event, bytes) else event.octets for event in events) == octets
