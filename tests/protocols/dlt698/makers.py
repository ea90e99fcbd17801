"""Frames of one layout with ever other values, and now and then something odd."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.frame import Frame, Link, encode_frame
from meterweave.protocols.dlt698.selection import Column, Road

PLAIN = (0x202A0200, 0x40010200, 0x20210200, 0x60420200, 0x60400200, 0x60410200, 0x201E0200, 0x20200200, 0x20220200)

MEASURED = (
    *(0x00100200, 0x00100201, 0x00100400, 0x00500201, 0x00000205, 0x10100200, 0x10100201, 0x11100201),
    *(0x20000200, 0x20000202, 0x20002200, 0x20008200, 0x20004201, 0x20010200, 0x20010400, 0x20040201, 0x200A0200),
    *(0x200B0203, 0x200D0200, 0x200F0200, 0x20100200, 0x202C0200, 0x202D0200, 0x25000200, 0x25020200, 0xFFFF0200),
)

TABLES = (0x50000200, 0x50020200, 0x50030200, 0x50042200, 0x50050200, 0x50060200, 0x50080200, 0x30110200, 0x60120300)

FORMATS = {
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
    Tag.FLOAT32: "f",
}

SERVICES = (
    (0x85, 1, "result", ""),
    (0x85, 2, "results", ""),
    (0x85, 3, "record", ""),
    (0x85, 4, "records", ""),
    (0x85, 5, "results", "next", 1),
    (0x85, 5, "records", "next", 2),
    (0x88, 1, "results", ""),
    (0x88, 2, "records", ""),
    (0x88, 2, "records", ""),
    (0x89, 1, "results", "proxy"),
    (0x89, 2, "record", "tsa"),
)


def types_of(column: Column, random: Random) -> list[int]:
    """Types for the values of a column, outermost first."""
    pick = random.choice
    if isinstance(column, Road):
        return []
    if column == 0x202A0200:
        return [Tag.TSA]
    if column == 0x40010200:
        return [Tag.OCTET_STRING]
    if column in PLAIN:
        return [Tag.DATE_TIME_S]
    if (column & 0xFFFF0000) == 0x10100000:
        return [Tag.ARRAY, Tag.STRUCTURE, Tag.DOUBLE_LONG_UNSIGNED, Tag.DATE_TIME_S]
    number: int = pick((*FORMATS, Tag.DOUBLE_LONG_UNSIGNED, Tag.LONG_UNSIGNED, Tag.NULL))
    return pick(([number], [number], [Tag.ARRAY, number], [Tag.STRUCTURE, number], [Tag.ARRAY, Tag.STRUCTURE, number]))


class Maker:
    """Makes frames of one layout with ever other values, and now and then something odd."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.odd = self.random.choice((0.0, 0.02, 0.3))
        self.address_size = self.random.choice((1, 4, 6, 6, 6, 7, 8, 9, 16))
        self.tsa = self.random.choice((b"\x05", b"\x05", b"\x15", b"\x25", b"\x03", b"\x07", b"\x0f"))
        pick = self.random.choice
        self.columns: list[Column] = [pick(PLAIN) for _ in range(self.random.randrange(3))]
        for _ in range(self.random.randrange(1, 5)):
            inside = tuple(pick((*PLAIN, *MEASURED)) for _ in range(self.random.randrange(4)))
            self.columns.append(pick((pick(MEASURED), Road(pick(TABLES), inside))))
        self.random.shuffle(self.columns)
        self.types = [types_of(column, self.random) for column in self.columns]
        self.table = pick(TABLES)
        self.oads = [pick((*MEASURED, 0x20210200)) for _ in range(self.random.randrange(4))]
        self.oad_types = [types_of(oad, self.random) for oad in self.oads]
        self.service = pick(SERVICES)
        self.row_count = pick((0, 1, 1, 2, 5, 9))

    def cell(self, column: Column, types: Sequence[int]) -> bytes:
        if self.random.random() < self.odd:
            return self.random.choice(
                (b"\0", b"\x06\0\0\0\1", b"\x01\0", b"\x55\0", b"\x55\1\5", b"\x09\0", self.time(25))
            )
        if isinstance(column, Road):
            cells = [self.cell(oad, types_of(oad, Random(oad))) for oad in column.oads]
            return b"\x01" + bytes([len(cells)]) + b"".join(cells)
        return self.value(types)

    def value(self, types: Sequence[int]) -> bytes:
        tag, *inner = types
        random = self.random
        if tag == Tag.TSA:
            head = self.tsa if random.random() >= self.odd else b"\x04"
            return bytes([0x55, head[0] % 16 + 2]) + head + random.randbytes(head[0] % 16 + 1)
        if tag == Tag.OCTET_STRING:
            return b"\x09\x06" + random.randbytes(6)
        if tag == Tag.DATE_TIME_S:
            return self.time(28)
        if tag == Tag.NULL:
            return b"\0"
        if tag == Tag.STRUCTURE and inner[1:] == [Tag.DATE_TIME_S]:
            return b"\2\2" + self.value(inner[:1]) + self.time(28 if random.random() >= self.odd else 25)
        if inner:
            count = 3 if random.random() >= self.odd else random.randrange(7)
            return bytes([tag, count]) + b"".join(self.value(inner) for _ in range(count))
        form = struct.Struct(">" + FORMATS[Tag(tag)])
        if tag == Tag.FLOAT32:
            return bytes([tag]) + form.pack(1.5)
        middle = 1 << 8 * form.size - 1
        edge = random.choice((0, 1, middle - 1, middle, 2 * middle - 1))
        number = edge if random.random() < 0.2 else random.randrange(2 * middle)
        return bytes([tag]) + number.to_bytes(form.size, "big")

    def time(self, tag: int) -> bytes:
        random = self.random
        year = random.choice((2024, 2024, 2024, 1969, 1, 0, 9999, 10000, 0xFFFF))
        if random.random() < 0.7:
            parts = (2024, 5, random.randrange(1, 4), random.choice((0, 1, 2)), 15 * random.randrange(4), 0)
        else:
            parts = (year, *(random.randrange(limit) for limit in (14, 33, 25, 61, 61)))
        stamp = struct.pack(">HBBBBB", *parts)
        return b"\x1c" + stamp if tag == 28 else b"\x19" + stamp[:4] + b"\1" + stamp[4:] + b"\0\0"

    def row(self) -> bytes:
        return b"".join(self.cell(column, types) for column, types in zip(self.columns, self.types, strict=True))

    def record(self) -> bytes:
        count = self.row_count if self.random.random() >= self.odd else self.random.randrange(8)
        rows = b"".join(self.row() for _ in range(count))
        outcome = b"\x01" + bytes([count]) + rows if self.random.random() >= self.odd else b"\x00\x06"
        return self.table.to_bytes(4, "big") + rcsd(self.columns) + outcome

    def result(self, oad: int, types: Sequence[int]) -> bytes:
        outcome = b"\x01" + self.cell(oad, types) if self.random.random() >= self.odd else b"\x00\x04"
        return oad.to_bytes(4, "big") + outcome

    def results(self) -> bytes:
        found = [self.result(oad, types) for oad, types in zip(self.oads, self.oad_types, strict=True)]
        return bytes([len(found)]) + b"".join(found)

    def apdu(self) -> bytes:
        random = self.random
        head = bytes(self.service[:2]) + bytes([random.randrange(256)])
        body = {
            "result": lambda: self.result(self.oads[0], self.oad_types[0]) if self.oads else b"\xff\xff\2\0\1\0",
            "results": self.results,
            "record": self.record,
            "records": lambda: bytes([1]) + self.record() if random.random() >= self.odd else b"\2" + 2 * self.record(),
        }
        tsa = self.value([Tag.TSA])[1:]
        before = {
            "next": bytes([random.randrange(2)]) + random.randbytes(2) + bytes(self.service[4:]),
            "proxy": b"\1" + tsa,
            "tsa": tsa,
            "": b"",
        }
        tail = b"\0\0" if random.random() >= self.odd else b"\1\1\1\x20\0\2\1\1\x12\1\2\0"
        return head + before[self.service[3]] + body[self.service[2]]() + tail

    def frame(self) -> bytes:
        random = self.random
        control = 0xC3 if random.random() >= self.odd else random.randrange(256)
        sa = random.randbytes(self.address_size)
        feature = self.address_size - 1 | (random.choice((0, 0x20)) if random.random() < self.odd else 0)
        apdu = bytearray(self.apdu())
        if random.random() < self.odd:
            apdu[random.randrange(len(apdu))] = random.choice((0, 1, 2, 9, 0x55, 0x7F, 0x80, random.randrange(256)))
        octets = encode_frame(Frame(Link(control, feature, sa, random.randrange(256)), bytes(apdu)))
        if random.random() < self.odd / 2:
            at = random.randrange(len(octets))
            octets = random.choice((octets[:at], octets[:at] + b"\x01" + octets[at + 1 :], b"\xfe" + octets))
        return octets


def rcsd(columns: Sequence[Column]) -> bytes:
    found = bytes([len(columns)])
    for column in columns:
        if isinstance(column, Road):
            oads = b"".join(oad.to_bytes(4, "big") for oad in column.oads)
            found += b"\1" + column.road.to_bytes(4, "big") + bytes([len(column.oads)]) + oads
        else:
            found += b"\0" + column.to_bytes(4, "big")
    return found
