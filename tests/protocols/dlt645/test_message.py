import pytest

from meterweave.protocols.dlt645.frame import Frame
from meterweave.protocols.dlt645.functions import FUNCTIONS_1997, FUNCTIONS_2007, edition, function
from meterweave.protocols.dlt645.message import contents, parts
from meterweave.protocols.dlt645.words import word


def named(control: int, data: str) -> dict[str, object]:
    frame = Frame("000000000001", control, bytes.fromhex(data))
    found = parts(frame)
    assert not found or b"".join(octets for _, octets in found) == frame.data
    return {part.name: part.format.read(octets) for part, octets in found}


@pytest.mark.parametrize(
    ("control", "data", "wanted"),
    [
        (0x00, "", {}),
        (0x00, "01", {}),
        (0x08, "512210050617", {"time": "2017-06-05T10:22:51"}),
        (0x08, "5122", {}),
        (0x11, "00000100", {"di": "00010000"}),
        (0x11, "0000000602", {"di": "06000000", "count": 2}),
        (0x11, "01000006020030010218", {"di": "06000001", "count": 2, "time": None}),
        (0x11, "01000006020012010218", {"di": "06000001", "count": 2, "time": "2018-02-01T12:00"}),
        (0x11, "ced06dd1ccccAA", {"di": "d16dd0ce", "rest": "ccccaa"}),
        (0x91, "", {}),
        (0x91, "000001", {}),
        (0x91, "00000100", {"di": "00010000", "values": ""}),
        (0xD1, "02", {"error_bits": ["no_such_data"]}),
        (0xD1, "", {}),
        (0x12, "0000010001", {"di": "00010000", "sequence": 1}),
        (0xB2, "00000100aabb07", {"di": "00010000", "payload": "aabb", "sequence": 7}),
        (0x13, "", {}),
        (0x93, "010000000000", {"values": "010000000000"}),
        (
            0x14,
            "01010004040302010100000006060719",
            {
                "di": "04000101",
                "password_level": 4,
                "password": "010203",
                "operator": "00000001",
                "payload": "06060719",
            },
        ),
        (0x94, "", {}),
        (0x15, "010000000000", {"new_address": "000000000001"}),
        (0x16, "00239999", {"freeze_time": "99992300"}),
        (0x17, "08", {"baud": 2400}),
        (0x97, "08", {"baud": 2400}),
        (
            0x18,
            "010c000402000000" + "04563412",
            {
                "di": "04000c01",
                "password_level": 2,
                "password": "000000",
                "new_password_level": 4,
                "new_password": "123456",
            },
        ),
        (0x98, "04563412", {"new_password_level": 4, "new_password": "123456"}),
        (0x19, "0200000001000000", {"password_level": 2, "password": "000000", "operator": "00000001"}),
        (0x1A, "0200000001000000", {"password_level": 2, "password": "000000", "operator": "00000001"}),
        (
            0x1B,
            "0200000001000000ff000003",
            {"password_level": 2, "password": "000000", "operator": "00000001", "di": "030000ff"},
        ),
        (0x1B, "0200000001000000", {}),
        (
            0x1C,
            "98000000010000000102030405060708090a0b0c0d0e0f1011121314",
            {
                "password_level": 0x98,
                "password": "000000",
                "operator": "00000001",
                "ciphertext": "0102030405060708090a0b0c0d0e0f10",
                "mac": "11121314",
            },
        ),
        (0x1D, "02", {"signal": "0x02"}),
        (0x9D, "", {}),
        (0x9D, "02", {"signal": "0x02"}),
        (0x03, "ff01010704000000aa", {"di": "070101ff", "operator": "00000004", "payload": "aa"}),
        (0x83, "ff028107aabb", {"di": "078102ff", "values": "aabb"}),
        (0xC3, "0200", {"error_bits": ["repeated_recharge"]}),
        (0xC3, "04", {"error_bits": ["esam_check_failed"]}),
        (0x01, "1090", {"di": "9010"}),
        (0x01, "109001", {"di": "9010", "rest": "01"}),
        (0x81, "109016000000", {"di": "9010", "values": "16000000"}),
        (0xC1, "02", {"error_bits": ["data_id_error"]}),
        (0x02, "1f90", {"di": "901f"}),
        (0x82, "1f9001", {"di": "901f", "payload": "01"}),
        (0x03, "", {}),
        (0x83, "109016000000", {"di": "9010", "values": "16000000"}),
        (0x04, "10c00000000006060719", {"di": "c010", "password": "00000000", "payload": "06060719"}),
        (0x0A, "010000000000", {"new_address": "000000000001"}),
        (0x0C, "08", {"baud_word": "0x08"}),
        (0x0F, "00000000" + "56341200", {"password": "00000000", "new_password": "00123456"}),
        (0x8F, "56341200", {"new_password": "00123456"}),
        (0x10, "", {}),
        (0x10, "56341200", {"password": "00123456"}),
    ],
)
def test_data_are_divided(control, data, wanted):
    assert named(control, data) == wanted


@pytest.mark.parametrize(
    ("control", "data", "wanted"),
    [
        (0x11, "", "dlt645-2007"),
        (0x08, "", "dlt645-2007"),
        (0x00, "", "dlt645-2007"),
        (0x1F, "", "dlt645-2007"),
        (0x81, "", "dlt645-1997"),
        (0xC4, "04", "dlt645-1997"),
        (0x03, "", "dlt645-1997"),
        (0x03, "ff010107", "dlt645-2007"),
        (0x83, "", "dlt645-2007"),
        (0x83, "1090", "dlt645-1997"),
        (0x83, "ff010107", "dlt645-2007"),
        (0xC3, "02", "dlt645-2007"),
    ],
)
def test_editions(control, data, wanted):
    assert edition(Frame("000000000001", control, bytes.fromhex(data))) == wanted


def test_functions_without_a_name():
    assert function(0x9F, "dlt645-2007").name == "reserved"
    assert function(0x9B, "dlt645-2007").name == "clear_events"


def test_functions_are_named_once():
    for table in (FUNCTIONS_2007, FUNCTIONS_1997):
        names = [one.name for one in table.values()]
        assert len(set(names)) == len(names)
        assert all(one.text.en and one.text.zh for one in table.values())


def test_error_words_of_both_editions():
    assert word("error_2007").names(0x7F) == [
        "other_error",
        "no_such_data",
        "not_authorised",
        "baud_not_changeable",
        "too_many_yearly_zones",
        "too_many_daily_periods",
        "too_many_tariffs",
    ]
    assert word("error_1997").names(0x77) == [
        "illegal_data",
        "data_id_error",
        "password_error",
        "too_many_yearly_zones",
        "too_many_daily_periods",
        "too_many_tariffs",
    ]


def test_a_protected_payload_is_not_read():
    plain = Frame("000000000001", 0x14, bytes.fromhex("0101000402000000000000" + "0006060719"))
    assert [value.read() for value in contents(plain).values] == ["2019-07-06"]
    for level in (0x98, 0x99):
        data = plain.data[:4] + bytes([level]) + plain.data[5:]
        assert contents(plain._replace(data=data)) is None


def test_an_identifier_that_is_in_no_table():
    found = contents(Frame("000000000009", 0x91, bytes.fromhex("ced06dd1090000")))
    assert (found.di, found.known, found.values, found.rest) == ("d16dd0ce", False, [], bytes.fromhex("090000"))


def test_messages_without_a_data_item():
    assert contents(Frame("000000000001", 0x11, bytes.fromhex("00000100"))) is None
    assert contents(Frame("000000000001", 0x92, bytes.fromhex("000001000102"))) is None
