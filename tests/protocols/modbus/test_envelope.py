from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.modbus import Envelope, FrameDecoder, acknowledge, decode, encode, envelope, time_answer
from meterweave.protocols.modbus.envelope import meaning
from meterweave.protocols.modbus.upload import (
    inner_frame,
    read_registration,
    read_upload,
    write_registration,
    write_upload,
)
from tests.protocols.modbus.strategies import built, envelopes, registrations, uploads

ACKNOWLEDGE = bytes.fromhex("7b7b84bf237d7d")


@given(envelopes)
def test_an_envelope_is_found_among_others(one):
    decoder = FrameDecoder()
    octets = encode(one)
    events = decoder.feed(b"\xff" + octets + ACKNOWLEDGE) + decoder.flush()
    assert [event for event in events if isinstance(event, bytes)] == [octets, ACKNOWLEDGE]


@given(st.binary(max_size=60), st.data())
def test_it_is_found_however_it_comes(body, data):
    octets = encode(Envelope(0x91, b"}}" + body + b"}}"))
    cut = data.draw(st.integers(0, len(octets)))
    decoder = FrameDecoder()
    assert decoder.feed(octets[:cut]) + decoder.feed(octets[cut:]) == [octets]


@pytest.mark.parametrize(
    ("octets", "kind", "detail"),
    [
        (b"{{", "truncated", {"bytes_needed": None, "bytes_have": 2}),
        (ACKNOWLEDGE[:-1], "truncated", {"bytes_needed": None, "bytes_have": 6}),
        (ACKNOWLEDGE[:-2] + b"\x01\x02\x03", "truncated", {"bytes_needed": None, "bytes_have": 8}),
        (ACKNOWLEDGE[:-1] + b"\x00", "bad_end", {"found_end": "0x7D00"}),
        (
            ACKNOWLEDGE[:-3] + b"\x24}}",
            "bad_checksum",
            {"expected_checksum": "0x23BF", "found_checksum": "0x24BF"},
        ),
        (b"{{" + bytes(2047), "bad_length", {"detail": "length 2049 is above the maximum of 2048"}),
    ],
)
def test_errors_say_what_was_found(octets, kind, detail):
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    assert (caught.value.kind, caught.value.detail) == (kind, detail)


def test_an_envelope_begins_with_its_mark():
    with pytest.raises(DecodeError, match="7B 7B"):
        envelope.decode(b"\x01\x03")


@pytest.mark.parametrize(("one", "word"), [(Envelope(256), "command"), (Envelope(1, bytes(2042)), "body")])
def test_impossible_fields_are_named(one, word):
    with pytest.raises(EncodeError, match=word):
        encode(one)


def test_a_stream_without_end_is_given_up():
    decoder = FrameDecoder()
    events = decoder.feed(b"{{" + b"\xff" * 3000 + ACKNOWLEDGE)
    assert events[-1] == ACKNOWLEDGE


@given(registrations)
def test_registrations(said):
    assert read_registration(write_registration(said)) == said


@given(uploads)
def test_uploads(said):
    assert read_upload(write_upload(said)) == said


@given(built)
def test_pass_through(frame):
    assert inner_frame(encode(frame)) == frame
    assert inner_frame(encode(frame)[:-1]) != frame


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[[",
        b"[[x]]",
        b"[[x((]]",
        b"[[x((\x01\x03\x02\x00\x00\x00\x00))]]",  # CRC
        b"[[x((\x01\x03\x02\x00\x01\x79\x84)x]]",  # its end
        b"1234567890123456789[[]]",
    ],
)
def test_bodies_that_are_no_upload(body):
    assert read_upload(body) is None


def test_registrations_have_one_size():
    assert read_registration(bytes(57)) is None


def test_answers_to_the_meter():
    assert encode(acknowledge(Envelope(0x84, b"x"))) == ACKNOWLEDGE
    assert encode(time_answer(datetime(2021, 10, 21, 19, 36, 42))).hex() == "7b7b93150a150413242a2af07d7d"


def test_what_envelopes_are_for():
    said = {command: meaning(Envelope(command)) for command in (0x84, 0x91, 0x93, 0x00)}
    assert [words.en if words else None for words in said.values()] == [
        "registration acknowledge",
        "upload acknowledge",
        "time request",
        None,
    ]
    assert meaning(Envelope(0x84, b"x")).en == "registration"
