from __future__ import annotations

import pytest

from meterweave.protocols.gdw1376.part1 import build_unit, encode, explain
from meterweave.protocols.gdw1376.part1.service import request
from tests.protocols.gdw1376.part1.test_vectors import GOOD

FRAMES = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in GOOD}
LOGIN = FRAMES["gdw1376-1-018"]


def lines(octets):
    return [field for one in explain(octets) for _, field in one.walk()]


def find(octets, name):
    return next(field for field in lines(octets) if field.name.en == name)


def test_values_carry_units_and_words():
    voltage = find(FRAMES["gdw1376-1-070"], "voltage, phase A")
    assert (voltage.octets.hex(), voltage.value, voltage.unit, voltage.name.zh) == ("2724", "242.7", "V", "A相电压")
    missing = find(FRAMES["gdw1376-1-070"], "voltage, phase B")
    assert (missing.value, missing.unit, missing.meaning.zh) == ("", "", "无效值")
    tariff = find(FRAMES["gdw1376-1-071"], "forward active energy, tariff 2")
    assert (tariff.value, tariff.name.zh) == ("723.7500", "正向有功电能示值，费率2")


def test_codes_are_told_in_words():
    meter = FRAMES["gdw1376-1-038"]
    assert find(meter, "meter[0] protocol of the meter").meaning.zh == "不需要终端抄表"
    assert find(meter, "meter[0] number of tariffs").unit == ""
    assert [part.value for part in find(meter, "meter[0] speed of the port, port").parts] == ["1", "1"]
    assert find(FRAMES["gdw1376-1-066"], "clock of the terminal").meaning.en == "Tuesday"
    assert find(LOGIN, "data unit").meaning.zh == "登录"
    assert find(LOGIN, "control C").meaning.zh == "链路测试（请求∕响应帧）"


def test_curves_are_told_point_by_point():
    octets = bytes.fromhex("6866006600688800100100020d600101010b000001032401030122eeee9921fb16")
    names = [field.name.en for field in lines(octets) if field.name.en.startswith("voltage")]
    assert names == [f"voltage, phase A, point {index}" for index in range(3)]
    assert find(octets, "density of the points (Td_c)").meaning.en == "15 minutes"


def test_a_meter_s_frame_is_told_by_its_own_protocol():
    forwarded = find(FRAMES["gdw1376-1-107"], "frame forwarded")
    assert [part.octets.hex() for part in forwarded.parts][:2] == ["1400", "68"]
    assert any(field.value == "6.78" for _, field in forwarded.walk())


@pytest.mark.parametrize(
    ("octets", "name", "words"),
    [
        ("00", "octets", "start"),
        ("68", "start", "too early"),
        ("683200320000c9", "second start", "start octets"),
        ("683200360068c900", "length L", "impossible"),
        ("681e001e0068c9000234120002851600", "length L", "impossible"),
        (LOGIN[:-1].hex(), "checksum", "too early"),
        (LOGIN[:-4].hex(), "link user data", "too early"),
        (LOGIN[:9].hex(), "link user data", "too early"),
        (LOGIN[:-1].hex() + "00", "end", "the end octet"),
        (LOGIN[:-2].hex() + "8616", "checksum", "wanted 85H"),
        (LOGIN.hex() + "fe", "octets behind the frame", "impossible"),
    ],
)
def test_the_fault_is_marked_where_it_is(octets, name, words):
    fields = explain(bytes.fromhex(octets))
    faults = [field for field in fields if field.fault]
    assert [field.name.en for field in faults] == [name]
    assert words in faults[0].fault.en
    assert b"".join(field.octets for field in fields).hex() == octets


def test_a_bad_checksum_hides_nothing():
    assert find(LOGIN[:-2] + b"\x86\x16", "data unit").meaning.en == "login"


def test_a_file_s_segment():
    values = {"file.id": 1, "file.attribute": 0, "file.command": 1, "file.segment_count": 2, "file.segment": 0}
    unit = build_unit(0x0F, False, [0], [1], values | {"file.content": "aabb"})
    content = find(encode(request(0x0200, 1, 0x0F, [unit])), "content of the segment")
    assert [(part.name.en, part.value) for part in content.parts] == [("length", "2"), ("content", "AA BB")]


def test_codes_are_written_as_in_the_standard():
    octets = bytes.fromhex("683200320068c900023412000271000001008516")
    found = [(field.name.en, field.value, len(field.parts)) for field in explain(octets)]
    assert found[:4] == [
        ("start", "68H", 0),
        ("length L", "0032H", 2),
        ("length L", "0032H", 0),
        ("second start", "68H", 0),
    ]
    assert found[-2:] == [("checksum", "85H", 0), ("end", "16H", 0)]
    terminal = find(octets, "terminal A2")
    assert (terminal.value, terminal.meaning.en) == ("4660", "1234H")


def test_no_octets_have_no_fields():
    assert explain(b"") == []
