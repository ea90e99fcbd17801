from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.inspect import inspect
from meterweave.protocols.mbus import (
    ANYBODY,
    CODEC,
    FixedData,
    Header,
    Long,
    Message,
    Plain,
    Records,
    SecondaryAddress,
    ShortHeader,
    VariableData,
    decode,
    encode,
    explain,
    from_json,
    to_json,
)
from meterweave.protocols.mbus.frame import Frame, encode_frame
from meterweave.protocols.mbus.message import decode_body, encode_body
from tests.protocols.mbus.strategies import bodies, messages
from tests.vectors import load

HEADER = Header(SecondaryAddress("12345678", 0x2C2D, 1, 7), 5, 0, 0)
FRAMES = [bytes.fromhex(vector["hex"]) for vector in load("mbus-en13757")]


def decoded(octets: bytes) -> Message | DecodeError:
    try:
        return decode(octets)
    except DecodeError as error:
        return error


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages)
def test_octets_json_and_fields_give_the_message_back(message):
    octets = encode(message)
    assert decode(octets) == message
    assert from_json(to_json(message)) == message
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    assert not [field for top in fields for _, field in top.walk() if field.fault]


@settings(max_examples=100, deadline=None)
@given(ci=st.sampled_from(sorted(bodies)), data=st.binary(max_size=60))
def test_any_octets_behind_a_ci_field_decode_or_are_told(ci, data):
    octets = encode_frame(Frame(8, 1, ci, data))
    found = decoded(octets)
    faults = [field for top in explain(octets) for _, field in top.walk() if field.fault]
    if isinstance(found, DecodeError):
        assert found.detail["link_layer"] == "valid"
        assert len(faults) == 1
    else:
        assert encode(found) == octets
        assert faults == []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_octets_raise_nothing_but_decode_errors(octets):
    check_robust(octets)


def test_damaged_frames_raise_nothing_but_decode_errors():
    source = random.Random(13757)
    for _ in range(400):
        octets = bytearray(source.choice(FRAMES))
        for _ in range(source.randint(1, 4)):
            octets[source.randrange(len(octets))] = source.randrange(256)
        if len(octets) > 6 and source.random() < 0.7:
            octets[-2] = sum(octets[4:-2]) & 0xFF
        check_robust(bytes(octets[: source.randint(1, len(octets))] if source.random() < 0.2 else octets))
    check_robust(bytes(5000))
    check_robust(b"\x68" * 5000)


def check_robust(octets: bytes) -> None:
    found = decoded(octets)
    if isinstance(found, DecodeError):
        assert found.to_json()["error"] == found.kind
    else:
        assert encode(found) == octets
        assert from_json(to_json(found)) == found
    assert b"".join(field.octets for field in explain(octets)) == octets
    assert inspect(CODEC, octets)


@pytest.mark.parametrize(
    ("ci", "data", "kind", "at"),
    [
        (0x72, "7856341224", "header_too_short", 12),
        (0x7A, "000000", "header_too_short", 10),
        (0x52, "78563412ffffff", "header_too_short", 14),
        (0x73, "00" * 15, "header_too_short", 22),
        (0x78, "0413", "premature_end_of_record", 7),
        (0x78, "2f0413000000", "premature_end_of_record", 8),
        (0x78, "0d7805616263", "premature_end_of_record", 7),
        (0x78, "0d78", "premature_end_of_record", 7),
        (0x78, "027c09", "premature_end_of_record", 7),
        (0x78, "02fc0341", "premature_end_of_record", 7),
        (0x78, "0493" + "80" * 10 + "00", "too_many_vife", 9),
        (0x78, "84" + "80" * 10 + "0013", "too_many_dife", 7),
    ],
)
def test_the_fault_is_told_with_its_place(ci, data, kind, at):
    with pytest.raises(DecodeError) as caught:
        decode(encode_frame(Frame(8, 1, ci, bytes.fromhex(data))))
    assert (caught.value.kind, caught.value.at) == (kind, at)


def test_most_significant_octet_first_is_the_same_message():
    low = bytes.fromhex("785634122d2c0107050000010413d2040000")
    high = bytes.fromhex("123456782c2d010705000100") + bytes.fromhex("0413000004d2")
    body, other = decode_body(0x72, low), decode_body(0x76, high)
    assert isinstance(other, VariableData)
    assert other == body
    assert encode_body(0x76, other) == high
    counters = bytes.fromhex("90919293100005690000653100000069")
    fixed = decode_body(0x77, counters)
    assert isinstance(fixed, FixedData)
    assert fixed.numbers == (6531, 69)
    assert encode_body(0x77, fixed) == counters


def test_encrypted_octets_are_kept_and_not_read():
    header = HEADER._replace(signature=0x0510)
    sealed = VariableData(header, Records(()), bytes(range(16)) + b"\x2f")
    found = decode(encode(Long(8, 1, 0x72, sealed)))
    assert found.body == sealed
    assert to_json(found)["encrypted"] == sealed.sealed.hex()
    assert [field.name.en for field in explain(encode(found))][-3] == "encrypted data"
    assert to_json(decode(encode(Long(8, 1, 0x72, VariableData(header, Records(()))))))["records"] == []


@pytest.mark.parametrize(
    ("ci", "body", "words"),
    [
        (0x72, Plain(), "wanted VariableData"),
        (0x50, VariableData(None, Records(())), "wanted Plain"),
        (0x72, VariableData(None, Records(())), "header is NoneType, wanted Header"),
        (0x7A, VariableData(HEADER, Records(())), "header is Header, wanted ShortHeader"),
        (0x78, VariableData(ShortHeader(0, 0, 0), Records(())), "wanted none"),
        (0x72, VariableData(HEADER, Records(()), b"x"), "disagree about encryption"),
        (0x72, VariableData(HEADER._replace(access_number=256), Records(())), "access_number is 256"),
        (0x72, VariableData(HEADER._replace(address=ANYBODY._replace(version=-1)), Records(())), "version is -1"),
        (0x72, VariableData(HEADER._replace(address=ANYBODY._replace(identification="x")), Records(())), "id is 'x'"),
        (0x78, VariableData(None, Records((), 0, b"\x04\x13\0\0\0\0")), "begins like a record"),
        (0x78, VariableData(None, Records((), 0, b"\x04")), "begins like a record"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(ci, body, words):
    with pytest.raises(EncodeError, match=words):
        encode(Long(8, 1, ci, body))
