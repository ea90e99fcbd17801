"""What is read out of messages: whose, which, when; each time in columns and one by one."""

from __future__ import annotations

import pytest

from meterweave.metering.batch import Profile, Quality
from meterweave.protocols.dlt698.measured import UNREAD_MAX
from meterweave.protocols.dlt698.message import Message, decode, encode
from meterweave.protocols.dlt698.readings import readings
from tests.protocols.dlt698.batches import (
    ENERGY,
    FORWARDED,
    GOOD,
    NO_VALUE,
    PUSHED,
    READ,
    SPOT,
    VOLTAGE,
    check,
    server,
    told,
)


def reply_645() -> str:
    """A DL/T 645-2007 meter, 000000000101, tells its forward active energy: 1234.56 kWh."""
    data = bytes.fromhex("00000100 56341200")
    octets = bytes.fromhex("68010100000000689108") + bytes((octet + 0x33) % 256 for octet in data)
    return (octets + bytes([sum(octets) % 256, 0x16])).hex()


def test_present_values_hold_at_reception() -> None:
    apdu = "85 02 02 03 20000200 01 0103 1208FC 120902 00 20010200 00 04 20040200 01 0102 05FFFFFF9C 0500000D05 0000"
    assert told(server(apdu)) == [
        (VOLTAGE, "330000000012", SPOT, "", 23000, GOOD, READ),
        ("1-0:52.7.0", "330000000012", SPOT, "", 23060, GOOD, READ),
        ("1-0:72.7.0", "330000000012", SPOT, "", None, NO_VALUE, READ),
        ("1-0:16.7.0", "330000000012", SPOT, "", -100, GOOD, READ),
        ("1-0:36.7.0", "330000000012", SPOT, "", 3333, GOOD, READ),
    ]


def test_a_freeze_read_by_a_terminal_holds_at_its_freeze_time() -> None:
    apdu = (
        "85 03 05 60120300 03 00202A0200 0060420200 01500402000220210200001002000102"
        "5507050000000001011C07E8050601000001021C07E80506000000010306000030390600000000 0600001000"
        "5507050000000001021C07E805060000000102 0000 0000"
    )
    meter = "101"
    assert told(server(apdu)) == [
        (ENERGY, meter, Profile.DAILY, "2024-05-06T00:00:00", 1234500, GOOD, READ),
        ("1-0:1.8.1", meter, Profile.DAILY, "2024-05-06T00:00:00", 0, GOOD, READ),
        ("1-0:1.8.2", meter, Profile.DAILY, "2024-05-06T00:00:00", 409600, GOOD, READ),
        (ENERGY, "102", Profile.DAILY, "2024-05-06T00:00:00", None, NO_VALUE, READ),
    ]


def test_a_meter_that_was_not_read_has_no_value_in_each_column() -> None:
    def answer(columns: int) -> list[object]:
        road = f"01 50040200 {columns:02X} {'20000201' * columns}"
        return told(server(f"85 03 05 60120300 01 {road} 01 01 00 0000"))

    assert answer(2) == [(VOLTAGE, "330000000012", Profile.DAILY, "", None, NO_VALUE, READ)] * 2
    assert len(answer(UNREAD_MAX)) == UNREAD_MAX
    assert answer(UNREAD_MAX + 1) == []


@pytest.mark.parametrize(
    ("table", "profile"),
    [
        ("5000", SPOT),
        ("5002", Profile.CURVE),
        ("5003", Profile.CURVE),
        ("5004", Profile.DAILY),
        ("5005", Profile.SETTLEMENT),
        ("5006", Profile.MONTHLY),
        ("5008", Profile.EVENT),
        ("6012", SPOT),
    ],
)
def test_the_table_tells_the_series(table: str, profile: Profile) -> None:
    apdu = f"85 03 05 {table}0200 02 0020210200 0000100201 01 01 1C07E8050601000006000030390000"
    assert told(server(apdu)) == [(ENERGY, "330000000012", profile, "2024-05-06T01:00:00", 1234500, GOOD, READ)]


def test_the_time_of_the_slot_goes_before_that_of_success() -> None:
    columns = "0060410200 0060400200 0060420200 0020000201"
    times = ["1C07E80506010203", "1C07E80506010100", "1C07E80506010000"]

    def ts(*found: str) -> str:
        return told(server(f"88 02 05 01 60120300 04 {columns} 01 01 {' '.join(found)} 1208FC 0000"))[0][3]

    assert ts(*times) == "2024-05-06T01:00:00"
    assert ts(*times[:2], "00") == "2024-05-06T01:01:00"
    assert ts(times[0], "00", "00") == "2024-05-06T01:02:03"
    assert ts("00", "00", "00") == ""
    assert ts(times[0], "00", "1907E80506010100000000") == "2024-05-06T01:00:00"
    assert ts(times[0], "1100", "00") == "2024-05-06T01:02:03"


def test_an_impossible_time_is_told() -> None:
    for stamp in ("07E8021E000000", "FFFFFFFFFFFFFF", "000005060C0000", "07E80506180000"):
        apdu = f"88 02 05 01 50020200 02 0020210200 0020000201 01 01 1C{stamp} 1208FC 0000"
        assert told(server(apdu)) == [(VOLTAGE, "330000000012", Profile.CURVE, "", 23000, Quality.TIME_INVALID, PUSHED)]


def test_values_around_an_event_hold_at_its_start_and_its_end() -> None:
    columns = "00201E0200 0020200200 0020002201 0020004201 0020006201 0020008201 0020010201"
    apdu = f"88 02 06 01 30000600 07 {columns} 01 01 1C07E80506010000 1C07E80506020000 {'1208FC' * 4} 0500000001 0000"
    start, end = "2024-05-06T01:00:00", "2024-05-06T02:00:00"
    meter = "330000000012"
    assert told(server(apdu)) == [
        (VOLTAGE, meter, Profile.EVENT, start, 23000, GOOD, PUSHED),
        (VOLTAGE, meter, Profile.EVENT, end, 23000, GOOD, PUSHED),
        ("1-0:31.7.0", meter, Profile.EVENT, start, 1, GOOD, PUSHED),
    ]


def test_a_freeze_time_of_null_gives_way_to_the_one_beside() -> None:
    columns = "0020210200 01 50040200 02 20210200 20000201"
    apdu = f"88 02 05 01 60120300 02 {columns} 01 01 1C07E80506010000 0102 {{}} 1208FC 0000"
    assert told(server(apdu.format("00")))[0][2:4] == (Profile.DAILY, "2024-05-06T01:00:00")
    assert told(server(apdu.format("1C07E80507000000")))[0][2:4] == (Profile.DAILY, "2024-05-07T00:00:00")


def test_every_tariff_is_read_and_no_more_than_an_index_can_tell() -> None:
    many = "".join(f"06{count:08X}" for count in range(300))
    found = told(server(f"85 01 00 00100200 01 0182012C {many} 0000"))
    assert [reading[::4] for reading in found] == [(f"1-0:1.8.{count}", 100 * count) for count in range(64)]
    few = "".join(f"06{count:08X}" for count in range(100))
    assert [reading[4] for reading in told(server(f"85 01 00 00100200 01 0164 {few} 0000"))] == [
        100 * n for n in range(64)
    ]


def test_a_maximum_demand_holds_when_it_occurred() -> None:
    pair = "0202 0600003039 1C07EA0A050C1E00"
    occurred = "2026-10-05T12:30:00"
    whole = f"85 02 00 03 10100201 01 {pair} 10100200 01 0102 {pair} 0202 0600000000 00 10100200 01 0201 0201 00 0000"
    assert [(obis, ts, value) for obis, _, _, ts, value, _, _ in told(server(whole))] == [
        ("1-0:1.6.0", occurred, 12345),
        ("1-0:1.6.0", occurred, 12345),
        ("1-0:1.6.1", "", 0),
    ]
    row = f"85 03 05 50060200 02 0020210200 0010100200 01 01 1C07EA0B01000000 0102 {pair} 0202 0600000000 00 0000"
    assert [reading[2:5] for reading in told(server(row))] == [
        (Profile.MONTHLY, occurred, 12345),
        (Profile.MONTHLY, "2026-11-01T00:00:00", 0),
    ]
    never = "85 01 00 10100201 01 0202 0600000000 1CFFFFFFFFFFFFFF 0000"
    assert [reading[3:6] for reading in told(server(never))] == [("", 0, Quality.TIME_INVALID)]


def test_a_purse_has_two_quantities() -> None:
    apdu = "85 01 00 202C0200 01 0202 0600000064 0600000007 0000"
    assert [reading[::4] for reading in told(server(apdu))] == [("0-0:19.10.1", 10000), ("0-0:19.10.6", 7)]


def test_numbers_that_do_not_fit() -> None:
    precise = "85 01 00 00100401 01 15 {} 0000"
    heat = "85 01 00 25020200 01 {} 0000"
    gas = "85 01 00 25010200 01 {} 0000"
    too_much, rounded = Quality.OUT_OF_RANGE, Quality.ROUNDED
    cases = [
        (precise, "7FFFFFFFFFFFFFFF", 2**63 - 1, GOOD),
        (precise, "8000000000000000", None, too_much),
        (heat, "06 00000019", 3, rounded),
        (heat, "05 FFFFFFE7", -3, rounded),
        (heat, "05 FFFFFFEC", -2, GOOD),
        (heat, "15 FFFFFFFFFFFFFFFF", 1844674407370955162, rounded),
        (heat, "14 8000000000000000", -922337203685477581, rounded),
        (gas, "14 0147AE147AE147AE", 92233720368547758 * 100, GOOD),
        (gas, "14 0147AE147AE147AF", None, too_much),
        (gas, "14 FEB851EB851EB852", -92233720368547758 * 100, GOOD),
        (gas, "14 FEB851EB851EB851", None, too_much),
        (gas, "15 FFFFFFFFFFFFFFFF", None, too_much),
    ]
    for apdu, number, value, quality in cases:
        assert [reading[4:6] for reading in told(server(apdu.format(number)))] == [(value, quality)], number


def test_what_is_no_integer_is_no_reading() -> None:
    for data in ("1743664000", "0A0431323334", "1601", "0301", "5B0000100200", "0200", "1C07EA0A050C1E00"):
        assert told(server(f"85 01 00 20000201 01 {data} 0000")) == []


@pytest.mark.parametrize(
    ("cell", "meter"),
    [
        ("550705000000000101", "101"),
        ("550715000000000101", "101"),
        ("5507250A0000000101", "101"),
        ("550806FFFFFFFFFFFFFF", "ffffffffffffff"),
        ("5509070011223344556677", "11223344556677"),
        ("0906123456789012", "123456789012"),
    ],
)
def test_the_address_column_names_the_meter(cell: str, meter: str) -> None:
    apdu = f"85 03 05 60120300 02 00202A0200 0000100201 01 01 {cell} 0600003039 0000"
    assert [reading[1] for reading in told(server(apdu))] == [meter]


@pytest.mark.parametrize("cell", ["00", "5500", "550105", "550125", "0900", "1101", "5509078011223344556677"])
def test_a_row_that_names_no_meter_gives_no_reading(cell: str) -> None:
    apdu = f"85 03 05 60120300 02 00202A0200 0000100201 01 01 {cell} 0600003039 0000"
    assert told(server(apdu)) == []


def test_the_communication_address_names_the_meter_too() -> None:
    apdu = "85 03 05 60120300 02 0040010200 0000100201 01 01 0906000000000101 0600003039 0000"
    assert [reading[1] for reading in told(server(apdu))] == ["101"]


@pytest.mark.parametrize(
    ("sa", "feature", "meter"),
    [
        ("12", 0x00, ["12"]),
        ("F12345", 0x02, ["f12345"]),
        ("33000000001207", 0x26, ["330000000012"]),
        ("7FFFFFFFFFFFFFFF", 0x07, ["7fffffffffffffff"]),
        ("8000000000000000", 0x07, []),
        ("0000000000000000000000000000AB01", 0x0F, ["ab01"]),
    ],
)
def test_the_link_names_the_meter(sa: str, feature: int, meter: list[str]) -> None:
    frame = server("85 01 00 20000201 01 1208FC 0000", sa=sa, feature=feature)
    assert [reading[1] for reading in told(frame)] == meter


def test_errors_requests_and_fragments_have_no_readings() -> None:
    for apdu in ("85 01 0C 20000200 00 04 0000", "85 03 0E 50040200 01 0020210200 00 06 0000", "05 01 01 20000200 00"):
        assert told(server(apdu)) == []
    assert told(server("85 05 01 01 0001 00 0A 0000")) == []
    assert told(server("0000 8501", control=0xE3)) == []
    assert told(server("")) == []


def test_a_block_of_a_long_answer() -> None:
    values = "85 05 01 00 0001 01 01 20000201 01 1208FC 0000"
    rows = "85 05 01 01 0002 02 01 50040200 01 0020000201 02 01 1208FC"
    assert [reading[4] for reading in told(server(values))] == [23000]
    assert told(server(rows.replace("02 01 1208FC", "01 02 1208FC 1208FD 0000")))[1][2:5] == (Profile.DAILY, "", 23010)


def test_a_follow_report_is_pushed() -> None:
    values = "85 01 42 20000201 01 1208FC 01 01 01 20010201 01 0500000001 00"
    assert [reading[4:] for reading in told(server(values))] == [(23000, GOOD, READ), (1, GOOD, PUSHED)]
    rows = "85 01 42 20000201 01 1208FC 01 02 01 50020200 01 0020010201 01 01 0500000001 00"
    assert [reading[2:] for reading in told(server(rows))][1] == (Profile.CURVE, "", 1, GOOD, PUSHED)


@pytest.mark.parametrize(
    ("service", "result"),
    [
        ("89 01", "01 20000201 01 1208FC"),
        ("89 04", "01 40000200 00 20000201 01 1208FC"),
        ("89 06", "01 40007F00 00 00 20000201 01 1208FC"),
    ],
)
def test_a_proxy_answers_for_meters(service: str, result: str) -> None:
    apdu = f"{service} 05 02 0705000000000101 {result} 0705000000000102 {result} 0000"
    assert [reading[1] for reading in told(server(apdu))] == ["101", "102"]
    assert told(server(f"{service} 05 01 00 {result} 0000")) == []


def test_a_proxy_gives_rows_of_a_meter() -> None:
    apdu = "89 02 05 {} 50040200 02 0020210200 0020000201 01 01 1C07E80506010000 1208FC 0000"
    assert told(server(apdu.format("0705000000000101"))) == [
        (VOLTAGE, "101", Profile.DAILY, "2024-05-06T01:00:00", 23000, GOOD, READ)
    ]
    assert told(server(apdu.format("00"))) == []


def test_what_is_read_after_setting_and_acting() -> None:
    assert [reading[4] for reading in told(server("86 03 05 01 40000200 00 20000201 01 1208FC 0000"))] == [23000]
    assert [reading[4] for reading in told(server("87 03 05 01 20000100 00 00 20000201 01 1208FC 0000"))] == [23000]


def test_a_secured_answer_in_the_clear() -> None:
    plain = "85 01 06 20000201 01 1208FC 0000"
    size = len(bytes.fromhex(plain))
    assert [reading[4:] for reading in told(server(f"90 00 {size:02X} {plain} 01 00 04 37583591"))] == [
        (23000, GOOD, READ)
    ]
    pushed = "88 01 06 01 20000201 01 1208FC 0000"
    size = len(bytes.fromhex(pushed))
    secured = server(f"10 00 {size:02X} {pushed} 03 00000000 00", control=0x83)
    assert [reading[4:] for reading in told(secured)] == [(23000, GOOD, PUSHED)]
    assert told(server("90 00 02 8501 00")) == []
    assert told(server("90 01 02 8501 00")) == []


def test_envelopes_in_envelopes_are_opened_a_few_times() -> None:
    def wrapped(times: int) -> bytes:
        apdu = bytes.fromhex("850106200002010112 08FC0000")
        for _ in range(times):
            apdu = b"\x90\x00" + bytes([len(apdu)]) + apdu + b"\x00"
        return server(apdu.hex())

    assert [len(told(wrapped(times))) for times in (1, 4, 5)] == [1, 1, 0]


@pytest.mark.parametrize("start", ["89 07 10 F2010201 01", "88 03 10 F2010201"])
def test_a_frame_inside_is_forwarded(start: str) -> None:
    wanted = (ENERGY, "101", SPOT, "", 12345600, GOOD, FORWARDED)
    inner = f"FEFEFEFE{reply_645()}"
    assert told(server(f"{start} {len(inner) // 2:02X} {inner} 0000")) == [wanted]
    same = server("85 01 00 20000201 01 1208FC 0000", sa="000000000102").hex()
    assert told(server(f"{start} {len(same) // 2:02X} {same} 0000")) == [
        (VOLTAGE, "102", SPOT, "", 23000, GOOD, FORWARDED)
    ]
    assert told(server(f"{start} 03 010203 0000")) == []


def test_a_forwarding_that_failed_has_no_readings() -> None:
    assert told(server("89 07 10 F2010201 00 21 0000")) == []


def test_an_apdu_without_frame_names_its_meter_or_gives_nothing() -> None:
    batch = check([bytes.fromhex("85010620000201011208FC0000")] * 9)
    assert len(batch) == 0


def test_a_message_may_be_asked_alone() -> None:
    message = decode(server("85 01 00 20000201 01 1208FC 0000"))
    assert isinstance(message, Message)
    assert [reading.value for reading in readings(message)] == [23000]
    assert encode(message)
