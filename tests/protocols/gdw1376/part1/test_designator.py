from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1.designator import da_of, dt_of, items_of, points_of


@pytest.mark.parametrize(
    ("octets", "points"),
    [
        ("0000", (0,)),
        ("0101", (1,)),
        ("0801", (4,)),
        ("0201", (2,)),
        ("ff00", ("all",)),
        ("8102", (9, 16)),
        ("80ff", (2040,)),
    ],
)
def test_points(octets, points):
    da = int.from_bytes(bytes.fromhex(octets), "little")
    assert points_of(da) == points
    assert da_of(points) == da


@pytest.mark.parametrize(
    ("octets", "items"),
    [
        ("0100", (1,)),
        ("0400", (3,)),
        ("0114", (161,)),
        ("4014", (167,)),
        ("0110", (129,)),
        ("0201", (10,)),
        ("0103", (25,)),
    ],
)
def test_items(octets, items):
    dt = int.from_bytes(bytes.fromhex(octets), "little")
    assert items_of(dt) == items
    assert dt_of(items) == dt


@given(st.integers(0, 255), st.integers(1, 255))
def test_masks_survive(group, mask):
    assert dt_of(items_of(group << 8 | mask)) == group << 8 | mask
    if group:
        assert da_of(points_of(group << 8 | mask)) == group << 8 | mask


def test_groups_that_name_nothing():
    assert points_of(0x0001) == ()
    assert points_of(0x0100) == ()
    assert items_of(0x0100) == ()


@pytest.mark.parametrize("numbers", [[], [0, 1], [8, 9], [2049], [-1], ["1"], [True], [1.0], ["all", 1]])
def test_numbers_that_no_mask_holds(numbers):
    with pytest.raises(EncodeError, match="one group of eight"):
        da_of(numbers)
    with pytest.raises(EncodeError, match="one group of eight"):
        dt_of(numbers)
