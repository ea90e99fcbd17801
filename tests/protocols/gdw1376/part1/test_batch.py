from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, ReadingBatch, from_readings
from meterweave.metering.clock import SHANGHAI
from meterweave.protocols.gdw1376.part1 import Message, Unit, decode, decode_batch, encode, readings
from meterweave.protocols.gdw1376.part1.batch import PLANS_MAX
from meterweave.protocols.gdw1376.part1.catalogue import layout_of
from meterweave.protocols.gdw1376.part1.frame import wrap
from tests.protocols.gdw1376.part1.strategies import digits, known_keys, layout_data, messages
from tests.protocols.gdw1376.part1.test_vectors import GOOD_FRAMES, VECTORS

NOW = 1_700_000_000_000_000
COLUMNS = ("meter", "quantity", "profile", "ts", "value", "missing", "quality", "source", "received", "frame")
MEASURING = [(afn, fn) for afn in (0x0C, 0x0D) for _, fn in known_keys(True, afn) if layout_of(afn, True, fn).profile]


def one_by_one(frames, zone=SHANGHAI) -> ReadingBatch:
    found, bad = [], []
    for index, frame in enumerate(frames):
        try:
            found += readings(decode(frame), index=index, received=NOW, zone=zone)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=NOW, bad=tuple(bad))


def assert_equal(frames, zone=SHANGHAI):
    fast, slow = decode_batch(frames, received=NOW, zone=zone), one_by_one(frames, zone)
    for name in COLUMNS:
        one, other = getattr(fast, name), getattr(slow, name)
        assert one.dtype == other.dtype, name
        assert one.tolist() == other.tolist(), name
    assert fast.bad == slow.bad
    return fast


def test_all_vectors_together():
    frames = [bytes.fromhex(vector["hex"]) for vector in VECTORS] * 5
    batch = assert_equal(frames)
    assert len(batch) > 500
    assert len(batch.bad) > 20
    assert batch.to_arrow().num_rows == len(batch)


def test_nothing_gives_nothing():
    assert_equal([])
    assert_equal([b"", b"", b"", b"", b"", b"h" * 30, b"h" * 30, b"h" * 30, b"h" * 30])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(MEASURING), st.data())
def test_frames_of_one_structure(key, data):
    afn, fn = key
    dt = (fn - 1) // 8 << 8 | 1 << (fn - 1) % 8
    first = data.draw(layout_data(layout_of(afn, True, fn)))
    counts = _structure(layout_of(afn, True, fn), first)
    frames = []
    for _ in range(data.draw(st.integers(4, 8))):
        body = bytearray(data.draw(st.one_of(digits(len(first)), st.just(first))))
        for place in counts:
            body[place] = first[place]
        _spoil(body, data)
        da = data.draw(st.sampled_from([0, 0x0101, 0x0180, 0xFF80, 0x00FF, 0x0103]))
        units = (Unit(da, dt, bytes(body)),) * data.draw(st.integers(1, 2))
        message = Message(2, data.draw(st.sampled_from([0x88, 0xC4])), 0x9912, 0xFFEE, 2, afn, 0x60, units)
        frames.append(wrap(2, _user_data(message)))
    assert_equal(frames)


def _structure(layout, octets):
    runs = layout.find(octets).runs
    counting = [run for run in runs if run.cell.format.counts or run.cell.name == "curve.density"]
    return [place for run in counting for place in range(run.at, run.at + run.size)]


def _spoil(body, data):
    """Signs, missing values, impossible times and other structures."""
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(
            st.sampled_from([0x00, 0x01, 0x13, 0x99, 0xEE, 0xFF, 0x80])
        )


def _user_data(message):
    head = bytes((message.control, 0x12, 0x99, 0xEE, 0xFF, message.master, message.afn, message.seq))
    units = [unit.da.to_bytes(2, "little") + unit.dt.to_bytes(2, "little") + unit.data for unit in message.units]
    return head + b"".join(units)


@settings(max_examples=60, deadline=None)
@given(st.lists(messages(uplink=True), max_size=4), st.data())
def test_any_mixture_of_frames(some, data):
    frames = [encode(message) for message in some] * 5 + GOOD_FRAMES[::7] * 2
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.integers(0, len(frames) - 1))
        frame = bytearray(frames[place])
        frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
        frames[place] = bytes(frame)
    assert_equal(data.draw(st.permutations(frames)))


def test_more_structures_of_one_length_than_plans():
    frames = []
    for fn in range(1, 2 * PLANS_MAX):
        dt = fn // 8 << 8 | 1 << fn % 8
        frames.append(wrap(2, bytes.fromhex("8800100100020d600101") + dt.to_bytes(2, "little") + bytes(10)))
    assert_equal(frames)
    assert_equal(frames + frames)


def test_good_links_around_bad_data():
    batch = assert_equal([wrap(2, bytes.fromhex("8800100100020ce00000"))] * 6)
    assert [bad.kind for bad in batch.bad] == ["bad_data"] * 6


def test_a_day_of_points():
    points = bytes.fromhex("0122") * 96
    head = bytes.fromhex("8800100100020d600101010b00000103240160")
    frames = [wrap(2, head[:3] + terminal.to_bytes(2, "little") + head[5:] + points) for terminal in range(1, 51)]
    batch = assert_equal(frames)
    assert len(batch) == 50 * 96
    assert np.unique(batch.meter).tolist() == [0x1000_0000_0001 + (terminal << 16) for terminal in range(1, 51)]
    assert (np.diff(batch.ts.reshape(50, 96), axis=1) == 900_000_000).all()


def test_curves_of_no_density_and_of_no_day():
    head = bytes.fromhex("8800100100020d600101010b0000010324010201220222")
    for change in (b"\x00\x02", b"\xfd\x02"):
        batch = assert_equal([wrap(2, head.replace(b"\x01\x02\x01\x22", change + b"\x01\x22"))] * 5)
        assert batch.ts.tolist() == [NOW] * 10
    assert assert_equal([wrap(2, head.replace(b"\x01\x03\x24", b"\x32\x13\x24"))] * 5).ts.tolist() == [NOW] * 10


def test_clocks_that_change():
    head = bytes.fromhex("8800100100020d600101010b")
    starts = ["3002310324", "3002271024", "0003310324", "0000010124", "4501061024"]
    frames = [wrap(2, head + bytes.fromhex(start) + bytes.fromhex("010201220222")) for start in starts]
    assert_equal(frames, ZoneInfo("Europe/Berlin"))
    assert_equal(frames, ZoneInfo("Australia/Lord_Howe"))


def test_forwarded_frames_of_two_protocols_keep_their_order():
    electricity = bytes.fromhex("6861100130121568910833333433ab3933334916")
    body = bytes.fromhex("6810010203040506078116901f00002301002c000000002c" + "00" * 7 + "0000")
    body += bytes((sum(body) & 255, 0x16))
    units = tuple(
        Unit(0, 1, b"\x02" + len(inner).to_bytes(2, "little") + inner)
        for inner in (electricity, body, b"", b"\1\2\3", electricity)
    )
    frame = encode(Message(2, 0x88, 0x1000, 1, 2, 0x10, 0x60, units))
    batch = assert_equal([frame] * 6)
    assert batch.meter.reshape(6, -1)[0].tolist()[0] == 0x151230011061
    assert len(np.unique(batch.meter)) == 2
