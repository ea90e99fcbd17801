"""Frames and envelopes of every kind, as hypothesis draws them."""

from __future__ import annotations

from hypothesis import strategies as st

from meterweave.protocols.modbus import Envelope, Frame, build, encode
from meterweave.protocols.modbus.registers import blocks
from meterweave.protocols.modbus.upload import Record, Registration, Upload, write_registration, write_upload

octet = st.integers(0, 255)
word = st.integers(0, 0xFFFF)
units = st.integers(0, 247)
registers = st.lists(word, min_size=1, max_size=20)
bits = st.lists(st.booleans(), min_size=1, max_size=40)


def _build(kind, function):
    return lambda unit, fields: build(unit, kind, function, fields)


def _fields(**parts):
    return st.fixed_dictionaries(parts)


_full_bits = st.lists(st.booleans(), min_size=8, max_size=8).flatmap(
    lambda first: st.lists(st.lists(st.booleans(), min_size=8, max_size=8), max_size=4).map(
        lambda more: first + [bit for byte in more for bit in byte]
    )
)
built = st.one_of(
    *(
        st.builds(_build("request", function), units, _fields(address=word, count=st.integers(1, 125)))
        for function in (1, 2, 3, 4)
    ),
    *(st.builds(_build("response", function), units, _fields(bits=_full_bits)) for function in (1, 2)),
    *(st.builds(_build("response", function), units, _fields(registers=registers)) for function in (3, 4)),
    st.builds(_build("request", 5), units, _fields(address=word, bits=st.lists(st.booleans(), min_size=1, max_size=1))),
    st.builds(_build("request", 6), units, _fields(address=word, registers=st.lists(word, min_size=1, max_size=1))),
    st.builds(_build("request", 15), units, _fields(address=word, bits=bits)),
    st.builds(_build("request", 16), units, _fields(address=word, registers=registers)),
    *(
        st.builds(_build("response", function), units, _fields(address=word, count=st.integers(1, 100)))
        for function in (15, 16)
    ),
    st.builds(_build("exception", 3), units, _fields(exception_code=octet)),
)
"""Frames made of their fields."""

answers = st.builds(_build("response", 3), units, _fields(registers=registers))

frames = st.one_of(
    built,
    st.builds(Frame, octet, octet, st.binary(max_size=252)).filter(
        lambda frame: (frame.unit, frame.function) != (123, 123)
    ),
)


@st.composite
def known_frames(draw: st.DrawFn) -> Frame:
    """Answers of the length of a known block."""
    block = draw(st.sampled_from(list(blocks().values())))
    octets = draw(st.binary(min_size=2 * block.count, max_size=2 * block.count))
    return Frame(draw(units), draw(st.sampled_from((3, 4))), bytes([len(octets)]) + octets)


def _digits(size):
    return st.text("0123456789", min_size=size, max_size=size).map(str.encode)


clocks = st.one_of(
    st.tuples(
        st.integers(0, 99),
        st.integers(1, 12),
        st.integers(1, 28),
        octet,
        st.integers(0, 23),
        st.integers(0, 59),
        st.integers(0, 59),
    ).map(bytes),
    st.just(bytes(7)),
    st.binary(min_size=7, max_size=7),
)


@st.composite
def status_answers(draw: st.DrawFn, count: int = 48) -> Frame:
    """Answers with a status block whose model and clock mean something more often than not."""
    octets = bytearray(draw(st.binary(min_size=2 * count, max_size=2 * count)))
    octets[0:2] = draw(st.sampled_from((5, 7, 10, 99))).to_bytes(2, "big")
    octets[80:87] = draw(clocks)
    return Frame(draw(units), 3, bytes([2 * count]) + bytes(octets))


registrations = st.builds(
    Registration,
    _digits(20),
    _digits(30),
    octet,
    st.tuples(*[st.binary(min_size=2, max_size=2)] * 3),
    octet,
)
_records = st.builds(Record, _digits(12) | st.just(b""), status_answers() | answers)
uploads = st.builds(Upload, _digits(20) | st.just(b""), st.lists(_records, max_size=3).map(tuple))
envelopes = st.one_of(
    st.builds(Envelope, octet, st.binary(max_size=120)),
    st.builds(Envelope, st.just(0x84), registrations.map(write_registration)),
    st.builds(Envelope, st.just(0x91), uploads.map(write_upload)),
    st.builds(Envelope, st.just(0x90), built.map(encode)),
    st.builds(Envelope, st.just(0x93), clocks),
)
messages = st.one_of(frames, known_frames(), envelopes)
