"""DA and DT: which measuring points and which items a data unit is about (Q/GDW 1376.1 clauses 5.3.4.2 and 5.3.4.3).

Both are a mask of eight within a group. Groups of points count from 1, groups of items from 0. DA = 0000H is the
terminal itself, p0; DA1 = FFH with DA2 = 00H is every point there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from meterweave.errors import EncodeError

Point = int | Literal["all"]

ALL_POINTS = 0x00FF  # DA read as one word, low octet first
POINT_MAX = 255 * 8
ITEM_MAX = 256 * 8


@lru_cache(maxsize=4096)
def points_of(da: int) -> tuple[Point, ...]:
    """The points pn of DA, lowest first; none where no bit is set or the group is not possible."""
    if da == 0:
        return (0,)
    if da == ALL_POINTS:
        return ("all",)
    group = da >> 8
    return tuple((group - 1) * 8 + bit + 1 for bit in range(8) if da >> bit & 1) if group else ()


@lru_cache(maxsize=4096)
def items_of(dt: int) -> tuple[int, ...]:
    """The items Fn of DT, lowest first."""
    return tuple((dt >> 8) * 8 + bit + 1 for bit in range(8) if dt >> bit & 1)


def da_of(points: Sequence[Point]) -> int:
    """The DA that names `points`.

    Raises
    ------
    EncodeError
        If the points are not of one group of eight, or out of range.
    """
    if list(points) == ["all"]:
        return ALL_POINTS
    if list(points) == [0]:
        return 0
    return _mask("pn", points, POINT_MAX) + 0x100


def dt_of(items: Sequence[int]) -> int:
    """The DT that names `items`.

    Raises
    ------
    EncodeError
        If the items are not of one group of eight, or out of range.
    """
    return _mask("fn", items, ITEM_MAX)


def _mask(name: str, numbers: Sequence[int | str], highest: int) -> int:
    known = [number for number in numbers if type(number) is int and 1 <= number <= highest]
    groups = {(number - 1) // 8 for number in known}
    if len(known) != len(numbers) or len(groups) != 1:
        raise EncodeError(f"{name} is {list(numbers)}, wanted numbers of one group of eight, from 1 to {highest}")
    word = groups.pop() << 8
    for number in known:
        word |= 1 << (number - 1) % 8
    return word
