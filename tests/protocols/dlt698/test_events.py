from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from meterweave.errors import DecodeError
from meterweave.metering.batch import Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.events import Event, event_codes, unlisted
from meterweave.protocols.checksum import crc_x25
from meterweave.protocols.dlt698 import Link, Message, decode, encode
from meterweave.protocols.dlt698.access import ReportNotificationList, ReportNotificationRecordList
from meterweave.protocols.dlt698.apdu import FollowReportNormal, FollowReportRecord
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.events import decode_events, events, may_hold_events
from meterweave.protocols.dlt698.get import GetResponseNormal, GetResponseRecord
from meterweave.protocols.dlt698.proxy import ProxyGetResponseRecord, ProxyTransCommandResponse
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.security import SecurityResponsePlain
from meterweave.protocols.dlt698.selection import Column, Road
from meterweave.protocols.dlt698.services import encode_apdu
from meterweave.protocols.dlt698.times import date_time_s
from tests.protocols.dlt698.makers import Maker
from tests.protocols.dlt698.strategies import messages
from tests.vectors import load

NOW = 1_800_000_000_000_000
POWER_OFF = bytes.fromhex(
    "685800830512000000003310B68488020601310602000600202202000020"
    "1E020000202002000020240200003300020000330902060101"
    "06000000071C07E8050609150000160001010202514500020011000408C000002E6D16"
)
"""A power-off report, section 8.14 of the digest."""
NUMBER, START, END, SOURCE, CHANNELS = 0x20220200, 0x201E0200, 0x20200200, 0x20240200, 0x33000200
USUAL: tuple[Column, ...] = (NUMBER, START, END, SOURCE)
NULL: Data = (Tag.NULL, None)
TERMINAL, METER = 0x330000000012, 0x101
TSA: Data = (Tag.TSA, bytes.fromhex("05000000000101"))


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=SHANGHAI).timestamp()) * 1_000_000


def at(*parts: int) -> Data:
    return Tag.DATE_TIME_S, date_time_s(datetime(*parts))


def told(apdu: Any) -> list[Event]:
    frame = encode(Message(Link(0xC3, 5, bytes.fromhex("120000000033"), 0x10), apdu))
    found = events(decode(frame), index=3, received=NOW)
    assert may_hold_events(frame) or not found
    assert decode_events([frame], received=NOW).events == tuple(one._replace(frame=0) for one in found)
    return found


def record(oad: int, *cells: Data, columns: tuple[Column, ...] = USUAL) -> Event:
    """The event of a reported record with these cells."""
    (found,) = told(ReportNotificationRecordList(1, (ResultRecord(oad, columns, (cells,)),)))
    return found


def detail(event: Event) -> Any:
    assert event.detail is not None
    return json.loads(event.detail)


def test_a_power_off_report() -> None:
    (event,) = decode_events([POWER_OFF], received=NOW).events
    assert event[:7] == (0, TERMINAL, True, event_codes()["power_outage"], us(2024, 5, 6, 9, 21), None, 7)
    assert event.source == Source.PUSHED
    assert detail(event) == {
        "source": 0,
        "reported": [["45000200", 0]],
        "values": [
            {
                "oad": "33090206",
                "name": "power_off_on_record_unit.flags",
                "value": {"bits": 8, "hex": "C0", "set": [0, 1]},
            }
        ],
    }


def test_a_record_read_with_its_end() -> None:
    vector = next(one for one in load("dlt698-45") if one["id"] == "record-event-3011-response")
    (event,) = decode_events([bytes.fromhex(vector["hex"])]).events
    assert event == Event(
        frame=0,
        key=0,
        own=True,
        code=event_codes()["power_outage"],
        ts=us(2026, 10, 5, 8, 0),
        ended=us(2026, 10, 5, 8, 0, 30),
        number=1,
        detail=None,
        source=Source.READ,
    )


def test_power_that_is_back_without_a_word_of_its_end() -> None:
    back: Data = (Tag.ENUM, 1)
    start, end = at(2024, 5, 6, 9, 21), at(2024, 5, 6, 9, 40)
    assert record(0x31060200, NULL, start, NULL, back).code == event_codes()["power_outage_ended"]
    both = record(0x31060200, NULL, start, end, back)
    assert (both.code, both.ended) == (event_codes()["power_outage"], us(2024, 5, 6, 9, 40))


@pytest.mark.parametrize(
    ("oad", "name"),
    [
        (0x30000600, "voltage_loss"),
        (0x30000700, "voltage_loss_l1"),
        (0x30070900, "power_reversal_l3"),
        (0x300B0600, "reactive_demand_over_limit_q1"),
        (0x300B0900, "reactive_demand_over_limit_q4"),
        (0x301B0200, "cover_opened"),
        (0x301C0200, "terminal_cover_opened"),
        (0x302A0200, "magnetic_field"),
        (0x302E0200, "clock_fault"),
        (0x301F0200, "relay_opened"),
        (0x31000200, "initialised"),
        (0x32030200, "energy_control_alarm"),
    ],
)
def test_which_event_an_object_is(oad: int, name: str) -> None:
    assert record(oad, NULL, at(2026, 1, 2), NULL, NULL).code == event_codes()[name]


def test_objects_without_a_name_keep_their_number() -> None:
    assert record(0x30FE0200, NULL, at(2026, 1, 2), NULL, NULL).code == unlisted("dlt698", 0x30FE)


def test_current_circuits_fail_in_two_ways() -> None:
    codes = [record(0x31190200, NULL, at(2026, 1, 2), NULL, (Tag.ENUM, why)).code for why in (0, 1)]
    assert codes == [event_codes()["current_circuit_short"], event_codes()["current_circuit_open"]]


def test_whose_it_is() -> None:
    when = at(2026, 1, 2)
    named = record(0x301B0200, TSA, NULL, when, columns=(0x202A0200, NUMBER, START))
    assert (named.key, named.own) == (METER, False)
    accused = record(0x310D0200, NULL, when, NULL, TSA)
    assert (accused.key, accused.own) == (METER, False)
    assert record(0x310D0200, NULL, when, NULL, (Tag.TSA, b"")).own
    result = ResultRecord(0x30110200, (START,), ((when,),))
    (asked,) = told(ProxyGetResponseRecord(1, bytes.fromhex("05000000000101"), result))
    assert (asked.key, asked.own, asked.source) == (METER, False, Source.READ)


def test_values_kept_with_it() -> None:
    columns = (START, 0x00102201, 0x20008200, 0x40010200, 0x20008100)
    cells = (at(2026, 1, 2), (6, 12345), (1, ((18, 2301), (18, 2299), (18, 2300))), (9, b"\x00\x00\x00\x00\x01\x01"))
    event = record(0x30110200, *cells, NULL, columns=columns)
    assert event.key == METER  # the communication address among the columns
    first, second, third = detail(event)["values"]
    assert (first["when"], first["value"], first["unit"]) == ("before_start", "123.45", "kWh")
    assert second == {
        "oad": "20008200",
        "name": "voltage",
        "when": "after_end",
        "value": ["230.1", "229.9", "230.0"],
        "unit": "V",
    }
    assert third["value"] is None


@pytest.mark.parametrize("time", [b"\xff" * 7, date_time_s(datetime(1, 1, 1)), date_time_s(datetime(2100, 1, 1))])
def test_a_time_that_no_device_has(time: bytes) -> None:
    event = record(0x30110200, (6, 9), (Tag.DATE_TIME_S, time), NULL, NULL)
    assert (event.ts, event.number, detail(event)) == (NOW, 9, {"time": "invalid"})


def test_rows_that_tell_nothing() -> None:
    nothing = ResultRecord(0x30110200, USUAL, ((NULL,) * 4, (NULL,) * 4))
    assert told(ReportNotificationRecordList(1, (nothing,))) == []
    without_start = ResultRecord(0x30110200, (NUMBER, END), (((6, 1), NULL),))
    assert told(ReportNotificationRecordList(1, (without_start,))) == []
    no_event = ResultRecord(0x50040200, (START,), ((at(2026, 1, 2),),))
    assert told(ReportNotificationRecordList(1, (no_event,))) == []
    failed = ResultRecord(0x30110200, USUAL, 6)
    assert told(GetResponseRecord(1, failed)) == []
    nobody = ResultRecord(0x30110200, (0x202A0200, START), ((NULL, at(2026, 1, 2)),))
    assert told(GetResponseRecord(1, nobody)) == []


def test_events_that_a_terminal_collected() -> None:
    columns = (0x202A0200, Road(0x301C0200, (NUMBER, START, END)), Road(0x30000700, (START,)))
    cells = (TSA, (1, ((6, 2), at(2026, 1, 2, 3), at(2026, 1, 2, 4))), (1, (at(2026, 1, 5),)))
    rows = (cells, (TSA, NULL, NULL))
    cover, loss = told(ReportNotificationRecordList(1, (ResultRecord(0x60120300, columns, rows),)))
    assert (cover.key, cover.code, cover.number) == (METER, event_codes()["terminal_cover_opened"], 2)
    assert (cover.ts, cover.ended) == (us(2026, 1, 2, 3), us(2026, 1, 2, 4))
    assert (loss.key, loss.code, loss.number) == (METER, event_codes()["voltage_loss_l1"], None)


def test_records_read_as_values() -> None:
    whole: Data = (2, ((6, 5), at(2026, 1, 2), NULL, (Tag.ENUM, 2), (1, ()), (18, 7)))
    one = GetResponseNormal(1, ResultNormal(0x310A0201, whole))
    (event,) = told(one)
    assert (event.code, event.number) == (event_codes()["device_fault"], 5)
    assert detail(event) == {"source": 2, "values": [{"value": 7}]}
    short: Data = (2, ((6, 5), at(2026, 1, 2)))
    phases: Data = (1, ((2, ((6, 1), at(2026, 1, 2), at(2026, 1, 3), (1, ()))), short))
    (loss,) = told(ReportNotificationList(1, (ResultNormal(0x30000800, phases),)))
    assert (loss.code, loss.ended) == (event_codes()["voltage_loss_l2"], us(2026, 1, 3))
    assert told(GetResponseNormal(1, ResultNormal(0x31060800, (Tag.ENUM, 3)))) == []


def test_events_that_ride_on_an_answer() -> None:
    rider = FollowReportRecord((ResultRecord(0x31060200, (START,), ((at(2026, 1, 2),),)),))
    clock = ResultNormal(0x40000200, at(2026, 1, 2))
    (event,) = told(GetResponseNormal(1, clock, follow_report=rider))
    assert (event.code, event.source) == (event_codes()["power_outage"], Source.PUSHED)
    value: Data = (2, ((6, 5), at(2026, 1, 2), NULL, NULL, (1, ()), (18, 0x0100)))
    normal = FollowReportNormal((ResultNormal(0x310A0201, value),))
    table = ResultRecord(0x50040200, (0x20210200, 0x00100201), ((at(2026, 1, 2), (6, 1)),))
    (event,) = told(GetResponseRecord(1, table, follow_report=normal))
    assert event.code == event_codes()["device_fault"]


def test_events_inside_something_else() -> None:
    inner = GetResponseRecord(1, ResultRecord(0x30110200, (START,), ((at(2026, 1, 2),),)))
    (plain,) = told(SecurityResponsePlain(encode_apdu(inner), None))
    assert (plain.key, plain.own) == (TERMINAL, True)
    meter = encode(Message(Link(0xC3, 5, bytes.fromhex("010100000000"), 0), inner))
    (passed,) = told(ProxyTransCommandResponse(1, 0xF2090201, meter))
    assert (passed.key, passed.own, passed.source) == (METER, False, Source.FORWARDED)
    data = bytes(octet + 0x33 & 0xFF for octet in bytes.fromhex("01001103" + "001203050224" + "301203050224"))
    body = bytes.fromhex("68010100000000689110") + data
    old = body + bytes((sum(body) & 0xFF, 0x16))
    (older,) = told(ProxyTransCommandResponse(1, 0xF2010201, b"\xfe\xfe" + old))
    assert (older.key, older.code, older.source) == (METER, event_codes()["power_outage"], Source.FORWARDED)
    assert (older.ts, older.ended) == (us(2024, 2, 5, 3, 12), us(2024, 2, 5, 3, 12, 30))
    assert older.frame == 3


def test_broken_frames_are_told_and_cost_the_others_nothing() -> None:
    broken = bytearray(POWER_OFF)
    broken[17] = 0x7F  # more results than there are octets
    broken[-3:-1] = crc_x25(bytes(broken[1:-3])).to_bytes(2, "little")
    batch = decode_events([bytes(broken), POWER_OFF, b""], received=NOW)
    assert [event.frame for event in batch.events] == [1]
    assert [one.frame for one in batch.bad] == [0]


def test_frames_of_readings_are_not_taken_apart() -> None:
    makers = [Maker(seed) for seed in range(12)]
    frames = [maker.frame() for maker in makers for _ in range(20)]
    plain = [frame for frame in frames if b"\x20\x1e\x02\x00" not in frame]
    assert len(plain) > 100
    assert sum(map(may_hold_events, plain)) < len(plain) / 10


@pytest.mark.parametrize("seed", range(30))
def test_many_frames_tell_what_each_tells(seed: int) -> None:
    maker = Maker(seed)
    frames = [maker.frame() for _ in range(20)] + [b"", b"\x68", POWER_OFF]
    batch = decode_events(frames, received=NOW)
    alone = [decode_events([frame], received=NOW) for frame in frames]
    assert batch.events == tuple(one._replace(frame=at) for at, each in enumerate(alone) for one in each.events)
    assert batch.bad == tuple((at, one.kind) for at, each in enumerate(alone) for one in each.bad)
    for frame, each in zip(frames, alone, strict=True):
        if not each.bad and len(frame) > 1:
            try:
                message = decode(frame)
            except DecodeError:
                continue
            assert events(message, received=NOW) == list(each.events)


@settings(max_examples=150, deadline=None)
@given(messages())
def test_any_message(message: Message) -> None:
    frame = encode(message)
    found = events(decode(frame), received=NOW)
    assert may_hold_events(frame) or not found
    assert decode_events([POWER_OFF, frame, POWER_OFF], received=NOW).events[1:-1] == tuple(
        one._replace(frame=1) for one in found
    )
    for event in found:
        assert event.detail is None or isinstance(json.loads(event.detail), dict)
        assert event.number is None or 0 <= event.number < 1 << 31
