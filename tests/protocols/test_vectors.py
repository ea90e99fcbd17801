"""All frames from the wild, as a user meets them: whatever protocol they speak, in whatever pieces they come."""

from itertools import pairwise
from random import Random

import pytest

from meterweave import protocols
from meterweave.protocols.codec import Codec, Json
from meterweave.protocols.inspect import inspect, join_garbage, split
from meterweave.protocols.registry import named
from tests.vectors import differences, load

FILES = {
    "dlt645-2007": "dlt645",
    "dlt698-45": "dlt698",
    "gdw1376-1": "gdw1376-1",
    "gdw1376-2": "gdw1376-2",
    "cjt188": "cjt188",
    "mbus-en13757": "mbus",
    "modbus-prepaid": "modbus",
}
CASES = [pytest.param(FILES[name], vector, id=f"{name}:{vector['id']}") for name in FILES for vector in load(name)]


def is_good(wanted: Json) -> bool:
    return not isinstance(wanted.get("error"), str) and "stream" not in wanted and wanted.get("kind") != "stream"


GOOD = [case for case in CASES if is_good(case.values[1]["decoded"])]
FRAMES = [case for case in GOOD if case.values[1]["decoded"].get("kind") != "apdu"]


def codec_of(name: str) -> Codec:
    [codec] = named(name)
    return codec


@pytest.mark.parametrize(("name", "vector"), CASES)
def test_decoded_as_the_finder_says(name: str, vector: Json) -> None:
    assert differences(vector["decoded"], inspect(codec_of(name), bytes.fromhex(vector["hex"]))) == []


@pytest.mark.parametrize(("name", "vector"), GOOD)
def test_encoded_again_to_the_same_octets(name: str, vector: Json) -> None:
    codec, octets = codec_of(name), bytes.fromhex(vector["hex"])
    message = codec.decode(octets)
    assert codec.encode(message) == octets
    assert codec.from_json(codec.to_json(message)) == message
    assert protocols.encode(codec.to_json(message), name) == octets


@pytest.mark.parametrize(("name", "vector"), CASES)
def test_explained_octet_for_octet(name: str, vector: Json) -> None:
    octets = bytes.fromhex(vector["hex"])
    fields = codec_of(name).explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    for _, field in (step for one in fields for step in one.walk()):
        assert field.name.en
        assert field.name.zh
        held = b"".join(part.octets for part in field.parts)
        assert held in (b"", field.octets)


@pytest.mark.parametrize(("name", "vector"), FRAMES)
def test_recognised_without_being_told(name: str, vector: Json) -> None:
    assert differences(vector["decoded"], protocols.decode(vector["hex"])) == []


@pytest.mark.parametrize(("name", "vector"), FRAMES)
def test_found_in_noise_and_pieces(name: str, vector: Json) -> None:
    codec = codec_of(name)
    octets = bytes.fromhex(vector["hex"])
    frame = octets.lstrip(b"\xfe") if codec.wake_up else octets
    if len(frame) == 1:
        return  # an M-Bus acknowledgement is one octet, which in noise is noise
    noise = b"\x00\x55"
    stream = noise + octets + noise + octets
    whole, _ = split(codec, stream)
    assert [event for event in whole if isinstance(event, bytes)] == [frame, frame]
    random = Random(vector["id"])
    cuts = sorted(random.randrange(len(stream)) for _ in range(5))
    for edges in ([0, *cuts, len(stream)], list(range(len(stream) + 1))):
        decoder = codec.decoder()
        events = [event for start, end in pairwise(edges) for event in decoder.feed(stream[start:end])]
        assert join_garbage([*events, *decoder.flush()]) == whole
