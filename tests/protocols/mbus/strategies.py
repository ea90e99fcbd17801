"""Messages of every kind, every field varied."""

from __future__ import annotations

from hypothesis import strategies as st

from meterweave.protocols.mbus import (
    Acknowledge,
    FixedData,
    Header,
    Long,
    Plain,
    Record,
    Records,
    SecondaryAddress,
    Selection,
    Short,
    ShortHeader,
    VariableData,
)
from meterweave.protocols.mbus.message import is_sealed
from meterweave.protocols.mbus.record import read_head

octet = st.integers(0, 255)
word = st.integers(0, 0xFFFF)
identification = st.binary(min_size=4, max_size=4).map(bytes.hex)
addresses = st.builds(SecondaryAddress, identification, word, octet, octet)
short_headers = st.builds(ShortHeader, octet, octet, word)
headers = st.builds(Header, addresses, octet, octet, word)


@st.composite
def difs(draw: st.DrawFn) -> bytes:
    first = draw(octet.filter(lambda dif: dif & 0x0F != 0x0F))
    return _chain(first, draw(st.lists(octet, max_size=10)) if first & 0x80 else [])


@st.composite
def vifs(draw: st.DrawFn) -> bytes:
    vif = draw(octet)
    rest = draw(st.lists(octet, min_size=1, max_size=10)) if vif & 0x80 else []
    if vif & 0x7F != 0x7C:
        return _chain(vif, rest)
    text = draw(st.binary(max_size=8))
    return bytes([vif, len(text)]) + text + (_chain(rest[0], rest[1:]) if rest else b"")


def _chain(first: int, rest: list[int]) -> bytes:
    """`first` and `rest` with the extension bits they need; a lone extension bit gets one octet more."""
    chain = [first, *(rest or [0] * (first >> 7))]
    return bytes([*(one | 0x80 for one in chain[:-1]), chain[-1] & 0x7F])


@st.composite
def heads(draw: st.DrawFn):
    if draw(st.integers(0, 30)) == 0:
        return read_head(b"\x7f", 0)[0]
    dif = draw(difs())
    octets = dif + draw(vifs())
    if dif[0] & 0x0F == 0x0D:
        octets += bytes([draw(st.one_of(st.integers(0, 20), st.integers(0xC0, 0xF2)))])
    return read_head(octets, 0)[0]


@st.composite
def records(draw: st.DrawFn) -> Record:
    head = draw(heads())
    return Record(head, draw(st.binary(min_size=head.size, max_size=head.size)), draw(st.sampled_from((0, 0, 0, 1, 3))))


tails = st.one_of(
    st.just(b""),
    st.binary(max_size=12).map(lambda octets: b"\x0f" + octets),
    st.binary(max_size=12).map(lambda octets: b"\x1f" + octets),
    st.binary(max_size=3).map(lambda octets: b"\x3f" + octets),
    st.binary(max_size=3).map(lambda octets: b"\x0d\x78\xf9" + octets),
)


def record_lists(size: int) -> st.SearchStrategy[Records]:
    return st.builds(Records, st.lists(records(), max_size=size).map(tuple), st.integers(0, 3), tails)


@st.composite
def variable(draw: st.DrawFn, header: st.SearchStrategy) -> VariableData:
    found, content, sealed = draw(header), draw(record_lists(3)), draw(st.binary(max_size=40))
    if found and is_sealed(found, len(sealed)):
        return VariableData(found, Records(()), sealed)
    if found:
        found = found._replace(signature=found.signature & 0xFF)
    return VariableData(found, content)


fixed = st.builds(
    FixedData,
    identification=identification,
    access_number=octet,
    status=octet,
    unit1=st.integers(0, 63),
    unit2=st.integers(0, 63),
    medium=st.integers(0, 15),
    counter1=st.binary(min_size=4, max_size=4),
    counter2=st.binary(min_size=4, max_size=4),
    rest=st.binary(max_size=3),
)
bodies = {
    0x50: st.builds(Plain, st.binary(max_size=3)),
    0x51: variable(st.none()),
    0x52: st.builds(Selection, addresses, record_lists(1)),
    0x55: variable(st.none()),
    0x56: st.builds(Selection, addresses, record_lists(1)),
    0x5C: st.builds(Plain, st.binary(max_size=3)),
    0x70: st.builds(Plain, st.binary(max_size=3)),
    0x71: st.builds(Plain, st.binary(max_size=3)),
    0x72: variable(headers),
    0x73: fixed,
    0x76: variable(headers),
    0x77: fixed,
    0x78: variable(st.none()),
    0x7A: variable(short_headers),
    0x7C: st.builds(Plain, st.binary(max_size=200)),
    0xBB: st.builds(Plain, st.binary(max_size=3)),
}


@st.composite
def longs(draw: st.DrawFn) -> Long:
    ci = draw(st.sampled_from(sorted(bodies)))
    return Long(draw(octet), draw(octet), ci, draw(bodies[ci]))


messages = st.one_of(st.just(Acknowledge()), st.builds(Short, octet, octet), longs())
