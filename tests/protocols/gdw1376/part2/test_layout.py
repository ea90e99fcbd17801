"""Rows of elements."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part2.layout import (
    MISMATCH,
    MISMATCH_TEXT,
    TRAILING,
    Payload,
    Reader,
    Short,
    explain,
    read,
    write,
)
from meterweave.protocols.gdw1376.part2.scalars import Number

ROW = (Number("a", "a", "甲"), Number("b", "b", "乙", 2))


def test_values_trailing_octets_and_mismatch():
    assert read(ROW, b"\x01\x02\x00") == Payload({"a": 1, "b": 2}, b"")
    assert read(ROW, b"\x01\x02\x00\x09") == Payload({"a": 1, "b": 2}, b"\x09")
    assert read(ROW, b"\x01\x02") == Payload({"a": 1, "error": MISMATCH}, b"")
    assert read((), b"\x01") == Payload({}, b"\x01")


def test_writing_wants_an_object_of_known_names():
    assert write(ROW, {"a": 1, "b": 2}, "payload") == b"\x01\x02\x00"
    with pytest.raises(EncodeError, match=r"payload is \[\], wanted an object"):
        write(ROW, [], "payload")
    with pytest.raises(EncodeError, match=r"payload.c is not known here; there are: a, b"):
        write(ROW, {"a": 1, "b": 2, "c": 3}, "payload")
    with pytest.raises(EncodeError, match=r"payload.c is not known here; there are: none"):
        write((), {"c": 3}, "payload")


def test_people_see_what_does_not_fit():
    assert [(field.name.en, field.octets) for field in explain(ROW, b"\x01\x02\x00\x09")] == [
        ("a", b"\x01"),
        ("b", b"\x02\x00"),
        (TRAILING.en, b"\x09"),
    ]
    assert [(field.octets, field.fault) for field in explain(ROW, b"\x01\x02")] == [
        (b"\x01", None),
        (b"\x02", MISMATCH_TEXT),
    ]


def test_a_reader_gives_no_more_than_there_is():
    reader = Reader(b"\x01\x02\x03")
    assert (reader.take(2), reader.left) == (b"\x01\x02", 1)
    with pytest.raises(Short):
        reader.take(2)
    assert (reader.rest(), reader.left) == (b"\x03", 0)
