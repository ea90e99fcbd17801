import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meterweave.protocols.checksum import crc_modbus, crc_x25, crc_x25_rows, sum8, sum8_rows

CHECK = b"123456789"


def test_published_check_values() -> None:
    assert crc_x25(CHECK) == 0x906E
    assert crc_modbus(CHECK) == 0x4B37
    assert sum8(CHECK) == 0xDD


@given(st.integers(1, 40), st.data())
def test_rows_equal_one_by_one(size: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=6))
    matrix = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, size)
    assert crc_x25_rows(matrix).tolist() == [crc_x25(row) for row in rows]
    assert sum8_rows(matrix).tolist() == [sum8(row) for row in rows]
