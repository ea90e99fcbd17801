"""Frames to try things on."""

from __future__ import annotations

import re
from datetime import datetime

from hypothesis import settings
from hypothesis import strategies as st

from meterweave.protocols.dlt645 import items, load_record
from meterweave.protocols.dlt645.frame import Frame
from meterweave.protocols.dlt645.functions import FUNCTIONS_1997, FUNCTIONS_2007

patient = settings(deadline=None, max_examples=100)

ADDRESSES = st.one_of(
    st.integers(0, 10**12 - 1).map("{:012d}".format),
    st.sampled_from(["aaaaaaaaaaaa", "999999999999", "aaaaaa123456", "00000000000f"]),
)
CONTROLS = st.one_of(
    st.integers(0, 255),
    st.builds(
        int.__or__,
        st.sampled_from(sorted({*FUNCTIONS_1997, *FUNCTIONS_2007})),
        st.sampled_from([0x00, 0x80, 0xA0, 0xC0]),
    ),
)
IDENTIFIERS = re.findall(
    r"[0-9a-f]+",
    """
    00000000 0001ff00 00010001 000100ff 00020f00 00150000 00900200 00900100 01010000 0101ff00 01010003 02010100
    0201ff00 0202ff00 0203ff00 0206ff00 02070100 020a0103 02800001 02800002 02800007 0280000a 03010000 03010101
    03110000 03120101 03300d01 04000101 04000102 04000205 04000401 04000404 04000503 04000701 04000b01 04000d01
    04001501 04010000 04010001 05060001 05060101 05060901 05061001 05040101 06000001 06010000 06060002 070101ff
    078102ff 1d000001 d16dd0ce 04600101 ffffffff 01ff0000 04800001 9010 901f 9420 a010 b010 b611 b61f b630 b640
    b650 c010 c011 c030 c117 c028 90ff
    """,
)

_DIGITS = st.integers(0, 99).map(lambda number: bytes.fromhex(f"{number:02d}"))
_OCTET = st.one_of(
    _DIGITS, _DIGITS, _DIGITS, st.sampled_from([b"\xff", b"\x80", b"\0", b"\xaa"]), st.binary(min_size=1, max_size=1)
)
OCTETS = st.lists(_OCTET, max_size=60).map(b"".join)
MINUTES = st.one_of(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map(
        lambda moment: bytes.fromhex(moment.strftime("%y%m%d%H%M"))[::-1]
    ),
    st.sampled_from([bytes(5), b"\xff" * 5, bytes.fromhex("0000290223"), bytes.fromhex("0000290224")]),
    st.binary(min_size=5, max_size=5),
)


def _value(size: int) -> st.SearchStrategy[bytes]:
    """Octets for one value: digits, no value, anything, or a time."""
    kinds = [
        st.lists(_DIGITS, min_size=size, max_size=size).map(b"".join),
        st.just(b"\xff" * size),
        st.binary(min_size=size, max_size=size),
    ]
    return st.one_of(*kinds, MINUTES) if size == 5 else st.one_of(*kinds)


@st.composite
def load_records(draw: st.DrawFn) -> bytes:
    """Load records with any classes, bad ones, wrong checksums and rubbish behind them."""
    octets = b""
    for _ in range(draw(st.integers(0, 2))):
        body = draw(MINUTES)
        for number in draw(st.sampled_from([range(1, 7), [1], [6]])):
            size = sum(element.format.size for element in items.layout(f"load_class_{number}"))
            body += (draw(_value(size)) if draw(st.booleans()) else b"") + b"\xaa" * draw(st.sampled_from([1, 1, 1, 0]))
        record = draw(st.sampled_from([b"\xa0\xa0", b"\xe0\xe0"])) + bytes([len(body)]) + body
        checksum = (sum(record) + draw(st.sampled_from([0, 0, 1]))) % 256
        octets += record + bytes([checksum, draw(st.sampled_from([0xE5, 0xE5, 0xE4]))])
    return octets + draw(st.sampled_from([b"", b"", b"\xa0\xa0", b"\x01"]))


@st.composite
def contents(draw: st.DrawFn, di: str) -> bytes:
    """Octets a meter may send for `di`: some of its elements, some of them odd, and perhaps something behind."""
    if load_record.asked_class(di) is not None:
        return draw(st.one_of(load_records(), OCTETS))
    item = items.find(di)
    elements = item.elements[: draw(st.integers(0, 12))] if item else ()
    values = [draw(_value(element.format.size or 3)) for element in elements]
    return b"".join([*values, draw(st.one_of(st.just(b""), OCTETS))])


@st.composite
def replies(draw: st.DrawFn) -> Frame:
    """Answers with a data item."""
    di = draw(st.sampled_from(IDENTIFIERS))
    control = draw(st.sampled_from([0x91, 0x91, 0xB1, 0x83] if len(di) == 8 else [0x81, 0x81, 0xA1, 0x83]))
    data = bytes.fromhex(di)[::-1] + draw(contents(di))
    return Frame(draw(ADDRESSES), control, data[:255])


FRAMES = st.one_of(
    st.builds(Frame, ADDRESSES, CONTROLS, st.binary(max_size=30), st.integers(0, 5)),
    st.builds(Frame, ADDRESSES, CONTROLS, st.binary(max_size=255), st.just(0)),
    replies(),
)
