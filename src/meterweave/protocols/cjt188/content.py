"""What the data field of a frame says: identifier, sequence number and values in CJ/T 188-2004 and -2018.

The identifier is printed high octet first, 901F, but sent in either order: by the 2004 text low octet first, and about
as many meters send the high one first. Both are understood; an answer keeps the order of its meter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from meterweave.errors import EncodeError
from meterweave.protocols.cjt188.frame import ANSWER, Frame
from meterweave.protocols.cjt188.items import Item, Layout, identifiers, layout

Order = Literal["low_first", "high_first"]
ORDERS: tuple[Order, ...] = get_args(Order)

_HIGH_OCTETS = frozenset((0x81, 0x90, 0x91, 0xA0, 0xA1, 0xD1, 0xD2, 0xD3, 0xD4))  # high octets of all identifiers


class Content(NamedTuple):
    """The parts of a data field; None where the field is too short for them, or an error answer has none."""

    di: int | None
    di_order: Order
    ser: int | None
    payload: bytes  # what follows


class Value(NamedTuple):
    """An item and the octets that stand for it."""

    item: Item
    octets: bytes


def content(frame: Frame) -> Content:
    """The parts of the data field of `frame`.

    An error answer may have no identifier: by the 2004 text it is SER and ST, other meters send DI, SER and one octet,
    or one octet only. It is taken to have one when it begins with an identifier of the table.
    """
    data = frame.data
    if len(data) < 2:
        return Content(None, "low_first", None, data)
    di, order = read_di(data[:2])
    if frame.error and di not in identifiers():
        if len(data) == 3:
            return Content(None, "low_first", data[0], data[1:])
        return Content(None, "low_first", None, data)
    return Content(di, order, data[2] if len(data) > 2 else None, data[3:])


@lru_cache(maxsize=4096)
def read_di(octets: bytes) -> tuple[int, Order]:
    """The identifier in two octets of the line, and the order in which they were sent.

    The one reading that the table knows counts, else the one whose high octet is one that identifiers have, else the
    order of the 2004 text.
    """
    low_first, high_first = int.from_bytes(octets, "little"), int.from_bytes(octets, "big")
    for known in (
        (low_first in identifiers(), high_first in identifiers()),
        (octets[1] in _HIGH_OCTETS, octets[0] in _HIGH_OCTETS),
    ):
        if known == (False, True):
            return high_first, "high_first"
        if known == (True, False):
            break
    return low_first, "low_first"


def write_data(di: int, order: Order, ser: int, payload: bytes = b"") -> bytes:
    """The data field with these parts.

    Raises
    ------
    EncodeError
        If `di` is not two octets or `ser` not one.
    """
    if not 0 <= di <= 0xFFFF:
        raise EncodeError(f"di is {di:X}, not two octets")
    if not 0 <= ser <= 0xFF:
        raise EncodeError(f"ser is {ser}, not one octet")
    return di.to_bytes(2, "little" if order == "low_first" else "big") + bytes([ser]) + payload


def find_layout(frame: Frame, parts: Content) -> Layout | None:
    """The items in the payload; None where the table does not know them."""
    size = len(parts.payload)
    if frame.error:
        return layout("status") if size == 2 else layout("error_status") if size == 1 else None
    return layout_of(parts.di, frame.meter_type, frame.answer, size)


def layout_of(di: int | None, meter_type: int, answer: bool, size: int) -> Layout | None:
    """The layout of `size` octets behind SER, by identifier, meter type and sender."""
    identifier = identifiers().get(di) if di is not None else None
    rules = identifier.rules if identifier else ()
    return next((rule.layout for rule in rules if rule.fits(meter_type, answer, size)), None)


def values(frame: Frame) -> tuple[Value, ...]:
    """Every value the table knows in `frame`; a maker's octets behind them are in none."""
    parts = content(frame)
    return split(parts.payload, find_layout(frame, parts))


def split(payload: bytes, found: Layout | None) -> tuple[Value, ...]:
    """`payload` cut into the values of a layout."""
    parts = []
    at = 0
    for item in found.items if found else ():
        size = item.format.size
        parts.append(Value(item, payload[at : at + size]))
        at += size
    return tuple(parts)


def request(
    function: int,
    meter_type: int,
    address: str,
    di: int,
    *,
    ser: int = 0,
    payload: bytes = b"",
    order: Order = "low_first",
) -> Frame:
    """A frame from the master: read with function 01H, write with 04H.

    Raises
    ------
    EncodeError
        If a field is out of range.
    """
    return Frame(meter_type, address, function, write_data(di, order, ser, payload))


def reply(asked: Frame, payload: bytes = b"", *, meter_type: int, address: str) -> Frame:
    """The good answer of the meter `address` to `asked`: its function, identifier as sent and SER, then `payload`."""
    return Frame(meter_type, address, asked.control | ANSWER, asked.data[:3] + payload)
