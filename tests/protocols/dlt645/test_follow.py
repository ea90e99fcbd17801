import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.dlt645 import contents
from meterweave.protocols.dlt645.follow import SEQUENCE_MAX, begin
from meterweave.protocols.dlt645.frame import Frame

METER = "260305510009"
DI = bytes.fromhex("00ff0100")
ENERGIES = bytes.fromhex("303600005602000019000000")
FIRST = Frame(METER, 0xB1, DI + ENERGIES[:5], 2)


def part(number: int, octets: bytes, control: int = 0xB2) -> Frame:
    return Frame(METER, control, DI + octets + bytes([number]))


def test_an_answer_in_one_frame():
    whole = begin(FIRST._replace(control=0x91))
    assert whole.complete
    assert whole.message() == FIRST._replace(control=0x91)
    with pytest.raises(EncodeError, match="cannot be asked for"):
        whole.request()


def test_an_answer_in_three_frames():
    joining = begin(FIRST)
    assert joining.request() == Frame(METER, 0x12, DI + b"\x01")
    joining = joining.take(part(1, ENERGIES[5:9]))
    assert joining.request() == Frame(METER, 0x12, DI + b"\x02")
    joining = joining.take(part(2, ENERGIES[9:], 0x92))
    assert joining.complete
    assert joining.message() == Frame(METER, 0x91, DI + ENERGIES, 2)
    assert [value.read() for value in contents(joining.message()).values] == ["36.30", "2.56", "0.19"]


@pytest.mark.parametrize(
    "reply",
    [
        part(2, b"\1"),
        part(1, b"\1", 0xD2),
        part(1, b"\1", 0x91),
        part(1, b"\1", 0x12),
        part(1, b"\1")._replace(address="000000000001"),
        Frame(METER, 0xB2, bytes.fromhex("00fe01000101")),
        Frame(METER, 0xB2, DI),
        Frame(METER, 0xB2),
    ],
)
def test_what_is_not_the_part_asked_for_changes_nothing(reply):
    joining = begin(FIRST)
    assert joining.take(reply) is joining


def test_a_complete_answer_takes_no_more():
    whole = begin(FIRST).take(part(1, ENERGIES[5:], 0x92))
    assert whole.take(part(2, b"\1")) is whole


def test_parts_end_with_the_last_number():
    joining = begin(FIRST)
    for number in range(1, SEQUENCE_MAX + 1):
        joining = joining.take(part(number, b"\1"))
    with pytest.raises(EncodeError, match="256"):
        joining.request()
    assert joining.take(part(0, b"\1")) is joining


def test_1997_has_no_numbers():
    joining = begin(Frame(METER, 0xA1, bytes.fromhex("1f90") + ENERGIES[:5]))
    assert joining.request() == Frame(METER, 0x02, bytes.fromhex("1f90"))
    joining = joining.take(Frame(METER, 0x82, bytes.fromhex("1f90") + ENERGIES[5:]))
    assert joining.message() == Frame(METER, 0x81, bytes.fromhex("1f90") + ENERGIES)
