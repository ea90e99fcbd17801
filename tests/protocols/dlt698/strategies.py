"""Messages of every kind: the grammar that decodes a service also tells how to make one up."""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import Any

from hypothesis import strategies as st

from meterweave.protocols.dlt698 import values
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.datum import DATA, DataWire, Elements, Nested
from meterweave.protocols.dlt698.frame import FRAGMENT, Link
from meterweave.protocols.dlt698.inner import Transparent
from meterweave.protocols.dlt698.message import Fragment, Message, encode
from meterweave.protocols.dlt698.records import NormalWire, RecordWire, ResultNormal, ResultRecord
from meterweave.protocols.dlt698.security import Plaintext
from meterweave.protocols.dlt698.selection import OADS, RCSD, Columns, Road
from meterweave.protocols.dlt698.services import SERVICES, encode_apdu
from meterweave.protocols.dlt698.times import date_time, date_time_s
from meterweave.protocols.dlt698.wire import Choice, Fixed, Many, Maybe, Members, Octets, Outcome, Unsigned, Wire

FEW = 3  # elements of a list

OBJECTS = (0x00100200, 0x00100201, 0x20000200, 0x50040200, 0x20210200, 0x202A0200, 0x31060200, 0x20002200, 0x60120300)
OCTETS = st.binary(max_size=20)
FRAME_645 = bytes.fromhex("6845566445566468110434333938BB16")


@cache
def of(wire: Wire[Any]) -> st.SearchStrategy[Any]:
    """Every value that `wire` can write."""
    for kind, make in MAKERS:
        if isinstance(wire, kind):
            return make(wire)
    raise AssertionError(f"nothing makes up values of {wire!r}")


def _floats(wire: values.Float) -> st.SearchStrategy[Any]:
    width = wire.struct.size
    code = {4: ">f", 8: ">d"}[width]
    nans = st.binary(min_size=width, max_size=width).filter(lambda octets: math.isnan(struct.unpack(code, octets)[0]))
    return st.floats(allow_nan=False, width=8 * width) | nans | st.just(b"\x7f\xff\xff\xff\xff\xff\xff\xff"[:width])


def _fixed(wire: Fixed) -> st.SearchStrategy[bytes]:
    anything = st.binary(min_size=wire.size, max_size=wire.size) | st.just(b"\xff" * wire.size)
    if wire.size == 7:
        return anything | st.datetimes().map(date_time_s)
    if wire.size == 10:
        return anything | st.datetimes().map(date_time)
    return anything | st.just(b"2024050601"[: wire.size].ljust(wire.size, b" "))


def _bits(_: Any) -> st.SearchStrategy[values.BitString]:
    return st.integers(0, 40).flatmap(
        lambda bits: st.binary(min_size=bits + 7 >> 3, max_size=bits + 7 >> 3).map(
            lambda octets: values.BitString(bits, octets)
        )
    )


def _columns(_: Any) -> st.SearchStrategy[Any]:
    return of(values.OAD) | st.builds(Road, of(values.OAD), of(OADS))


def _data(_: Any) -> st.SearchStrategy[Any]:
    plain = [(tag, one.wire) for tag, one in DATA.types.items() if not isinstance(one.wire, Nested)]
    holding = [(tag, one.wire) for tag, one in DATA.types.items() if isinstance(one.wire, Nested)]
    leaves = st.one_of([st.tuples(st.just(int(tag)), of(wire)) for tag, wire in plain])
    arrays = st.recursive(
        leaves,
        lambda inner: st.tuples(st.sampled_from((1, 2)), st.lists(inner, max_size=FEW).map(tuple)),
        max_leaves=6,
    )
    others = [
        st.tuples(st.just(int(tag)), st.deferred(lambda wire=wire: of(wire.one)))
        for tag, wire in holding
        if not isinstance(wire, Elements)
    ]
    return st.one_of(leaves, arrays, *others)


def _record(_: Any) -> st.SearchStrategy[ResultRecord]:
    def rows(columns: tuple[Any, ...]) -> st.SearchStrategy[Any]:
        row = st.tuples(*[of(DATA)] * len(columns))
        return st.integers(0, 255) | st.lists(row, max_size=FEW).map(tuple)

    columns = of(RCSD).filter(len)
    return columns.flatmap(lambda found: st.builds(ResultRecord, of(values.OAD), st.just(found), rows(found)))


def _plaintext(_: Any) -> st.SearchStrategy[bytes]:
    return OCTETS | st.deferred(lambda: apdus().map(encode_apdu))


def _transparent(_: Any) -> st.SearchStrategy[bytes]:
    return OCTETS | st.sampled_from((FRAME_645, b"\xfe" * 4 + FRAME_645)) | st.deferred(lambda: messages().map(encode))


def _members(wire: Members[Any]) -> st.SearchStrategy[Any]:
    return st.builds(wire.kind, **{name: of(one) for name, one in wire.wires.items()})


def _objects(wire: Unsigned) -> st.SearchStrategy[int]:
    return st.sampled_from(OBJECTS) | st.integers(0, 0xFFFFFFFF)


MAKERS: tuple[tuple[type, Any], ...] = (
    (values.Float, _floats),
    (values.Null, lambda _: st.none()),
    (values.BitStrings, _bits),
    (values.TimeIntervals, lambda _: st.builds(values.TimeInterval, st.integers(0, 255), st.integers(0, 65535))),
    (values.ScalerUnits, lambda _: st.builds(values.ScalerUnit, st.integers(-128, 127), st.integers(0, 255))),
    (values.Tsas, lambda _: OCTETS | st.just(values.tsa("000000000101"))),
    (values.AttributeDescriptor, _objects),
    (values.Number, lambda wire: st.integers(wire.low, wire.high)),
    (Unsigned, lambda wire: st.integers(0, (1 << 8 * wire.size) - 1)),
    (Fixed, _fixed),
    (Plaintext, _plaintext),
    (Transparent, _transparent),
    (Octets, lambda _: OCTETS | st.text("0123456789 ABCz", max_size=8).map(str.encode)),
    (DataWire, _data),
    (Elements, lambda _: st.lists(of(DATA), max_size=FEW).map(tuple)),
    (Nested, lambda wire: of(wire.one)),
    (Columns, _columns),
    (NormalWire, lambda _: st.builds(ResultNormal, of(values.OAD), st.integers(0, 255) | of(DATA))),
    (RecordWire, _record),
    (Maybe, lambda wire: st.none() | of(wire.one)),
    (Many, lambda wire: st.lists(st.deferred(lambda: of(wire.one)), max_size=FEW).map(tuple)),
    (Choice, lambda wire: st.one_of([st.deferred(lambda one=one: of(one)) for _, one in wire.alternatives.values()])),
    (Outcome, lambda wire: st.integers(0, 255) | of(wire.one)),
    (Members, _members),
)
"""The first that fits makes it."""


@cache
def service(kind: type[Apdu]) -> st.SearchStrategy[Any]:
    """APDUs of one service."""
    return of(Members(kind))


def apdus() -> st.SearchStrategy[Any]:
    """APDUs of every service."""
    return st.sampled_from(SERVICES).flatmap(service)


@st.composite
def links(draw: st.DrawFn, fragment: bool = False) -> Link:
    """Link layers with any address and any control octet."""
    af = draw(st.integers(0, 255))
    size = (af & 0x0F) + 1
    control = draw(st.integers(0, 255)) & ~FRAGMENT | (FRAGMENT if fragment else 0)
    return Link(control, af, draw(st.binary(min_size=size, max_size=size)), draw(st.integers(0, 255)))


def messages() -> st.SearchStrategy[Message]:
    """Messages of every kind: frames with an APDU, a fragment or nothing, and APDUs alone."""
    wake_up = st.integers(0, 4)
    fragments = st.builds(Fragment, st.integers(0, 0xFFFF), OCTETS)
    return st.one_of(
        st.builds(Message, links(), apdus(), wake_up=wake_up),
        st.builds(Message, links(fragment=True), fragment=fragments, wake_up=wake_up),
        st.builds(Message, links(), wake_up=wake_up),
        st.builds(Message, st.none(), apdus()),
    )
