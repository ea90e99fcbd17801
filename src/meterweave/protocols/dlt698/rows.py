"""The rows of a table, fast: rows mostly look alike, and what looks alike is unpacked in one go.

The first row is read as any Data is. From it a `Layout` is made, once for every shape seen: the octets that must stand
at the same places again (tags, lengths) and a `struct` for the values between them. A row in which they stand otherwise
is again read as any Data is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import repeat
from struct import Struct, calcsize
from typing import Any, NamedTuple

from meterweave.protocols.dlt698.cursor import Reader
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.datum import DATA

_CODES = {
    Tag.BOOL: "B",
    Tag.DOUBLE_LONG: "i",
    Tag.DOUBLE_LONG_UNSIGNED: "I",
    Tag.INTEGER: "b",
    Tag.LONG: "h",
    Tag.UNSIGNED: "B",
    Tag.LONG_UNSIGNED: "H",
    Tag.LONG64: "q",
    Tag.LONG64_UNSIGNED: "Q",
    Tag.ENUM: "B",
    Tag.DATE_TIME: "10s",
    Tag.DATE: "5s",
    Tag.TIME: "3s",
    Tag.DATE_TIME_S: "7s",
    Tag.OI: "H",
    Tag.OAD: "I",
    Tag.OMD: "I",
    Tag.COMDCB: "5s",
}
"""Types of fixed size whose value is what `struct` makes of them."""

_CONTAINERS = frozenset((Tag.ARRAY, Tag.STRUCTURE))
_STRINGS = frozenset((Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING, Tag.TSA, Tag.MAC, Tag.RN))
_LAYOUTS_MAX = 1024  # shapes remembered
_ROW_SIZE_MAX = 1024  # octets of a row whose shape is worth remembering
_LENGTH_MAX = 0x7F  # lengths that take one octet


def read_rows(reader: Reader, width: int, count: int) -> tuple[tuple[Data, ...], ...]:
    """`count` rows of `width` Data each."""
    rows: list[tuple[Data, ...]] = []
    read = DATA.read
    while len(rows) < count:
        start = reader.at
        row = tuple([read(reader) for _ in range(width)])
        rows.append(row)
        left = count - len(rows)
        if left and reader.at - start <= _ROW_SIZE_MAX and (layout := _layout(tuple([_shape(cell) for cell in row]))):
            rows += layout.read(reader, left)
    return tuple(rows)


Shape = Any
"""A tag; (tag, length) of a string; (tag, shapes) of a container; None for what has no fixed layout."""


def _shape(cell: Data) -> Shape:
    tag, value = cell
    if tag in _CODES:
        return tag
    if tag in _STRINGS:
        return tag, len(value)
    if tag in _CONTAINERS:
        return tag, tuple([_shape(one) for one in value])
    return None


Plan = tuple[Any, ...]
"""For each cell: the number of its value; or its tag and the plan of the cells inside."""


class Layout(NamedTuple):
    """How the octets of a row alternate between constants and values."""

    struct: Struct  # the values, the constants passed over
    constants: tuple[tuple[int, bytes], ...]  # the offset and the octet of each
    tags: tuple[int, ...]  # of the values
    plan: Plan

    def read(self, reader: Reader, count: int) -> list[tuple[Data, ...]]:
        """The next rows of this layout, at most `count`."""
        struct, constants, tags, plan = self
        size = struct.size
        start = reader.at
        alike = min(count, (reader.end - start) // size)
        octets = reader.octets[start : start + alike * size]
        for offset, constant in constants:
            column = octets[offset : alike * size : size]
            alike -= len(column.lstrip(constant))  # the rows from the first on in which the octet is another
        if not alike:
            return []
        reader.at = start + alike * size
        # Column by column, so that the loop over the rows is zip's.
        columns = zip(*struct.iter_unpack(octets[: alike * size]), strict=True)
        values = [list(zip(repeat(tag), column)) for tag, column in zip(tags, columns, strict=True)]
        return list(_cells(plan, values))


def _cells(plan: Plan, values: list[list[Data]]) -> Iterable[tuple[Data, ...]]:
    """The cells of every row, from the columns of their values."""
    if not plan:
        return repeat(())
    return zip(*[_column(one, values) for one in plan])  # noqa: B905  # that of empty arrays has no end


def _column(plan: int | tuple[int, Plan], values: list[list[Data]]) -> Iterable[Data]:
    if isinstance(plan, int):
        return values[plan]
    tag, inside = plan
    return zip(repeat(tag), _cells(inside, values))


@lru_cache(_LAYOUTS_MAX)
def _layout(shapes: tuple[Shape, ...]) -> Layout | None:
    """The layout of rows of these shapes; None where they have no fixed one, or no values at all."""
    maker = _Maker()
    plan = maker.plan(shapes)
    if not maker.fixed or not maker.tags:
        return None
    return Layout(Struct(maker.code), tuple(maker.constants), tuple(maker.tags), plan)


class _Maker:
    """Collects the constants and values of a row, in order."""

    def __init__(self) -> None:
        self.fixed = True
        self.code = ">"
        self.constants: list[tuple[int, bytes]] = []
        self.tags: list[int] = []

    def plan(self, shapes: tuple[Shape, ...]) -> Plan:
        """The plans of these cells."""
        return tuple([self._cell(shape) for shape in shapes])

    def _cell(self, shape: Shape) -> Any:
        if isinstance(shape, int):
            self._constant(shape)
            return self._value(shape, _CODES[Tag(shape)])
        if shape is None:
            self.fixed = False
            return None
        tag, content = shape
        length = content if isinstance(content, int) else len(content)
        self.fixed &= length <= _LENGTH_MAX
        self._constant(tag)
        self._constant(length & 0xFF)
        if tag in _STRINGS:
            return self._value(tag, f"{length}s")
        return tag, self.plan(content)

    def _constant(self, octet: int) -> None:
        self.constants.append((calcsize(self.code), bytes([octet])))
        self.code += "x"

    def _value(self, tag: int, code: str) -> int:
        self.code += code
        self.tags.append(tag)
        return len(self.tags) - 1
