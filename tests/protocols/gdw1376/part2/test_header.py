"""Control octet, information field and address field."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part2.header import (
    Address,
    address_layout,
    control_octet,
    decode_address,
    encode_address,
    info_layout,
    info_octets,
    relay_count,
)
from meterweave.protocols.gdw1376.part2.layout import read

DOWN = {
    "routing_bypass": 1,
    "sub_node_flag": 1,
    "module_flag": 1,
    "collision_detect": 1,
    "relay_level": 2,
    "channel": 3,
    "coding": 1,
    "expected_reply_bytes": 40,
    "rate": 1200,
    "rate_unit": "kbit/s",
    "sequence": 255,
}
UP = {
    "routing_bypass": 1,
    "module_flag": 1,
    "relay_level": 15,
    "channel": 3,
    "phase": 2,
    "meter_channel_feature": 4,
    "last_command_quality": 5,
    "last_reply_quality": 6,
    "event_flag": 1,
    "sequence": 7,
}
ADDRESS = Address("000000000001", "000000000003", ("000000000002",))


@pytest.mark.parametrize(("uplink", "octets", "values"), [(False, "2f1328b084ff", DOWN), (True, "f50342650107", UP)])
def test_r_by_name(uplink, octets, values):
    assert read(info_layout(uplink=uplink), bytes.fromhex(octets)).values == values
    assert info_octets(values, None, uplink=uplink).hex() == octets


def test_what_the_address_says_need_not_be_said():
    assert info_octets({}, None, uplink=False) == bytes(6)
    assert info_octets({}, ADDRESS, uplink=False) == b"\x14" + bytes(5)
    with pytest.raises(EncodeError, match="info is None, wanted an object"):
        info_octets(None, None, uplink=False)


@pytest.mark.parametrize(
    ("values", "uplink", "octet"),
    [({}, False, 0x43), ({}, True, 0x83), ({"prm": 1, "comm_mode": 2}, True, 0xC2), ({"prm": 0}, False, 0x03)],
)
def test_control(values, uplink, octet):
    assert control_octet(values, uplink=uplink) == octet


def test_addresses():
    octets = encode_address(ADDRESS)
    assert octets.hex() == "010000000000020000000000030000000000"
    assert decode_address(octets) == ADDRESS
    assert ADDRESS.back() == Address("000000000003", "000000000001")


@pytest.mark.parametrize(
    ("control", "info", "names"),
    [
        ("", "", []),
        ("43", "", []),
        ("43", "20", []),
        ("43", "24", ["source", "relay1", "relay2", "destination"]),
        ("83", "f4", ["source", "destination"]),
    ],
)
def test_when_there_are_addresses(control, info, names):
    layout = address_layout(bytes.fromhex(control), bytes.fromhex(info))
    assert [element.name for element in layout] == names


def test_an_uplink_frame_has_no_relays():
    assert relay_count(0x43, b"\x34") == 3
    assert relay_count(0x83, b"\x34") == 0
