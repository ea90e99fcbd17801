from __future__ import annotations

from pathlib import Path

import pytest

from meterweave.headend import HeadEndSettings, TerminalName
from meterweave.lake import LakeSettings
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698.access import ReportResponseList, ReportResponseRecordList
from meterweave.protocols.dlt698.association import LinkResponse
from meterweave.protocols.gdw1376 import part1
from tests.headend import frames
from tests.headend.centre import Centre, Terminal, add_terminal, centre, run, until

TERMINAL, METER, OTHER_METER = 100, 55, 56
KNOWN = {str(METER): None, str(OTHER_METER): None}


def link_result(octets: bytes) -> int:
    apdu = dlt698.decode(octets).apdu
    assert isinstance(apdu, LinkResponse)
    return apdu.result & 7


def confirmation(octets: bytes) -> tuple[int, int, tuple[int, ...]]:
    message = part1.decode(octets)
    return message.afn, message.number, message.units[0].items


async def logged_in(there: Centre, address: int = TERMINAL, heartbeat_s: int = 60) -> Terminal:
    terminal = await there.dial()
    assert link_result(await terminal.ask(frames.link_request(address, heartbeat_s=heartbeat_s))) == 0
    return terminal


def test_a_terminal_logs_in_reports_and_leaves(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", KNOWN)

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            assert there.head_end.counters.terminals_online == 1
            assert link_result(await terminal.ask(frames.link_request(TERMINAL, frames.HEARTBEAT))) == 0
            answer = dlt698.decode(await terminal.ask(_both(1, piid=0x45)))
            assert answer.apdu == ReportResponseRecordList(0x05, (frames.FROZEN,))
            assert there.readings("meter, value, profile") == [(1, 123400, 2), (2, 123400, 2)]
            assert link_result(await terminal.ask(frames.link_request(TERMINAL, frames.LOGOUT))) == 0
            assert await terminal.closed() == b""
            await until(lambda: there.head_end.counters.terminals_online == 0)

    run(day)


def _both(day: int, piid: int) -> bytes:
    return frames.report(TERMINAL, [METER, OTHER_METER], day, 1234, piid)


def test_the_same_in_1376(tmp_path: Path) -> None:
    add_terminal(tmp_path, "gdw1376-1", "3301-7", {"55": 5})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await there.dial("gdw1376-1")
            assert confirmation(await terminal.ask(frames.gdw_login(0x3301, 7))) == (0, 3, (1,))
            assert confirmation(await terminal.ask(frames.gdw_heartbeat(0x3301, 7))) == (0, 4, (1,))
            unasked = frames.gdw_report(0x3301, 7, 5, "2026-11-20", "12.5000", con=False)
            terminal.writer.write(unasked)
            report = frames.gdw_report(0x3301, 7, 5, "2026-11-21", "13.0000")
            assert confirmation(await terminal.ask(report)) == (0, 6, (1,))
            assert there.readings("meter, value") == [(1, 125000), (1, 130000)]
            assert confirmation(await terminal.ask(frames.gdw_logout(0x3301, 7))) == (0, 5, (1,))
            await terminal.closed()

    run(day)


def test_unknown_terminals_are_refused_and_listed(tmp_path: Path) -> None:
    async def day() -> None:
        async with centre(tmp_path) as there:
            for _ in range(2):
                terminal = await there.dial()
                assert link_result(await terminal.ask(frames.link_request(TERMINAL))) == 2
                await terminal.closed()
            terminal = await there.dial("gdw1376-1")
            assert confirmation(await terminal.ask(frames.gdw_login(0x3301, 7))) == (0, 3, (2,))
            await terminal.closed()
            listed = there.head_end.unknown_terminals.listed()
            assert [(name, seen.times) for name, seen in listed] == [
                (TerminalName("dlt698", "000000000100"), 2),
                (TerminalName("gdw1376-1", "33010007"), 1),
            ]
            assert there.head_end.counters.logins_refused == 3

    run(day)


@pytest.mark.parametrize("protocol", ["dlt698", "gdw1376-1"])
def test_whoever_calls_can_be_enrolled_and_nothing_is_lost(tmp_path: Path, protocol: str) -> None:
    async def day() -> None:
        async with centre(tmp_path, enrol=True) as there:
            terminal = await there.dial(protocol)
            if protocol == "dlt698":
                assert link_result(await terminal.ask(frames.link_request(TERMINAL))) == 0
                await terminal.ask(frames.report(TERMINAL, [METER, OTHER_METER], 1, 1234))
            else:
                assert confirmation(await terminal.ask(frames.gdw_login(0x3301, 7)))[2] == (1,)
                await terminal.ask(frames.gdw_report(0x3301, 7, 5, "2026-11-20", "12.5000"))
                await terminal.ask(frames.gdw_report(0x3301, 7, 6, "2026-11-20", "12.5000"))
            assert there.readings("count(*), count(DISTINCT meter)") == [(2, 2)]
            assert there.head_end.unknown_terminals.listed() == []
            assert there.head_end.intake.unknown_meters.listed() == []

    run(day)


def test_readings_of_unknown_meters_are_counted_listed_and_not_acknowledged(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", {"55": None})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            terminal.writer.write(frames.report(TERMINAL, [METER, OTHER_METER], 1, 1234, piid=1))
            answer = dlt698.decode(await terminal.ask(frames.report(TERMINAL, [METER], 2, 1235, piid=2)))
            assert isinstance(answer.apdu, ReportResponseRecordList)
            assert answer.apdu.piid == 2
            assert there.readings("meter, value") == [(1, 123400), (1, 123500)]
            counters = there.head_end.counters
            assert (counters.pushes_unknown_meter, counters.readings_unknown_meter, counters.pushes_kept) == (1, 1, 1)
            ((name, seen),) = there.head_end.intake.unknown_meters.listed()
            assert (name.key, seen.times) == (OTHER_METER_KEY, 1)

    run(day)


OTHER_METER_KEY = 0x56


def test_a_second_login_replaces_the_first_session(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", KNOWN)

    async def day() -> None:
        async with centre(tmp_path) as there:
            first = await logged_in(there)
            second = await logged_in(there)
            assert await first.closed() == b""
            assert there.head_end.counters.terminals_online == 1
            await second.ask(frames.report(TERMINAL, [METER], 1, 1))
            second.close()
            await until(lambda: there.head_end.counters.terminals_online == 0)

    run(day)


def test_fragments_are_joined_and_the_whole_is_acknowledged(tmp_path: Path) -> None:
    meters = list(range(1, 1501))
    add_terminal(tmp_path, "dlt698", "100", {str(meter): None for meter in meters})

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            # The second is longer than any frame, so that it cannot be put together as one.
            for number, some in enumerate((meters[:30], meters), 1):
                *parts, last = (
                    frames.fragments(TERMINAL, frames.day_record(some[:200], number, 99), 200)
                    if (number == 1)
                    else frames.fragments(TERMINAL, _many_records(meters, number), 1000)
                )
                for part in parts:
                    answer = dlt698.decode(await terminal.ask(part))
                    assert answer.fragment is not None
                answer = dlt698.decode(await terminal.ask(last))
                assert isinstance(answer.apdu, ReportResponseRecordList)
            assert there.readings("count(*), count(DISTINCT meter)") == [(1530, 1500)]

    run(day)


def _many_records(meters: list[int], day: int) -> dlt698.message.Apdu:
    from dataclasses import replace

    parts = [frames.day_record(meters[at : at + 100], day, 99) for at in range(0, len(meters), 100)]
    return replace(parts[0], results=tuple(part.results[0] for part in parts))


def test_values_of_the_terminal_itself(tmp_path: Path) -> None:
    async def day() -> None:
        async with centre(tmp_path, enrol=True) as there:
            terminal = await logged_in(there)
            for count in (1, 2):
                answer = dlt698.decode(await terminal.ask(frames.values(TERMINAL, 77, count)))
                assert answer.apdu == ReportResponseList(1, (frames.ENERGY,) * count)

    run(day)


def test_a_suspended_terminal_is_shown_the_door(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", KNOWN)

    async def day() -> None:
        from sqlalchemy import select

        from meterweave.registry import Terminal as Row
        from meterweave.registry.vocabulary import TerminalState

        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            with there.registry.writing() as session:
                session.scalars(select(Row)).one().state = TerminalState.SUSPENDED
            await terminal.closed()
            again = await there.dial()
            assert link_result(await again.ask(frames.link_request(TERMINAL))) == 2

    run(day)


def test_it_is_noted_who_was_heard(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", KNOWN)

    async def day() -> None:
        from sqlalchemy import select

        from meterweave.registry import Terminal as Row

        async with centre(tmp_path, HeadEndSettings(seen_s=0.05)) as there:
            terminal = await logged_in(there)
            terminal.close()

            def seen() -> bool:
                with there.registry.reading() as session:
                    return session.scalars(select(Row.last_seen_at)).one() is not None

            await until(seen)

    run(day)


def test_what_the_journal_refuses_is_not_acknowledged(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", KNOWN)

    async def day() -> None:
        async with centre(tmp_path, lake_settings=LakeSettings(journal_octets_max=1)) as there:
            terminal = await logged_in(there)
            terminal.writer.write(frames.report(TERMINAL, [METER], 1, 1))
            await until(lambda: there.head_end.counters.pushes_not_kept == 1)
            # The session lives on, and the next frame that comes back is no acknowledgement.
            assert link_result(await terminal.ask(frames.link_request(TERMINAL, frames.HEARTBEAT))) == 0
            assert there.readings() == [(0,)]

    run(day)


def test_reports_without_readings_and_broken_ones_are_counted_and_not_acknowledged(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", KNOWN)

    async def day() -> None:
        async with centre(tmp_path, lake_settings=LakeSettings(frames_days=0)) as there:
            terminal = await logged_in(there)
            empty = frames.day_record([], 1, 1)
            terminal.writer.write(dlt698.encode(dlt698.Message(frames.link(TERMINAL), empty)))
            terminal.writer.write(frames.framed("dlt698", bytes.fromhex("8801030140000200FF0000")))
            counters = there.head_end.counters
            await until(lambda: counters.pushes_empty + counters.pushes_broken + counters.frames_ignored == 2)
            assert (counters.pushes_empty, counters.pushes_broken) == (1, 1)
            assert link_result(await terminal.ask(frames.link_request(TERMINAL, frames.HEARTBEAT))) == 0

    run(day)


def test_what_came_before_the_end_is_acknowledged(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "100", KNOWN)

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await logged_in(there)
            terminal.writer.write(frames.report(TERMINAL, [METER], 1, 1))
            await until(lambda: there.head_end.counters.pushes == 1)
        assert isinstance(dlt698.decode(await terminal.frame()).apdu, ReportResponseRecordList)
        assert await terminal.closed() == b""

    run(day)


def test_who_cannot_be_enrolled_is_listed_and_not_tried_at_once_again(tmp_path: Path) -> None:
    add_terminal(tmp_path, "gdw1376-1", "3301-7")

    async def day() -> None:
        async with centre(tmp_path, enrol=True) as there:
            terminal = await there.dial("gdw1376-1")
            await terminal.ask(frames.gdw_login(0x3301, 7))
            for number in range(1, 4):
                terminal.writer.write(frames.gdw_report(0x3301, 7, 0, "2026-11-20", "1.0000"))
                await until(lambda: there.head_end.counters.pushes_unknown_meter == number)  # noqa: B023
            ((name, seen),) = there.head_end.intake.unknown_meters.listed()
            assert (name.key, seen.times) == (0x3301_0007_0000, 3)
            broadcast = await there.dial("gdw1376-1")
            assert confirmation(await broadcast.ask(frames.gdw_login(0x3301, 0xFFFF)))[2] == (2,)
            assert len(there.head_end.unknown_terminals) == 1

    run(day)
