from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from meterweave.metering.batch import Profile, Quality, Reading
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import obis_text
from meterweave.protocols.mbus import (
    FixedData,
    Header,
    Long,
    Plain,
    Records,
    SecondaryAddress,
    Short,
    ShortHeader,
    VariableData,
    make_record,
)
from meterweave.protocols.mbus.quantity import Target, target_of
from meterweave.protocols.mbus.reading import readings, wire_key

RECEIVED = 1_700_000_000_000_000
MARCH_13 = 1_394_640_000_000_000  # 2014-03-13T00:00 in Shanghai, in UTC microseconds


def telegram(*records: tuple[str, object], medium: int = 0x07, ci: int = 0x72) -> Long:
    header = Header(SecondaryAddress("12345678", 0xAC2D, 3, medium), 5, 0, 0)
    found = Records(tuple(make_record(bytes.fromhex(head), value) for head, value in records))
    return Long(8, 9, ci, VariableData(header, found))


def read(message, zone: ZoneInfo = SHANGHAI) -> list[Reading]:
    return readings(message, frame=4, received=RECEIVED, zone=zone)


def one(head: str, value: object, medium: int) -> tuple[str, int | None, int]:
    (found,) = read(telegram((head, value), medium=medium))
    assert (found.frame, found.profile, found.ts, found.source) == (4, Profile.SPOT, RECEIVED, 0)
    return obis_text(found.quantity), found.value, found.quality


@pytest.mark.parametrize(
    ("medium", "head", "value", "wanted"),
    [
        (0x02, "0403", "1364", ("1-0:1.8.0", 13640, 0)),
        (0x02, "841003", "1364", ("1-0:1.8.1", 13640, 0)),
        (0x02, "04833c", "1364", ("1-0:2.8.0", 13640, 0)),
        (0x02, "0483bbfc02", "1364", ("1-0:41.8.0", 13640, 0)),
        (0x02, "0400", "0.001", ("1-0:1.8.0", 0, Quality.ROUNDED)),
        (0x02, "0400", "0.050", ("1-0:1.8.0", 1, Quality.ROUNDED)),
        (0x02, "0400", "-0.050", ("1-0:1.8.0", -1, Quality.ROUNDED)),
        (0x02, "04fb00", "0.5", ("1-0:1.8.0", 5_000_000, 0)),
        (0x02, "040e", "36000000", ("1-0:1.8.0", 100_000, 0)),
        (0x02, "042b", "-202", ("1-0:16.7.0", -2020, 0)),
        (0x02, "02fd48", "230.1", ("1-0:32.7.0", 23010, 0)),
        (0x02, "02fdc8fc03", "230.1", ("1-0:72.7.0", 23010, 0)),
        (0x02, "02fdd9fc04", "0.957", ("1-0:91.7.0", 957, 0)),
        (0x02, "05fdd9fc04", "0.9571", ("1-0:91.7.0", 957, Quality.ROUNDED)),
        (0x03, "0c14", "4850.27", ("7-0:3.0.0", 4_850_270_000, 0)),
        (0x03, "0c14", None, ("7-0:3.0.0", None, Quality.NO_VALUE)),
        (0x03, "0c9415", "1.00", ("7-0:3.0.0", None, Quality.NO_VALUE)),
        (0x03, "049378", "1.000", ("7-0:3.0.0", 1_000_000, 0)),
        (0x03, "04fb21", "10.0", ("7-0:3.0.0", 283_168, Quality.ROUNDED)),
        (0x04, "0406", "1389817000", ("6-0:1.0.0", 1389817000 * 36000, 0)),
        (0x0D, "040b", "5000", ("6-0:1.0.0", 50_000, 0)),
        (0x04, "0433", "1000", ("6-0:8.0.0", 278, Quality.ROUNDED)),
        (0x0C, "025b", "28", ("6-0:10.0.0", 28_000, 0)),
        (0x04, "025f", "34", ("6-0:11.0.0", 34_000, 0)),
        (0x04, "0262", "0.5", ("6-0:12.0.0", 500, 0)),
        (0x0A, "0406", "1000", ("5-0:1.0.0", 36_000_000, 0)),
        (0x06, "0413", "0.332", ("9-0:1.0.0", 332_000, 0)),
        (0x16, "0413", "54.321", ("8-0:1.0.0", 54_321_000, 0)),
        (0x07, "0443", "0.0010", ("8-0:2.0.0", 60_000, 0)),
        (0x08, "0c6e", "1987", ("4-0:1.0.0", 1987, 0)),
        (0x01, "0227", "2", ("0-0:96.8.0", 172_800, 0)),
        (0x04, "07fb01", str(2**62), ("6-0:1.0.0", None, Quality.OUT_OF_RANGE)),
    ],
)
def test_records_become_quantities(medium, head, value, wanted):
    assert one(head, value, medium) == wanted


@pytest.mark.parametrize(
    ("medium", "head", "value"),
    [
        (0x02, "143b", "1.000"),
        (0x02, "844003", "1"),
        (0x02, "0483ff01", "1"),
        (0x02, "04837f", "1"),
        (0x02, "048328", "1"),
        (0x02, "0413", "1.000"),
        (0x02, "84800404", "10"),
        (0x02, "4403", "1"),
        (0x02, "0d0301", "1"),
        (0x02, "0003", None),
        (0x02, "01fd17", "1"),
        (0x02, "84102b", "1"),
        (0x04, "841006", "1000"),
        (0x07, "04fb58", "1.000"),
        (0x04, "04fb58", "1.000"),
        (0x07, "049350", "1"),
        (0x07, "049339", "2014-03-13T11:11"),
    ],
)
def test_other_records_give_no_reading(medium, head, value):
    assert read(telegram((head, value), medium=medium)) == []


def test_values_hold_at_the_telegrams_clock():
    (found,) = read(telegram(("046d", "2014-03-13T11:11"), ("0413", "1.000")))
    assert (found.ts, found.quality) == (MARCH_13 + 671 * 60_000_000, Quality.GOOD)
    (found,) = read(telegram(("066d", "2014-03-13T11:11:05"), ("0413", "1.000")))
    assert found.ts == MARCH_13 + (671 * 60 + 5) * 1_000_000
    (found,) = read(telegram(("046d", None), ("0413", "1.000")))
    assert (found.ts, found.quality) == (RECEIVED, Quality.TIME_INVALID)
    (found,) = read(telegram(("026c", "2014-03-13"), ("036d", "11:11:00"), ("0413", "1.000")))
    assert (found.ts, found.quality) == (RECEIVED, Quality.GOOD)


def test_stored_values_hold_at_their_own_date():
    found = read(
        telegram(
            ("426c", "2014-03-13"),
            ("4413", "1.000"),
            ("82016c", None),
            ("840113", "2.000"),
            ("c2016d", None),
            ("c4016d", "2014-03-13T11:11"),
            ("c40113", "3.000"),
            ("8202ec7e", None),
            ("840213", "4.000"),
        )
    )
    assert [(one.profile, one.ts, one.value, one.quality) for one in found] == [
        (Profile.SETTLEMENT, MARCH_13, 1_000_000, Quality.GOOD),
        (Profile.SETTLEMENT, RECEIVED, 2_000_000, Quality.TIME_INVALID),
        (Profile.SETTLEMENT, RECEIVED, 3_000_000, Quality.TIME_INVALID),
    ]


def test_the_zone_is_the_meters():
    (found,) = read(telegram(("046d", "2014-07-13T11:11"), ("0413", "1.000")), ZoneInfo("Europe/Berlin"))
    assert found.ts == 1_405_242_660_000_000
    assert read(telegram(("0413", "1.000")), ZoneInfo("Europe/Berlin"))[0].ts == RECEIVED


def test_the_wire_key_is_the_secondary_address():
    assert wire_key(telegram()) == 0x2C2D << 48 | 3 << 40 | 7 << 32 | 0x12345678
    assert wire_key(Long(8, 9, 0x78, VariableData(None, Records(())))) == 9
    assert wire_key(Long(8, 9, 0x7A, VariableData(ShortHeader(1, 0, 0), Records(())))) == 9


FIXED = FixedData("90919293", 16, 0, 5, 0x29, 4, bytes.fromhex("31650000"), bytes.fromhex("69000000"))


def fixed(**changed) -> list[tuple[str, int | None, int]]:
    fields = {name: getattr(FIXED, name) for name in FIXED.__slots__} | changed
    found = read(Long(8, 9, 0x73, FixedData(**fields)))
    assert all((one.meter, one.ts, one.profile) == (9, RECEIVED, Profile.SPOT) for one in found)
    return [(obis_text(one.quantity), one.value, one.quality) for one in found]


def test_the_fixed_structure_gives_readings():
    assert fixed() == [("6-0:1.0.0", 6531 * 36_000_000, 0), ("6-0:2.0.0", 69_000, 0)]
    assert fixed(medium=7) == [("8-0:1.0.0", 69_000, 0)]
    assert fixed(counter1=b"\x0a\0\0\0", unit2=0x3E) == [("6-0:1.0.0", None, Quality.NO_VALUE)]
    assert fixed(status=2) == []
    assert fixed(medium=0) == []


def test_other_messages_give_none():
    assert read(Short(0x5B, 1)) == []
    assert read(Long(8, 9, 0x70, Plain(b"\x08"))) == []
    assert read(Long(0x53, 9, 0x51, telegram(("0413", "1.000")).body._replace(header=None))) == []
    assert read(Long(8, 9, 0x78, VariableData(None, Records((make_record(b"\x02\x27", 1),)))))[0].value == 86_400


def test_fractions():
    assert target_of(0x02, "energy", "furlong") is None
    wanted = target_of(0x04, "power", "J/h")
    assert wanted is not None
    assert wanted.at(2) == (250, 9)
    assert Target(0, 1, 2).convert(-3, 0) == (-2, False)
    assert Target(0, 1, 2).convert(4, 0) == (2, True)
