from datetime import datetime

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.dlt645 import commands, contents
from meterweave.protocols.dlt645.commands import Access
from meterweave.protocols.dlt645.frame import Frame, encode
from meterweave.protocols.dlt645.view import to_json

METER = "260305510009"
NOON = datetime(2018, 2, 1, 12)
LEVEL_4 = Access(4, "123456", "00000001")


@pytest.mark.parametrize(
    ("frame", "control", "data"),
    [
        (commands.read(METER, "00010000"), 0x11, "00000100"),
        (commands.read(METER, "06000000", count=2), 0x11, "0000000602"),
        (commands.read(METER, "06000001", count=2, since=NOON), 0x11, "01000006020012010218"),
        (commands.read(METER, "9010"), 0x01, "1090"),
        (commands.write(METER, "04000103", b"\x15", LEVEL_4), 0x14, "03010004045634120100000015"),
        (commands.write_1997(METER, "c011", b"\x04\x22\x22", "02123456"), 0x04, "11c056341202042222"),
        (commands.freeze(METER, "99992300"), 0x16, "00239999"),
        (commands.change_baud(METER, 9600), 0x17, "20"),
        (
            commands.change_password(METER, "04000c03", Access(2, "000000"), Access(2, "654321")),
            0x18,
            "030c0004" + "02000000" + "02214365",
        ),
        (commands.clear_demand(METER, LEVEL_4), 0x19, "0456341201000000"),
        (commands.clear_meter(METER, LEVEL_4), 0x1A, "0456341201000000"),
        (commands.clear_events(METER, LEVEL_4), 0x1B, "0456341201000000ffffffff"),
        (commands.clear_events(METER, LEVEL_4, "030100ff"), 0x1B, "0456341201000000ff000103"),
        (commands.control(METER, "trip", Access()), 0x1C, "02000000000000001a00595923311299"),
        (
            commands.control(METER, "close_permit", Access(), valid_until=NOON, n2=1),
            0x1C,
            "02000000000000001b01000012010218",
        ),
        (commands.security(METER, "078102ff", "00000000", b""), 0x03, "ff02810700000000"),
    ],
)
def test_requests(frame, control, data):
    assert frame == Frame(METER, control, bytes.fromhex(data))


def test_requests_to_no_single_meter():
    assert commands.read_address() == Frame("aaaaaaaaaaaa", 0x13)
    assert commands.write_address("1") == Frame("aaaaaaaaaaaa", 0x15, bytes.fromhex("010000000000"))
    assert commands.broadcast_time(NOON) == Frame("999999999999", 0x08, bytes.fromhex("000012010218"))


def test_the_wire_example_of_a_trip():
    wire = bytes.fromhex("6809005105032668 1C10 3533333333333333 4D34 8C8C56644 5CC 82 16".replace(" ", ""))
    assert encode(commands.control(METER, "trip", Access(), n2=1)) == wire


def test_what_cannot_be_asked():
    with pytest.raises(EncodeError, match="'dance' is none of trip"):
        commands.control(METER, "dance", Access())
    with pytest.raises(EncodeError, match="baud"):
        commands.change_baud(METER, 300)
    with pytest.raises(EncodeError, match="di"):
        commands.read(METER, "000100")
    with pytest.raises(EncodeError, match="data"):
        commands.read(METER, "06000001", since=NOON)


def test_a_read_and_its_reply():
    request = commands.read("aaaaaaaaaaaa", "0201ff00")
    answer = commands.read_reply(request, commands.octets_of("0201FF00", ["225.6", None]), own=METER)
    assert answer == Frame(METER, 0x91, bytes.fromhex("00ff01025622ffff"))
    assert [value.read() for value in contents(answer).values] == ["225.6", None]


def test_replies_in_parts():
    request = commands.read(METER, "0001ff00")
    assert commands.read_reply(request, b"\x01", follows=True) == Frame(METER, 0xB1, bytes.fromhex("00ff010001"))
    further = Frame(METER, 0x12, bytes.fromhex("00ff010001"))
    assert commands.read_reply(further, b"\xaa") == Frame(METER, 0x92, bytes.fromhex("00ff0100aa01"))
    assert commands.read_reply(commands.read(METER, "9010"), b"\1").data == bytes.fromhex("109001")


def test_other_replies():
    assert commands.reply(commands.clear_demand(METER, LEVEL_4)) == Frame(METER, 0x99)
    assert commands.address_reply("161") == Frame("000000000161", 0x93, bytes.fromhex("610100000000"))


def test_refusals():
    refused = commands.refusal(commands.read(METER, "00010000"), "no_such_data")
    assert refused == Frame(METER, 0xD1, b"\x02")
    assert commands.refusal(commands.read(METER, "9010"), "data_id_error", own="1") == Frame(
        "000000000001", 0xC1, b"\x02"
    )
    assert to_json(refused)["error_bits"] == ["no_such_data"]


def test_values_that_do_not_fit():
    with pytest.raises(EncodeError, match="in no table"):
        commands.octets_of("d16dd0ce", ["1"])
    with pytest.raises(EncodeError, match="2 values are more than the 1"):
        commands.octets_of("02010100", ["1", "2"])
    with pytest.raises(EncodeError, match=r"voltage\.a"):
        commands.octets_of("02010100", ["1.23"])
