"""Words with named bits, repeated rows, and tails."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part2.groups import Addresses, Bit, Bits, Repeat, Tail
from meterweave.protocols.gdw1376.part2.layout import MISMATCH, MISMATCH_TEXT, Reader, explain, read, write
from meterweave.protocols.gdw1376.part2.scalars import Address, Count, Number
from meterweave.text import Text

LEVEL = Bit("level", "level", "层级", 0, 4)
UNIT = Bit("unit", "unit", "单位", 15, coded=("bit/s", "kbit/s"))
PLAIN = Bits("", "word", "字", 2, (LEVEL, UNIT))
NAMED = Bits("word", "word", "字", 2, (LEVEL, UNIT))
AS_SENT = Bits("word", "word", "字", 2, (LEVEL, UNIT), form="octets")
KEPT = Bits("", "word", "字", 2, (LEVEL, UNIT), reserved=True)


@pytest.mark.parametrize(
    ("element", "octets", "values"),
    [
        (PLAIN, "0380", {"level": 3, "unit": "kbit/s"}),
        (NAMED, "0300", {"word": "0x0003", "level": 3, "unit": "bit/s"}),
        (AS_SENT, "0380", {"word": "0380", "level": 3, "unit": "kbit/s"}),
        (KEPT, "1380", {"level": 3, "unit": "kbit/s", "reserved": "1000"}),
        (KEPT, "0380", {"level": 3, "unit": "kbit/s"}),
    ],
)
def test_octets_and_values(element, octets, values):
    assert read((element,), bytes.fromhex(octets)).values == values
    assert write((element,), values, "payload").hex() == octets


def test_bits_left_out_are_0_and_the_whole_word_wins():
    assert write((PLAIN,), {}, "payload") == b"\x00\x00"
    assert write((NAMED,), {"level": 5}, "payload") == b"\x05\x00"
    assert write((NAMED,), {"word": "0x0102", "level": 5}, "payload") == b"\x02\x01"
    assert write((NAMED,), {"word": 258}, "payload") == b"\x02\x01"


@pytest.mark.parametrize(
    ("element", "values", "said"),
    [
        (PLAIN, {"level": 16}, "payload.level is 16, wanted a whole number from 0 to 15"),
        (PLAIN, {"unit": 1}, "payload.unit is 1, wanted bit/s or kbit/s"),
        (PLAIN, {"word": "0x0001"}, "payload.word is not known here; there are: level, unit"),
        (NAMED, {"word": "1"}, "payload.word is '1'"),
        (AS_SENT, {"word": "01"}, "payload.word has 1 octets, wanted 2"),
        (KEPT, {"reserved": "0100"}, "payload.reserved is '0100', wanted octets with no named bit set"),
        (KEPT, {"reserved": "01"}, "payload.reserved has 1 octets, wanted 2"),
    ],
)
def test_values_that_do_not_fit(element, values, said):
    with pytest.raises(EncodeError, match=said):
        write((element,), values, "payload")


def test_a_bit_field_that_counts():
    layout = (
        Bits("", "word", "字", 1, (Bit("n", "n", "n", 0, 4, of="items"),)),
        Repeat("items", "item", "项", (Number("x", "x", "x"),), count="n"),
    )
    values = {"n": 2, "items": [{"x": 1}, {"x": 2}]}
    assert read(layout, b"\x02\x01\x02").values == values
    assert write(layout, values, "payload") == write(layout, {"items": values["items"]}, "payload") == b"\x02\x01\x02"
    with pytest.raises(EncodeError, match=r"payload.n is 3, but payload.items has 2"):
        write(layout, values | {"n": 3}, "payload")


def test_the_bits_are_parts_without_octets():
    (field,) = KEPT.explain(Reader(b"\x13\x80"), {})
    assert (field.octets, field.value) == (b"\x13\x80", "8013H")
    assert [(part.name.en, part.octets, part.value) for part in field.parts] == [
        ("level", b"", "3"),
        ("unit", b"", "kbit/s"),
        ("reserved bits that are set", b"", "10 00"),
    ]


class TestRepeat:
    counted = (
        Count("count", "count", "数量", of="nodes"),
        Repeat(
            "nodes", "node", "从节点", (Address("address", "address", "地址"), Number("x", "x", "x")), count="count"
        ),
    )
    to_the_end = (Repeat("nodes", "node", "从节点", (Number("x", "x", "x", 2),)),)
    octets = bytes.fromhex("02 010000000000 05 020000000000 06")

    def test_counted(self):
        values = {
            "count": 2,
            "nodes": [{"address": "000000000001", "x": 5}, {"address": "000000000002", "x": 6}],
        }
        assert read(self.counted, self.octets).values == values
        assert write(self.counted, values, "payload") == self.octets

    def test_to_the_end(self):
        assert read(self.to_the_end, b"\x01\x00\x02\x00").values == {"nodes": [{"x": 1}, {"x": 2}]}
        assert read(self.to_the_end, b"").values == {"nodes": []}

    def test_what_is_cut_keeps_the_whole_rows(self):
        assert read(self.counted, self.octets[:-1]).values == {
            "count": 2,
            "nodes": [{"address": "000000000001", "x": 5}],
            "error": MISMATCH,
        }
        assert read(self.to_the_end, b"\x01\x00\x02").values == {"nodes": [{"x": 1}], "error": MISMATCH}

    def test_the_place_of_a_wrong_value_is_named(self):
        nodes = [{"address": "000000000001", "x": 5}, {"address": "000000000002", "x": 256}]
        with pytest.raises(EncodeError, match=r"payload.nodes\[1\].x is 256"):
            write(self.counted, {"nodes": nodes}, "payload")
        with pytest.raises(EncodeError, match=r"payload.nodes\[0\] is 'x', wanted an object"):
            write(self.counted, {"nodes": ["x"]}, "payload")

    def test_what_people_see(self):
        count, nodes = explain(self.counted, self.octets)
        assert (count.value, nodes.value, nodes.octets) == ("2", "2", self.octets[1:])
        assert [part.name for part in nodes.parts] == [Text("node 1", "从节点1"), Text("node 2", "从节点2")]
        assert [part.value for part in nodes.parts[1].parts] == ["000000000002", "6"]

    def test_people_see_where_it_was_cut(self):
        _, nodes = explain(self.counted, self.octets[:-1])
        assert [part.fault for part in nodes.parts[1].parts] == [None, MISMATCH_TEXT]
        _, nodes = explain(self.counted, self.octets[:4])
        assert [part.octets for part in nodes.parts[0].parts] == [self.octets[1:4]]


class TestAddresses:
    layout = (Addresses("nodes", "nodes", "从节点"), Number("x", "x", "x"))
    octets = bytes.fromhex("01 060000000000 09")

    def test_octets_and_values(self):
        values = {"nodes": ["000000000006"], "x": 9}
        assert read(self.layout, self.octets).values == values
        assert write(self.layout, values, "payload") == self.octets
        assert write(self.layout, {"x": 9}, "payload") == b"\x00\x09"

    def test_what_is_cut(self):
        assert read(self.layout, self.octets[:3]).values == {"nodes": [], "error": MISMATCH}

    def test_values_that_do_not_fit(self):
        with pytest.raises(EncodeError, match=r"payload.nodes\[0\] is '6', wanted 12 digits"):
            write(self.layout, {"nodes": ["6"], "x": 9}, "payload")
        with pytest.raises(EncodeError, match=r"the length of payload.nodes is 256"):
            write(self.layout, {"nodes": ["000000000006"] * 256, "x": 9}, "payload")

    def test_what_people_see(self):
        nodes, _ = explain(self.layout, self.octets)
        assert [(part.octets, part.value) for part in nodes.parts] == [
            (b"\x01", "1"),
            (self.octets[1:7], "000000000006"),
        ]


class TestTail:
    layout = (Number("a", "a", "a"), Tail("", "tail", "尾", (Number("b", "b", "b"), Number("c", "c", "c"))))

    @pytest.mark.parametrize(("octets", "values"), [("01", {"a": 1}), ("010203", {"a": 1, "b": 2, "c": 3})])
    def test_octets_and_values(self, octets, values):
        assert read(self.layout, bytes.fromhex(octets)).values == values
        assert write(self.layout, values, "payload").hex() == octets
        assert [field.value for field in explain(self.layout, bytes.fromhex(octets))] == [
            str(value) for value in values.values()
        ]

    def test_half_of_it_is_a_mismatch(self):
        assert read(self.layout, b"\x01\x02").values == {"a": 1, "b": 2, "error": MISMATCH}
        with pytest.raises(EncodeError, match=r"payload.c is missing"):
            write(self.layout, {"a": 1, "b": 2}, "payload")
        assert [field.fault for field in explain(self.layout, b"\x01\x02")] == [None, None, MISMATCH_TEXT]
