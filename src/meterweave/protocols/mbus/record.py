"""Data records: a head and its data, one behind the other (EN 13757-3, clause 6)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.mbus.head import FILLER, GLOBAL_READOUT, SPECIAL, Coding, Head, head_end, parse_head, scale
from meterweave.protocols.mbus.items import Item
from meterweave.protocols.mbus.moment import Moment
from meterweave.protocols.mbus.value import Number, Value, decode_value, encode_value

LAST, MORE_FOLLOW = 0x0F, 0x1F  # DIF: manufacturer data to the end; the same, and more records in the next telegram


class Record(NamedTuple):
    """One data record."""

    head: Head
    data: bytes  # least significant octet first, whichever way the telegram has them
    fillers: int = 0  # octets 2FH before the record

    @property
    def value(self) -> Value:
        """The value, scaled."""
        return decode_value(self.head, self.data)

    @property
    def text(self) -> str | None:
        """The value as a person writes it: a plain decimal number, ISO 8601, a text."""
        value, moment = self.value, self.head.moment
        if moment and isinstance(value, Moment):
            return moment.text(value)
        return None if value is None else str(value)

    @property
    def later(self) -> tuple[Item, Number] | None:
        """What the record says by a later edition of the standard, where its code was reserved in the first."""
        item, value = self.head.item.later, self.value
        if item is None or not isinstance(value, Number):
            return None
        return item, Number(value.digits, value.exponent + item.exponent + scale(self.head.qualifiers))


class Records(NamedTuple):
    """All records of a telegram, and what stands behind them."""

    records: tuple[Record, ...]
    fillers: int = 0  # octets 2FH behind the last record
    tail: bytes = b""  # from a DIF on behind which no record can be told: manufacturer data, or reserved codes

    @property
    def manufacturer_data(self) -> bytes | None:
        """What the maker put at the end; None where the telegram has no such part."""
        return self.tail[1:] if self.tail and self.tail[0] in (LAST, MORE_FOLLOW) else None

    @property
    def more_follow(self) -> bool:
        """Whether the slave has another telegram with more records."""
        return self.tail[:1] == bytes([MORE_FOLLOW])


def decode_records(octets: bytes, at: int = 0, *, msb: bool = False) -> Records:
    """The records in `octets` from `at` on; `msb`: their data come most significant octet first.

    Raises
    ------
    DecodeError
        ``premature_end_of_record``, ``too_many_dife`` or ``too_many_vife``, with the offset of the record.
    """
    records: list[Record] = []
    size, fillers = len(octets), 0
    while at < size:
        dif = octets[at]
        if dif == FILLER:
            fillers += 1
            at += 1
            continue
        if dif & SPECIAL == SPECIAL and dif != GLOBAL_READOUT:
            return Records(tuple(records), fillers, octets[at:])
        head, begin = read_head(octets, at)
        if head.coding is Coding.RESERVED:
            return Records(tuple(records), fillers, octets[at:])
        end = begin + head.size
        if end > size:
            raise _premature(at)
        data = octets[begin:end]
        records.append(Record(head, data[::-1] if msb else data, fillers))
        fillers = 0
        at = end
    return Records(tuple(records), fillers)


def read_head(octets: bytes, at: int) -> tuple[Head, int]:
    """The head at `at`, and the offset behind it; raises as `decode_records`."""
    try:
        end = head_end(octets, at)
    except IndexError:
        end = len(octets) + 1
    if end > len(octets):
        raise _premature(at)
    return parse_head(octets[at:end]), end


def _ends_records(tail: bytes) -> bool:
    try:
        return decode_records(tail) == Records((), 0, tail)
    except DecodeError:
        return False


def _premature(at: int) -> DecodeError:
    return DecodeError("premature_end_of_record", at=at)


def encode_records(records: Records, *, msb: bool = False) -> bytes:
    """`decode_records` undone.

    Raises
    ------
    EncodeError
        If the data of a record have not the size that its head announces, or the tail begins with a whole record.
    """
    if records.tail and not _ends_records(records.tail):
        raise EncodeError(f"tail {records.tail.hex()} begins like a record, wanted DIF 0FH, 1FH or a reserved code")
    parts: list[bytes] = []
    for head, data, fillers in records.records:
        if len(data) != head.size:
            raise EncodeError(f"data of record {head.octets.hex()} are {len(data)} octets, wanted {head.size}")
        parts += (bytes([FILLER]) * fillers, head.octets, data[::-1] if msb else data)
    return b"".join(parts) + bytes([FILLER]) * records.fillers + records.tail


def make_record(header: bytes, value: str | int | Decimal | Value) -> Record:
    """A record from the octets of its head and a value in the head's unit.

    Raises
    ------
    EncodeError
        If `header` is no whole head, or `value` does not fit it.
    """
    head = make_head(header)
    return Record(head, encode_value(head, value))


def make_head(header: bytes) -> Head:
    """The head in `header`; raises `EncodeError` where it is anything but one whole head."""
    try:
        head, end = read_head(header, 0)
    except DecodeError as error:
        raise EncodeError(f"record header {header.hex()!r}: {error}") from error
    if end != len(header) or head.coding is Coding.RESERVED:
        raise EncodeError(f"record header {header.hex()!r} is not DIF, DIFE, VIF, VIFE and nothing else")
    return head
