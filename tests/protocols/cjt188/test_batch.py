from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Profile, Quality, ReadingBatch, from_readings
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_code
from meterweave.protocols.cjt188 import CODEC, Frame, decode, decode_batch, encode, readings
from meterweave.protocols.cjt188.content import write_data
from meterweave.protocols.cjt188.items import identifiers
from tests.protocols.cjt188.strategies import addresses, frames, known_frames, octet, orders, payloads
from tests.vectors import load

COLUMNS = ("meter", "quantity", "profile", "ts", "value", "missing", "quality", "source", "received", "frame")
VECTORS = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in load("cjt188")}
METER = "11110017312151"
RECEIVED = 1_700_000_000_000_000


def one_by_one(octets, received=RECEIVED, zone=SHANGHAI) -> ReadingBatch:
    """The batch as the complete decoder makes it."""
    found, bad = [], []
    for index, frame in enumerate(octets):
        try:
            found += readings(decode(frame), index=index, received=received, zone=zone)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=received, bad=tuple(bad))


def assert_same(one, other):
    for column in COLUMNS:
        left, right = getattr(one, column), getattr(other, column)
        assert left.dtype == right.dtype, column
        assert left.tolist() == right.tolist(), column
    assert one.bad == other.bad


@st.composite
def stacks(draw):
    """Many frames of one layout, with odd ones between."""
    di = draw(st.sampled_from([di for di, known in identifiers().items() if known.rules and not 0xD204 < di < 0xD500]))
    rule = draw(st.sampled_from(identifiers()[di].rules))
    types = st.sampled_from([0xAA if tens == "A" else int(tens, 16) << 4 for tens in rule.types or "1234"])
    meter_type = draw(types)
    order = draw(orders)
    control = 0x81 if rule.from_meter else 0x04
    one = st.builds(
        lambda address, ser, payload: encode(Frame(meter_type, address, control, write_data(di, order, ser, payload))),
        addresses,
        octet,
        payloads(rule.layout),
    )
    octets = draw(st.lists(one, min_size=1, max_size=12))
    for place in draw(st.lists(st.integers(0, len(octets) - 1), max_size=2)):
        broken = bytearray(octets[place])
        broken[draw(st.integers(0, len(broken) - 1))] ^= draw(st.integers(1, 255))
        octets[place] = bytes(broken)
    odd = st.one_of(known_frames().map(encode), frames.map(encode), st.binary(max_size=40))
    return draw(st.permutations(octets + draw(st.lists(odd, max_size=3))))


@settings(max_examples=100)
@given(stacks(), st.sampled_from(("Asia/Shanghai", "Europe/Berlin")))
def test_columns_are_what_the_complete_decoder_says(octets, zone):
    assert_same(decode_batch(octets, received=RECEIVED, zone=ZoneInfo(zone)), one_by_one(octets, zone=ZoneInfo(zone)))


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_alone_and_in_numbers(name):
    for octets in ([VECTORS[name]], [VECTORS[name]] * 5):
        assert_same(decode_batch(octets, received=RECEIVED), one_by_one(octets))


def test_all_vectors_together():
    octets = [*VECTORS.values()] * 6
    assert_same(decode_batch(octets, received=RECEIVED), one_by_one(octets))


def heat(clock="32411112090720", work="730200", unit="05"):
    payload = f"00010000{unit}0002000005000300001400040000350005 00002c763000683000{work}{clock}0400"
    return encode(Frame(0x20, METER, 0x81, bytes.fromhex("1f9012" + payload)))


def rows(octets):
    batch = decode_batch([octets] * 4, received=RECEIVED)
    first = batch.frame == 0
    names = batch.quantity[first].tolist()
    values = [None if gone else value for gone, value in zip(batch.missing[first], batch.value[first], strict=True)]
    return dict(zip(names, zip(values, batch.quality[first].tolist(), strict=True), strict=True)), batch


def test_a_heat_meter_in_columns():
    found, batch = rows(heat())
    assert found == {
        obis_code("6-0:1.2.0"): (36_000_000, 0),  # 1 kWh is 3.6 MJ, stored in 0.1 J
        obis_code("6-0:1.0.0"): (72_000_000, 0),
        obis_code("6-0:8.0.0"): (3000, 0),
        obis_code("6-0:9.0.0"): (40_000, 0),
        obis_code("6-0:2.0.0"): (5_000_000, 0),
        obis_code("6-0:10.0.0"): (30_760, 0),
        obis_code("6-0:11.0.0"): (30_680, 0),
        obis_code("0-0:96.8.0"): (273 * 3600, 0),
    }
    assert set(batch.meter.tolist()) == {0x11110017312151}
    assert set(batch.ts.tolist()) == {1_189_568_492_000_000}  # 2007-09-12T03:41:32Z
    assert set(batch.profile.tolist()) == {Profile.SPOT}


def test_what_quality_says():
    found, batch = rows(heat(clock="99" * 7, work="ffffff", unit="01"))
    assert set(batch.ts.tolist()) == {RECEIVED}
    assert found[obis_code("0-0:96.8.0")] == (None, Quality.NO_VALUE | Quality.TIME_INVALID)
    assert found[obis_code("6-0:1.2.0")] == (10, Quality.TIME_INVALID)
    rounded = bytearray(heat(unit="01"))
    rounded[14] = 0x05  # 1.05 J
    rounded[-2] = sum(rounded[:-2]) & 0xFF
    found, _ = rows(bytes(rounded))
    assert found[obis_code("6-0:1.2.0")] == (11, Quality.ROUNDED)


def test_a_clock_that_is_not_set_is_no_fault():
    _, batch = rows(heat(clock="00" * 7))
    assert set(batch.ts.tolist()) == {RECEIVED}
    assert set(batch.quality.tolist()) == {0}


def test_an_answer_without_a_clock_holds_when_it_came_in():
    payload = "05" + "00010000" + "00990000" + "50000000" + "0000"
    found, batch = rows(encode(Frame(0x30, METER, 0x81, bytes.fromhex("058103" + payload))))
    assert found == {obis_code("0-0:19.10.5"): (990_000, 0), obis_code("0-0:19.10.1"): (5000, 0)}
    assert set(batch.ts.tolist()) == {RECEIVED}


def test_a_unit_of_another_kind_gives_no_reading():
    found, _ = rows(heat(unit="2c"))
    assert obis_code("6-0:1.2.0") not in found
    assert obis_code("6-0:1.0.0") in found


@pytest.mark.parametrize("control", [0x01, 0x04, 0xC1, 0x84])
def test_only_good_answers_with_known_items_give_readings(control):
    octets = encode(Frame(0x10, "0" * 14, control, bytes.fromhex("17a0005500")))
    assert len(decode_batch([octets] * 5)) == 0


def test_the_wire_key_prints_as_the_address():
    address = "00000012345678"
    batch = decode_batch(
        [encode(Frame(0x10, address, 0x81, bytes.fromhex("1f9000") + b"\x01\0\0\0\x2c" * 3 + bytes(4)))]
    )
    assert {CODEC.meter_text(key) for key in batch.meter.tolist()} == {address}


def test_broken_frames_are_listed():
    octets = [heat(), heat()[:-1], heat()[:-2] + b"\x00\x16", b"", heat()]
    batch = decode_batch(octets)
    assert batch.bad == (BadFrame(1, "truncated"), BadFrame(2, "bad_checksum"), BadFrame(3, "truncated"))
    assert np.unique(batch.frame).tolist() == [0, 4]


def test_nothing_gives_nothing():
    assert len(decode_batch([])) == 0
