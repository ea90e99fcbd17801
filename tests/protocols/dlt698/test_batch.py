"""Many frames in columns give exactly what the complete decoder gives one by one."""

from __future__ import annotations

from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.metering.clock import SHANGHAI
from meterweave.protocols.checksum import crc_x25
from meterweave.protocols.dlt698.batch import SEGMENTS_MAX
from meterweave.protocols.dlt698.layouts import find_head
from tests import vectors
from tests.protocols.dlt698.batches import (
    check,
    server,
    told,
)
from tests.protocols.dlt698.makers import Maker

NEW_YORK = ZoneInfo("America/New_York")


@settings(max_examples=60, deadline=None)
@given(seeds=st.lists(st.integers(0, 1 << 32), min_size=1, max_size=3), zone=st.sampled_from((SHANGHAI, NEW_YORK)))
def test_columns_are_what_the_complete_decoder_gives(seeds: list[int], zone: ZoneInfo) -> None:
    makers = [Maker(seed) for seed in seeds]
    frames = [maker.frame() for maker in makers for _ in range(16)]
    Random(seeds[0]).shuffle(frames)
    check(frames, zone)


def test_rows_of_many_layouts_are_all_read() -> None:
    rows = "".join(f"09{size:02X}{'00' * size}1208FC" for size in range(SEGMENTS_MAX + 3))
    apdu = f"85 03 05 50040200 02 0040020200 0020000201 01 {SEGMENTS_MAX + 3:02X} {rows} 0000"
    assert len(told(server(apdu))) == SEGMENTS_MAX + 3


def test_frames_of_many_heads_are_all_read() -> None:
    apdus = [f"85 02 00 {1 + count:02X} {'20000201011208FC' * (1 + count)} 0000" for count in range(40)]
    frames = [server(apdu) for apdu in apdus for _ in range(9)]
    assert len(check(frames)) == 9 * sum(range(1, 41))


def test_what_is_broken_is_told_and_no_hindrance() -> None:
    good = server("85 01 00 20000201 01 1208FC 0000")
    flipped = [good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :] for at in range(len(good))]
    cut = [good[:size] for size in range(len(good))]
    batch = check([good, *flipped, good, *cut, good + b"\0", b"\xfe" * 4 + good, good] + [good] * 8)
    assert len(batch.bad) == len(flipped) + len(cut) + 1
    assert set(batch.value.tolist()) == {23000}


def test_a_count_of_rows_that_lies() -> None:
    head = "85 03 05 50040200 01 0020000201 01"
    good = server(f"{head} 02 1208FC 1208FD 0000")
    lies = [server(f"{head} {count} 1208FC 1208FD 0000") for count in ("01", "03", "7F", "8102", "820002")]
    batch = check([good] * 9 + lies * 9)
    assert (len(batch), len(batch.bad)) == (3 * 18, 3 * 9)
    nothing = server(f"{head} 02 0000 0000")
    looks_like_129 = server(f"{head} 81 {'00' * 129} 0000")
    assert {bad.frame for bad in check([nothing, looks_like_129] * 9).bad} == set(range(1, 18, 2))


def test_segments_that_are_wrong_inside_good_frames() -> None:
    rows, values = "85 03 05 50040200 01 0020000201 01", "85 02 05 01 20000201"
    assert (
        len(check([server(f"{rows} 02 1208FC {end} 0000") for end in ("1208FD", "1208", "FF", "") for _ in "12345678"]))
        == 16
    )
    assert (
        len(check([server(f"{values} {end} 0000") for end in ("011208FC", "021208FC", "0112") for _ in "12345678"]))
        == 8
    )
    assert (
        len(check([server(f"85 03 05 50040200 00 01 {count} 0000") for count in ("00", "01") for _ in "12345678"])) == 0
    )


def test_a_tail_that_announces_more() -> None:
    answer = "85 01 00 20000201 01 1208FC"
    batch = check([server(f"{answer} {tail}") for tail in ("0000", "0001", "0100", "00", "000000") for _ in range(9)])
    assert (len(batch), len(batch.bad)) == (9, 36)


def test_a_header_check_that_is_wrong_under_a_frame_check_that_is_right() -> None:
    good = server("85 01 00 20000201 01 1208FC 0000")
    body = bytearray(good[1:-3])
    body[11] ^= 1
    broken = b"\x68" + body + crc_x25(bytes(body)).to_bytes(2, "little") + b"\x16"
    batch = check([good, broken] * 9)
    assert {bad.kind for bad in batch.bad} == {"bad_hcs"}
    assert len(batch) == len(batch.bad) == 9


def test_a_frame_that_is_longer_than_its_length_can_tell() -> None:
    def answer(rows: int) -> bytes:
        row = bytes.fromhex("097F") + bytes(127) + bytes.fromhex("1208FC")
        head = bytes.fromhex("68 0000 C3 05 120000000033 10")
        apdu = bytes.fromhex("85 03 05 50040200 02 0040020200 0020000201 01") + bytes([rows]) + rows * row + bytes(2)
        length = len(head) + len(apdu) + 3
        header = length.to_bytes(2, "little") + head[3:]
        body = header + crc_x25(header).to_bytes(2, "little") + apdu
        return b"\x68" + body + crc_x25(body).to_bytes(2, "little") + b"\x16"

    batch = check([answer(rows) for rows in (1, 127) for _ in range(9)])
    assert (len(batch), len(batch.bad)) == (9, 9)


def test_a_fragment_whose_number_looks_like_a_service() -> None:
    assert told(server("8501 00 20000201 01 1208FC 0000", control=0xE3)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("85 01 00 20000201 01 1208FC 0000", "85 01 7F 20000201 01 1208FD 0000"),
        ("85 05 01 00 0001 01 01 20000201 01 1208FC 0000", "85 05 02 00 0302 01 01 20000201 01 1208FD 0000"),
        ("85 03 05 50040200 01 0020000201 01 00 0000", "85 03 05 50040200 01 0020000201 01 01 1208FC 0000"),
        (
            "89 02 05 0705000000000101 50040200 01 0020000201 01 00 0000",
            "89 02 05 0705999999999999 50040200 01 0020000201 01 00 0000",
        ),
    ],
)
def test_frames_that_differ_in_values_only_are_laid_out_alike(one: str, other: str) -> None:
    heads = [find_head(server(apdu, sa=sa), 14).mask for apdu, sa in ((one, "000000000001"), (other, "999999999999"))]
    assert heads[0].wanted.tolist() == heads[1].wanted.tolist()
    assert heads[0].bits.tolist() == heads[1].bits.tolist()


def test_nothing_gives_nothing() -> None:
    assert len(check([])) == 0
    assert check([b""]).bad[0].frame == 0


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["id"]) for one in vectors.load("dlt698-45")])
def test_vectors_give_the_same_both_ways(vector: dict[str, str]) -> None:
    check([bytes.fromhex(vector["hex"])] * 10)


def test_long_tables_of_single_frames() -> None:
    """A table of rows alike is read in one step, whatever in it is otherwise: every octet is changed in turn."""
    row = "5507050000000000{:02X} 0102 1C07EA0914000000 010106000003{:02X}"
    rows = " ".join(row.format(number, number) for number in range(40))
    head = "85 03 05 60120300 02 00202A0200 01 50040200 02 20210200 00100200 01"
    apdu = bytes.fromhex(f"{head} 28 {rows} 0000")
    assert len(check([server(apdu.hex())])) == 40
    short_and_long = f"{head} 28 {rows.replace('010106', '010206FFFFFFFF06', 1)} 0000"
    assert len(check([server(short_and_long)])) == 41
    random = Random(698)
    places = [*range(24), *random.sample(range(24, len(apdu)), 150)]
    for at in places:
        octet = apdu[at] ^ random.choice((0x01, 0x02, 0x10, 0x80))
        check([server((apdu[:at] + bytes([octet]) + apdu[at + 1 :]).hex())])
