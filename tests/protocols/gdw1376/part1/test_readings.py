from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from meterweave.metering.batch import Profile, Quality, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_code
from meterweave.protocols.gdw1376.part1 import Message, Unit, build_unit, decode, encode, readings
from tests.protocols.gdw1376.part1.test_vectors import GOOD

NOW = 1_700_000_000_000_000
FRAMES = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in GOOD}


def utc(*parts, zone=SHANGHAI):
    return int(datetime(*parts, tzinfo=zone).timestamp()) * 1_000_000


def of_vector(number):
    return readings(decode(FRAMES[f"gdw1376-1-{number}"]), received=NOW)


def of_unit(fn, data, *, afn=0x0D, control=0x88, da=0x0101, zone=SHANGHAI):
    dt = (fn - 1) // 8 << 8 | 1 << (fn - 1) % 8
    message = Message(2, control, 0x1000, 1, 0, afn, 0x60, (Unit(da, dt, bytes.fromhex(data)),))
    assert decode(encode(message)) == message
    return readings(message, received=NOW, zone=zone)


def test_present_values_hold_at_their_time_of_reading():
    found = of_vector("070")
    by_code = {reading.quantity: reading for reading in found}
    assert {reading.ts for reading in found} == {utc(2018, 8, 28, 16, 47)}
    assert len(found) == 4 + 4 + 4 + 3 + 4 + 4
    voltage = by_code[obis_code("1-0:32.7.0")]
    assert (voltage.value, voltage.meter, voltage.profile) == (24270, 0x0171_0822_0001, Profile.SPOT)
    assert (voltage.source, voltage.quality) == (Source.READ, Quality.GOOD)
    assert by_code[obis_code("1-0:33.7.0")].value == 1000
    missing = by_code[obis_code("1-0:52.7.0")]
    assert (missing.value, missing.quality) == (None, Quality.NO_VALUE)


def test_power_keeps_its_steps():
    unit = build_unit(
        0x0D,
        True,
        [3],
        [81],
        {"curve.start": "2024-03-01T00:00", "curve.density": 1, "curve.count": 2}
        | {"active_power.total[0]": "-1.2345", "active_power.total[1]": "0.0001"},
    )
    message = Message(2, 0x88, 0x1000, 1, 0, 0x0D, 0x60, (unit,))
    found = readings(message, received=NOW)
    assert [(one.value, one.ts, one.profile) for one in found] == [
        (-12345, utc(2024, 3, 1), Profile.CURVE),
        (1, utc(2024, 3, 1, 0, 15), Profile.CURVE),
    ]
    assert found[0].meter == 0x1000_0001_0003


def test_energies_by_tariff():
    found = of_vector("071")
    assert [reading.value for reading in found[:6]] == [37462800, 6260900, 7237500, 13675100, 10289200, 4889500]
    codes = [obis_code(f"1-0:1.8.{tariff}") for tariff in range(5)]
    assert [reading.quantity for reading in found[:5]] == codes


def test_a_day_s_freeze_holds_at_its_end():
    found = of_vector("093")
    assert {(one.ts, one.profile) for one in found} == {(utc(2018, 8, 28), Profile.DAILY)}
    head = "5923310124001234567890"
    assert of_unit(177, "1223" + head)[0][3:6] == (Profile.MONTHLY, utc(2024, 1, 1), 9078563412)
    assert of_unit(169, "280224" + head)[0][3:5] == (Profile.SETTLEMENT, utc(2024, 2, 29))


def test_times_that_cannot_be_true():
    for octets in ("300224", "eeeeee"):
        found = of_unit(161, octets + "5923310124001234567890")
        assert [(one.ts, one.quality) for one in found] == [(NOW, Quality.TIME_INVALID)]
    assert of_unit(177, "1323" + "5923310124001234567890")[0].quality == Quality.TIME_INVALID
    assert of_unit(89, "000001032400010122")[0][4:7] == (NOW, 22010, Quality.TIME_INVALID)
    both = of_unit(89, "00000000000102eeee0122")
    assert [(one.ts, one.value) for one in both] == [(NOW, None), (NOW, 22010)]
    assert both[0].quality == Quality.TIME_INVALID | Quality.NO_VALUE


def test_values_without_a_time_hold_when_received():
    found = of_unit(41, "017856341200000000", afn=0x0C)
    assert [(one.quantity, one.ts, one.value) for one in found] == [(obis_code("1-0:1.9.1"), NOW, 12345678)]


def test_other_zones():
    found = of_unit(161, "300624" + "5923310124001234567890", zone=ZoneInfo("Asia/Kolkata"))
    assert found[0].ts == utc(2024, 7, 1, zone=ZoneInfo("Asia/Kolkata"))


def test_purchases_are_money_and_energy():
    data = "181519082403000012340000000050000000000100" + "00000000" * 5
    found = of_unit(167, data, afn=0x0C)
    assert [one.value for one in found] == [3, 341200, 500000, 1000000, 0, 0]


@pytest.mark.parametrize(
    ("fn", "data", "more"),
    [
        (33, "5614220816001234567890123456781234567812345678", {"afn": 0x0C, "da": 0x00FF}),
        (137, "5614220816001234567890", {"afn": 0x0C}),
        (81, "0001010203010203010203010203", {"afn": 0x0C}),
        (2, "494811155215", {"afn": 0x0C}),
        (161, "", {}),
        (89, "0000010324", {}),
        (89, "0000010324010201", {}),
        (1500, "00", {}),
    ],
)
def test_what_gives_no_readings(fn, data, more):
    assert of_unit(fn, data, **more) == []


def test_requests_give_no_readings():
    assert of_vector("098") == []
    assert of_vector("112") == []


def test_what_a_terminal_starts_is_pushed():
    found = of_unit(161, "280224" + "5923310124001234567890", control=0xC4)
    assert [one.source for one in found] == [Source.PUSHED]


def test_forwarded_meters_are_named_by_their_own_address():
    found = of_vector("107")
    assert [(one.meter, one.value, one.source) for one in found] == [(0x151230011061, 67800, Source.FORWARDED)]
    assert found[0].quantity == obis_code("1-0:1.8.0")
    assert of_vector("104") == []
