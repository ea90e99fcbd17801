"""Elements that hold one value."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part2.layout import Reader, read, write
from meterweave.protocols.gdw1376.part2.scalars import (
    Address,
    Ascii,
    Code,
    Count,
    Digits,
    FileContent,
    FunctionSet,
    Moment,
    Number,
    Numbers,
    Octets,
)
from meterweave.text import Text

TIME = Moment("x", "x", "x", 6, order="%S%M%H%d%m%y", iso="%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("element", "octets", "value"),
    [
        (Number("x", "x", "x", 2), "f803", 1016),
        (Number("x", "x", "x", 4), "ffffffff", 4294967295),
        (Code("x", "x", "x"), "f1", "0xF1"),
        (Code("x", "x", "x", 2), "0110", "0x1001"),
        (Digits("x", "x", "x", 2), "1020", "2010"),
        (Address("x", "x", "x"), "ab8967563412", "1234566789ab"),
        (Ascii("x", "x", "x", 2), "5a57", "WZ"),
        (Ascii("x", "x", "x", 2), "00ff", "\xff\x00"),
        (Octets("x", "x", "x", 3), "010203", "010203"),
        (Octets("x", "x", "x", 3, low_first=True), "010203", "030201"),
        (Octets("x", "x", "x"), "0102", "0102"),
        (Moment("x", "x", "x"), "091217", "2017-12-09"),
        (Moment("x", "x", "x", order="%y%m%d"), "990131", "2099-01-31"),
        (Moment("x", "x", "x"), "000000", "000000"),
        (Moment("x", "x", "x"), "290219", "290219"),
        (Moment("x", "x", "x"), "ffffff", "ffffff"),
        (TIME, "301311290717", "2017-07-29T11:13:30"),
        (TIME, "301325290717", "301325290717"),
        (FunctionSet("x", "x", "x", 2), "0180", [1, 16]),
        (Numbers("x", "x", "x", 3), "010208", [1, 2, 8]),
    ],
)
def test_octets_and_values(element, octets, value):
    assert read((element,), bytes.fromhex(octets)).values == {"x": value}
    assert write((element,), {"x": value}, "payload").hex() == octets


@pytest.mark.parametrize(
    ("element", "value", "said"),
    [
        (Number("x", "x", "x"), 256, "payload.x is 256, wanted a whole number from 0 to 255"),
        (Number("x", "x", "x"), True, "payload.x is True"),
        (Number("x", "x", "x"), "1", "payload.x is '1'"),
        (Number("x", "x", "x"), -1, "payload.x is -1"),
        (Code("x", "x", "x"), "F1", "payload.x is 'F1'"),
        (Code("x", "x", "x"), "0x100", "payload.x is 256"),
        (Digits("x", "x", "x", 2), "201", "payload.x is '201', wanted 4 digits"),
        (Digits("x", "x", "x", 2), 2010, "payload.x is 2010, wanted 4 digits"),
        (Ascii("x", "x", "x", 2), "W", "payload.x is 'W', wanted a text of 2 characters"),
        (Ascii("x", "x", "x", 2), "万万", "wanted a text of 2 characters"),
        (Ascii("x", "x", "x", 2), None, "wanted a text of 2 characters"),
        (Octets("x", "x", "x", 2), "00", "payload.x has 1 octets, wanted 2"),
        (Octets("x", "x", "x", 2), "zz", "wanted octets in hexadecimal"),
        (Octets("x", "x", "x", 2), 17, "wanted octets in hexadecimal"),
        (Moment("x", "x", "x"), "2017-13-01", "payload.x is '2017-13-01', wanted a time like 2019-05-01"),
        (Moment("x", "x", "x"), "1999-12-31", "wanted a year from 2000 to 2099"),
        (TIME, 5, "wanted a time like 2019-05-01T00:00:00"),
        (FunctionSet("x", "x", "x"), [0], r"payload.x\[0\] is 0, wanted 1 to 256"),
        (FunctionSet("x", "x", "x"), 1, "payload.x is 1, wanted a list"),
        (Numbers("x", "x", "x", 3), [1, 2], "payload.x has 2 numbers, wanted 3"),
        (Numbers("x", "x", "x", 1), [256], r"payload.x\[0\] is 256"),
    ],
)
def test_values_that_do_not_fit(element, value, said):
    with pytest.raises(EncodeError, match=said):
        write((element,), {"x": value}, "payload")


def test_a_missing_value_is_named_unless_it_has_a_default():
    with pytest.raises(EncodeError, match=r"payload.x is missing"):
        write((Number("x", "x", "x"),), {}, "payload")
    assert write((Number("x", "x", "x", default=7),), {}, "payload") == b"\x07"
    assert write((Number("x", "x", "x", default=7),), {"x": 8}, "payload") == b"\x08"


class TestCount:
    layout = (Count("n", "n", "n", of="id"), Octets("id", "id", "id", length="n"))

    def test_it_is_found_by_the_writer(self):
        assert write(self.layout, {"id": "0102"}, "payload") == b"\x02\x01\x02"
        assert read(self.layout, b"\x02\x01\x02").values == {"n": 2, "id": "0102"}

    def test_another_number_is_refused(self):
        with pytest.raises(EncodeError, match=r"payload.n is 3, but payload.id has 2"):
            write(self.layout, {"n": 3, "id": "0102"}, "payload")

    def test_what_it_counts_must_be_there_and_countable(self):
        with pytest.raises(EncodeError, match=r"payload.id is missing"):
            write(self.layout, {}, "payload")
        with pytest.raises(EncodeError, match=r"payload.id is 5, wanted a list"):
            write(self.layout, {"id": 5}, "payload")

    def test_a_number_of_the_senders_own(self):
        layout = (Count("n", "n", "n", of="id", given=True), Octets("id", "id", "id"))
        assert write(layout, {"n": 3, "id": "01"}, "payload") == b"\x03\x01"


def test_a_file_shows_its_head():
    layout = (Count("length", "", "", 2, of="content"), FileContent("content", "", "", length="length"))
    content = bytes(range(20)).hex()
    values = read(layout, b"\x14\x00" + bytes(range(20))).values
    assert values == {"length": 20, "content": content, "content_head": content[:32]}
    assert write(layout, values, "payload") == b"\x14\x00" + bytes(range(20))


def test_what_people_see():
    words = {1: Text("one", "一")}
    cases = [
        (Number("x", "X", "甲", unit="s", words=words), b"\x01", "1", "s", words[1]),
        (Code("x", "X", "甲", words=words), b"\x01", "01H", "", words[1]),
        (Ascii("x", "X", "甲", 2), b"ZW", "WZ", "", None),
        (Ascii("x", "X", "甲", 2), b"\x00W", "00 57", "", None),
        (FunctionSet("x", "X", "甲", 1), b"\x05", "F1 F3", "", None),
    ]
    for element, octets, value, unit, meaning in cases:
        (field,) = element.explain(Reader(octets), {})
        assert (field.name, field.octets, field.value, field.unit, field.meaning) == (
            Text("X", "甲"),
            octets,
            value,
            unit,
            meaning,
        )
    (field,) = Numbers("x", "X", "甲", 3, words=words).explain(Reader(b"\x01\x02\x03"), {})
    assert [(part.name.zh, part.value, part.meaning) for part in field.parts] == [
        ("A相", "1", words[1]),
        ("B相", "2", None),
        ("C相", "3", None),
    ]
