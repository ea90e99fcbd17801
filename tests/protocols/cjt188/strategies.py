"""Frames of every kind, as hypothesis draws them."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st

from meterweave.protocols.cjt188.content import write_data
from meterweave.protocols.cjt188.frame import DATA_MAX, Frame
from meterweave.protocols.cjt188.items import Item, Layout, identifiers
from meterweave.protocols.cjt188.units import UNITS

octet = st.integers(0, 255)
addresses = st.text("0123456789abcdef", min_size=14, max_size=14)
frames = st.builds(Frame, octet, addresses, octet, st.binary(max_size=DATA_MAX), st.integers(0, 5))
orders = st.sampled_from(("low_first", "high_first"))

_digit = st.integers(0, 9)
_bcd_octet = st.builds(lambda high, low: 16 * high + low, _digit, _digit)


def _bcd(size: int) -> st.SearchStrategy[bytes]:
    digits = st.lists(_bcd_octet, min_size=size, max_size=size).map(bytes)
    return st.one_of(digits, digits, st.just(b"\xff" * size), st.binary(min_size=size, max_size=size))


_clock = st.one_of(
    st.datetimes().map(lambda when: bytes.fromhex(f"{when:%S%M%H%d%m}") + bytes.fromhex(f"{when.year:04}")[::-1]),
    st.builds(
        lambda when, swapped: bytes.fromhex(
            f"{when:%S%M%H%d%m}" + (f"{when:%Y}" if swapped else f"{when:%Y}"[2:] + f"{when:%Y}"[:2])
        ),
        st.datetimes(datetime(1991, 1, 1), datetime(2099, 1, 1)),
        st.booleans(),
    ),
    st.sampled_from((bytes(7), b"\xff" * 7)),
    st.binary(min_size=7, max_size=7),
)
_units = st.one_of(st.sampled_from(sorted(UNITS)), octet)


def _value(item: Item) -> st.SearchStrategy[bytes]:
    size = item.format.size
    match type(item.format).__name__:
        case "Metered":
            return st.builds(lambda digits, unit: digits + bytes([unit]), _bcd(size - 1), _units)
        case "Digits":
            return _bcd(size)
        case "Clock":
            return _clock
        case _:
            return st.binary(min_size=size, max_size=size)


def payloads(layout: Layout) -> st.SearchStrategy[bytes]:
    """Octets of a layout, with numbers, nulls, units and times that mean something more often than not."""
    return st.tuples(*(_value(item) for item in layout.items)).map(b"".join)


@st.composite
def known_frames(draw: st.DrawFn) -> Frame:
    """Frames whose identifier and layout the table knows, some of them with a maker's octets behind."""
    di = draw(st.sampled_from([di for di, known in identifiers().items() if known.rules]))
    rule = draw(st.sampled_from(identifiers()[di].rules))
    tens = draw(st.sampled_from(rule.types or "01234AF"))
    meter_type = 0xAA if tens == "A" else int(tens, 16) << 4 | draw(st.integers(0, 9))
    extras = draw(st.binary(max_size=3)) if rule.extras else b""
    data = write_data(di, draw(orders), draw(octet), draw(payloads(rule.layout)) + extras)
    control = draw(st.sampled_from((0x81, 0x84, 0xA1))) if rule.from_meter else draw(st.sampled_from((0x04, 0x16)))
    return Frame(meter_type, draw(addresses), control, data, draw(st.sampled_from((0, 0, 0, 2))))
