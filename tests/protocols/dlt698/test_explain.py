"""What people are told of a frame, and of one that is broken."""

import pytest

from meterweave.protocols.dlt698.association import LinkResponse
from meterweave.protocols.dlt698.explain import explain
from meterweave.protocols.dlt698.frame import Frame, Link, encode_frame
from meterweave.protocols.dlt698.services import encode_apdu, explain_apdu
from tests.protocols.dlt698.test_vectors import assert_joined

ENERGY = bytes.fromhex(
    "683500C305090000000010102430850200010010020001010506000009AB060000029E06000003250600000248060000019E00002EC016"
)
ROWS = bytes.fromhex(
    "683B00C3054078030802000023D3850303500402000100001002000101010506000000000600000000060000000006000000000600000000"
    "000047BC16"
)
LINK = Link(0x43, 5, bytes(6), 0)


def told(octets: bytes) -> dict[str, str]:
    """The values with their units, by name."""
    fields = explain(octets)
    assert_joined(fields, octets)
    return {one.name.en: f"{one.value} {one.unit}".strip() for field in fields for _, one in field.walk()}


def faults(octets: bytes) -> list[tuple[str, str]]:
    fields = explain(octets)
    assert_joined(fields, octets)
    return [(one.name.en, one.fault.en) for field in fields for _, one in field.walk() if one.fault]


def test_values_have_their_names_scales_and_units():
    found = told(ENERGY)
    assert found["forward active energy, total"] == "24.75 kWh"
    assert found["forward active energy, tariff 4"] == "4.14 kWh"
    assert found["server address SA"] == "100000000009"
    assert found["length L"] == "53 octets"


def test_rows_have_the_names_of_their_columns():
    found = told(ROWS)
    assert found["column 1"] == "0"
    assert found["forward active energy, tariff 4"] == "0.00 kWh"


def test_the_elements_of_a_road_have_the_names_of_its_columns():
    apdu = bytes.fromhex("85030560120300010150040200022021020000100201010201021C07E80506000000060000303901000000")
    names = {one.name.en: one.value for field in explain_apdu(apdu) for _, one in field.walk()}
    assert names["data freeze time"] == "2024-05-06 00:00:00"
    assert names["forward active energy, total"] == "123.45"


def test_a_conformance_block_names_its_bits():
    apdu = bytes.fromhex("0200001080000000C00000004000000000000000000000000000000104000400010400000000640000")
    meanings = {one.name.en: one.meaning for field in explain_apdu(apdu) for _, one in field.walk()}
    assert meanings["protocol conformance"].en == "application association, read of attribute 0, write of attribute 0"
    assert meanings["functional conformance"].en == "bidirectional active"


@pytest.mark.parametrize(("result", "words"), [(0x80, "ok, clock trusted"), (2, "illegal device, clock not trusted")])
def test_the_result_of_a_login(result, words):
    octets = encode_apdu(LinkResponse(0xC1, result, bytes(10), bytes(10), bytes(10)))
    meanings = {field.name.en: field.meaning for field in explain_apdu(octets)}
    assert meanings["result"].en == words
    assert meanings["PIID"].en == "number 1, high priority"


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("850100310008000116030000", "report beginning and end"),
        ("85010030000B000116010000", "report the beginning"),
        ("850100F00103000116640000", "success"),
        ("850100F00103000116050000", "enumeration"),
        ("850100400003000116010000", "enumeration"),
    ],
)
def test_codes_have_their_words(octets, words):
    result = explain_apdu(bytes.fromhex(octets))[3]
    assert result.parts[-1].meaning is not None
    assert result.parts[-1].meaning.en == words


def test_waiting_events_are_told():
    meanings = {field.name.en: field.meaning for field in explain_apdu(bytes.fromhex("8341000000"))}
    assert meanings["PIID-ACD"].en == "number 1, events are waiting"


@pytest.mark.parametrize("control", [0x43, 0xE3, 0x81, 0x4B, 0x44, 0x63])
def test_any_control_octet(control):
    octets = encode_frame(Frame(Link(control, 5, bytes(6), 0), bytes.fromhex("0501014001020000")))
    assert faults(octets) == []


def test_a_scrambled_frame_is_told_as_it_is_meant():
    scrambled = bytes.fromhex("6817004B051200000000331081083834347333353333CD8C16")
    assert told(scrambled)["OAD"] == "40000200H"


def test_wake_up_octets_and_an_empty_frame():
    octets = b"\xfe\xfe" + encode_frame(Frame(LINK, b""))
    assert told(octets)["wake-up octets"] == "2"
    assert faults(octets) == []


@pytest.mark.parametrize(
    ("octets", "where", "words"),
    [
        (b"", "no frame", "start octets"),
        (b"\xfe\xfe", "no frame", "start octets"),
        (b"\x86" + ENERGY[1:], "no frame", "start octets"),
        (ENERGY[:4], "incomplete header", "a header of 5 octets or more has only 4"),
        (ENERGY[:10], "incomplete header", "a header of 14 octets or more has only 10"),
        (ENERGY[:14], "length L", "a frame of 55 octets has only 14"),
        (ENERGY[:30], "length L", "a frame of 55 octets has only 30"),
        (ENERGY + b"\x00\x01", "length L", "2 octets follow a frame of 55"),
        (ENERGY[:8] + b"\x01" + ENERGY[9:], "header check (HCS)", "header check"),
        (ENERGY[:33] + b"\x01" + ENERGY[34:], "frame check (FCS)", "frame check"),
        (ENERGY[:-1] + b"\x17", "end", "end octet"),
        (encode_frame(Frame(LINK, b"\x7b\x01")), "not understood", "no APDU has tag 7BH"),
        (encode_frame(Frame(LINK, b"\x05\x09")), "not understood", "the service 05H has no choice 9"),
        (encode_frame(Frame(Link(0x63, 5, bytes(6), 0), b"\x01")), "fragment header", "ends too early"),
        (b"\x05\x01\x01\x40\x01\x02\x00\x00\x00", "not understood", "1 octets follow the end"),
        (b"\x05\x01\x01\x40\x01\x02\x00\x02", "not understood", "presence octet is 02H"),
        (bytes.fromhex("8501014001020002"), "not understood", "no result has number 2"),
        (bytes.fromhex("080101854001"), "not understood", "a length begins with 85H"),
        (bytes.fromhex("090701F20102010302080100000500011068"), "not understood", "16 octets wanted, 1 left"),
    ],
)
def test_the_fault_stands_where_it_is(octets, where, words):
    found = faults(octets)
    assert [name for name, _ in found][:1] == [where]
    assert words in found[0][1]
