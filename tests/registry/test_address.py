"""Addresses: what is accepted, what is kept, and that keys are those of the codecs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.protocols.dlt698.readings import meter_key as dlt698_key
from meterweave.protocols.mbus.header import manufacturer_word
from meterweave.protocols.registry import registry as codecs
from meterweave.registry.address import (
    KEY_MAX,
    METER_PROTOCOLS,
    NAMED,
    PROTOCOLS,
    TERMINAL_PROTOCOLS,
    Address,
    address_text,
    name_key,
    point_key,
    read_address,
    read_protocol,
)
from meterweave.registry.errors import AddressError


@pytest.mark.parametrize(
    ("protocol", "text", "kept", "key", "local"),
    [
        ("dlt645", "12", "000000000012", 0x12, False),
        ("dlt645", "202406180001", "202406180001", 0x202406180001, False),
        ("dlt698", "000000000001", "000000000001", 1, False),
        ("dlt698", "0012345678901F", "12345678901f", 0x12345678901F, False),
        ("dlt698", "12345678901234", "12345678901234", 0x12345678901234, False),
        ("cjt188", "11223344556677", "11223344556677", 0x11223344556677, False),
        ("gdw1376-1", "33010007", "33010007", 0x33010007, False),
        ("gdw1376-1", "3301-00012", "3301000c", 0x3301000C, False),
        ("mbus", "kam-12345678-01-04", "KAM-12345678-01-04", 0x2C2D_01_04_12345678, False),
        ("mbus", "123456782D2C0104", "KAM-12345678-01-04", 0x2C2D_01_04_12345678, False),
        ("mbus", "005", "5", 5, True),
        ("modbus", "00120034", "120034", 0x120034, False),
        ("modbus", "U16", "u16", 16, True),
        ("dlt645-1997", "12", "000000000012", 0x12, False),
        ("bus", "Cellar.7", "cellar.7", name_key("cellar.7"), False),
        ("mqtt", "A" * 64, "a" * 64, name_key("a" * 64), False),
        ("n5", "gateway-1", "gateway-1", name_key("gateway-1"), False),
        ("mqtt", "a4:cf:12:0b", "a4:cf:12:0b", name_key("a4:cf:12:0b"), False),
        ("udp", "861234567890123", "861234567890123", name_key("861234567890123"), False),
        ("json", "x" * 32, "x" * 32, name_key("x" * 32), False),
        ("manual", "W_7", "w_7", name_key("w_7"), False),
    ],
)
def test_addresses_as_people_write_them(protocol: str, text: str, kept: str, key: int, local: bool) -> None:
    assert read_address(protocol, f" {text} ") == Address(kept, key, local)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        ("dlt645", ""),
        ("dlt645", "1234567890123"),
        ("dlt645", "12A"),
        ("dlt645", "999999999999"),
        ("dlt645", "１２"),  # digits, but of another alphabet
        ("dlt698", "1234567890123"),
        ("dlt698", "AAAAAAAAAAAA"),
        ("dlt698", "ffffffffffffffff"),
        ("gdw1376-1", "3301ffff"),
        ("gdw1376-1", "33010000"),
        ("gdw1376-1", "3301-65535"),
        ("gdw1376-1", "3301"),
        ("mbus", "251"),
        ("mbus", "K1M-12345678-01-04"),
        ("mbus", "1234567800000104"),
        ("modbus", "u0"),
        ("modbus", "0"),
        ("modbus", "1234567890123456"),
        ("cjt188", "112233445566778"),
        ("bus", ""),
        ("bus", "x" * 65),
        ("bus", "-cellar"),
        ("bus", "the cellar"),
        ("bus", "#0123456789abcdef"),
        ("mqtt", "a/b"),
        ("json", "水表"),
    ],
)
def test_what_is_no_address_is_refused_in_both_languages(protocol: str, text: str) -> None:
    with pytest.raises(AddressError) as caught:
        read_address(protocol, text)
    assert repr(text) in caught.value.text.en
    assert text in caught.value.text.zh


def test_an_unknown_protocol_is_refused_with_those_there_are() -> None:
    with pytest.raises(AddressError, match="dlt645"):
        read_address("dlt999", "1")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROTOCOLS), st.integers(1, KEY_MAX))
def test_a_key_and_its_kept_form_stand_for_each_other(protocol: str, key: int) -> None:
    try:
        found = read_address(protocol, address_text(protocol, key))
    except AddressError:
        return  # not every number is a key of every protocol
    assert protocol not in NAMED
    assert address_text(protocol, found.key) == found.text or found.local
    assert read_address(protocol, found.text) == found


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROTOCOLS), st.text(max_size=20))
def test_no_text_does_harm(protocol: str, text: str) -> None:
    try:
        found = read_address(protocol, text)
    except AddressError:
        return
    assert 0 <= found.key <= KEY_MAX
    assert read_address(protocol, found.text) == found


def test_keys_are_those_of_the_codecs() -> None:
    assert read_address("dlt698", "202406180001").key == dlt698_key(bytes.fromhex("202406180001"))
    assert read_address("mbus", "KAM-12345678-01-04").key >> 48 == manufacturer_word("KAM") & 0x7FFF
    assert point_key(read_address("gdw1376-1", "3301-7").key, 5) == 0x3301 << 32 | 7 << 16 | 5
    frame = bytes.fromhex("6861010000000068910833333433593333338a16")
    batch = codecs()["dlt645"].decode_batch([frame])
    assert batch.meter.tolist() == [read_address("dlt645", "161").key]


def test_the_key_of_a_name_is_a_digest_of_63_bits_that_does_not_lead_back() -> None:
    assert name_key("cellar") == 0x5E5073A6E2A2478A == read_address("bus", "CELLAR").key
    assert address_text("bus", name_key("cellar")) == "#5e5073a6e2a2478a"
    keys = {name_key(f"device-{number}") for number in range(10_000)}
    assert len(keys) == 10_000
    assert max(keys) <= KEY_MAX
    assert max(keys) > KEY_MAX // 2


def test_protocols_are_known_by_what_people_call_them() -> None:
    assert {*PROTOCOLS} - NAMED - {"dlt645-1997"} <= {*codecs()}  # one codec reads both DL/T 645
    assert {*PROTOCOLS} - {*METER_PROTOCOLS} == {"bus", "n5", "mqtt", "udp"}
    assert {*PROTOCOLS} - {*TERMINAL_PROTOCOLS} == {"json", "manual", "dlt645-1997"}
    for text, name in {
        "DL/T 645-2007": "dlt645",
        "dl/t698.45": "dlt698",
        "Q/GDW 1376.1": "gdw1376-1",
        "CJ/T 188": "cjt188",
        "M-Bus": "mbus",
        "645": "dlt645",
        "DL/T 645-1997": "dlt645-1997",
        "RS-485": "bus",
        "总线": "bus",
        "采集器": "n5",
        "gateway": "n5",
        "MQTT": "mqtt",
        "NB-IoT": "udp",
        "mechanical": "manual",
        "人工抄表": "manual",
        "机械表": "manual",
        "JSON": "json",
    }.items():
        assert read_protocol(text) == name
    assert read_protocol("telnet") is None
