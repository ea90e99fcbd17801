"""How the octets of a frame are laid out, so that frames laid out alike can be decoded as one matrix.

A frame is a head, segments and a tail. A segment is a row of a record, or all results of a list of values. `find_head`
looks at the octets of a frame, `Head.segment` at those of a segment, and both say which octets must stand there again
in another frame for it to be laid out the same (tags, lengths, descriptors), and where its values are. What is not
common in bulk has no layout and is left to the complete decoder: fragments, scrambled and secured frames, errors in
place of records, lengths in more than one octet, types without fixed size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.metering.batch import Source
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.frame import EXTENDED
from meterweave.protocols.dlt698.measured import ADDRESSES, Item, Row, row_items, value_items
from meterweave.protocols.dlt698.selection import Column, Road

WORD = 8  # masks are compared in words of so many octets
ADDRESS_MAX = 7  # longest address read in columns: it fits an int64 whatever its digits [octets]
_DEPTH_MAX = 8  # levels of Data looked into
_SHORT = 0x80  # lengths below take one octet
_LINK_SA = 5  # offset of SA in a frame

_SIZES: Mapping[int, int] = {
    Tag.NULL: 0,
    Tag.BOOL: 1,
    Tag.DOUBLE_LONG: 4,
    Tag.DOUBLE_LONG_UNSIGNED: 4,
    Tag.INTEGER: 1,
    Tag.LONG: 2,
    Tag.UNSIGNED: 1,
    Tag.LONG_UNSIGNED: 2,
    Tag.LONG64: 8,
    Tag.LONG64_UNSIGNED: 8,
    Tag.ENUM: 1,
    Tag.DATE_TIME_S: 7,
    Tag.OI: 2,
    Tag.OAD: 4,
    Tag.OMD: 4,
    Tag.TI: 3,
}
_STRINGS = frozenset((Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.TSA))
_CONTAINERS = frozenset((Tag.ARRAY, Tag.STRUCTURE))

_GET_RESPONSE, _REPORT, _PROXY_RESPONSE = 0x85, 0x88, 0x89
_GET_NEXT = (_GET_RESPONSE, 5)
_BLOCK = -1  # stands for the tag where the choice is that of a block


class _Content(Enum):
    """What follows the beginning of an APDU."""

    VALUE = auto()
    VALUES = auto()
    TABLE = auto()
    TABLES = auto()


_CONTENTS: Mapping[tuple[int, int], _Content] = {
    (_GET_RESPONSE, 1): _Content.VALUE,
    (_GET_RESPONSE, 2): _Content.VALUES,
    (_GET_RESPONSE, 3): _Content.TABLE,
    (_GET_RESPONSE, 4): _Content.TABLES,
    (_BLOCK, 1): _Content.VALUES,
    (_BLOCK, 2): _Content.TABLES,
    (_REPORT, 1): _Content.VALUES,
    (_REPORT, 2): _Content.TABLES,
    (_PROXY_RESPONSE, 1): _Content.VALUES,
    (_PROXY_RESPONSE, 2): _Content.TABLE,
}
"""By tag and choice."""


class NoLayoutError(Exception):
    """These octets are left to the complete decoder."""


class Place(NamedTuple):
    """Where a value stands."""

    at: int  # offset [octets]
    size: int  # [octets]


class Mask(NamedTuple):
    """Octets that stand at the same places in everything laid out alike."""

    size: int  # of what is laid out [octets]
    wanted: NDArray[np.uint64]
    bits: NDArray[np.uint64]  # which bits of it must be as wanted


class Segment(NamedTuple):
    """The layout of a segment; every value and address in `row` is a `Place`, counted from the segment's start."""

    mask: Mask
    row: Row


@dataclass(frozen=True, slots=True)
class Head:
    """The layout of everything before the first segment."""

    mask: Mask
    source: Source
    meter: Place
    """The address of the meter, where no column has one."""
    reverse: bool
    """Whether that address is sent low octet first, as it is in the link layer."""
    count_at: int | None
    """Offset of the number of segments; None: there is one."""
    results: int
    """How many results a segment has, where it is a list of values."""
    table: int
    """OAD of the record, where a segment is a row."""
    columns: tuple[Column, ...]

    def segment(self, octets: bytes) -> Segment:
        """The layout of the segment with which `octets` begin; raises `NoLayoutError`."""
        scan = _Scan(octets)
        if self.count_at is None:
            items = [item for _ in range(self.results) for item in scan.result()]
            return Segment(scan.mask(), Row(None, tuple(items)))
        row = row_items(self.table, self.columns, [scan.data() for _ in self.columns])
        return Segment(scan.mask(), _readable(row))


def find_head(octets: bytes, user_data_at: int) -> Head:
    """The layout of the head of a frame that the complete decoder takes; raises `NoLayoutError`."""
    scan = _Scan(octets)
    scan.free(1, 2)  # L
    address_size = user_data_at - _LINK_SA - 3
    scan.free(_LINK_SA, address_size + 3)  # SA, CA, HCS
    scan.at = user_data_at
    tag, choice = scan.octet(), scan.octet()
    scan.place(1)  # PIID
    extended = octets[4] & EXTENDED > 0
    meter, reverse = Place(_LINK_SA + extended, address_size - extended), True
    if tag == _PROXY_RESPONSE:
        if choice == 1:
            scan.one()
        meter, reverse = scan.tsa(), False
    if not 0 < meter.size <= ADDRESS_MAX:
        raise NoLayoutError
    if (tag, choice) == _GET_NEXT:
        scan.octet()  # whether it is the last block
        scan.place(2)  # number of the block
        choice = scan.octet()
        tag = _BLOCK
    content = _CONTENTS.get((tag, choice))
    if content is None:
        raise NoLayoutError
    source = Source.PUSHED if tag == _REPORT else Source.READ
    if content in (_Content.VALUE, _Content.VALUES):
        results = scan.count() if content == _Content.VALUES else 1
        if results == 0:
            raise NoLayoutError
        return Head(scan.mask(), source, meter, reverse, None, results, 0, ())
    if content == _Content.TABLES:
        scan.one()
    table, columns = scan.oad(), tuple([scan.column() for _ in range(scan.count())])
    if not columns:
        raise NoLayoutError
    scan.one()  # rows, not a DAR
    count_at = scan.at
    scan.count(fixed=False)
    return Head(scan.mask(), source, meter, reverse, count_at, 0, table, columns)


def _readable(row: Row) -> Row:
    """`row`, if columns can be read out of it; without readings where it names no meter."""
    if row.meter is None:
        return row
    tag, place = row.meter
    if tag not in ADDRESSES or place.size == 0:
        return Row(None, ())
    if place.size > ADDRESS_MAX:
        raise NoLayoutError
    return row


class _Scan:
    """Reads octets once, and notes which of them make the layout."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0
        self.bits = bytearray(b"\xff" * len(octets))

    def free(self, at: int, size: int, bits: int = 0) -> None:
        """Only `bits` of these octets make the layout."""
        self.bits[at : at + size] = bytes([bits]) * size

    def mask(self) -> Mask:
        """What is read so far."""
        size = self.at
        padded = -(-size // WORD) * WORD
        bits = np.frombuffer(bytes(self.bits[:size]).ljust(padded, b"\0"), np.uint64)
        wanted = np.frombuffer(self.octets[:size].ljust(padded, b"\0"), np.uint64)
        return Mask(size, wanted & bits, bits)

    def octet(self) -> int:
        """One octet that makes the layout."""
        if self.at >= len(self.octets):
            raise NoLayoutError
        self.at += 1
        return self.octets[self.at - 1]

    def one(self) -> None:
        """A count or choice of 1."""
        if self.octet() != 1:
            raise NoLayoutError

    def count(self, *, fixed: bool = True) -> int:
        """A length or count of one octet."""
        value = self.octet()
        if value >= _SHORT:
            raise NoLayoutError
        if not fixed:
            self.free(self.at - 1, 1, _SHORT)
        return value

    def place(self, size: int) -> Place:
        """The next `size` octets, whatever they are."""
        place = Place(self.at, size)
        self.free(self.at, size)
        self.at += size
        if self.at > len(self.octets):
            raise NoLayoutError
        return place

    def oad(self) -> int:
        """A descriptor."""
        return self.octet() << 24 | self.octet() << 16 | self.octet() << 8 | self.octet()

    def column(self) -> Column:
        """A CSD."""
        is_road = self.octet() == 1
        oad = self.oad()
        return Road(oad, tuple([self.oad() for _ in range(self.count())])) if is_road else oad

    def tsa(self) -> Place:
        """The address in a TSA; its address feature makes the layout."""
        size = self.count()
        if size == 0:
            return Place(self.at, 0)
        skipped = 2 if self.octet() & EXTENDED else 1
        place = self.place(size - 1)
        return Place(place.at + skipped - 1, max(size - skipped, 0))

    def result(self) -> Sequence[Item]:
        """An A-ResultNormal."""
        oad = self.oad()
        choice = self.octet()
        if choice == 0:
            self.place(1)
            return ()
        if choice != 1:
            raise NoLayoutError
        return value_items(oad, self.data())

    def data(self, depth: int = 0) -> Data:
        """A Data, with a `Place` where its value would be."""
        tag = self.octet()
        if tag in _SIZES:
            return tag, self.place(_SIZES[tag])
        if tag in _CONTAINERS and depth < _DEPTH_MAX:
            return tag, tuple([self.data(depth + 1) for _ in range(self.count())])
        if tag == Tag.TSA:
            return tag, self.tsa()
        if tag in _STRINGS:
            return tag, self.place(self.count())
        if tag == Tag.BIT_STRING:
            return tag, self.place(self.count() + 7 >> 3)
        raise NoLayoutError
