from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.mbus import Long, Plain, Short, encode, from_json, to_json

LINK = {"frame": "long", "control": "0x08", "address": 1}
HEADER = {"id": "12345678", "manufacturer": "KAM", "version": 1, "medium_code": "0x07"}
SENT = LINK | {"ci": "0x78"}
REPLY = LINK | {"ci": "0x72", "header": HEADER}
FIXED = LINK | {
    "ci": "0x73",
    "header": {"id": "90919293", "access_number": 16},
    "fixed": {"unit1_code": 5, "unit2_code": 41, "medium_code": 4, "counter1": "6531", "counter2": "69"},
}


def record(**fields):
    return SENT | {"records": [fields]}


@pytest.mark.parametrize(
    ("found", "octets"),
    [
        ({"frame": "ack"}, "e5"),
        ({"frame": "short", "control": 0x7B, "address": 253}, "107bfd7816"),
        ({"frame": "control", "control": "0x53", "address": 1, "ci": "0x50"}, "68030368530150a416"),
        (LINK | {"ci": "0x70", "application_error": {"code": 8}}, "68040468080170088116"),
        (LINK | {"ci": "0x70", "application_error": {"code": None}}, "680303680801707916"),
        (LINK | {"ci": "0x71", "alarm": {"status": "0x04"}}, "68040468080171047e16"),
        (
            LINK | {"control": "0x53", "address": 253, "ci": "0x52", "secondary_address": {"id": "12345678"}},
            "680b0b6853fd5278563412ffffffffb216",
        ),
        (FIXED, "68131368080173939291901000056931650000690000003f16"),
        (REPLY, "680f0f68080172785634122d2c010700000000f016"),
    ],
)
def test_names_make_octets(found, octets):
    assert encode(from_json(found)).hex() == octets


def test_binary_counters():
    fixed = FIXED["fixed"] | {"counters": "binary", "counter_state": "stored"}
    shown = to_json(from_json(FIXED | {"fixed": fixed}))
    assert shown["fixed"]["counter1_data"] == "83190000"
    assert (shown["fixed"]["counters"], shown["fixed"]["counter_state"]) == ("binary", "stored")
    assert (shown["fixed"]["value1"], shown["fixed"]["unit1"]) == ("6531000", "Wh")


def test_records_are_built_from_names():
    shown = record(quantity="voltage", value="230.1", storage=2, vife=["ff", "01"], fillers=2)
    found = to_json(from_json(shown))["records"][0]
    assert found["header"] == "8401fdc8ff01"
    assert (found["value"], found["fillers"], found["vife"]) == ("230.1", 2, ["ff", "01"])
    real = to_json(from_json(record(quantity="power", value="1500", float32=True)))["records"][0]
    assert (real["header"], real["value"], real["float32"]) == ("052b", "1500", True)


def test_a_code_of_a_later_edition_shows_both():
    found = to_json(from_json(record(header="02fb2e", data="f401")))["records"][0]
    assert (found["quantity"], found["unit"], found["value"]) == ("unknown", "unknown", "500")
    assert found["later_edition"] == {"quantity": "frequency", "unit": "Hz", "value": "50.0"}
    text = to_json(from_json(record(header="0dfb2e01", data="41")))["records"][0]
    assert "later_edition" not in text


def test_codes_are_told_in_words():
    assert to_json(Short(0x5B, 1))["service"] == "REQ_UD2"
    assert to_json(Short(0x28, 1))["access_demand"] is True
    assert to_json(Short(0x4C, 1))["service"] == to_json(Short(0x0C, 1))["service"] == ""
    assert to_json(Long(0x53, 1, 0xBD, Plain()))["baud_rate"] == 9600
    assert to_json(Long(0x08, 1, 0x71, Plain(b"\x05")))["alarm"] == {"status": "0x05", "bits": [0, 2]}
    assert to_json(Long(0x08, 1, 0x70, Plain(b"\x63")))["application_error"] == {"code": 99, "text": "reserved"}
    assert to_json(Long(0x53, 1, 0x50, Plain(b"\x10")))["application_reset"]["text"] == "user data"
    assert to_json(Long(0x53, 1, 0x50, Plain(b"\xf0")))["application_reset"]["text"] == "reserved"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "frame is missing"),
        ({"frame": 1}, "frame is 1, wanted a text"),
        ({"frame": "wide"}, "frame is 'wide'"),
        ({"frame": "short"}, "control is missing"),
        ({"frame": "short", "control": "0x100"}, "control is '0x100', wanted 0 to 255"),
        ({"frame": "short", "control": "up"}, "control is 'up'"),
        ({"frame": "short", "control": True}, "control is True"),
        (LINK | {"ci": "0x72"}, "header is missing"),
        (LINK | {"ci": "0x72", "header": 5}, "header is 5, wanted an object"),
        (LINK | {"ci": "0x72", "header": HEADER | {"id": "123456789"}}, "header.id: id is '123456789'"),
        (LINK | {"ci": "0x72", "header": HEADER | {"manufacturer": "K"}}, "header.manufacturer: .*three letters"),
        (LINK | {"ci": "0x72", "header": HEADER | {"version": 256}}, "header.version is 256"),
        (LINK | {"ci": "0x72", "header": HEADER | {"signature": "0x"}}, "header.signature is '0x'"),
        (LINK | {"ci": "0x72", "payload": "00"}, "payload '00' does not fit CI 72H"),
        (LINK | {"ci": "0x50", "payload": "0"}, "payload is '0', wanted octets"),
        (SENT | {"records": 5}, "records is 5, wanted a list"),
        (SENT | {"records": [5]}, r"records\[0\] is 5, wanted an object"),
        (record(), r"records\[0\].quantity is missing"),
        (record(header="0413"), r"records\[0\].value is missing"),
        (record(header="0413", value=5), r"records\[0\].value is 5, wanted a text"),
        (record(header="0413", value="x"), r"records\[0\].value: value 'x' does not fit volume"),
        (record(header="04", value="x"), r"records\[0\].header: record header '04'"),
        (record(quantity="joy", value="1"), r"records\[0\].value: quantity 'joy'"),
        (record(quantity="volume", value="1", function="mean"), r"records\[0\].function is 'mean'"),
        (record(quantity="volume", value="1", vife=["x"]), r"records\[0\].vife is 'x'"),
        (record(quantity="volume", value="1", storage=-1), r"records\[0\].storage is -1"),
        (FIXED | {"fixed": FIXED["fixed"] | {"counter1": "x"}}, "fixed.counter1 is 'x'"),
        (FIXED | {"fixed": FIXED["fixed"] | {"counter1": "123456789"}}, "fixed.counter1 is '123456789'"),
        (FIXED | {"fixed": FIXED["fixed"] | {"counters": "hex"}}, "fixed.counters is 'hex'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(found, words):
    with pytest.raises(EncodeError, match=words):
        from_json(found)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (record(header="0413", data="00"), "data of record 0413 are 1 octets, wanted 4"),
        (FIXED | {"fixed": FIXED["fixed"] | {"counter1_data": "00"}}, "counter1 is 1 octets"),
    ],
)
def test_octets_of_the_wrong_size_are_refused_by_the_encoder(found, words):
    with pytest.raises(EncodeError, match=words):
        encode(from_json(found))
