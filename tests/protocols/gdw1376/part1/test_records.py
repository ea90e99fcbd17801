from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1 import Message, Unit, build_unit, decode, encode, explain, to_json, unit_values
from meterweave.protocols.gdw1376.part1.annex_a import FORMATS
from meterweave.protocols.gdw1376.part1.events import event_codes, event_name
from meterweave.protocols.gdw1376.part1.records import designation, pack_designation, raw_designation
from meterweave.protocols.gdw1376.part1.values import Entries


def unit_of(afn, data, *, uplink=True, dt=1):
    message = Message(2, 0x88 if uplink else 0x4B, 0x1000, 1, 0, afn, 0x60, (Unit(0, dt, bytes.fromhex(data)),))
    return message, message.units[0]


def test_events_are_counted_by_their_pointers():
    message, unit = unit_of(0x0E, "140b13150a0209990e0559231204180f01aa")
    entries, left = unit_values(message, unit)
    assert entries[4:] == [
        {"name": "event[0]", "value": "ERC10", "unit": "event code", "length": 2, "data": "0999"}
        | {"event": "voltage circuit abnormal"},
        {
            "name": "event[1]",
            "value": "ERC14",
            "unit": "event code",
            "length": 5,
            "time": "2018-04-12T23:59",
            "data": "",
        }
        | {"event": "terminal power off or on"},
    ]
    assert left.hex() == "0f01aa"
    assert build_unit(0x0E, True, [0], [1], entries).data == unit.data[:-3]


@pytest.mark.parametrize("data", ["140b1315", "140b13150a", "140b13150a0500", "140b1315ff00"])
def test_events_that_are_cut_short(data):
    message, unit = unit_of(0x0E, data)
    entries, left = unit_values(message, unit)
    assert len(entries) == (5 if data.endswith("ff00") else 4)
    assert left.hex() == ("" if data.endswith("ff00") else data[8:])


def test_event_names():
    assert sorted(event_codes()) == list(range(1, 42))
    assert event_name(14).zh == "终端停/上电事件"
    assert event_name(99).en == "event ERC99"


@pytest.mark.parametrize(
    "entry",
    [
        {"value": "x", "data": ""},
        {"value": "ERC256", "data": ""},
        {"value": "ERC1"},
        {"value": "ERC1", "data": "0"},
        {"value": "ERC1", "data": "", "time": "today"},
        {"value": None, "data": ""},
    ],
)
def test_events_that_cannot_be(entry):
    with pytest.raises(EncodeError, match=r"event\[0\]"):
        FORMATS["EVENTS"].build("event", Entries([{"name": "event[0]"} | entry]))


@given(st.binary(min_size=4, max_size=4))
def test_designations_survive(octets):
    where = designation(octets) | raw_designation(octets)
    assert pack_designation(where, "x") == octets


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"pn": [1]},
        {"pn": 1, "fn": [1]},
        {"pn": [0], "fn": ["x"]},
        {"da": "00", "dt": "0100"},
        {"da": "zz", "dt": "0100"},
    ],
)
def test_designations_that_name_nothing(where):
    with pytest.raises(EncodeError):
        pack_designation(where, "x")


def test_a_confirmation_by_unit():
    message, unit = unit_of(0x00, "100000010003" + "ffff010001" + "0101", dt=4)
    entries, left = unit_values(message, unit)
    assert entries[0]["units"][1] == {"pn": list(range(2033, 2041)), "fn": [1], "error_code": 1}
    assert left.hex() == "0101"
    assert build_unit(0x00, True, [0], [3], entries).data == unit.data[:-2]
    fields = [field for one in explain(encode(message)) for _, field in one.walk()]
    assert [field.meaning.zh for field in fields if field.name.en == "error ERR"] == ["错误3", "其他错误"]


@pytest.mark.parametrize(
    "entry",
    [
        {"value": "0x100", "units": []},
        {"value": "0x02"},
        {"value": "0x02", "units": [{"pn": [0], "fn": [1]}]},
        {"value": None},
    ],
)
def test_confirmations_that_cannot_be(entry):
    with pytest.raises(EncodeError, match="confirm"):
        FORMATS["CONFIRM"].build("confirm", Entries([{"name": "confirm"} | entry]))


def test_an_empty_confirmation_is_raw():
    message, unit = unit_of(0x00, "", dt=4)
    assert unit_values(message, unit) == ([], b"")
    assert decode(encode(message)) == message


def test_designations_of_tasks():
    data = "410015000121010101" + "01010104"
    message, unit = unit_of(0x04, data, uplink=False, dt=0x0802)
    entries, left = unit_values(message, unit)
    assert left == b""
    assert entries[-1] == {"name": "item[0].designation", "value": "01010104", "unit": "da dt", "pn": [1], "fn": [33]}
    fields = [field for one in explain(encode(message._replace(pw=bytes(16)))) for _, field in one.walk()]
    assert [field.meaning.en for field in fields if field.name.en.endswith("item to report")] == ["p1 F33"]
    assert build_unit(0x04, False, [0], [66], entries) == unit


def test_text_behind_its_length():
    unit = build_unit(0x05, False, [0], [32], {"text.kind": 1, "text.content": "停电通知"})
    assert unit.data.hex() == "0108" + "停电通知".encode("gbk").hex()
    message = Message(2, 0x4A, 0x1000, 1, 2, 0x05, 0x60, (unit,), pw=bytes(16))
    assert to_json(decode(encode(message)))["units"][0]["values"][1]["value"] == "停电通知"
