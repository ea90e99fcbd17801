import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.protocols.bcd import decode_address, decode_bcd, decode_bcd_columns, encode_address, encode_bcd


@given(st.integers(1, 8), st.data())
def test_numbers_undo_each_other(size: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, 10 ** (2 * size) - 1))
    octets = encode_bcd(value, size)
    assert len(octets) == size
    assert decode_bcd(octets) == value


@given(st.integers(1, 9), st.lists(st.binary(min_size=9, max_size=9), min_size=1, max_size=9))
def test_columns_equal_one_by_one(size: int, rows: list[bytes]) -> None:
    matrix = np.frombuffer(b"".join(row[:size] for row in rows), np.uint8).reshape(-1, size)
    value, valid = decode_bcd_columns(matrix)
    found = [int(one) if good else None for one, good in zip(value, valid, strict=True)]
    assert found == [decode_bcd(row[:size]) for row in rows]


@given(st.text("0123456789abcdef", min_size=12, max_size=12))
def test_addresses_undo_each_other(address: str) -> None:
    assert decode_address(encode_address(address, 6)) == address


def test_low_octet_first() -> None:
    assert encode_bcd(1234, 3) == bytes.fromhex("341200")
    assert encode_address("123", 6) == bytes.fromhex("230100000000")
    assert decode_bcd(b"\x1a") is None


@pytest.mark.parametrize(("value", "size"), [(-1, 2), (10_000, 2)])
def test_refuses_numbers_that_do_not_fit(value: int, size: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_bcd(value, size)


@pytest.mark.parametrize(("address", "message"), [("1" * 13, "longer than 12"), ("12345x", "hexadecimal")])
def test_refuses_other_addresses(address: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_address(address, 6)
