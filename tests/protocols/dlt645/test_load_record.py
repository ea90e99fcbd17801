import pytest
from hypothesis import given

from meterweave.protocols.dlt645 import load_record
from meterweave.protocols.dlt645.load_record import asked_class, element, join, split
from tests.protocols.dlt645.strategies import load_records, patient

TIME = "0012010218"
CLASSES = [
    "012302230323" + "001000" + "002000" + "003000" + "0050",
    "000100" * 8,
    "0010" * 4,
    "01000000" * 4,
    "02000000" * 4,
    "000300" * 2,
]


def record(classes: list[str], mark: str = "a0a0", *, separator: str = "aa", wrong: int = 0) -> bytes:
    body = bytes.fromhex(TIME + "".join(one + separator for one in classes))
    whole = bytes.fromhex(mark) + bytes([len(body)]) + body
    return whole + bytes([(sum(whole) + wrong) % 256, 0xE5])


def named(di: str, octets: bytes) -> tuple[dict[str, object], bytes]:
    values, rest = split(di, octets)
    assert b"".join(value.octets for value in values) + rest == octets
    return {value.element.name: value.read() for value in values if value.element.name}, rest


def test_a_whole_record():
    found, rest = named("06000000", record(CLASSES))
    assert rest == b""
    assert len(found) == 1 + 7 + 8 + 4 + 4 + 4 + 2
    assert found["load_record.1.time"] == "2018-02-01T12:00"
    assert found["load_record.1.voltage.a"] == "230.1"
    assert found["load_record.1.current.c"] == "3.000"
    assert found["load_record.1.demand.reactive"] == "0.0300"


def test_records_with_empty_classes():
    octets = record([CLASSES[0], "", "", "", "", ""]) + record(["", "", "", CLASSES[3], "", ""])
    found, rest = named("06000002", octets)
    assert rest == b""
    assert found["load_record.2.energy.forward_active.total"] == "0.01"
    assert "load_record.2.voltage.a" not in found
    assert "load_record.1.energy.forward_active.total" not in found


def test_a_bad_record_is_no_reading():
    values, _ = split("06000000", record(CLASSES, "e0e0"))
    assert values[3].element.name == "load_record.1.bad.voltage.a"
    assert not any(value.element.quantity for value in values)


def test_a_record_with_a_wrong_checksum_is_no_reading():
    values, rest = split("06000000", record(CLASSES, wrong=1))
    assert rest == b""
    assert values[3].element.name == "load_record.1.voltage.a"
    assert not any(value.element.quantity for value in values)


@pytest.mark.parametrize(
    "octets",
    [
        record([CLASSES[5]]),
        record(["", "", "", "", "", CLASSES[5]]),
        record([CLASSES[5]], separator=""),
    ],
)
def test_answers_for_one_class(octets):
    found, rest = named("06060000", octets)
    assert rest == b""
    assert found == {
        "load_record.1.time": "2018-02-01T12:00",
        "load_record.1.demand.active": "0.0300",
        "load_record.1.demand.reactive": "0.0300",
    }


def test_a_bare_answer_for_one_class():
    found, rest = named("06060000", bytes.fromhex(CLASSES[5]))
    assert found == {"load_record.1.demand.active": "0.0300", "load_record.1.demand.reactive": "0.0300"}
    assert rest == b""


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xa0",
        b"\xa0\xa0",
        b"\xa0\xa0\x00",
        b"\xa0\xa0\x00\xa0\xe5",
        record(CLASSES)[:-1],
        record(CLASSES)[:-1] + b"\xe4",
        record(CLASSES[:5]),
        record([*CLASSES, ""]),
        bytes.fromhex(CLASSES[0]),
    ],
)
def test_what_is_no_record(octets):
    assert split("06000000", octets) == ([], octets)


def test_whole_records_before_one_cut_short():
    octets = record(CLASSES)
    found, rest = named("06000000", octets + octets[:50])
    assert len(found) == 30
    assert rest == octets[:50]


def test_identifiers():
    assert (asked_class("06000000"), asked_class("06060002")) == (0, 6)
    assert [asked_class(di) for di in ("06070000", "06000003", "05060101", "9010")] == [None] * 4


def test_records_are_joined_again():
    octets = record(CLASSES) + record([CLASSES[0], "", "", "", "", ""], "e0e0")
    values = split("06000000", octets)[0]
    assert join([(value.element.name, value.octets) for value in values if value.element.name]) == octets


@patient
@given(load_records())
def test_nothing_is_lost(octets):
    for di in ("06000000", "06010001", "06060002"):
        values, rest = split(di, octets)
        assert b"".join(value.octets for value in values) + rest == octets


def test_a_bare_answer_is_joined_again():
    octets = bytes.fromhex(CLASSES[5])
    assert join([(value.element.name, value.octets) for value in split("06060000", octets)[0]]) == octets


def test_a_class_must_be_whole():
    with pytest.raises(ValueError, match=r"class 6 .* lacks demand\.reactive"):
        join([("load_record.1.time", bytes(5)), ("load_record.1.demand.active", bytes(3))])


@pytest.mark.parametrize("name", ["voltage.a", "load_record.1.colour", "load_record.one.time", "load_record.1"])
def test_what_is_no_value_of_a_record(name):
    with pytest.raises(ValueError, match="no value of a load record"):
        element(name)


def test_the_elements_by_name():
    assert element("load_record.7.bad.time") is load_record._TIME
    assert element("load_record.7.voltage.a").unit == "V"
