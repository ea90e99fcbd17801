from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Quality, ReadingBatch, Source, from_readings
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_code
from meterweave.protocols.modbus import CODEC, Envelope, Frame, Reader, build, decode, decode_batch, encode, read_reply
from meterweave.protocols.modbus.readings import stored, wire_key
from meterweave.protocols.modbus.registers import Item
from meterweave.protocols.modbus.upload import Record, Upload, write_upload
from meterweave.protocols.modbus.words import Float, Unsigned
from meterweave.text import Text
from tests.protocols.modbus.strategies import built, messages, status_answers
from tests.vectors import load

COLUMNS = ("meter", "quantity", "profile", "ts", "value", "missing", "quality", "source", "received", "frame")
VECTORS = [bytes.fromhex(vector["hex"]) for vector in load("modbus-prepaid")]
RECEIVED = 1_700_000_000_000_000


def one_by_one(octets, zone=SHANGHAI) -> ReadingBatch:
    """The batch as the complete decoder makes it."""
    reader = Reader(received=RECEIVED, zone=zone)
    found, bad = [], []
    for index, frame in enumerate(octets):
        try:
            found += reader.read(decode(frame), index)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=RECEIVED, bad=tuple(bad))


def assert_same(octets, zone=SHANGHAI):
    one, other = decode_batch(octets, received=RECEIVED, zone=zone), one_by_one(octets, zone)
    for column in COLUMNS:
        left, right = getattr(one, column), getattr(other, column)
        assert left.dtype == right.dtype, column
        assert left.tolist() == right.tolist(), column
    assert one.bad == other.bad
    return one


@st.composite
def upload_stacks(draw):
    """Many uploads of one length, with odd ones between."""
    count = draw(st.sampled_from((48, 48, 72, 10)))
    serial = draw(st.sampled_from((b"12345678901234567890", b"[[345678901234567890", b"no digits at all____", b"")))
    address = draw(st.sampled_from((b"000000000001", b"00((00000001", b"00000000001(", b"", b"(")))
    serials = st.one_of(st.just(serial), st.text("0123456789", min_size=20, max_size=20).map(str.encode))
    addresses = st.one_of(st.just(address), st.binary(min_size=len(address), max_size=len(address)))
    one = st.builds(
        lambda number, place, answer: encode(Envelope(0x91, write_upload(Upload(number, (Record(place, answer),))))),
        serials if serial else st.just(b""),
        addresses,
        status_answers(count),
    )
    octets = draw(st.lists(one, min_size=1, max_size=10))
    for place in draw(st.lists(st.integers(0, len(octets) - 1), max_size=2)):
        body = bytearray(octets[place][3:-4])
        if draw(st.booleans()):  # damage behind a right outer CRC
            body[draw(st.integers(0, len(body) - 1))] ^= draw(st.integers(1, 255))
            octets[place] = encode(Envelope(0x91, bytes(body)))
        else:
            broken = bytearray(octets[place])
            broken[draw(st.integers(0, len(broken) - 1))] ^= draw(st.integers(1, 255))
            octets[place] = bytes(broken)
    odd = st.one_of(messages.map(encode), built.map(encode), st.binary(max_size=30))
    return draw(st.permutations(octets + draw(st.lists(odd, max_size=3))))


@settings(max_examples=100)
@given(upload_stacks(), st.sampled_from(("Asia/Shanghai", "Europe/Berlin")))
def test_columns_are_what_the_complete_decoder_says(octets, zone):
    assert_same(octets, ZoneInfo(zone))


def test_vectors_together():
    assert_same(VECTORS * 5)


def status(changes=None):
    octets = bytearray(96)
    parts = {0: "0007", 2: "0898", 8: "007b", 14: "ffff", 42: "00000064", 62: "fffffc18", 80: "150a150413242a"} | (
        changes or {}
    )
    for at, value in parts.items():
        octets[at : at + len(value) // 2] = bytes.fromhex(value)
    return Frame(9, 3, b"\x60" + bytes(octets))


def upload(answer, serial=b"20210000001234567890"):
    return encode(Envelope(0x91, write_upload(Upload(serial, (Record(b"0", answer),)))))


def values(batch, frame=0):
    mine = batch.frame == frame
    return dict(zip(batch.quantity[mine].tolist(), batch.value[mine].tolist(), strict=True))


@pytest.mark.parametrize("number", [1, 5])
def test_an_upload_in_columns(number):
    batch = assert_same([upload(status())] * number)
    found = values(batch)
    assert found[obis_code("1-0:32.7.0")] == 22000
    assert found[obis_code("1-0:31.7.0")] == 1230
    assert found[obis_code("1-0:36.7.0")] == -10  # -0.001 kW in steps of 0.1 W
    assert found[obis_code("1-0:1.8.0")] == 10000
    assert found[obis_code("0-0:19.10.1")] == -100_000  # 10.00 CNY overdrawn
    assert set(batch.meter.tolist()) == {0x1234567890}
    assert set(batch.source.tolist()) == {Source.PUSHED}
    assert set(batch.ts.tolist()) == {1_634_816_202_000_000}  # 2021-10-21T11:36:42Z


def test_uploads_that_look_alike_but_are_not():
    good = upload(status())
    inner = decode(good).body
    spoiled = [
        encode(Envelope(0x91, inner[:at] + bytes([inner[at] ^ 1]) + inner[at + 1 :])) for at in range(20, len(inner))
    ]
    assert_same([good] * 3 + spoiled)
    assert_same([upload(status({62: "00000000"}))] + [octets[:-3] + b"\x00}}" for octets in spoiled])


@pytest.mark.parametrize("answer", [Frame(9, 3, b"\x02\x00\x01"), Frame(9, 3, b"\x14" + bytes(20))])
def test_uploads_of_other_registers_give_nothing(answer):
    assert len(assert_same([upload(answer)] * 5)) == 0


def test_uploads_that_are_none():
    for octets in (encode(Envelope(0x91, b"[[")), encode(Envelope(0x91)), upload(status())[:-1], b"{{\x91}}"):
        assert len(assert_same([octets] * 5)) == 0


@pytest.mark.parametrize("number", [1, 5])
def test_a_clock_that_cannot_be(number):
    batch = assert_same([upload(status({80: "150d150413242a"}))] * number)
    assert set(batch.ts.tolist()) == {RECEIVED}
    assert set(batch.quality.tolist()) == {Quality.TIME_INVALID}


def test_an_answer_counts_with_its_request():
    asked = build(3, "request", 3, {"address": 0, "count": 10})
    reply = read_reply(asked, [0, 500, *[0] * 8])
    octets = [encode(reply), encode(asked), encode(reply), encode(reply)]
    batch = assert_same(octets)
    assert set(batch.frame.tolist()) == {2}
    assert values(batch, 2)[obis_code("1-0:1.8.0")] == 50_000
    assert set(batch.meter.tolist()) == {3}
    assert set(batch.source.tolist()) == {Source.READ}


def test_a_request_that_was_not_answered_is_forgotten():
    asked = build(3, "request", 3, {"address": 0, "count": 10})
    other = Frame(3, 3, b"\x02\x00\x01")
    assert len(assert_same([encode(asked), encode(other), encode(read_reply(asked, [0] * 10))])) == 0


def test_through_an_envelope():
    asked = build(3, "request", 3, {"address": 0, "count": 10})
    reply = read_reply(asked, [0, 500, *[0] * 8])
    batch = assert_same([encode(Envelope(0x90, encode(one))) for one in (asked, reply)] + [encode(Envelope(0x90))])
    assert set(batch.source.tolist()) == {Source.FORWARDED}
    assert len(batch) == 5


def test_a_status_block_alone_counts_when_its_model_is_known():
    assert len(assert_same([encode(status())])) > 20
    assert len(assert_same([encode(Frame(9, 3, b"\x60" + bytes(96)))])) == 0


def test_broken_frames_are_listed():
    octets = [upload(status())[:-1], encode(status())[:-1], b""]
    assert assert_same(octets).bad == (BadFrame(0, "truncated"), BadFrame(1, "truncated"), BadFrame(2, "truncated"))


def test_nothing_gives_nothing():
    assert len(decode_batch([])) == 0


@pytest.mark.parametrize(
    ("serial", "address", "key"),
    [
        (b"20210000001234567890", b"1", 0x1234567890),
        (b"A1B2", b"1", 0x12),
        (b"", b"0012", 0x12),
        (b"", b"", 7),
    ],
)
def test_who_an_upload_is_from(serial, address, key):
    assert wire_key(serial, Record(address, Frame(7, 3))) == key


@pytest.mark.parametrize(("key", "text"), [(17, "17"), (0x1234567890, "1234567890")])
def test_wire_keys_print_as_people_write_them(key, text):
    assert CODEC.meter_text(key) == text


def item(word, obis):
    return Item("x", 0, word, obis_code(obis), Text("x", "x"), ())


def test_values_that_do_not_fit():
    huge = item(Unsigned(8, 0, "ABCD", 0, "kWh"), "1-0:1.8.0")
    assert stored(huge, huge.word.number(b"\xff" * 8)) == (None, Quality.OUT_OF_RANGE)
    fine = item(Float(4, 0, "ABCD", 0, "V"), "1-0:32.7.0")
    assert stored(fine, fine.word.number(bytes.fromhex("435c999a"))) == (22060, Quality.ROUNDED)
    assert stored(fine, fine.word.number(bytes.fromhex("c35c0000"))) == (-22000, Quality.GOOD)
    assert stored(fine, fine.word.number(bytes.fromhex("7fc00000"))) == (None, Quality.NO_VALUE)
