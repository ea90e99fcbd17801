from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import EncodeError
from meterweave.protocols.cjt188 import Content, Frame, content, reply, request, values
from meterweave.protocols.cjt188.content import layout_of, read_di, write_data
from meterweave.protocols.cjt188.items import identifiers
from tests.protocols.cjt188.strategies import known_frames

METER = "00000000000012"


@pytest.mark.parametrize(
    ("octets", "di", "order"),
    [
        ("1f90", 0x901F, "low_first"),
        ("901f", 0x901F, "high_first"),
        ("0a81", 0x810A, "low_first"),
        ("810a", 0x810A, "high_first"),
        ("ef90", 0x90EF, "low_first"),  # unknown, but 90H is a high octet
        ("90ef", 0x90EF, "high_first"),
        ("a017", 0xA017, "high_first"),
        ("d281", 0xD281 if 0xD281 in identifiers() else 0x81D2, "low_first"),
        ("9081", 0x8190, "low_first"),  # both could be high octets
        ("1234", 0x3412, "low_first"),  # neither
    ],
)
def test_the_order_of_the_identifier_is_found(octets, di, order):
    assert read_di(bytes.fromhex(octets)) == (di, order)


@pytest.mark.parametrize("order", ["low_first", "high_first"])
def test_every_known_identifier_is_read_in_both_orders(order):
    for di in identifiers():
        assert read_di(write_data(di, order, 0)[:2]) == (di, order)


@pytest.mark.parametrize(
    ("control", "data", "wanted"),
    [
        (0x01, "", Content(None, "low_first", None, b"")),
        (0x01, "1f", Content(None, "low_first", None, b"\x1f")),
        (0x01, "1f90", Content(0x901F, "low_first", None, b"")),
        (0x01, "1f9007", Content(0x901F, "low_first", 7, b"")),
        (0x81, "901f07aa", Content(0x901F, "high_first", 7, b"\xaa")),
        (0xC1, "070300", Content(None, "low_first", 7, b"\x03\x00")),  # SER ST, as the 2004 text has it
        (0xC1, "1f900703", Content(0x901F, "low_first", 7, b"\x03")),  # as other meters do
        (0xC1, "03", Content(None, "low_first", None, b"\x03")),
        (0xC1, "12345678", Content(None, "low_first", None, b"\x12\x34\x56\x78")),
    ],
)
def test_the_parts_of_a_data_field(control, data, wanted):
    assert content(Frame(0x10, METER, control, bytes.fromhex(data))) == wanted


@given(known_frames())
def test_the_values_are_the_payload_cut_up(frame):
    parts = content(frame)
    cut = b"".join(value.octets for value in values(frame))
    assert parts.payload.startswith(cut)
    layout = layout_of(parts.di, frame.meter_type, frame.answer, len(parts.payload))
    assert layout is not None
    assert len(cut) == layout.size


@pytest.mark.parametrize(
    ("meter_type", "size", "layout"),
    [
        (0x10, 0x16, "volume"),
        (0x10, 0x18, "volume"),
        (0x39, 0x16, "volume"),
        (0x10, 0x15, None),
        (0x20, 0x2E, "heat_2004"),
        (0x27, 0x30, "heat_2004"),
        (0x20, 0x2B, "heat_2018"),
        (0x20, 0x16, None),
        (0xAA, 0x16, "volume"),
        (0xAA, 0x2E, "heat_2004"),
        (0xAA, 0x2B, "heat_2018"),
        (0x40, 0x16, None),
    ],
)
def test_type_and_length_choose_the_layout_of_present_data(meter_type, size, layout):
    found = layout_of(0x901F, meter_type, True, size - 3)
    assert (found.name if found else None) == layout


def test_a_request_and_its_reply():
    asked = request(0x04, 0x10, "aa" * 7, 0xA017, ser=9, payload=b"\x99", order="high_first")
    assert asked == Frame(0x10, "aa" * 7, 0x04, bytes.fromhex("a0170999"))
    answered = reply(asked, b"\x01\x00", meter_type=0x10, address=METER)
    assert answered == Frame(0x10, METER, 0x84, bytes.fromhex("a017090100"))


@given(st.integers() | st.just(0x10000), st.integers() | st.just(256))
def test_parts_that_do_not_fit_are_named(di, ser):
    if 0 <= di <= 0xFFFF and 0 <= ser <= 255:
        assert len(write_data(di, "low_first", ser)) == 3
    else:
        with pytest.raises(EncodeError, match=r"di is|ser is"):
            write_data(di, "low_first", ser)


def test_a_sequence_that_does_not_fit_is_named():
    with pytest.raises(EncodeError, match="ser is 256"):
        write_data(0x901F, "low_first", 256)
