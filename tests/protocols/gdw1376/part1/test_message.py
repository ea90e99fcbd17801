from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.gdw1376.part1 import (
    CODEC,
    Message,
    Unit,
    build_unit,
    decode,
    encode,
    explain,
    from_json,
    to_json,
)
from meterweave.protocols.gdw1376.part1.frame import wrap
from tests.protocols.gdw1376.part1.strategies import messages
from tests.protocols.gdw1376.part1.test_vectors import GOOD_FRAMES, VECTORS


def uplink(*units, afn=0x0C, **more):
    return Message(2, 0x88, 0x1000, 1, 2, afn, 0x60, tuple(units), **more)


def downlink(*units, afn=0x05, **more):
    return Message(2, 0x4A, 0x1000, 1, 2, afn, 0x60, tuple(units), **more)


@settings(max_examples=120, deadline=None)
@given(messages())
def test_every_message_survives_the_wire_and_json(message):
    octets = encode(message)
    assert decode(octets) == message
    assert from_json(to_json(message)) == message
    assert b"".join(field.octets for field in explain(octets)) == octets


@settings(max_examples=150)
@given(st.binary(max_size=64), st.sampled_from([0, 1, 2, 3]))
def test_any_user_data_with_a_good_frame_around_it(user_data, protocol):
    octets = wrap(protocol, user_data.ljust(8, b"\0"))
    try:
        message = decode(octets)
    except DecodeError:
        assert user_data.ljust(14)[7] & 0x80 or user_data[0] & 0xA0 == 0xA0  # AUX is promised and not there
        return
    assert encode(message) == octets
    assert from_json(to_json(message)) == message
    assert b"".join(field.octets for field in explain(octets)) == octets


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_nothing_but_decode_errors_from_any_octets(octets):
    with pytest.raises(DecodeError):
        decode(octets)
    assert b"".join(field.octets for field in explain(octets)) == octets


@settings(max_examples=120, deadline=None)
@given(st.sampled_from([bytes.fromhex(vector["hex"]) for vector in VECTORS]), st.data())
def test_nothing_but_decode_errors_from_damaged_vectors(octets, data):
    damaged = bytearray(octets)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(0, len(octets)))
    for one in (bytes(damaged), bytes(damaged[:size]), bytes(damaged) + octets):
        try:
            CODEC.to_json(decode(one))
        except DecodeError:
            assert any(field.fault for field in explain(one)) or not one
        fields = explain(one)
        assert b"".join(field.octets for field in fields) == one


def test_the_parts_of_every_field_join_to_the_field():
    for octets in GOOD_FRAMES:
        for one in explain(octets):
            for _, field in one.walk():
                inside = b"".join(part.octets for part in field.parts)
                assert inside in (b"", field.octets)


def test_what_a_message_says_of_itself():
    message = decode(GOOD_FRAMES[0])
    assert (message.uplink, message.initiated, message.number) == (True, False, 1)
    assert message.units[0].points == (0,)
    assert message.units[0].items == (1,)


def test_octets_behind_a_layout_stay_with_their_unit():
    unit = build_unit(0x0C, True, [0], [2], {"clock": "2015-12-15T11:48:49", "clock.weekday": "2"})
    longer = unit._replace(data=unit.data + bytes(5))
    message = decode(encode(uplink(longer)))
    assert message.units == (longer,)
    found = to_json(message)["units"][0]
    assert found["undecoded"] == "0000000000"
    del found["data"]
    assert from_json(to_json(message) | {"units": [found]}) == message


def test_several_points_and_items_in_one_unit():
    unit = build_unit(0x0D, False, [1, 2], [1, 2], [{"name": "freeze.day", "value": "2018-08-27"}] * 4)
    assert unit.data == bytes.fromhex("270818") * 4
    values = to_json(decode(encode(downlink(unit, afn=0x0D))))["units"][0]["values"]
    assert [(value["pn"], value["fn"]) for value in values] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_an_unknown_item_takes_the_rest():
    known = build_unit(0x0C, True, [0], [7], {"important_event_counter": 1, "ordinary_event_counter": 2})
    unknown = Unit(0, 0x1E01, bytes(9))
    message = decode(encode(uplink(known, unknown)))
    assert message.units == (known, unknown)
    assert to_json(message)["units"][1]["undecoded"] == "00" * 9


@pytest.mark.parametrize("data", ["270818" + "0101010100" * 3, "270818"])
def test_an_item_of_which_only_the_time_tag_is_known_takes_the_rest(data):
    unit = Unit(0x0101, 0x0308, bytes.fromhex(data))  # p1 F28
    message = decode(encode(uplink(unit, afn=0x0D)))
    assert message.units == (unit,)
    found = to_json(message)["units"][0]
    assert found["values"] == [{"name": "freeze.day", "value": "2018-08-27", "unit": "date"}]
    assert found.get("undecoded", "") == data[6:]


@pytest.mark.parametrize("rest", ["ee" * 5, "0101011f00", "0000ff"])
def test_octets_that_name_no_item_there_is_begin_no_unit(rest):
    unit = build_unit(0x0C, True, [0], [2], {"clock": "2015-12-15T11:48:49", "clock.weekday": "2"})
    longer = unit._replace(data=unit.data + bytes.fromhex(rest))
    assert decode(encode(uplink(longer))).units == (longer,)
    last = Unit(0x0101, 0x1E80, b"\x05")  # F248
    assert decode(encode(uplink(unit, last))).units == (unit, last)


@pytest.mark.parametrize("size", [0, 2, 16])
def test_password_sizes_are_told_by_known_data(size):
    unit = build_unit(0x05, False, [1], [1], {"trip.alarm_delay_raw": "0x00"})
    assert decode(encode(downlink(unit, pw=b"\x55" * size))).pw == b"\x55" * size


def test_a_password_of_unknown_data_is_what_the_protocol_demands():
    unit = Unit(0, 0xF001, b"\x01")
    assert decode(encode(downlink(unit, afn=0x06, pw=bytes(16)))).pw == bytes(16)
    assert decode(encode(downlink(unit, afn=0x06))).pw == b""
    old = downlink(unit, afn=0x06, pw=b"\1\2")._replace(protocol=1)
    assert decode(encode(old)).pw == b"\1\2"


def test_a_frame_that_would_be_read_otherwise_is_not_made():
    bare = Unit(0, 0x0310)  # F29
    with pytest.raises(EncodeError, match="units, pw would differ"):
        encode(downlink(*[bare] * 5))
    with pytest.raises(EncodeError, match="units"):
        encode(uplink(Unit(0, 0x0002, bytes(7)), Unit(0, 0x0040, bytes(2))))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (uplink()._replace(control=256), "control is 256"),
        (uplink()._replace(region=-1), "region is -1"),
        (uplink()._replace(terminal=1 << 16), "terminal"),
        (uplink()._replace(master=256), "msa"),
        (uplink()._replace(afn=256), "afn"),
        (uplink()._replace(seq=256), "seq"),
        (uplink()._replace(protocol=4), "protocol_bits"),
        (uplink()._replace(seq=0xE0), "tp has to be 6"),
        (uplink()._replace(control=0xA8), "ec has to be 2"),
        (uplink(tp=bytes(6)), "would differ"),
        (uplink(Unit(1 << 16, 1)), "da is 65536"),
        (uplink(Unit(0, 0xF001, bytes(1 << 14))), "octets of user data"),
    ],
)
def test_what_does_not_fit_is_refused(message, words):
    with pytest.raises(EncodeError, match=words):
        encode(message)


@pytest.mark.parametrize(
    ("user_data", "words"),
    [("8800100100020ce00000", "TpV"), ("a800100100020c6000", "ACD"), ("a800100100020ce000000000000000", "ACD")],
)
def test_aux_that_is_not_there(user_data, words):
    with pytest.raises(DecodeError, match="does not fit") as caught:
        decode(wrap(2, bytes.fromhex(user_data)))
    assert words in caught.value.detail["detail"]
    assert any(field.fault for field in explain(wrap(2, bytes.fromhex(user_data))))


def test_octets_too_few_for_a_unit():
    octets = wrap(2, bytes.fromhex("8800100100020c60000002"))
    message = decode(octets)
    assert message.rest == b"\0\0\2"
    assert from_json(to_json(message)) == message
    assert encode(message) == octets
    assert explain(octets)[-3].octets == b"\0\0\2"
