import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.protocols.dlt645.explain import explain
from meterweave.protocols.dlt645.frame import Frame, encode
from meterweave.protocols.explain import Field
from tests.protocols.dlt645.strategies import FRAMES, patient
from tests.vectors import load

READ = bytes.fromhex("68610100000000681104333334331416")


def assert_whole(octets: bytes) -> None:
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    for field in fields:
        for _, one in field.walk():
            assert one.name.en
            assert one.name.zh
            inner = [part.octets for part in one.parts if part.octets]
            assert not inner or b"".join(inner) == one.octets


@pytest.mark.parametrize("vector", load("dlt645-2007"), ids=lambda vector: vector["id"])
def test_every_octet_of_a_vector_is_explained(vector):
    assert_whole(bytes.fromhex(vector["hex"]))


@patient
@given(FRAMES, st.integers(0, 20), st.binary(max_size=2))
def test_every_octet_of_a_frame_is_explained(frame, cut, tail):
    octets = encode(frame)
    assert_whole(octets)
    assert_whole(octets[: len(octets) - cut])
    assert_whole(octets + tail)


@patient
@given(FRAMES, st.integers(0), st.integers(1, 255))
def test_every_octet_of_a_damaged_frame_is_explained(frame, at, change):
    octets = bytearray(encode(frame))
    octets[at % len(octets)] ^= change
    assert_whole(bytes(octets))


@patient
@given(st.binary(max_size=300))
def test_every_octet_of_anything_is_explained(octets):
    assert_whole(octets)
    assert_whole(READ[:9] + octets)


def found(octets: bytes, name: str) -> Field:
    return next(one for field in explain(octets) for _, one in field.walk() if one.name.en == name)


def reply(data: str, control: int = 0x91) -> bytes:
    return encode(Frame("000000000161", control, bytes.fromhex(data)))


def test_a_reply():
    octets = reply("0000010026000000")
    assert found(octets, "control code C").meaning.en == "read data, answer"
    assert found(octets, "data identifier").meaning.zh == "正向有功电能，总"
    energy = found(octets, "forward active energy, total")
    assert (energy.octets.hex(), energy.value, energy.unit) == ("59333333", "0.26", "kWh")


def test_units_that_only_say_how_a_value_is_written_are_left_away():
    assert found(reply("020100040456 14"), "time").unit == ""


def test_a_value_that_is_none():
    voltage = found(reply("00010102ffff"), "voltage of phase A")
    assert (voltage.value, voltage.unit, voltage.meaning.en) == ("FF FF", "", "no value")


def test_bits_are_parts_without_octets():
    octets = reply("030500045000")
    relay = found(octets, "relay actually open")
    assert (relay.octets, relay.value) == (b"", "1")
    assert found(octets, "supply").value == "main"


def test_addresses_with_a_meaning():
    assert found(encode(Frame("aaaaaaaaaaaa", 0x13)), "address").meaning.en == "the one meter on the line"
    assert found(encode(Frame("999999999999", 0x13)), "address").meaning.zh == "广播地址，不应答"
    assert found(encode(Frame("000000000161", 0x13)), "address").meaning is None


def test_errors_in_words():
    error = found(reply("06", 0xD1), "error word ERR")
    assert error.value == "no_such_data, not_authorised"
    assert error.meaning.en == "no such data; password wrong or not authorised"


def test_commands_in_words():
    octets = encode(Frame("000000000161", 0x1C, bytes.fromhex("02000000000000001a00000000000000")))
    assert found(octets, "control command N1").meaning.zh == "跳闸"
    assert found(octets, "valid until").value == "00 00 00 00 00 00"
    assert found(octets, "reserved N2").meaning is None


def test_an_item_in_no_table():
    octets = reply("ced06dd10900")
    assert found(octets, "data identifier").meaning is None
    assert found(octets, "octets not read").octets == octets[-4:-2]


def test_load_records_in_words():
    assert found(reply("00000006"), "data identifier").meaning.en == "load record, oldest"
    assert found(reply("02000106"), "data identifier").meaning.zh == "第1类最近负荷记录"


def test_data_that_are_not_divided():
    assert found(reply("0102", 0x97), "data").value == "01 02"
    assert [field.name.en for field in explain(reply("", 0x94))][-2:] == ["checksum CS", "end"]


def test_a_protected_payload_is_shown_as_it_is():
    octets = encode(Frame("000000000161", 0x14, bytes.fromhex("010100049800000000000000" + "06060719")))
    assert found(octets, "data").value == "06 06 07 19"


def test_wake_up_octets():
    assert explain(b"\xfe\xfe" + READ)[0].value == "2"


@pytest.mark.parametrize(
    ("octets", "name", "words"),
    [
        (b"", "start", "too early"),
        (b"\xfe", "start", "too early"),
        (b"\x69" + READ[1:], "start", "not 68H"),
        (READ[:7] + b"\x67" + READ[8:], "start", "offset 7"),
        (READ[:3], "address", "too early"),
        (READ[:12], "data", "too early"),
        (READ[:-1], "checksum CS", "too early"),
        (READ + b"\x00", "octets not read", "17"),
        (READ[:-1] + b"\x17", "end", "end octet"),
        (READ[:9] + b"\x03" + READ[10:], "end", "end octet"),
        (READ[:-2] + b"\x15\x16", "checksum CS", "wanted 14H"),
    ],
)
def test_the_fault_stands_where_it_is(octets, name, words):
    faulty = [field for field in explain(octets) if field.fault]
    assert [field.name.en for field in faulty] == [name]
    assert words in faulty[0].fault.en
    assert faulty[0].fault.zh
