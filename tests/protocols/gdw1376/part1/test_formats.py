from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1.annex_a import FORMATS, split_format
from meterweave.protocols.gdw1376.part1.formats import Decimal
from meterweave.protocols.gdw1376.part1.values import Entries, Named

EXAMPLES = [
    ("A1", "494811151215", "2015-12-15T11:48:49"),
    ("A2", "2381", "123"),
    ("A2", "2391", "-123"),
    ("A2", "23e1", "0.123"),
    ("A2", "9909", "9990000"),
    ("A3", "67452301", "1234567"),
    ("A3", "67452311", "-1234567"),
    ("A3", "67452341", "1234567000"),
    ("A4", "79", "79"),
    ("A4", "f9", "-79"),
    ("A5", "0010", "100.0"),
    ("A5", "9979", "799.9"),
    ("A5", "34f2", "-723.4"),
    ("A6", "3492", "-12.34"),
    ("A7", "2724", "242.7"),
    ("A8", "3412", "1234"),
    ("A9", "563412", "12.3456"),
    ("A9", "563492", "-12.3456"),
    ("A10", "563412", "123456"),
    ("A11", "78563412", "123456.78"),
    ("A12", "665544332211", "112233445566"),
    ("A13", "78563412", "1234.5678"),
    ("A14", "0028463700", "3746.2800"),
    ("A15", "4716280818", "2018-08-28T16:47"),
    ("A16", "19441016", "16T10:44:19"),
    ("A17", "47162808", "08-28T16:47"),
    ("A18", "471628", "28T16:47"),
    ("A19", "4716", "16:47"),
    ("A20", "270818", "2018-08-27"),
    ("A21", "0718", "2018-07"),
    ("A22", "15", "1.5"),
    ("A23", "563412", "12.3456"),
    ("A24", "2816", "28T16"),
    ("A25", "005000", "5.000"),
    ("A25", "563482", "-23.456"),
    ("A26", "9909", "0.999"),
    ("A27", "78563412", "12345678"),
    ("BIN1", "ff", "255"),
    ("BIN2", "901f", "8080"),
    ("BIN4", "ffffffff", "4294967295"),
    ("BIN2EE", "3c00", "60"),
    ("BIN1x10", "0a", "100"),
    ("BIN1x20", "0a", "200"),
    ("HALFHOUR", "03", "1.5"),
    ("HOUR", "23", "23"),
    ("HOURDENSITY", "fe", "254"),
    ("BITS1", "6b", "0x6B"),
    ("BITS2", "0180", "0x8001"),
    ("BITS3", "010000", "0x000001"),
    ("HEX2", "1e03", "1e03"),
    ("DIGITS6", "222222111111", "111111222222"),
    ("ASCII4", "5a4a0000", "ZJ"),
    ("IP", "c0a80001", "192.168.0.1"),
    ("VISIBLE", "02414d", "AM"),
    ("GBK", "04b5e7b1ed", "电表"),
    ("CONTENT", "0200aabb", "aabb"),
    ("TIMEOUT", "bc", "60000"),
    ("TIMEOUT", "0a", "100"),
    ("TIMEOUT", "ff", "127000"),
    ("FORWARDED", "0000", ""),
]


@pytest.mark.parametrize(("name", "octets", "text"), EXAMPLES)
def test_a_format_says_what_it_means(name, octets, text):
    form = FORMATS[name]
    assert form.text(bytes.fromhex(octets)) == text
    assert form.pack(text).hex() == octets


def test_every_annex_a_format_has_an_example():
    annex = {name for name in FORMATS if name.startswith("A") and name[1:].isdecimal()}
    assert annex == {f"A{number}" for number in range(1, 28)}
    assert annex <= {name for name, _, _ in EXAMPLES}


@pytest.mark.parametrize(
    "name", [name for name in FORMATS if name.startswith("A") and name[1:].isdecimal() and name != "A12"]
)
def test_ee_is_no_value(name):
    form = FORMATS[name]
    octets = b"\xee" * form.size
    entries = form.entries("x", "u", octets)
    assert entries[0] == {"name": "x", "value": None, "unit": "u", "missing": True}
    assert form.build("x", Entries(entries)) == octets


@pytest.mark.parametrize("octets", ["ffff", "00ee", "0a10"])
def test_octets_of_no_digits_are_kept_raw(octets):
    entry = FORMATS["A5"].entry("x", "%", bytes.fromhex(octets))
    assert entry == {"name": "x", "value": None, "unit": "%", "missing": True, "raw": octets}
    assert FORMATS["A5"].build("x", Entries([entry])).hex() == octets


@given(st.sampled_from(["A5", "A7", "A9", "A14", "A25"]), st.data())
def test_numbers_in_one_go_are_the_numbers_one_by_one(name, data):
    form = FORMATS[name]
    assert isinstance(form, Decimal)
    one = st.one_of(
        st.integers(0, 10 ** (2 * form.size) - 1).map(lambda n: bytes.fromhex(str(n).zfill(2 * form.size))[::-1]),
        st.binary(min_size=form.size, max_size=form.size),
    )
    values = data.draw(st.lists(one, max_size=6))
    assert form.numbers(b"".join(values)) == [form.number(value) for value in values]


@given(st.sampled_from(sorted(set(FORMATS) - {"CONFIRM", "EVENTS", "DADT"})), st.data())
def test_what_is_read_is_written_back(name, data):
    form = FORMATS[name]
    size = form.size or 8
    octets = data.draw(st.binary(min_size=size, max_size=size))
    octets = octets if form.size else octets[: form.measure(octets, 0)].ljust(form.measure(octets, 0), b"\0")
    entries = form.entries("x", "u", octets)
    again = form.build("x", Entries(entries))
    assert form.entries("x", "u", again) == entries


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("A1", "2015-12-15"),
        ("A1", "2015-20-15T00:00:00"),
        ("A2", "1234.5"),
        ("A2", "x"),
        ("A3", "10000001000"),
        ("A3", "99999999000"),
        ("A5", "800.0"),
        ("A5", "1.23"),
        ("A7", "-1.0"),
        ("A7", "1000.0"),
        ("A12", "1234567890123"),
        ("A12", "12x"),
        ("A15", "2018-08-28 16:47"),
        ("BIN1", "256"),
        ("BIN1", "-1"),
        ("BIN1x20", "30"),
        ("BITS1", "0x100"),
        ("BITS1", "six"),
        ("ASCII4", "ABCDE"),
        ("ASCII4", "电表"),
        ("IP", "1.2.3"),
        ("IP", "1.2.3.256"),
        ("HEX2", "1e"),
        ("VISIBLE", "x" * 256),
        ("CONTENT", "0"),
        ("TIMEOUT", "1275"),
        ("TIMEOUT", "1280"),
        ("TIMEOUT", "128000"),
        ("TIMEOUT", "-10"),
        ("VISIBLE", None),
    ],
)
def test_values_that_do_not_fit(name, value):
    with pytest.raises(EncodeError, match="x"):
        FORMATS[name].build("x", Named({"x": value}))


def test_raw_octets_have_to_be_octets_of_the_right_number():
    for raw in ("zz", "00", 5):
        with pytest.raises(EncodeError, match="x"):
            FORMATS["A5"].build("x", Entries([{"name": "x", "value": None, "raw": raw}]))


def test_characters_that_are_none():
    assert FORMATS["ASCII4"].text(b"\xff\0\0\0") is None
    assert FORMATS["VISIBLE"].text(b"\x01\xff") is None


def test_minutes_that_are_missing():
    assert FORMATS["BIN2EE"].entry("x", "min", b"\xee\xee")["missing"] is True
    assert FORMATS["BIN2"].text(b"\xee\xee") == "61166"


def test_an_octet_of_several_numbers():
    form, names = split_format("<speed:3,port:5>")
    assert names == ("speed", "port")
    entries = form.entries("meter[0].<", "code|1", b"\x21")
    assert entries == [
        {"name": "meter[0].speed", "value": "1", "unit": "code"},
        {"name": "meter[0].port", "value": "1", "unit": "1"},
    ]
    assert form.build("meter[0].<", Entries(entries)) == b"\x21"
    for value in ("8", "-1", "x", None):
        with pytest.raises(EncodeError, match="speed"):
            form.build("<", Named({"speed": value, "port": 1}))
