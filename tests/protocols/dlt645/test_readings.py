from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from meterweave.metering.batch import Profile, Quality, Reading, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import quantities
from meterweave.protocols.dlt645 import readings
from meterweave.protocols.dlt645.frame import Frame

NOW = 1_700_000_000_000_000


def code(obis: str) -> int:
    return quantities()[obis].code


def us(*parts: int, zone: ZoneInfo = SHANGHAI) -> int:
    return int(datetime(*parts, tzinfo=zone).timestamp()) * 1_000_000


def measured(data: str, control: int = 0x91) -> list[Reading]:
    return readings(Frame("000000000161", control, bytes.fromhex(data)), received=NOW)


def test_a_reading():
    assert measured("0000010026000000") == [
        Reading(0, 0x161, code("1-0:1.8.0"), Profile.SPOT, NOW, 2600, Quality.GOOD, Source.READ)
    ]


def test_what_the_caller_says_goes_into_the_reading():
    frame = Frame("000000000161", 0x81, bytes.fromhex("109026000000"))
    reading = readings(frame, index=7, received=NOW, source=Source.FORWARDED)[0]
    assert (reading.frame, reading.source, reading.ts) == (7, Source.FORWARDED, NOW)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("000101021923", [("1-0:32.7.0", 23190, Quality.GOOD)]),
        ("00010102ffff", [("1-0:32.7.0", None, Quality.NO_VALUE)]),
        ("00ff010219230000", [("1-0:32.7.0", 23190, Quality.GOOD), ("1-0:52.7.0", 0, Quality.GOOD)]),
        ("00000302314380", [("1-0:16.7.0", -4331, Quality.GOOD)]),
        ("070080025002", [("0-0:96.9.0", 250, Quality.GOOD)]),
        ("00029000 56980100", [("0-0:19.10.1", 1985600, Quality.GOOD)]),
        ("04000a 02".replace(" ", ""), []),
        ("0101000406060719", []),
        ("d16dd0ce0102", []),
        ("", []),
    ],
)
def test_values(data, wanted):
    found = [(reading.quantity, reading.value, reading.quality) for reading in measured(data)]
    assert found == [(code(obis), value, quality) for obis, value, quality in wanted]


def test_demands_hold_at_their_time():
    reading = measured("00000101" + "345612" + "3012010218")[0]
    assert (reading.ts, reading.value, reading.quality) == (us(2018, 2, 1, 12, 30), 125634, Quality.GOOD)


def test_a_demand_without_a_possible_time():
    reading = measured("00000101" + "000000" + "0000000000")[0]
    assert (reading.ts, reading.value, reading.quality) == (NOW, 0, Quality.TIME_INVALID)
    reading = measured("00000101" + "ffffff" + "ffffffffff")[0]
    assert (reading.value, reading.quality) == (None, Quality.NO_VALUE | Quality.TIME_INVALID)


def test_a_demand_cut_short_holds_when_received():
    assert [(one.ts, one.quality) for one in measured("00000101" + "345612")] == [(NOW, Quality.GOOD)]


def test_the_zone_of_the_meter():
    frame = Frame("000000000161", 0x91, bytes.fromhex("00000101" + "345612" + "3012010718"))
    berlin = ZoneInfo("Europe/Berlin")
    assert readings(frame, zone=berlin)[0].ts == us(2018, 7, 1, 12, 30, zone=berlin)


def test_load_records_hold_at_the_time_of_the_record():
    body = bytes.fromhex("0012010218" + "aa" * 5 + "000300" * 2 + "aa")
    record = b"\xa0\xa0" + bytes([len(body)]) + body
    record += bytes([sum(record) % 256, 0xE5])
    found = measured("00000006" + record.hex())
    assert [(one.quantity, one.profile, one.ts, one.value) for one in found] == [
        (code("1-0:1.4.0"), Profile.CURVE, us(2018, 2, 1, 12), 300),
        (code("1-0:3.4.0"), Profile.CURVE, us(2018, 2, 1, 12), 300),
    ]


def test_a_balance_is_a_reading():
    found = measured("ff028107" + "10270000" + "01020304" + "05000000" + "01020304" + "010000000000" + "00000000", 0x83)
    assert [(one.quantity, one.value) for one in found] == [(code("0-0:19.10.1"), 1000000), (code("0-0:19.10.6"), 5)]


@pytest.mark.parametrize("control", [0x11, 0x14, 0x92, 0x94, 0xD1, 0x13, 0x93])
def test_what_measures_nothing(control):
    assert measured("000001002600", control) == []


def test_profiles():
    assert [one.profile for one in measured("01010605" + "26000000" * 2)] == [Profile.DAILY] * 2
    assert measured("01000100" + "26000000")[0].profile == Profile.SETTLEMENT
