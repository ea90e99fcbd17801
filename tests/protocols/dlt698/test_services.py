"""Every service, made up from its own grammar, through all four forms."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.dlt698 import CODEC
from meterweave.protocols.dlt698.cursor import Writer
from meterweave.protocols.dlt698.services import (
    SERVICES,
    apdu_from_json,
    apdu_json,
    decode_apdu,
    encode_apdu,
    explain_apdu,
)
from tests.protocols.dlt698 import strategies
from tests.protocols.dlt698.test_vectors import assert_joined

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def title(kind: type) -> str:
    return kind.__name__


@pytest.mark.parametrize("kind", SERVICES, ids=title)
@settings(max_examples=12, deadline=None, suppress_health_check=RELAXED)
@given(data=st.data())
def test_a_service_survives_octets_json_and_explanation(kind, data):
    apdu = data.draw(strategies.service(kind))
    octets = encode_apdu(apdu)
    assert decode_apdu(octets) == apdu
    assert type(decode_apdu(octets)) is kind
    assert apdu_from_json(json.loads(json.dumps(apdu_json(apdu)))) == apdu
    fields = explain_apdu(octets)
    assert_joined(fields, octets)


@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
@given(message=strategies.messages())
def test_a_message_survives_octets_json_and_explanation(message):
    octets = CODEC.encode(message)
    assert CODEC.decode(octets) == message
    assert CODEC.from_json(json.loads(json.dumps(CODEC.to_json(message)))) == message
    assert_joined(CODEC.explain(octets), octets)


@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
@given(octets=st.binary(max_size=80) | strategies.apdus().map(encode_apdu), data=st.data())
def test_any_octets_decode_or_raise_decode_error(octets, data):
    changed = bytearray(octets)
    for _ in range(data.draw(st.integers(0, 3))):
        if changed:
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    mutated = bytes(changed[: data.draw(st.integers(0, len(changed)))])
    assert_joined(explain_apdu(mutated), mutated)
    fault = None
    try:
        apdu = decode_apdu(mutated)
    except DecodeError as error:
        fault = error.kind
    if fault:
        assert fault in KINDS
        return
    assert encode_apdu(apdu) == mutated
    assert apdu_from_json(apdu_json(apdu)) == apdu


KINDS = {
    "apdu_truncated",
    "apdu_trailing",
    "unknown_apdu",
    "bad_choice",
    "bad_data_tag",
    "bad_axdr_length",
    "too_deep",
}


@settings(max_examples=80, deadline=None, suppress_health_check=RELAXED)
@given(apdu=strategies.apdus(), data=st.data())
def test_lengths_wider_than_needed_come_out_as_they_went_in(apdu, data):
    places = []

    class Noting(Writer):
        def length(self, value: int) -> None:
            places.append((len(self.octets), value))
            super().length(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("meterweave.protocols.dlt698.services.Writer", Noting)
        encode_apdu(apdu)
    if not places:
        return
    at, _ = data.draw(st.sampled_from(places))
    wide = replace(apdu, wide_lengths=((at, data.draw(st.integers(3, 5))),))
    octets = encode_apdu(wide)
    assert decode_apdu(octets) == wide
    assert apdu_from_json(json.loads(json.dumps(apdu_json(wide)))) == wide
    assert_joined(explain_apdu(octets), octets)


def test_a_wide_length_must_stand_at_a_length():
    apdu = decode_apdu(bytes.fromhex("060103400102000A820007" + b"NO TEST".hex() + "00"))
    assert apdu.wide_lengths == ((8, 3),)
    with pytest.raises(EncodeError, match="wide_lengths"):
        encode_apdu(replace(apdu, wide_lengths=((3, 2),)))
    with pytest.raises(EncodeError, match="not written wide"):
        encode_apdu(replace(apdu, wide_lengths=((8, 1),)))
    with pytest.raises(EncodeError, match="not written wide"):
        encode_apdu(replace(apdu, value=(10, b"x" * 200), wide_lengths=((8, 2),)))
