"""What the intake makes of pushes beside plain readings: events, frames, both at once, and neither."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from meterweave.headend import HeadEndSettings
from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.driver import Push
from meterweave.lake import LakeSettings
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.events import event_kind_table
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698.access import ReportNotificationRecordList, ReportResponseRecordList
from meterweave.protocols.dlt698.association import LinkResponse
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.records import ResultRecord
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import service
from meterweave.protocols.gdw1376.part1.message import CON
from tests.headend import frames
from tests.headend.centre import Centre, Terminal, add_terminal, centre, run, until

TERMINAL, METER, STRANGER = 100, 55, 77
OUTAGE, COVER = 0x3106_0200, 0x301B_0200
NUMBER, START, END, ADDRESS = 0x2022_0200, 0x201E_0200, 0x2020_0200, 0x202A_0200
NULL: Data = (Tag.NULL, None)
OFF, ON = datetime(2026, 11, 20, 9, 21), datetime(2026, 11, 20, 9, 40)


def at(when: datetime | None) -> Data:
    return NULL if when is None else (Tag.DATE_TIME_S, date_time_s(when))


def outage(number: int, end: datetime | None = None) -> ResultRecord:
    """The terminal's own: power was lost, and perhaps came back."""
    return ResultRecord(OUTAGE, (NUMBER, START, END), (((6, number), at(OFF), at(end)),))


def cover_opened(*meters: int) -> ResultRecord:
    columns = (ADDRESS, NUMBER, START, END)
    rows = [((Tag.TSA, b"\x05" + bytes.fromhex(f"{one:012d}")), (6, 1), at(OFF), at(ON)) for one in meters]
    return ResultRecord(COVER, columns, tuple(rows))


def report(*results: ResultRecord, piid: int = 1) -> bytes:
    return dlt698.encode(dlt698.Message(frames.link(TERMINAL), ReportNotificationRecordList(piid, results)))


def erc(*records: bytes, number: int = 6) -> bytes:
    """AFN 0EH F1 of a terminal that reports by itself and wants that confirmed."""
    body = bytes((9, 0, 1, 1 + len(records))) + b"".join(records)
    message = service.report(0x3301, 7, 0x0E, [part1.Unit(0, 1, body)], number=number)
    return part1.encode(message._replace(seq=message.seq | CON))


async def logged_in(there: Centre) -> Terminal:
    terminal = await there.dial()
    await terminal.ask(frames.link_request(TERMINAL))
    return terminal


async def logged_in_1376(there: Centre) -> Terminal:
    terminal = await there.dial("gdw1376-1")
    await terminal.ask(frames.gdw_login(0x3301, 7))
    return terminal


async def acknowledged(terminal: Terminal, push: bytes) -> tuple[int, ...]:
    """The OADs that the centre confirms."""
    apdu = dlt698.decode(await terminal.ask(push)).apdu
    assert isinstance(apdu, ReportResponseRecordList)
    return apdu.oads


def rows(there: Centre, sql: str, **tables: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in there.lake.query(sql, tables=tables).to_pylist()]


def stored_events(there: Centre) -> list[tuple[Any, ...]]:
    """Terminal, meter, name, start and end in local time, number."""
    sql = """
        SELECT e.terminal, e.meter, k.name, e.ts, e.ended, e.number
        FROM events e JOIN kinds k ON k.code = e.event ORDER BY ALL
    """
    found = rows(there, sql, kinds=event_kind_table())
    return [(*row[:3], local(row[3]), local(row[4]), row[5]) for row in found]


def local(when: datetime | None) -> datetime | None:
    return when.astimezone(SHANGHAI).replace(tzinfo=None) if when else None


def test_an_event_is_acknowledged_kept_and_traced(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", {"55": None})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            push = report(outage(7))
            assert await acknowledged(terminal, push) == (OUTAGE,)
            assert stored_events(there) == [(1, None, "power_outage", OFF, None, 7)]
            assert rows(there, "SELECT octets FROM frames JOIN events USING (terminal, received)") == [(push,)]
            assert rows(there, "SELECT direction, protocol FROM frames") == [(0, "dlt698")]
            counters = there.head_end.counters
            assert (counters.events, counters.readings, counters.pushes_kept) == (1, 0, 1)

    run(day)


def test_an_event_that_comes_again_is_one_and_its_end_is_added(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100")

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            for push in (report(outage(7)), report(outage(7, ON)), report(outage(7))):
                assert await acknowledged(terminal, push) == (OUTAGE,)
                await asyncio.sleep(0.01)
            assert stored_events(there) == [(1, None, "power_outage", OFF, ON, 7)]

    run(day)


def test_readings_and_events_in_one_push_are_kept_together(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", {"55": None})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            readings = frames.day_record([METER], 1, 1234).results[0]
            assert await acknowledged(terminal, report(readings, cover_opened(METER))) == (frames.FROZEN, COVER)
            assert there.readings("meter, value") == [(1, 123400)]
            assert stored_events(there) == [(1, 1, "cover_opened", OFF, ON, 1)]
            traced = "SELECT count(*) FROM readings JOIN events USING (received) JOIN frames USING (received)"
            assert rows(there, traced) == [(1,)]

    run(day)


def test_events_of_unknown_meters_keep_the_push_from_being_acknowledged(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", {"55": None})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            terminal.writer.write(report(cover_opened(METER, STRANGER)))
            assert await acknowledged(terminal, report(outage(7))) == (OUTAGE,)
            names = [(row[1], row[2]) for row in stored_events(there)]
            assert names == [(1, "cover_opened"), (None, "power_outage")]
            counters = there.head_end.counters
            assert (counters.pushes_unknown_meter, counters.events_unknown_meter, counters.events) == (1, 1, 2)
            ((name, _),) = there.head_end.intake.unknown_meters.listed()
            assert name.key == 0x77

    run(day)


def test_meters_known_by_their_events_alone_can_be_enrolled(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100")

    async def day() -> None:
        async with centre(tmp_path, enrol=True) as there:
            terminal = await logged_in(there)
            readings = frames.day_record([METER], 1, 1234).results[0]
            push = report(readings, cover_opened(METER, STRANGER), outage(7))
            assert await acknowledged(terminal, push) == (frames.FROZEN, COVER, OUTAGE)
            assert len({row[1] for row in stored_events(there)}) == 3
            assert len(there.readings("meter")) == 1
            assert there.head_end.counters.events == 3

    run(day)


@pytest.mark.parametrize("frames_days", [0, 7])
def test_a_push_with_neither_is_kept_as_its_frame(tmp_path: Path, frames_days: int) -> None:
    add_terminal(tmp_path, "dlt698", "100")

    async def day() -> None:
        async with centre(tmp_path, lake_settings=LakeSettings(frames_days=frames_days)) as there:
            terminal = await logged_in(there)
            empty = report(frames.day_record([], 1, 1).results[0])
            terminal.writer.write(empty)
            assert await acknowledged(terminal, report(outage(1))) == ((frames.FROZEN,) if frames_days else (OUTAGE,))
            await until(lambda: there.head_end.intake.idle)
            assert there.head_end.counters.pushes_empty == 1
            kept = [octets for (octets,) in rows(there, "SELECT octets FROM frames")]
            assert kept == [] if not frames_days else empty in kept

    run(day)


def test_events_in_a_report_longer_than_a_frame() -> None:
    here = Dlt698Driver(1 << 20)
    here.online = True
    record = ReportNotificationRecordList(1, (cover_opened(*range(201, 801)),))
    *parts, last = [here.hear(part) for part in frames.fragments(TERMINAL, record, 1000)]
    assert isinstance(last, Push)
    assert len(last.octets) > 1 << 14
    alone = report(outage(7))
    batch = Dlt698Driver.events([alone, last.octets, alone], received=9, zone=SHANGHAI)
    assert sorted(event.frame for event in batch.events) == [0, *[1] * 600, 2]
    assert len({event.key for event in batch.events}) == 601
    assert len(parts) > 10


def test_events_in_1376(tmp_path: Path) -> None:
    add_terminal(tmp_path, "gdw1376-1", "3301-7", {"55": 5})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in_1376(there)
            off, on, none = (bytes.fromhex(text) for text in ("2109201126", "4009201126", "EEEEEEEEEE"))
            over = b"\x18\x0e" + off + bytes.fromhex("058041" + "012302230323")
            answer = part1.decode(await terminal.ask(erc(b"\x0e\x0a" + off + none, over)))
            assert (answer.afn, answer.number, answer.units[0].items) == (0, 6, (1,))
            assert part1.decode(await terminal.ask(erc(b"\x0e\x0a" + off + on, number=7))).number == 7
            assert stored_events(there) == [
                (1, 1, "overvoltage_l1", OFF, None, 2),
                (1, None, "power_outage", OFF, ON, 1),
            ]
            ((detail,),) = rows(there, "SELECT detail FROM events WHERE meter IS NOT NULL")
            assert json.loads(detail)["values"][1] == {"name": "voltage.a", "value": "230.1", "unit": "V"}

    run(day)


def test_broken_event_records_are_not_acknowledged(tmp_path: Path) -> None:
    add_terminal(tmp_path, "gdw1376-1", "3301-7")

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in_1376(there)
            terminal.writer.write(erc(b"\x0e\x7f\x01", number=3))
            assert part1.decode(await terminal.ask(erc(number=4))).number == 4
            counters = there.head_end.counters
            assert (counters.pushes_broken, counters.pushes_empty, counters.pushes_kept) == (1, 1, 1)
            assert rows(there, "SELECT count(*) FROM frames") == [(1,)]

    run(day)


def test_events_that_the_journal_refuses_are_not_acknowledged(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100")

    async def day() -> None:
        async with centre(tmp_path, lake_settings=LakeSettings(journal_octets_max=1)) as there:
            terminal = await logged_in(there)
            terminal.writer.write(report(outage(1)))
            await until(lambda: there.head_end.counters.pushes_not_kept == 1)
            # The next frame that comes back is no acknowledgement.
            beat = dlt698.decode(await terminal.ask(frames.link_request(TERMINAL, frames.HEARTBEAT)))
            assert isinstance(beat.apdu, LinkResponse)
            assert stored_events(there) == []
            assert there.head_end.counters.events == 0

    run(day)


def test_what_the_reference_asks_can_be_asked(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/events.md").read_text(encoding="utf-8")
    kinds, pairs, traced = re.findall(r'--data DIR "\n(.*?)"\n```|```sql\n(.*?)```', page, re.DOTALL)
    add_terminal(tmp_path, "dlt698", "100", {"55": None})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            push = report(frames.day_record([METER], 1, 1).results[0], cover_opened(METER), outage(7))
            await acknowledged(terminal, push)
            tables = {
                "event_kinds": event_kind_table(),
                "terminals": pa.table({"id": [1], "address": ["000000000100"]}),
                "meters": pa.table({"id": [1], "address": ["000000000055"], "terminal_id": [1]}),
            }
            found = rows(there, kinds[0], **tables)
            assert {(row[2], row[5]) for row in found} == {
                ("power outage", None),
                ("meter cover opened", "000000000055"),
            }
            assert rows(there, pairs[1], **tables) == []
            day_end = "TIMESTAMPTZ '2026-11-21 00:00:00+08'"
            question = re.sub(r"TIMESTAMPTZ '.*?'", day_end, traced[1].replace("= 17", "= 1"))
            assert rows(there, question, **tables) == [(push.hex().upper(),)]

    run(day)


def test_who_wants_to_know_hears_of_readings_that_are_on_disk(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", {"55": None})

    async def day() -> None:
        async with centre(tmp_path, HeadEndSettings()) as there:
            heard: list[tuple[list[int], int]] = []

            def hear(batch: ReadingBatch) -> None:
                ((count,),) = there.readings()
                assert isinstance(count, int)
                heard.append((batch.meter.tolist(), count))

            there.head_end.intake.on_kept.append(hear)
            terminal = await logged_in(there)
            await terminal.ask(
                frames.report(TERMINAL, [METER, STRANGER], 1, 1) + frames.report(TERMINAL, [METER], 2, 1)
            )
            assert [meter for meters, _ in heard for meter in meters] == [1, 1]
            assert heard[-1][1] == 2

    run(day)
