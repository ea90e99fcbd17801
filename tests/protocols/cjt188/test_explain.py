from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import KINDS
from meterweave.protocols.cjt188 import encode, explain
from tests.protocols.cjt188.strategies import frames, known_frames
from tests.vectors import load

VECTORS = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in load("cjt188")}
HEAT = VECTORS["cjt188-033"]


def check(octets):
    """The fields join to the octets, at every depth, and every field is named in both languages."""
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    for field in fields:
        for _, one in field.walk():
            assert one.name.en
            assert one.name.zh
            if any(part.octets for part in one.parts):
                assert b"".join(part.octets for part in one.parts) == one.octets
    return fields


def faults(octets):
    return [(field.name.en, field.fault) for field in check(octets) if field.fault]


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name):
    check(VECTORS[name])


@given(frames | known_frames())
def test_frames(frame):
    assert faults(encode(frame)) == []


@given(st.binary(max_size=130) | st.binary(max_size=130).map(lambda octets: b"\x68" + octets))
def test_anything(octets):
    check(octets)


@given(known_frames(), st.data())
def test_a_frame_cut_anywhere_is_marked_where_it_stops(frame, data):
    octets = encode(frame)
    cut = octets[: data.draw(st.integers(frame.wake_up + 1, len(octets) - 1))]
    fields = check(cut)
    assert [field.fault for field in fields if field.fault] == [KINDS["truncated"]]
    assert fields[-1].fault


def test_the_words_of_a_heat_meter():
    said = {field.name.en: (field.value, field.unit) for top in explain(HEAT) for _, field in top.walk()}
    assert said["meter type T"] == ("20H", "")
    assert said["identifier DI"] == ("901FH", "")
    assert said["present heat"] == ("0.00", "kWh")
    assert said["supply water temperature"] == ("30.76", "Cel")
    assert said["accumulated working time"] == ("273", "h")
    assert said["clock of the meter"] == ("2007-09-12T11:41:32", "")
    meanings = {field.name.en: field.meaning for top in explain(HEAT) for _, field in top.walk()}
    assert meanings["status ST"].en == "valve open, battery low"
    assert meanings["status ST"].zh == "阀门开，电池欠压"
    assert meanings["control C"].en == "answer of the meter: read data"
    assert meanings["identifier DI"].en == "present data, sent low octet first"


@pytest.mark.parametrize(
    ("octets", "field", "kind"),
    [
        (b"\x69" + HEAT[1:], "octets that begin no frame", "bad_start"),
        (HEAT[:-2] + b"\x00\x16", "checksum CS", "bad_checksum"),
        (HEAT[:-1] + b"\x17", "end", "bad_end"),
        (HEAT + b"\x00", "octets behind the frame", "bad_length"),
        (HEAT[:10] + b"\x65" + HEAT[11:], "length L", "bad_length"),
        (HEAT[:10] + b"\x65", "length L", "bad_length"),
        (HEAT[:-1], "checksum CS", "truncated"),
        (HEAT[:-2], "data", "truncated"),
        (HEAT[:5], "address A0…A6", "truncated"),
    ],
)
def test_the_fault_is_marked_at_its_place(octets, field, kind):
    assert faults(octets) == [(field, KINDS[kind])]


def test_nothing_at_all():
    assert explain(b"") == []
    assert [field.octets for field in explain(b"\xfe\xfe")] == [b"\xfe\xfe"]


def test_a_value_that_is_no_number_shows_its_octets():
    octets = bytearray(HEAT)
    octets[14] = 0xAA
    shown = {field.name.en: field.value for top in explain(bytes(octets)) for _, field in top.walk()}
    assert shown["heat at the settlement day"] == "AA 00 00 00 05"
