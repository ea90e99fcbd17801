import pytest
from hypothesis import given

from meterweave.errors import EncodeError
from meterweave.protocols.dlt645 import load_record
from meterweave.protocols.dlt645.frame import Frame, encode
from meterweave.protocols.dlt645.message import parts
from meterweave.protocols.dlt645.view import from_json, to_json
from tests.protocols.dlt645.strategies import FRAMES, patient

METER = "000000000001"


def seen(control: int, data: str) -> dict:
    return to_json(Frame(METER, control, bytes.fromhex(data)))


def values(di: str, octets: str, control: int = 0x91) -> list[dict]:
    return seen(control, bytes.fromhex(di)[::-1].hex() + octets)["values"]


def _written_otherwise(frame: Frame) -> bool:
    """Whether some meters send the same in other octets: the security error word in one octet instead of two, a load
    record of one class without the separators of the others."""
    asked = load_record.asked_class(frame.data[3::-1].hex()) if len(frame.data) >= 4 else None
    return frame.control & ~0x20 == 0xC3 or bool(asked)


@patient
@given(FRAMES)
def test_json_is_undone(frame):
    assert from_json(to_json(frame)) == frame


@patient
@given(FRAMES)
def test_names_and_values_determine_each_other(frame):
    named = {name: value for name, value in to_json(frame).items() if name != "data"}
    if parts(frame):
        again = from_json(named)
        assert again == frame or _written_otherwise(frame)
        assert {name: value for name, value in to_json(again).items() if name != "data"} == named


def test_a_reply():
    assert seen(0xB1, "0000010036000000") == {
        "protocol": "dlt645-2007",
        "address": METER,
        "control": "0xB1",
        "function": "read_data",
        "direction": "response",
        "error": False,
        "follow": True,
        "data": "0000010036000000",
        "di": "00010000",
        "values": [{"name": "energy.forward_active.total", "value": "0.36", "unit": "kWh"}],
    }


def test_wake_up_octets_are_counted():
    assert to_json(Frame(METER, 0x13, b"", 4))["wake_up"] == 4


@pytest.mark.parametrize(
    ("di", "octets", "wanted"),
    [
        ("02010100", "ffff", {"name": "voltage.a", "value": None, "unit": "V", "missing": True}),
        ("02010100", "a122", {"name": "voltage.a", "value": None, "unit": "V", "missing": True, "raw": "a122"}),
        ("04000503", "ffff", {"name": "status_word_3", "value": None, "unit": "bits", "missing": True}),
        ("04000401", "ff" * 6, {"name": "communication_address", "value": None, "unit": "bcd", "missing": True}),
        ("02020100", "000080", {"name": "current.a", "value": "0.000", "unit": "A", "raw": "000080"}),
        ("04000101", "06060719", {"name": "clock.date", "value": "2019-07-06", "unit": "date", "weekday": 6}),
        (
            "04000101",
            "00060719",
            {"name": "clock.date", "value": "2019-07-06", "unit": "date", "raw": "00060719", "weekday": 0},
        ),
        (
            "05060001",
            "0000010118",
            {"name": "freeze.daily.1.time", "value": "2018-01-01T00:00", "unit": "local time"},
        ),
        ("04000404", "000056303232", {"name": "rated_voltage", "value": "220V", "unit": "ascii"}),
        ("d16dd0ce", "0900", {"name": "raw", "value": "0900", "unit": "hex"}),
    ],
)
def test_values(di, octets, wanted):
    assert values(di, octets) == [wanted]


def test_answers_without_octets_have_no_values():
    assert values("02010100", "") == []
    assert values("d16dd0ce", "") == []


def test_octets_behind_the_last_value():
    assert seen(0x91, "00010102682001")["rest"] == "01"
    assert "rest" not in seen(0x91, "000101026820")


def test_a_write_shows_payload_and_values():
    found = seen(0x14, "010100040200000000000000" + "06060719")
    assert found["payload"] == "06060719"
    assert found["values"][0]["value"] == "2019-07-06"
    assert "values" not in seen(0x14, "010160040200000000000000" + "3c00")


def test_codes_have_names():
    found = seen(0x1C, "02000000000000002a00000000000000")
    assert (found["command"], found["command_name"]) == ("0x2A", "alarm_on")
    assert (found["valid_until"], found["valid_until_raw"]) == (None, "000000000000")
    assert "command_name" not in seen(0x1C, "02000000000000004200000000000000")


def test_parts_their_text_does_not_determine_stand_raw():
    assert seen(0x17, "0c") | {"baud": None, "baud_raw": "0c"} == seen(0x17, "0c")
    assert "baud_raw" not in seen(0x17, "08")
    assert seen(0x11, "00000006ff")["count_raw"] == "ff"


def read_reply(**changes: object) -> dict:
    value = {"name": "voltage.a", "value": "231.9", "unit": "V"}
    return {"address": METER, "control": "0x91", "di": "02010100", "values": [value]} | changes


def test_data_are_built_from_names():
    assert from_json(read_reply()) == Frame(METER, 0x91, bytes.fromhex("000101021923"))
    assert from_json(read_reply(address="1", di="0201FF00".lower(), rest="aa")).data == bytes.fromhex("00ff01021923aa")
    assert from_json(read_reply(di="0201FF00")).data == bytes.fromhex("00ff01021923")


def test_data_win():
    assert from_json(read_reply(data="00010102ffff")).data == bytes.fromhex("00010102ffff")


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ({"value": None, "missing": True}, "ffff"),
        ({"value": None, "raw": "a122"}, "a122"),
        ({"value": "231.9", "raw": "1923"}, "1923"),
    ],
)
def test_values_that_are_none(value, octets):
    assert from_json(read_reply(values=[{"name": "voltage.a"} | value])).data.hex() == "00010102" + octets


def test_an_unknown_item_is_raw():
    built = from_json(read_reply(di="d16dd0ce", values=[{"name": "raw", "value": "0900", "unit": "hex"}]))
    assert built.data.hex() == "ced06dd10900"


def test_the_protocol_tells_apart_what_the_control_code_does_not():
    request = {"address": METER, "control": "0x83", "protocol": "dlt645-1997"}
    values = [{"name": "energy.forward_active.total", "value": "0.16"}]
    assert from_json(request | {"di": "9010", "values": values}).data.hex() == "109016000000"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, "address is missing"),
        (read_reply(address=1), "address 1"),
        (read_reply(address="x"), "address 'x'"),
        (read_reply(control=None), "control None"),
        (read_reply(control="0x9"), "control"),
        (read_reply(control="0x9191"), "control"),
        (read_reply(data="0"), "data '0'"),
        (read_reply(data=7), "data 7"),
        (read_reply(wake_up=-1), "wake_up -1"),
        (read_reply(wake_up=True), "wake_up True"),
        (read_reply(wake_up=10**9), "wake_up"),
        (read_reply(protocol="dlt698"), "protocol 'dlt698'"),
        (read_reply(values=None), "data: neither"),
        (read_reply(di=None), "data: neither"),
        (read_reply(di="0201"), "di: "),
        (read_reply(values="many"), "values"),
        (read_reply(values=[1]), "values"),
        (read_reply(values=[{"name": "voltage.b", "value": "1.0"}]), r"'voltage\.b' stands where 'voltage\.a'"),
        (read_reply(values=[{"name": "voltage.a", "value": "1.23"}]), r"voltage\.a: "),
        (read_reply(values=[{"name": "voltage.a", "raw": "00"}]), r"voltage\.a: 1 octets, wanted 2"),
        (read_reply(values=[{"name": "voltage.a", "raw": "zz"}]), r"raw of voltage\.a"),
        (read_reply(values=[{"name": "voltage.a", "value": "1.0"}] * 2), "2 given, item 02010100 has 1"),
        (read_reply(di="d16dd0ce"), "item d16dd0ce has 0"),
        (read_reply(values=[{"name": "raw", "value": 5}]), "value raw 5"),
        (read_reply(rest=3), "rest 3"),
        (read_reply(values=[{"name": "voltage.a", "value": "231.9", "counts": 10**12}]), r"voltage\.a"),
        (read_reply(values=[{"name": "voltage.a", "value": "231.9", "counts": ["1"]}]), r"voltage\.a"),
        (
            read_reply(values=[{"name": "voltage.a", "value": "231.9", "counts": [1]}]),
            r"voltage\.a: 5 octets, wanted 2",
        ),
        (read_reply(di="06000000"), "values: 'voltage.a' is no value of a load record"),
        ({"address": METER, "control": "0x08", "time": "noon"}, "time: "),
        ({"address": METER, "control": "0x08", "time_raw": "00"}, "time: 1 octets, wanted 6"),
        ({"address": METER, "control": "0x08", "time_raw": "zz"}, "time_raw"),
        ({"address": METER, "control": "0xD1", "error_bits": ["sulking"]}, "error_bits: 'sulking'"),
        ({"address": METER, "control": "0x1B", "di": "ffffffff"}, "data: neither given nor to be had from di"),
        ({"address": METER, "control": "0x08"}, "nothing"),
    ],
)
def test_what_cannot_be_sent(message, words):
    with pytest.raises(EncodeError, match=words):
        from_json(message)


def test_load_records_are_built_from_names():
    body = bytes.fromhex("0012010218" + "aa" * 5 + "000300" * 2 + "aa")
    record = b"\xa0\xa0" + bytes([len(body)]) + body
    frame = Frame(METER, 0x91, bytes.fromhex("00000006") + record + bytes([sum(record) % 256, 0xE5]))
    named = to_json(frame)
    del named["data"]
    assert named["values"][1] == {"name": "load_record.1.demand.active", "value": "0.0300", "unit": "kW"}
    assert encode(from_json(named)) == encode(frame)
