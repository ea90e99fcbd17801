"""What hypothesis draws: values for any layout, and whole messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from meterweave.protocols.gdw1376.part2.event import EventContent
from meterweave.protocols.gdw1376.part2.functions import FUNCTIONS, layout_of
from meterweave.protocols.gdw1376.part2.groups import Addresses, Bits, Repeat, Tail
from meterweave.protocols.gdw1376.part2.header import MODULE_FLAG, Address, relay_count
from meterweave.protocols.gdw1376.part2.inner import InnerMessage
from meterweave.protocols.gdw1376.part2.layout import Element, Layout, write
from meterweave.protocols.gdw1376.part2.message import Message, dt_to_fn, fn_to_dt
from meterweave.protocols.gdw1376.part2.scalars import Ascii, Code, Count, Digits, FunctionSet, Moment, Numbers, Octets

LAYOUTS = [
    (key, uplink) for key in sorted(FUNCTIONS) for uplink in (False, True) if layout_of(*key, uplink=uplink) is not None
]
"""Every AFN and Fn with the direction (uplink or not) in which its layout is known."""

addresses = st.text("0123456789abcdef", min_size=12, max_size=12)
octet = st.integers(0, 255)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31))
hex_texts = st.binary(max_size=40).map(bytes.hex)


def element_values(element: Element, draw: Any, values: dict[str, Any]) -> None:
    """Put drawn values for one element into `values`; counts are left out, so that the writer finds them."""
    name = element.name
    match element:
        case Count():
            return
        case Tail():
            if draw(st.booleans()):
                values |= draw(layout_values(element.row))
        case EventContent() if values["protocol"] == 4 and draw(st.booleans()):
            node = {"address": draw(addresses)} | ({"powered": draw(octet)} if values["device_type"] == 0 else {})
            values["event"] = {"kind": draw(octet), "nodes": [node] * draw(st.integers(0, 3))}
        case InnerMessage():
            values[name] = {"hex": draw(hex_texts)}
        case Addresses():
            values[name] = draw(st.lists(addresses, max_size=4))
        case Repeat():
            values[name] = draw(st.lists(layout_values(element.row), max_size=4))
        case Bits():
            for bit in element.bits:
                if not bit.of:
                    number = draw(st.integers(0, bit.limit))
                    values[bit.name] = bit.coded[number] if bit.coded else number
        case _:
            values[name] = draw(scalar_values(element))


def scalar_values(element: Any) -> st.SearchStrategy[Any]:
    """JSON values of an element of fixed size."""
    whole = st.binary(min_size=element.size, max_size=element.size)
    match element:
        case Moment():
            return moments.map(lambda one: one.strftime(element.iso)) | whole.map(element.value)
        case Ascii():
            return st.text("ABCXYZ0189", min_size=element.size, max_size=element.size) | whole.map(element.value)
        case Octets() if not element.size:
            return hex_texts
        case Code() | Digits() | FunctionSet() | Numbers() | Octets():
            return whole.map(element.value)
    return st.integers(0, (1 << 8 * element.size) - 1)


@st.composite
def layout_values(draw: Any, layout: Layout) -> dict[str, Any]:
    """Values for a layout."""
    values: dict[str, Any] = {}
    for element in layout:
        element_values(element, draw, values)
    return values


@st.composite
def data_units(draw: Any, afn: int, fn: int | None, uplink: bool) -> bytes:
    """A data unit: by the layout of its function, or by none; now and then cut or with octets behind."""
    layout = layout_of(afn, fn, uplink=uplink)
    if layout is None or draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=60))
    octets = write(layout, draw(layout_values(layout)), "payload")
    return draw(st.sampled_from((octets, octets, octets[:-1], octets + b"\x01\x02")))


@st.composite
def messages(draw: Any) -> Message:
    """Any message, most of functions that are known."""
    (afn, fn), uplink = draw(st.sampled_from(LAYOUTS))
    dt = fn_to_dt(fn)
    if draw(st.integers(0, 5)) == 0:
        afn, dt = draw(octet), draw(st.binary(min_size=2, max_size=2))
    control = draw(st.integers(0, 127)) | (0x80 if uplink else 0)
    info = draw(st.binary(min_size=6, max_size=6))
    address = None
    if info[0] & MODULE_FLAG:
        count = relay_count(control, info)
        relays = draw(st.lists(addresses, min_size=count, max_size=count))
        address = Address(draw(addresses), draw(addresses), tuple(relays))
    return Message(control, info, address, afn, dt, draw(data_units(afn, dt_to_fn(dt), uplink)))
