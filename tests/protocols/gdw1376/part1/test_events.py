from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.metering import events as metering
from meterweave.metering.batch import Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.events import Event, unlisted
from meterweave.protocols.gdw1376.part1 import Message, Unit, decode, encode
from meterweave.protocols.gdw1376.part1.annex_a import FORMATS
from meterweave.protocols.gdw1376.part1.event_records import decode_events, events
from meterweave.protocols.gdw1376.part1.events import event_codes
from meterweave.protocols.gdw1376.part1.forwarding import inner_json
from tests.protocols.gdw1376.part1.strategies import messages
from tests.protocols.gdw1376.part1.test_vectors import GOOD

NOW = 1_800_000_000_000_000
FRAMES = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in GOOD}
TERMINAL = 0x1000_0001_0000
TIME, NINE_THIRTY_SIX = "3609150415", (2015, 4, 15, 9, 36)
VOLTAGES, CURRENTS = "012302230223", "001000001000001000"


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=SHANGHAI).timestamp()) * 1_000_000


def reported(*records: str, first: int = 19, control: int = 0xC4, dt: int = 1, protocol: int = 2) -> list[Event]:
    """The events of records, each given as ERC (decimal), a blank and its octets."""
    body = bytes((20, 11, first & 0xFF, first + len(records) & 0xFF))
    for record in records:
        erc, _, octets = record.partition(" ")
        content = bytes.fromhex(octets)
        body += bytes((int(erc), len(content))) + content
    message = Message(protocol, control, 0x1000, 1, 0, 0x0E, 0x61, (Unit(0, dt, body),))
    frame = encode(message)
    batch = decode_events([frame], received=NOW)
    assert batch.events == tuple(events(decode(frame), received=NOW))
    return list(batch.events)


def names(found: list[Event]) -> list[str]:
    return [metering.event_kinds()[event.code].name for event in found]


def detail(event: Event) -> dict[str, object]:
    assert event.detail is not None
    found: dict[str, object] = json.loads(event.detail)
    return found


def values(event: Event) -> list[object]:
    found = detail(event)["values"]
    assert isinstance(found, list)
    return [one["value"] for one in found]


def test_the_recorded_one() -> None:
    (event,) = decode_events([FRAMES["gdw1376-1-102"]], received=NOW).events
    assert event == Event(
        frame=0,
        key=TERMINAL,
        own=True,
        code=unlisted("gdw1376-1", 52),
        ts=us(*NINE_THIRTY_SIX) + 19,
        ended=None,
        number=19,
        detail='{"erc":52,"content":"020001020303030303034444111122223333444444555555666666"}',
        source=Source.PUSHED,
    )


def test_no_other_recorded_frame_tells_events() -> None:
    batch = decode_events(list(FRAMES.values()))
    assert len(batch.events) == 1
    assert batch.bad == ()


@pytest.mark.parametrize(
    ("back", "ended"),
    [("1210150415", us(2015, 4, 15, 10, 12)), ("EEEEEEEEEE", None), ("0000000000", None), ("0009150415", None)],
)
def test_power_off_and_on(back: str, ended: int | None) -> None:
    (event,) = reported(f"14 {TIME}{back}")
    assert (event.own, event.ts, event.ended, event.number) == (True, us(*NINE_THIRTY_SIX), ended, 19)
    assert names([event]) == ["power_outage"]


def test_power_on_with_a_beginning_that_was_lost() -> None:
    (event,) = reported(f"14 EEEEEEEEEE{TIME}")
    assert names([event]) == ["power_outage_ended"]
    assert (event.ts, event.ended) == (us(*NINE_THIRTY_SIX), None)
    (nothing,) = reported("14 EEEEEEEEEEEEEEEEEEEE")
    assert (nothing.ts, detail(nothing)["time"]) == (NOW, "invalid")


def test_an_event_of_a_measuring_point_begins_and_is_over() -> None:
    begin, end = reported(f"12 {TIME}0380", f"12 3709150415{'0300'}")
    assert names([begin, end]) == ["clock_deviation", "clock_deviation_ended"]
    assert (begin.key, begin.own) == (TERMINAL + 3, False)
    assert (begin.number, end.number) == (19, 20)
    assert (begin.ts, end.ts) == (us(*NINE_THIRTY_SIX), us(2015, 4, 15, 9, 37))


@pytest.mark.parametrize(
    ("erc", "octets", "wanted"),
    [
        (1, "01" + "31303031" + "31303032", ["initialised"]),
        (1, "03" + "31303031" + "31303032", ["initialised", "version_changed"]),
        (5, "01" + "A560" + "A000", ["remote_trip"]),
        (8, "0100" + "21", ["meter_parameters_changed"]),
        (9, "0180" + "41" + VOLTAGES + CURRENTS + "0000000000", ["current_circuit_short_l1"]),
        (9, "0180" + "86" + VOLTAGES + CURRENTS + "0000000000", ["current_circuit_open_l2", "current_circuit_open_l3"]),
        (9, "0100" + "C1" + VOLTAGES + CURRENTS + "0000000000", ["power_reversal_l1_ended"]),
        (10, "0180" + "42" + VOLTAGES + CURRENTS + "0000000000", ["phase_failure_l2"]),
        (10, "0180" + "84" + VOLTAGES + CURRENTS + "0000000000", ["voltage_loss_l3"]),
        (10, "0180" + "00" + VOLTAGES + CURRENTS + "0000000000", ["voltage_circuit_abnormal"]),
        (13, "0180" + "12", ["meter_fault", "battery_low"]),
        (13, "0100" + "10", ["battery_low_ended"]),
        (13, "0180" + "00", ["meter_fault"]),
        (17, "0180" + "02" + "0003" + "0003" + VOLTAGES + CURRENTS, ["current_unbalance"]),
        (24, "0180" + "41" + VOLTAGES, ["overvoltage_l1"]),
        (24, "0180" + "87" + VOLTAGES, ["undervoltage_l1", "undervoltage_l2", "undervoltage_l3"]),
        (25, "0180" + "84" + CURRENTS, ["overcurrent_l3"]),
        (26, "0180" + "40" + "001000" + "000900", ["apparent_power_over_limit"]),
        (27, "0180" + "0000120000" + "0000100000", ["energy_fell"]),
        (28, "0180" + "0000120000" + "0000100000" + "15", ["energy_deviation"]),
        (29, "0180" + "0000120000" + "0000100000" + "15", ["meter_runs_away"]),
        (30, "0180" + "0000120000" + "04", ["meter_stopped"]),
        (31, "0180" + TIME + "0000120000" + "00000000", ["meter_not_read"]),
        (33, "0100" + "0000" * 14, ["status_word_changed"]),
        (34, "0180" + "41", ["current_transformer_abnormal"]),
        (35, "02" + "01" + "010000000000" + "411e", ["unknown_meter_found"]),
        (40, "0180" + "02" + "010100000000" + "02", ["magnetic_field"]),
        (40, "0100" + "02" + "010100000000" + "02", ["magnetic_field_ended"]),
        (33, "0100" + "0000" * 2 + "5000" + "0000" * 6 + "5000" + "0000" * 4, ["status_word_changed", "relay_opened"]),
        (33, "0100" + "0000" * 2 + "5000" + "0000" * 11, ["status_word_changed", "relay_closed"]),
        (39, "0100" + TIME + "0000120000" + "00000000", ["meter_not_read_later_ended"]),
    ],
)
def test_what_records_say(erc: int, octets: str, wanted: list[str]) -> None:
    found = reported(f"{erc} {TIME}{octets}")
    assert names(found) == wanted
    assert all("content" not in detail(event) for event in found)
    assert {event.own for event in found} == {octets[:2] != "01" or erc in (1, 5)}


def test_values_of_a_record() -> None:
    (event,) = reported(f"24 {TIME}018041{'012302230323'}")
    assert detail(event) == {
        "erc": 24,
        "values": [
            {"name": "flags", "value": "0x41"},
            {"name": "voltage.a", "value": "230.1", "unit": "V"},
            {"name": "voltage.b", "value": "230.2", "unit": "V"},
            {"name": "voltage.c", "value": "230.3", "unit": "V"},
        ],
    }
    (fell,) = reported(f"27 {TIME}0180 0000120000 EEEEEEEEEE")
    assert values(fell) == ["12.0000", None]
    (words,) = reported(f"33 {TIME}0100{'0100' * 7}{'5000' * 7}")
    assert values(words) == [["0x0001"] * 7, ["0x0050"] * 7]
    (stopped,) = reported(f"30 {TIME}0180 0000120000 04")
    assert values(stopped) == ["12.0000", "4"]
    (trip,) = reported(f"5 {TIME}01 0161 00C0")
    assert values(trip) == ["0x01", "1010", "0.00"]
    (changed,) = reported(f"3 {TIME}02 00000100 01010001")
    assert values(changed) == ["2", ["00000100", "01010001"]]


def test_a_cover_that_was_opened() -> None:
    content = "0100" + "270000" + "001009150415" + "301009150415" + "00000000" * 12
    (event,) = reported(f"37 {TIME}{content}")
    assert (event.ts, event.ended) == (us(2015, 4, 15, 9, 10), us(2015, 4, 15, 9, 10, 30))
    assert names([event]) == ["cover_opened"]
    (unclosed,) = reported(f"38 {TIME}{content.replace('301009150415', 'EEEEEEEEEEEE')}")
    assert (names([unclosed]), unclosed.ended) == (["terminal_cover_opened"], None)
    (unknown,) = reported(f"38 {TIME}{content.replace('001009150415', 'EEEEEEEEEEEE')}")
    assert unknown.ts == us(*NINE_THIRTY_SIX) + 19 * (not metering.event_kinds()[unknown.code].lasts)


def test_a_clock_that_was_set() -> None:
    (event,) = reported("41 0500 001009150415 301209150415")
    assert (event.key, event.own, event.ts) == (TERMINAL + 5, False, us(2015, 4, 15, 9, 12, 30))
    assert names([event]) == ["clock_set"]
    assert values(event) == ["2015-04-15T09:10:00", "2015-04-15T09:12:30"]
    (other,) = reported(f"41 {TIME} 301209150415")
    assert (other.own, other.ts) == (True, us(*NINE_THIRTY_SIX) + 19)
    (never,) = reported("41 0500 001009150415 EEEEEEEEEEEE")
    assert (never.ts, detail(never)["time"]) == (NOW, "invalid")


def test_records_of_one_minute_stay_apart() -> None:
    first, second = reported(f"4 {TIME}0101", f"4 {TIME}0201", first=255)
    assert (first.ts, second.ts) == (us(*NINE_THIRTY_SIX) + 255, us(*NINE_THIRTY_SIX))
    assert first.code == second.code


def test_records_of_another_length_are_kept_as_octets() -> None:
    short, long = reported(f"24 {TIME}0180", f"24 {TIME}0200{'41' + VOLTAGES}00")
    assert names([short, long]) == ["voltage_circuit_abnormal", "voltage_circuit_abnormal_ended"]
    assert detail(short) == {"erc": 24, "content": "0180"}
    assert [(event.key, event.own) for event in (short, long)] == [(TERMINAL + 1, False), (TERMINAL + 2, False)]
    (timeless,) = reported("24 0180")
    assert detail(timeless) == {"erc": 24, "time": "invalid", "content": "0180"}
    assert timeless.ts == NOW + 19
    assert timeless.own


def test_the_older_family_has_other_points() -> None:
    (event,) = reported(f"24 {TIME}018041{VOLTAGES}", protocol=1)
    assert detail(event)["content"] == "018041" + VOLTAGES


def test_answers_are_read_and_requests_tell_nothing() -> None:
    (event,) = reported(f"14 {TIME}EEEEEEEEEE", control=0x88, dt=2)
    assert event.source == Source.READ
    request = Message(2, 0x4B, 0x1000, 1, 0, 0x0E, 0x61, (Unit(0, 1, bytes((0, 3))),))
    assert decode_events([encode(request)]) == ((), ())


@pytest.mark.parametrize("data", ["14", "140b1314", "140b13140e", "140b13140e05000000", "140b13150e00"])
def test_records_that_are_cut_short_make_a_bad_frame(data: str) -> None:
    frame = encode(Message(2, 0xC4, 0x1000, 1, 0, 0x0E, 0x61, (Unit(0, 1, bytes.fromhex(data)),)))
    batch = decode_events([frame, FRAMES["gdw1376-1-102"]])
    assert [(one.frame, one.kind) for one in batch.bad] == [(0, "bad_data")]
    assert [event.frame for event in batch.events] == [1]


def test_events_of_a_meter_that_was_passed_on() -> None:
    data = bytes(octet + 0x33 & 0xFF for octet in bytes.fromhex("01001103" + "001203050224" + "301203050224"))
    inner = bytes.fromhex("6801010000000068911" + "0") + data
    inner += bytes((sum(inner) & 0xFF, 0x16))
    assert inner_json(inner)
    body = bytes((31,)) + len(inner).to_bytes(2, "little") + inner
    (event,) = decode_events([encode(Message(2, 0x88, 0x1000, 1, 0, 0x10, 0x60, (Unit(0, 1, body),)))]).events
    assert (event.key, event.own, event.source) == (0x101, False, Source.FORWARDED)
    assert names([event]) == ["power_outage"]


def test_every_code_has_an_event_and_formats() -> None:
    for known in event_codes().values():
        assert known.event in metering.event_codes()
        for token in known.content:
            assert token.partition(":")[2] in {*FORMATS, "POINT", "SPAN"}


@settings(max_examples=100, deadline=None)
@given(messages(uplink=True, afn=0x0E))
def test_any_message(message: Message) -> None:
    batch = decode_events([encode(message)], received=NOW)
    assert {one.kind for one in batch.bad} <= {"bad_data"}
    for event in batch.events:
        assert event.key >> 16 == message.region << 16 | message.terminal
        assert isinstance(detail(event)["erc"], int)


@given(st.integers(1, 41), st.binary(max_size=80))
def test_any_content(erc: int, octets: bytes) -> None:
    for event in reported(f"{erc} {octets.hex()}"):
        assert event.code in metering.event_kinds()
        assert event.ended is None or event.ended >= event.ts or erc in (37, 38)
