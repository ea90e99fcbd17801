from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterweave.metering.batch import BadFrame, Quality
from meterweave.metering.clock import SHANGHAI
from meterweave.protocols.mbus import (
    Header,
    Long,
    Record,
    Records,
    SecondaryAddress,
    VariableData,
    decode_batch,
    encode,
    make_record,
)
from meterweave.protocols.mbus.batch import Layout, _one_by_one
from meterweave.protocols.mbus.record import make_head
from tests.protocols.mbus.strategies import headers, octet, records
from tests.vectors import load

FRAMES = [bytes.fromhex(vector["hex"]) for vector in load("mbus-en13757")]
COLUMNS = ("meter", "quantity", "profile", "ts", "value", "missing", "quality", "source", "received", "frame")

HEADS = [
    make_head(bytes.fromhex(head))
    for head in (
        "0413", "0213", "0313", "0613", "0713", "0113", "0c13", "0e13", "0a13", "4413", "840113", "0406", "0c06",
        "0403", "841003", "04833c", "02fd48", "02fdc8fc02", "0c2b", "0433", "0403", "07fb01", "0533", "0513", "0d13c3",
        "0d13d3", "0d13e9", "0d13ca", "049379", "059379", "0c9315", "042b", "025b", "0a5f", "0262", "0227", "0c6e",
        "046d", "066d", "026d", "036d", "426c", "446d", "466d", "82016c", "c2016d", "046d", "01fd17", "0c78", "0d7803",
        "0493ff01", "140b", "84400b", "0813", "0013", "0453", "0443", "0444", "04937d", "7f",
    )
]  # fmt: skip


@st.composite
def layouts(draw: st.DrawFn) -> list[bytes]:
    """Telegrams of one layout, everything varied that a layout leaves free; some of them damaged."""
    heads = draw(st.lists(st.one_of(st.sampled_from(HEADS), records().map(lambda record: record.head)), max_size=6))
    fillers = draw(st.lists(st.sampled_from((0, 0, 0, 2)), min_size=len(heads), max_size=len(heads)))
    tail = draw(st.sampled_from((b"", b"\x0f", b"\x0fxy", b"\x1fz", b"\x3fq", b"\x0d\x13\xf9")))
    medium = draw(st.sampled_from((2, 3, 4, 7, 10, 8)))
    frames: list[bytes] = []
    for _ in range(draw(st.integers(1, 9))):
        content = tuple(
            Record(head, draw(data(head.size)), filler) for head, filler in zip(heads, fillers, strict=True)
        )
        address = SecondaryAddress(
            draw(st.binary(min_size=4, max_size=4)).hex(), draw(st.integers(0, 65535)), 1, medium
        )
        body = VariableData(Header(address, draw(octet), draw(octet), 0), Records(content, 0, tail))
        frames.append(encode(Long(8, draw(octet), 0x72, body)))
        if draw(st.integers(0, 9)) == 0:
            frames[-1] = draw(damaged(frames[-1]))
    return frames


def data(size: int) -> st.SearchStrategy[bytes]:
    decimal = st.lists(st.integers(0, 99), min_size=size, max_size=size).map(
        lambda pairs: bytes(16 * (pair // 10) + pair % 10 for pair in pairs)
    )
    signed = decimal.map(lambda octets: octets[:-1] + bytes([octets[-1] & 0x0F | 0xF0]) if octets else octets)
    moments = st.sampled_from([bytes.fromhex("0b0bcd1300")[:size], bytes.fromhex("050b0bcd1311")[:size]]).filter(
        lambda octets: len(octets) == size
    )
    plain = st.binary(min_size=size, max_size=size)
    return st.one_of(plain, decimal, signed, *([moments] if 4 <= size <= 6 else []))


@st.composite
def damaged(draw: st.DrawFn, frame: bytes) -> bytes:
    octets = bytearray(frame)
    octets[draw(st.integers(0, len(octets) - 1))] = draw(octet)
    if draw(st.booleans()):
        octets[-2] = sum(octets[4:-2]) & 0xFF
    return bytes(octets)


def check_same(frames: list[bytes], received: int, zone: ZoneInfo) -> None:
    fast = decode_batch(frames, received=received, zone=zone)
    slow = _one_by_one(frames, range(len(frames)), received, zone)
    for name in COLUMNS:
        found, wanted = getattr(fast, name), getattr(slow, name)
        assert found.dtype == wanted.dtype
        assert found.tolist() == wanted.tolist(), name
    assert fast.bad == slow.bad
    assert fast.to_arrow().num_rows == len(slow)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(layouts(), min_size=1, max_size=3),
    st.integers(0, 2**50),
    st.sampled_from([SHANGHAI, ZoneInfo("Europe/Berlin")]),
    st.randoms(use_true_random=False),
)
def test_columns_are_what_the_complete_decoder_says(groups, received, zone, source):
    frames = [frame for group in groups for frame in group]
    source.shuffle(frames)
    check_same(frames, received, zone)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(HEADS),
    st.integers(2, 12),
    st.data(),
)
def test_one_record_many_values(head, rows, draw):
    if head.octets == b"\x7f":
        head = HEADS[0]
    header = Header(SecondaryAddress("00000001", 1, 1, draw.draw(st.sampled_from((2, 3, 4, 7)))), 0, 0, 0)
    clock = make_head(bytes.fromhex("046d"))
    frames = [
        encode(Long(8, 1, 0x72, VariableData(header, Records((Record(clock, draw.draw(data(4))), Record(head, one))))))
        for one in draw.draw(st.lists(data(head.size), min_size=rows, max_size=rows))
    ]
    check_same(frames, 5, SHANGHAI)


def test_the_vectors_in_bulk():
    check_same(FRAMES * 6, 7, SHANGHAI)
    batch = decode_batch(FRAMES * 6)
    assert len(batch) > 1000
    assert len(batch.bad) == 6 * 14


def test_nothing_is_nothing():
    assert len(decode_batch([])) == 0
    assert decode_batch([b""]).bad == (BadFrame(0, "truncated"),)


def test_telegrams_of_one_meter_type_are_stacked():
    water = bytes.fromhex("0413")

    def frame(value: str, medium: int = 7) -> bytes:
        header = Header(SecondaryAddress("12345678", 1, 1, medium), 0, 0, 0)
        return encode(Long(8, 1, 0x72, VariableData(header, Records((make_record(water, value),)))))

    frames = [frame(f"{index}.000") for index in range(100)]
    layout = Layout.of(frames[0])
    assert layout is not None
    assert layout.matches(np.frombuffer(b"".join(frames), np.uint8).reshape(100, -1)).all()
    assert not layout.matches(np.frombuffer(frame("0.000", 3), np.uint8).reshape(1, -1)).any()
    assert decode_batch(frames).value.tolist() == [1_000_000 * index for index in range(100)]
    broken = frames[3][:-2] + bytes([frames[3][-2] ^ 1, 0x16])
    batch = decode_batch([*frames, broken])
    assert batch.bad == (BadFrame(100, "bad_checksum"),)
    assert len(batch) == 100


def test_many_layouts_of_one_length_still_decode():
    frames = []
    for index in range(80):
        head = make_head(bytes([0x84, 0x80 | index & 0x0F, index >> 4, 0x13]))
        header = Header(SecondaryAddress("12345678", 1, 1, 7), 0, 0, 0)
        body = VariableData(header, Records((Record(head, bytes(4)), make_record(b"\x04\x13", "1.000"))))
        frames += [encode(Long(8, 1, 0x72, body))] * 4
    check_same(frames, 0, SHANGHAI)


def test_numbers_too_large_for_the_columns_are_told():
    header = Header(SecondaryAddress("12345678", 1, 1, 4), 0, 0, 0)
    for head in ("07fb01", "0406", "0513", "0d06e8"):
        content = [
            Records((Record(make_head(bytes.fromhex(head)), bytes([fill]) * make_head(bytes.fromhex(head)).size),))
            for fill in (0x00, 0x7F, 0x80, 0x7E, 0xFF, 0x01)
        ]
        frames = [encode(Long(8, 1, 0x72, VariableData(header, one))) for one in content]
        check_same(frames * 3, 0, SHANGHAI)
    assert Quality.OUT_OF_RANGE in decode_batch(frames).quality


def test_extreme_scales_are_left_to_the_complete_decoder():
    header = Header(SecondaryAddress("12345678", 1, 1, 7), 0, 0, 0)
    for head in ("0490" + "f0" * 8 + "70", "0490" + "fd" * 8 + "7d"):
        content = [
            Records((Record(make_head(bytes.fromhex(head)), bytes([fill, 0, 0, 0])),)) for fill in (0, 1, 2, 3, 4, 5)
        ]
        check_same([encode(Long(8, 1, 0x72, VariableData(header, one))) for one in content], 0, SHANGHAI)


def test_encrypted_telegrams_give_nothing():
    header = Header(SecondaryAddress("12345678", 1, 1, 7), 0, 0, 0x0510)
    frame = encode(Long(8, 1, 0x72, VariableData(header, Records(()), bytes(16))))
    check_same([frame] * 5, 0, SHANGHAI)
    assert len(decode_batch([frame] * 5)) == 0


def test_every_coding_has_its_column():
    header = Header(SecondaryAddress("12345678", 1, 1, 7), 0, 0, 0)
    for heads in (
        ("066d", "0413"),
        ("466c", "4413"),
        ("0d13d3",),
        ("0d13c3",),
        ("0313",),
        ("0e13",),
        ("0513",),
        ("059315",),
        ("0c9315",),
    ):
        known = [make_head(bytes.fromhex(head)) for head in heads]
        content = [
            Records(tuple(Record(head, bytes([step] * head.size)) for head in known)) for step in (0, 1, 0x12, 0xF1, 9)
        ]
        frames = [encode(Long(8, 1, 0x72, VariableData(header, one))) for one in content]
        check_same(frames, 0, SHANGHAI)
        assert len(decode_batch(frames)) == 5


@settings(max_examples=50, deadline=None)
@given(headers, st.integers(1, 8))
def test_wire_keys_in_columns(header, rows):
    header = header._replace(signature=0, address=header.address._replace(medium=7))
    frame = encode(Long(8, 1, 0x72, VariableData(header, Records((make_record(b"\x04\x13", "1.000"),)))))
    check_same([frame] * rows, 0, SHANGHAI)
