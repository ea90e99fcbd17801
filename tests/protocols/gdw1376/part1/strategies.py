"""Generated data units and messages: every layout, every field varied."""

from __future__ import annotations

from hypothesis import strategies as st

from meterweave.protocols.gdw1376.part1.annex_a import POINTS_OF_HOUR, HourDensity
from meterweave.protocols.gdw1376.part1.catalogue import BARE_REQUESTS, HISTORY, QUERY, SET, layout_of, layouts
from meterweave.protocols.gdw1376.part1.designator import ALL_POINTS, points_of
from meterweave.protocols.gdw1376.part1.formats import Decimal
from meterweave.protocols.gdw1376.part1.layout import Cell, Layout, Repeat
from meterweave.protocols.gdw1376.part1.message import AUTHENTICATED, Message, Unit
from meterweave.protocols.gdw1376.part1.records import Confirmation, Counted, Events


def known_keys(uplink: bool, afn: int | None = None) -> list[tuple[int, int]]:
    """(AFN, Fn) of everything that has a layout in this direction."""
    keys = {(key.afn, key.fn) for key in layouts() if key.uplink == uplink}
    if uplink:
        keys |= {(QUERY, key.fn) for key in layouts() if key.afn == SET}
    else:
        keys |= {(key.afn, key.fn) for key in layouts() if key.afn in BARE_REQUESTS | {HISTORY}}
    return sorted(key for key in keys if afn in (None, key[0]))


@st.composite
def digits(draw, size):
    """Packed BCD."""
    return bytes(
        draw(st.lists(st.sampled_from(range(100)).map(lambda n: n // 10 << 4 | n % 10), min_size=size, max_size=size))
    )


@st.composite
def cell_octets(draw, cell, before):
    form = cell.format
    if isinstance(form, HourDensity):
        return bytes((draw(st.sampled_from(sorted(POINTS_OF_HOUR))),))
    if form.counts:
        return draw(st.integers(0, 5)).to_bytes(form.size, "little")
    if isinstance(form, Counted):
        content = draw(st.binary(max_size=20))
        return len(content).to_bytes(form.width, "little") + content
    if isinstance(form, Confirmation):
        return draw(st.binary(min_size=1, max_size=1)) + b"".join(
            draw(st.lists(st.binary(min_size=5, max_size=5), max_size=3))
        )
    if isinstance(form, Events):
        return b"".join(
            draw(st.binary(min_size=1, max_size=1)) + bytes((len(record),)) + record
            for record in draw(
                st.lists(
                    st.binary(max_size=12),
                    min_size=(before[-1] - before[-2]) & 255,
                    max_size=(before[-1] - before[-2]) & 255,
                )
            )
        )
    if cell.name == "last_index":
        return bytes(((before[-1] + draw(st.integers(0, 3))) & 255,))
    if isinstance(form, Decimal) and form.signed and draw(st.booleans()):
        octets = draw(digits(form.size))
        return octets[:-1] + bytes((octets[-1] | 0x80,))
    return draw(
        st.one_of(digits(form.size), st.just(b"\xee" * form.size), st.binary(min_size=form.size, max_size=form.size))
    )


@st.composite
def layout_data(draw, layout: Layout, *, last: bool = True):
    """Octets that a layout explains to the last one."""
    octets = bytearray()

    def walk(steps, count):
        for step in steps:
            if isinstance(step, Cell):
                one = draw(cell_octets(step, octets))
                octets.extend(one)
                if step.format.counts:
                    count = step.format.count(one)
            elif isinstance(step, Repeat):
                for _ in range(step.times(count)):
                    walk(step.steps, count)
            elif not last or draw(st.booleans()):  # only the end of the frame tells that something is left out
                walk(step.steps, count)

    walk(layout.steps, 0)
    return bytes(octets)


@st.composite
def units(draw, afn, uplink, *, single=False, last=True):
    """One data unit with a known layout."""
    known = [fn for _, fn in known_keys(uplink, afn)]
    fn = draw(st.sampled_from([fn for fn in known if last or not layout_of(afn, uplink, fn).open_end]))
    if afn == 0x00 and not last:
        fn = 1  # a confirmation by unit takes all there is
    da = draw(
        st.one_of(
            st.just(0), st.builds(lambda group, bit: group << 8 | 1 << bit, st.integers(1, 255), st.integers(0, 7))
        )
    )
    layout = layout_of(afn, uplink, fn)
    if not single and afn != 0x00 and not layout.open_end and draw(st.integers(0, 9)) == 0:
        da = draw(st.sampled_from([ALL_POINTS, 0x0103, 0xFF81]))
    points = len(points_of(da))
    data = b"".join(draw(layout_data(layout, last=last and points == 1)) for _ in range(points))
    data += draw(st.binary(max_size=20)) if layout.open_end else b""
    return Unit(da, (fn - 1) // 8 << 8 | 1 << (fn - 1) % 8, data)


@st.composite
def messages(draw, *, uplink=None, afn=None, single=False):
    """A message of either direction; an unknown item may stand at the end."""
    uplink = draw(st.booleans()) if uplink is None else uplink
    afn = draw(st.sampled_from(sorted({key[0] for key in known_keys(uplink)}))) if afn is None else afn
    body = [
        draw(units(afn, uplink, single=single, last=left == 0)) for left in reversed(range(draw(st.integers(0, 3))))
    ]
    acd, tpv = draw(st.booleans()), draw(st.booleans())
    control = draw(st.integers(0, 15)) | draw(st.sampled_from([0, 0x40])) | draw(st.sampled_from([0, 0x10]))
    protocol = draw(st.sampled_from([1, 2]))
    authenticated = not uplink and afn in AUTHENTICATED
    return Message(
        protocol=protocol,
        control=control | (0x80 if uplink else 0) | (0x20 if acd else 0),
        region=draw(st.integers(0, 0xFFFF)),
        terminal=draw(st.integers(0, 0xFFFF)),
        master=draw(st.integers(0, 255)),
        afn=afn,
        seq=(0x80 if tpv else 0) | draw(st.integers(0, 127)),
        units=tuple(body),
        pw=draw(st.binary(min_size=(0, 2, 16)[protocol], max_size=(0, 2, 16)[protocol]))
        if authenticated and body
        else b"",
        ec=draw(st.binary(min_size=2, max_size=2)) if uplink and acd else b"",
        tp=draw(st.one_of(st.binary(min_size=6, max_size=6), digits(6))) if tpv else b"",
    )
