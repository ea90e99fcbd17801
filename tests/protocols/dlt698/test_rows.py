"""Rows read in one go are the rows read one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import DecodeError
from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.datum import DATA
from meterweave.protocols.dlt698.rows import read_rows
from tests.protocols.dlt698 import strategies

TIME = bytes.fromhex("07E80506000000")
ROW = (
    (28, TIME),
    (85, b"\x05\x00\x00\x00\x00\x01\x01"),
    (1, ((6, 1), (6, 2))),
    (2, ((1, ()), (2, ((18, 3),)))),
    (5, -1),
)


def written(rows) -> bytes:
    writer = Writer()
    for row in rows:
        for cell in row:
            DATA.write(writer, cell)
    return bytes(writer.octets)


def check(rows) -> None:
    reader = Reader(written(rows))
    assert read_rows(reader, len(rows[0]), len(rows)) == tuple(rows)
    assert reader.at == reader.end


def changed(row, **cells):
    return tuple(cells.get(f"cell{index}", cell) for index, cell in enumerate(row))


def test_rows_of_one_layout():
    check([changed(ROW, cell4=(5, number)) for number in range(20)])


@pytest.mark.parametrize(
    "odd",
    [
        changed(ROW, cell0=(0, None)),
        changed(ROW, cell1=(85, b"")),
        changed(ROW, cell2=(1, ((6, 1),))),
        changed(ROW, cell2=(1, ((6, 1), (18, 2)))),
        changed(ROW, cell4=(23, 1.5)),
    ],
)
@pytest.mark.parametrize("where", [0, 1, 4, 9])
def test_a_row_that_is_otherwise_is_read_otherwise(odd, where):
    rows = [ROW] * 10
    rows[where] = odd
    check(rows)


@pytest.mark.parametrize(
    "row", [((0, None),), ((1, ()),), ((9, bytes(200)),), ((1, ((17, 1),) * 130),), ((3, 2), (22, 7))]
)
def test_rows_without_a_fixed_layout(row):
    check([row] * 5)


def test_no_columns_and_no_rows():
    assert read_rows(Reader(b""), 0, 3) == ((), (), ())
    assert read_rows(Reader(b""), 3, 0) == ()


def test_rows_that_end_too_early():
    octets = written([ROW] * 4)
    for size in range(len(octets)):
        with pytest.raises(DecodeError):
            read_rows(Reader(octets[:size]), len(ROW), 4)


@settings(max_examples=80, deadline=None)
@given(
    kinds=st.lists(st.lists(strategies.of(DATA), min_size=2, max_size=2).map(tuple), min_size=1, max_size=3),
    order=st.lists(st.integers(0, 2), min_size=1, max_size=12),
)
def test_any_rows(kinds, order):
    check([kinds[number % len(kinds)] for number in order])


def test_rows_too_long_to_be_remembered():
    check([((9, bytes(100)),) * 11] * 3)
