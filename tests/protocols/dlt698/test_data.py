"""Every type of Data: octets, JSON, words, and what is refused."""

import json

import pytest

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.dlt698.cursor import DEPTH_MAX, Reader, Writer
from meterweave.protocols.dlt698.data import DATA, Tag
from meterweave.text import Text

SHOWN = [
    ("00", None),
    ("0102110112 0002", [{"type": "unsigned", "value": 1}, {"type": "long-unsigned", "value": 2}]),
    ("02010F80", [{"type": "integer", "value": -128}]),
    ("0301", True),
    ("0300", False),
    ("0411FFFF80", {"bits": 17, "hex": "FFFF80", "set": list(range(17))}),
    ("05FFFFFF9C", -100),
    ("06FFFFFFFF", 4294967295),
    ("0903010203", "010203"),
    ("0A0456312E30", "V1.0"),
    ("0A02B5E7", {"raw": "B5E7"}),
    ("0A0100", {"raw": "00"}),
    ("0C03E794B5", "电"),
    ("0C01FF", {"raw": "FF"}),
    ("0F7F", 127),
    ("108000", -32768),
    ("11FF", 255),
    ("1212AB", 4779),
    ("14FFFFFFFFFFFFFFFF", -1),
    ("15FFFFFFFFFFFFFFFF", 18446744073709551615),
    ("16FF", 255),
    ("173FC00000", 1.5),
    ("177FC00000", {"raw": "7FC00000"}),
    ("177F800000", {"raw": "7F800000"}),
    ("18BFF8000000000000", -1.5),
    ("1907E8050601081E0F00FA", {"time": "2024-05-06T08:30:15.250", "day_of_week": 1}),
    ("19FFFFFFFFFFFFFFFFFFFF", {"time": None, "day_of_week": None}),
    ("1A07E8050601", {"date": "2024-05-06", "day_of_week": 1}),
    ("1A07E80506FF", {"date": "2024-05-06", "day_of_week": None}),
    ("1AFFFFFFFF01", {"date": None, "day_of_week": 1}),
    ("1B081E0F", "08:30:15"),
    ("1BFFFFFF", None),
    ("1B08FFFF", {"hour": 8, "minute": None, "second": None}),
    ("1C07E80506081E14", "2024-05-06T08:30:20"),
    ("1CFFFFFFFFFFFFFF", None),
    ("1C07E80D06081EFF", {"year": 2024, "month": 13, "day": 6, "hour": 8, "minute": 30, "second": None}),
    ("500010", "0010"),
    ("51F2010201", "F2010201"),
    ("5250040200 01 00100200", {"road": "50040200", "oads": ["00100200"]}),
    ("5360007F00", "60007F00"),
    ("540100 0F", {"unit": "minute", "value": 15}),
    ("54090001", {"unit": 9, "value": 1}),
    (
        "5507 05 000000000101",
        {"len": 7, "af": 5, "type": "single", "logical": 0, "address": "000000000101"},
    ),
    (
        "5508 26 07 330000000012",
        {"len": 8, "af": 38, "type": "single", "logical": 7, "address": "330000000012"},
    ),
    ("5501 26", {"len": 1, "af": 38, "type": "single", "logical": 0, "address": ""}),
    ("5500", {"len": 0, "address": ""}),
    ("560401020304", "01020304"),
    ("57020102", "0102"),
    (
        "5802 1101 1105",
        {
            "unit": 2,
            "bounds": "[start, end]",
            "start": {"type": "unsigned", "value": 1},
            "end": {"type": "unsigned", "value": 5},
        },
    ),
    ("59FE21", {"scale": -2, "unit": "kWh", "unit_code": 33}),
    ("59FEF0", {"scale": -2, "unit": 240, "unit_code": 240}),
    ("5A00", {"selector": 0}),
    ("5A0903", {"selector": 9, "nth_last": 3}),
    ("5A0A0101", {"selector": 10, "last_n": 1, "meters": {"choice": 1, "name": "all"}}),
    ("5B0020210200", {"oad": "20210200"}),
    ("5B01500402000100100200", {"road": "50040200", "oads": ["00100200"]}),
    ("5C00", {"choice": 0, "name": "none"}),
    ("5C02020102", {"choice": 2, "name": "user_types", "items": [1, 2]}),
    ("5C0401FFFF", {"choice": 4, "name": "config_numbers", "items": [65535]}),
    ("5D85010203 02 1234", {"id": "85010203", "attached": "1234"}),
    ("5E85010203 00 01 AA", {"sid": {"id": "85010203", "attached": ""}, "mac": "AA"}),
    (
        "5F0302080100",
        {"baud": 2400, "parity": "even", "data_bits": 8, "stop_bits": 1, "flow_control": "none"},
    ),
    (
        "5FFF00080200",
        {"baud": "auto", "parity": "none", "data_bits": 8, "stop_bits": 2, "flow_control": "none"},
    ),
    (
        "5F0B09080109",
        {
            "baud": None,
            "parity": None,
            "data_bits": 8,
            "stop_bits": 1,
            "flow_control": None,
            "raw": "0B09080109",
        },
    ),
    ("60010020210200", [{"oad": "20210200"}]),
]


def read(octets: str):
    reader = Reader(bytes.fromhex(octets))
    data = DATA.read(reader)
    assert reader.at == reader.end
    return data


def write(data) -> str:
    writer = Writer()
    DATA.write(writer, data)
    return bytes(writer.octets).hex().upper()


@pytest.mark.parametrize(("octets", "value"), SHOWN)
def test_octets_json_and_back(octets, value):
    data = read(octets)
    shown = DATA.to_json(data)
    assert shown == {"type": DATA.types[data[0]].name, "value": value}
    assert isinstance(shown["value"], bool) == isinstance(value, bool)
    assert write(data) == octets.replace(" ", "")
    assert DATA.from_json(json.loads(json.dumps(shown))) == data


def test_any_octet_but_00_is_true():
    data = read("03FF")
    shown = DATA.to_json(data)
    assert shown == {"type": "bool", "value": True, "octet": 255}
    assert DATA.from_json(shown) == data


def test_every_type_is_shown():
    assert {bytes.fromhex(octets)[0] for octets, _ in SHOWN} == {int(tag) for tag in Tag}


def explained(octets: str):
    fields = []
    DATA.explain(Reader(bytes.fromhex(octets)), Text("data", "数据"), fields)
    return fields[0]


@pytest.mark.parametrize(("octets", "_"), SHOWN)
def test_every_type_is_explained(octets, _):
    field = explained(octets)
    assert field.octets == bytes.fromhex(octets)
    assert field.value or field.meaning or field.parts


@pytest.mark.parametrize(
    ("octets", "value", "meaning"),
    [
        ("1CFFFFFFFFFFFFFF", "", "not specified"),
        ("1C07E80506081EFF", "year 2024, month 5, day 6, hour 8, minute 30, second *", "in part unspecified"),
        ("1907E8050607081E0F00FA", "2024-05-06 08:30:15.250", "Sunday"),
        ("0408C0", "C0", "bits set: 0, 1"),
        ("040800", "00", "bits set: none"),
        ("0A04B5E7B1ED", "电表", "visible-string"),
        ("5F0302080100", "2400 8E1", "none"),
        ("5F0B09080109", "code 11 8?1", "port settings"),
        ("5500", "", "no address"),
        ("540900 01", "1", "unit 9"),
        ("59FEF0", "10^-2", "unit 240"),
        ("500010", "0010H", "forward active energy"),
        ("50FFFF", "FFFFH", "object identifier"),
        ("51FFFF0200", "FFFF0200H", "object attribute"),
        ("5380008100", "80008100H", "remote control: trip"),
        ("53FFFF0100", "FFFF0100H", "object method"),
        ("177FC00000", "NaN", "32-bit float"),
        ("0301", "1", "true"),
    ],
)
def test_words_for_people(octets, value, meaning):
    field = explained(octets)
    assert field.value == value
    assert field.meaning is not None
    assert field.meaning.en.startswith(meaning)


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        ("", "apdu_truncated"),
        ("07", "bad_data_tag"),
        ("1D07", "bad_data_tag"),
        ("61", "bad_data_tag"),
        ("06000000", "apdu_truncated"),
        ("0980", "bad_axdr_length"),
        ("0985", "bad_axdr_length"),
        ("0A8201", "apdu_truncated"),
        ("010500", "apdu_truncated"),
        ("0184FFFFFFFF", "apdu_truncated"),
        ("0484FFFFFFFF", "apdu_truncated"),
        ("5A0B", "bad_choice"),
        ("5B02", "bad_choice"),
        ("5C08", "bad_choice"),
        ("600101", "apdu_truncated"),
        ("60010200000000", "bad_choice"),
        ("0201" * 40 + "00", "too_deep"),
        ("5800" * 40 + "00", "too_deep"),
        ("5A0120210200" * 40 + "00", "too_deep"),
    ],
)
def test_octets_that_are_no_data(octets, kind):
    with pytest.raises(DecodeError) as caught:
        DATA.read(Reader(bytes.fromhex(octets)))
    assert caught.value.kind == kind
    fields = []
    reader = Reader(bytes.fromhex(octets))
    with pytest.raises(DecodeError) as caught:
        DATA.explain(reader, Text("data", "数据"), fields)
    assert caught.value.kind == kind
    assert b"".join(field.octets for field in fields) == reader.octets[: reader.at]


def test_nesting_has_a_limit_both_ways():
    deepest = "0101" * DEPTH_MAX + "00"
    assert write(read(deepest)) == deepest
    with pytest.raises(EncodeError, match="levels"):
        write((1, (read(deepest),)))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (7, "no data"),
        ((6,), "no data"),
        ((7, 0), "no data"),
        ((6, -1), "-1"),
        ((6, True), "True"),
        ((6, 1 << 32), "4294967296"),
        ((0, 1), "null"),
        ((9, "aa"), "octets"),
        ((28, bytes(6)), "7 octets"),
        ((4, (9, b"\x00")), "bits"),
        ((23, 1), "float"),
        ((23, 1e300), "too large"),
        ((23, 0.1), "exactly"),
        ((23, b"\x00\x00\x00\x00"), "no NaN"),
        ((3, 256), "256"),
    ],
)
def test_values_that_do_not_fit_are_not_written(data, word):
    with pytest.raises((EncodeError, AttributeError), match=word):
        write(data)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (None, "no object"),
        ({}, "type is missing"),
        ({"type": "u32"}, "no data type"),
        ({"type": 6}, "no data type"),
        ({"type": "unsigned", "value": 256}, "256"),
        ({"type": "unsigned"}, "None"),
        ({"type": "null", "value": 0}, "not null"),
        ({"type": "bool", "value": 1}, "neither true nor false"),
        ({"type": "bool", "octet": 256}, "octet: 256"),
        ({"type": "array", "value": {}}, "no array"),
        ({"type": "array", "value": [{"type": "x"}]}, "value: 0: type"),
        ({"type": "octet-string", "value": "0"}, "hexadecimal"),
        ({"type": "octet-string", "value": 0}, "hexadecimal"),
        ({"type": "visible-string", "value": "电"}, "ASCII"),
        ({"type": "visible-string", "value": 1}, "ASCII"),
        ({"type": "UTF8-string", "value": "\ud800"}, "Unicode"),
        ({"type": "bit-string", "value": {"bits": 8}}, "set is missing"),
        ({"type": "bit-string", "value": {"bits": 8, "set": [8]}}, "8"),
        ({"type": "float32", "value": "1"}, "float"),
        ({"type": "float32", "value": True}, "float"),
        ({"type": "float32", "value": 1 << 60}, "integer"),
        ({"type": "date_time_s", "value": "noon"}, "2024-05-06T08:30:15"),
        ({"type": "date_time_s", "value": "2024-05-06T08:30:15+08:00"}, "is no time"),
        ({"type": "date_time_s", "value": {"year": 70000}}, "year"),
        ({"type": "date_time", "value": {"time": "2024-13-01T00:00:00", "day_of_week": 1}}, "is no time"),
        ({"type": "date", "value": {"date": 5}}, "no object"),
        ({"type": "time", "value": "25:00:00"}, "is no time"),
        ({"type": "TI", "value": {"unit": "week", "value": 1}}, "'week' is none of"),
        ({"type": "TSA", "value": {"len": 7}}, "address is missing"),
        ({"type": "TSA", "value": {"af": 0x25, "address": "00"}}, "logical is missing"),
        ({"type": "COMDCB", "value": {"baud": 1201}}, "baud"),
        ({"type": "COMDCB", "value": {"baud": []}}, "baud"),
        ({"type": "OAD", "value": "0010"}, "4 octets"),
        ({"type": "RSD", "value": {"selector": 11}}, "no 11"),
        ({"type": "CSD", "value": []}, "no object"),
        ({"type": "CSD", "value": {}}, "oad"),
        ({"type": "Scaler_Unit", "value": {"scale": 0}}, "unit is missing"),
    ],
)
def test_json_that_is_no_data(found, word):
    with pytest.raises(EncodeError, match=word.replace("[", r"\[")):
        DATA.from_json(found)


@pytest.mark.parametrize(
    ("found", "octets"),
    [
        ({"type": "bit-string", "value": {"bits": 9, "set": [0, 8]}}, "04098080"),
        ({"type": "float64", "value": 2}, "184000000000000000"),
        ({"type": "TSA", "value": {"address": "000000000101"}}, "550705000000000101"),
        ({"type": "TSA", "value": {"address": ""}}, "5500"),
        ({"type": "Scaler_Unit", "value": {"scale": -2, "unit": "kWh"}}, "59FE21"),
        ({"type": "COMDCB", "value": {"raw": "0302080100"}}, "5F0302080100"),
        ({"type": "time", "value": "2024-05-06T08:30:15"}, "1B081E0F"),
    ],
)
def test_json_may_leave_away_what_follows(found, octets):
    assert write(DATA.from_json(found)) == octets
