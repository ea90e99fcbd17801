from __future__ import annotations

import random
from itertools import pairwise

import pytest

from meterweave.protocols.inspect import inspect
from meterweave.protocols.mbus import CODEC, decode, encode, explain, from_json, to_json
from meterweave.protocols.stream import Garbage
from tests.vectors import differences, load

VECTORS = load("mbus-en13757")
GOOD = [vector for vector in VECTORS if "protocol" in vector["decoded"]]
BAD = [vector for vector in VECTORS if "error" in vector["decoded"]]


def named(vectors):
    return pytest.mark.parametrize("vector", vectors, ids=[vector["id"] for vector in vectors])


@named(VECTORS)
def test_the_decoder_shows_what_the_vector_wants(vector):
    assert differences(vector["decoded"], inspect(CODEC, bytes.fromhex(vector["hex"]))) == []


@named(GOOD)
def test_encoding_undoes_decoding(vector):
    octets = bytes.fromhex(vector["hex"])
    message = decode(octets)
    assert encode(message) == octets
    assert from_json(to_json(message)) == message
    assert encode(from_json(vector["decoded"])) == octets


@named([vector for vector in GOOD if "records" in vector["decoded"]])
def test_the_values_alone_give_telegrams_of_the_same_values(vector):
    records = vector["decoded"]["records"]
    lean = vector["decoded"] | {"records": [{k: v for k, v in one.items() if k != "data"} for one in records]}
    found, wanted = decode(encode(from_json(lean))), decode(bytes.fromhex(vector["hex"]))
    assert [record.text for record in found.body.records.records] == [
        record.text for record in wanted.body.records.records
    ]


@named(GOOD)
def test_any_cut_gives_the_same_frames(vector):
    octets = bytes.fromhex(vector["hex"])
    whole, single = CODEC.decoder(), CODEC.decoder()
    assert whole.feed(octets) == [octets]
    assert [event for one in octets for event in single.feed(bytes([one]))] == [octets]
    source = random.Random(vector["id"])
    noisy = b"\x00\x01" + octets + b"\x00\xff"
    cuts = [0, *sorted(source.sample(range(len(noisy)), 3)), len(noisy)]
    decoder = CODEC.decoder()
    events = [event for a, b in pairwise(cuts) for event in decoder.feed(noisy[a:b])]
    frames = [event for event in [*events, *decoder.flush()] if isinstance(event, bytes)]
    assert frames == ([] if octets == b"\xe5" else [octets])  # E5 inside noise is noise


@named(VECTORS)
def test_the_fields_are_the_frame(vector):
    octets = bytes.fromhex(vector["hex"])
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    for _, field in (entry for top in fields for entry in top.walk()):
        assert field.name.en
        assert field.name.zh
        assert not field.parts or b"".join(part.octets for part in field.parts) == field.octets


@named(BAD)
def test_a_bad_frame_has_one_fault_marked(vector):
    fields = explain(bytes.fromhex(vector["hex"]))
    assert len([field for top in fields for _, field in top.walk() if field.fault]) == 1


def test_a_stream_is_the_same_octet_by_octet():
    octets = b"".join(bytes.fromhex(vector["hex"]) + b"\x00" for vector in GOOD)
    whole, single = CODEC.decoder(), CODEC.decoder()
    together = [*whole.feed(octets), *whole.flush()]
    one_by_one = [event for one in octets for event in single.feed(bytes([one]))]
    one_by_one += single.flush()
    assert [event for event in together if not isinstance(event, Garbage)] == [
        event for event in one_by_one if not isinstance(event, Garbage)
    ]
