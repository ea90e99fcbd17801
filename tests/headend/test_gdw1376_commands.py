"""Archives, tasks, clock, relay, parameters and events of Q/GDW 1376.1 terminals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.headend.driver import Answer, Push
from meterweave.headend.gdw1376 import Gdw1376Driver
from meterweave.headend.gdw1376.events import windows
from meterweave.headend.operations import (
    Authority,
    Done,
    NotSent,
    Operation,
    ReadClock,
    ReadEvents,
    ReadNow,
    ReadParameters,
    ReadRelay,
    ReadStored,
    Refused,
    Relay,
    RelayAction,
    SetClock,
    SyncArchives,
    SyncTasks,
    Task,
    Unknown,
)
from meterweave.metering.batch import Profile
from meterweave.metering.clock import utc_us
from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import Message, Unit, service, unit_values
from meterweave.protocols.gdw1376.part1.frame import wrap
from meterweave.protocols.gdw1376.part1.message import PROTOCOL_130
from meterweave.registry.vocabulary import Phase, Utility
from tests.headend.gdw1376_talk import (
    NOW_US,
    REGION,
    TERMINAL,
    ZONE,
    Line,
    codes,
    denial,
    denying,
    driver,
    meter,
    silent,
    wrong,
)

US = 1_000_000
ENERGY, POWER = codes("1-0:1.8.0", "1-0:16.7.0")
VOLTAGES = codes("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0")
Said = list[Message | bytes]


def named(message: Message, unit: Unit) -> dict[str, Any]:
    return {entry["name"]: entry["value"] for entry in unit_values(message, unit)[0]}


class Parameters:
    """A terminal that takes parameters and shows them again, meters (F10) one by one."""

    def __init__(self) -> None:
        self.meters: dict[str, dict[str, str]] = {}
        self.data: dict[tuple[int, int], bytes] = {}
        self.spoils = False  # whether it takes what it is told and keeps something else

    def __call__(self, question: Message) -> Said:
        if question.afn == 0x04:
            assert question.pw == bytes(16)
            for unit in question.units:
                self._set(question, unit)
            return [service.confirm(question)]
        units = [found for unit in question.units if (found := self._shown(question, unit)) is not None]
        return [service.answer(question, units) if units else denial(question)]

    def _set(self, question: Message, unit: Unit) -> None:
        if unit.items != (10,):
            self.data[unit.items[0], int(unit.points[0])] = unit.data
            return
        for name, value in named(question, unit).items():
            index, dot, field = name.partition("].")
            if dot:
                self.meters.setdefault(f"new {index}", {})[field] = value
        for key in [one for one in self.meters if one.startswith("new")]:
            record = self.meters.pop(key)
            self.meters[record["sequence"]] = record | ({"port": "9"} if self.spoils else {})

    def _shown(self, question: Message, unit: Unit) -> Unit | None:
        if unit.items != (10,):
            data = self.data.get((unit.items[0], int(unit.points[0])))
            return None if data is None else unit._replace(data=data)
        asked = [value for name, value in named(question, unit).items() if name.endswith(".sequence")]
        known = [self.meters[one] for one in asked if one in self.meters]
        values = {"meter_count": str(len(known))}
        for index, record in enumerate(known):
            values |= {f"meter[{index}].{name}": value for name, value in record.items()}
        return part1.build_unit(0x0A, True, [0], [10], values) if known else None


# Archives ------------------------------------------------------------------------------------------------------------


def test_meters_are_added_changed_and_taken_away() -> None:
    terminal = Parameters()
    line = Line(terminal)
    meters = (meter(1, "000000000011", port="2", baud=9600), meter(2, "000000000022"), meter(300, "000000000033"))
    assert line.carry_out(SyncArchives(meters)) == Done({"added": 3, "changed": 0, "removed": 0})
    first = terminal.meters["1"]
    assert (first["pn"], first["port"], first["baud_code"], first["protocol"]) == ("1", "2", "6", "30")
    assert (first["address"], terminal.meters["300"]["pn"]) == ("000000000011", "300")
    assert (terminal.meters["2"]["port"], terminal.meters["2"]["baud_code"]) == ("31", "0")
    before = len(line.asked)
    assert line.carry_out(SyncArchives(meters)) == Done({"added": 0, "changed": 0, "removed": 0})
    assert all(one.afn == 0x0A for one in line.asked[before:])
    changed = (meters[0], meter(2, "000000000099"))
    assert line.carry_out(SyncArchives(changed)) == Done({"added": 0, "changed": 1, "removed": 1})
    assert (terminal.meters["2"]["address"], terminal.meters["300"]["pn"]) == ("000000000099", "0")


def test_what_the_archives_do_not_know_stays() -> None:
    terminal = Parameters()
    line = Line(terminal)
    line.carry_out(SyncArchives((meter(5, "000000000055", port="3", baud=1200), meter(6), meter(7), meter(8))))
    terminal.meters["5"] |= {"password": "000000654321", "user_class": "3", "sequence": "5"}
    terminal.meters["7"] |= {"protocol": "2", "port": "1"}
    known_by_number = meter(8, "3301000700000008", protocol="gdw1376-1")
    found = line.carry_out(SyncArchives((meter(5, "000000000056"), known_by_number)))
    assert found == Done({"added": 0, "changed": 1, "removed": 1})
    record = terminal.meters["5"]
    assert (record["address"], record["password"], record["user_class"]) == ("000000000056", "000000654321", "3")
    assert (record["port"], record["baud_code"]) == ("3", "2")
    assert [terminal.meters[one]["pn"] for one in ("6", "7", "8")] == ["0", "7", "8"]


def test_a_sequence_number_in_use_is_not_taken() -> None:
    terminal = Parameters()
    line = Line(terminal)
    line.carry_out(SyncArchives((meter(1), meter(2))))
    terminal.meters["1"]["pn"], terminal.meters["2"]["pn"] = "2", "1"
    assert line.carry_out(SyncArchives((meter(2, "000000000002"), meter(3)))) == Done(
        {"added": 1, "changed": 1, "removed": 1}
    )
    assert {one["pn"]: one["address"] for one in terminal.meters.values() if one["pn"] != "0"} == {
        "2": "000000000002",
        "3": "000000000003",
    }


def test_several_hundred_meters_go_in_portions() -> None:
    terminal = Parameters()
    line = Line(terminal)
    meters = tuple(meter(point) for point in range(1, 501))
    assert line.carry_out(SyncArchives(meters)) == Done({"added": 500, "changed": 0, "removed": 0})
    assert len(terminal.meters) == 500
    assert max(len(ask.octets) for ask in line.asks) < 2000


def test_meters_that_cannot_stand_in_the_list_are_told() -> None:
    meters = (meter(1), meter(None), meter(3, protocol="mbus"))
    found = Line(Parameters()).carry_out(SyncArchives(meters))
    assert isinstance(found, Done)
    assert [one.meter for one in found.refusals] == [100, 103]


def test_what_is_not_shown_as_it_was_set_is_told() -> None:
    terminal = Parameters()
    terminal.spoils = True
    found = Line(terminal).carry_out(SyncArchives((meter(1), meter(2, port="9"))))
    assert isinstance(found, Done)
    assert [one.meter for one in found.refusals] == [101]


def test_a_terminal_that_takes_no_meters_refuses() -> None:
    assert isinstance(Line(denying).carry_out(SyncArchives((meter(1),))), Refused)
    assert isinstance(Line(silent).carry_out(SyncArchives((meter(1),))), Unknown)


# Tasks ---------------------------------------------------------------------------------------------------------------

CURVE_TASK = Task(Utility.ELECTRICITY, Profile.CURVE, 900, (ENERGY, POWER, *VOLTAGES))
DAY_TASK = Task(Utility.ELECTRICITY, Profile.DAILY, 0, (ENERGY,))


def pairs(data: bytes) -> set[tuple[int, int]]:
    units = [Unit(*_words(data[at : at + 4])) for at in range(9, len(data), 4)]
    return {(int(point), fn) for unit in units for point in unit.points for fn in unit.items}


def _words(octets: bytes) -> tuple[int, int]:
    return int.from_bytes(octets[:2], "little"), int.from_bytes(octets[2:], "little")


def test_tasks_are_set_started_and_left_alone_when_they_are_right() -> None:
    terminal = Parameters()
    line = Line(terminal)
    meters = (meter(1, phase=Phase.A), meter(2), meter(9, phase=Phase.B))
    assert line.carry_out(SyncTasks((CURVE_TASK, DAY_TASK), meters)) == Done({"tasks": 2, "changed": 4})
    curve, day = terminal.data[66, 1], terminal.data[66, 2]
    assert (curve[0], curve[7], day[0]) == (15, 1, 0x81)
    single = {(point, fn) for point in (1, 9) for fn in (101, 81, 89)}
    assert pairs(curve) == single | {(2, fn) for fn in (101, 81, 89, 90, 91)}
    assert pairs(day) == {(point, 161) for point in (1, 2, 9)}
    assert (terminal.data[68, 1], terminal.data[68, 2]) == (b"\x55", b"\x55")
    assert line.carry_out(SyncTasks((CURVE_TASK, DAY_TASK), meters)) == Done({"tasks": 2, "changed": 0})


def test_all_other_tasks_are_stopped() -> None:
    terminal = Parameters()
    terminal.data = {(67, 3): b"\x55", (68, 64): b"\x55", (68, 2): b"\xaa"}
    found = Line(terminal).carry_out(SyncTasks((DAY_TASK,), (meter(1),)))
    assert found == Done({"tasks": 1, "changed": 4})
    assert [terminal.data[key] for key in ((67, 3), (68, 64), (68, 2), (68, 1))] == [b"\xaa", b"\xaa", b"\xaa", b"\x55"]


def test_many_meters_are_more_than_one_task() -> None:
    terminal = Parameters()
    meters = tuple(meter(point) for point in range(1, 2041))
    found = Line(terminal).carry_out(SyncTasks((CURVE_TASK,), meters))
    assert isinstance(found, Done)
    assert found.facts["tasks"] == 3
    assert set().union(*(pairs(terminal.data[66, number]) for number in range(1, 4))) == {
        (point, fn) for point in range(1, 2041) for fn in (101, 81, 89, 90, 91)
    }


def test_a_terminal_reports_no_water() -> None:
    water = meter(4, utility=Utility.WATER, protocol="cjt188")
    wanted = SyncTasks((Task(Utility.WATER, Profile.CURVE, 3600, codes("8-0:1.0.0")), DAY_TASK), (water, meter(1)))
    found = Line(Parameters()).carry_out(wanted)
    assert isinstance(found, Done)
    assert [one.meter for one in found.refusals] == [104]


def test_tasks_may_be_refused_or_unknown() -> None:
    wanted = SyncTasks((DAY_TASK,), (meter(1),))
    assert isinstance(Line(denying).carry_out(wanted), Refused)
    assert isinstance(Line(silent).carry_out(wanted), Unknown)
    forgetful = Line(lambda question: [service.confirm(question) if question.afn == 4 else denial(question)])
    assert isinstance(forgetful.carry_out(wanted), Refused)


# Clock ---------------------------------------------------------------------------------------------------------------


def test_the_clock_is_read() -> None:
    def answer(question: Message) -> Said:
        values = {"clock": "2026-11-22T12:00:07", "clock.weekday": "7"}
        return [service.answer(question, [part1.build_unit(0x0C, True, [0], [2], values)])]

    now_us = utc_us(datetime(2026, 11, 22, 12, 1, 0), ZONE)
    assert Line(answer, now_us=now_us).carry_out(ReadClock()) == Done({"offset_s": -53})
    assert isinstance(Line(silent).carry_out(ReadClock()), Unknown)
    assert isinstance(Line(denying).carry_out(ReadClock()), Refused)


def test_a_clock_that_shows_no_time_is_refused() -> None:
    line = Line(lambda question: [service.answer(question, [Unit(0, 0x0002, b"\xee" * 6)])])
    assert isinstance(line.carry_out(ReadClock()), Refused)


def test_the_clock_is_set_once() -> None:
    now_us = utc_us(datetime(2026, 11, 22, 12, 1, 5), ZONE) + 600_000
    line = Line(lambda question: [service.confirm(question)], now_us=now_us)
    assert line.carry_out(SetClock()) == Done()
    (question,) = line.asked
    assert named(question, question.units[0]) == {"clock": "2026-11-22T12:01:05", "clock.weekday": "7"}
    assert (question.afn, question.pw, question.tp) == (5, bytes(16), bytes.fromhex("000501122200"))
    quiet = Line(silent)
    assert isinstance(quiet.carry_out(SetClock()), Unknown)
    assert len(quiet.asked) == 1


# Relay ---------------------------------------------------------------------------------------------------------------

AUTHORITY = Authority(2, bytes.fromhex("000000"), bytes(4))
TRIP = Relay(meter(1, "000000001234"), RelayAction.TRIP, AUTHORITY)


def line645(reply: Callable[[dlt645.Frame], dlt645.Frame]) -> Line:
    """A terminal behind which a meter replies."""

    def answer(question: Message) -> Said:
        data = question.units[0].data
        values = {"port": str(data[0]), "forwarded": "fefe" + dlt645.encode(reply(dlt645.decode(data[6:]))).hex()}
        return [service.answer(question, [part1.build_unit(0x10, True, [0], [1], values)])]

    return Line(answer)


def test_a_relay_is_operated_once_and_the_meter_has_the_word() -> None:
    line = line645(commands.reply)
    assert line.carry_out(TRIP) == Done()
    (ask,) = line.asks
    assert (ask.tries, ask.forwarded) == (1, True)
    assert line.asked[0].pw == bytes(16)
    refused = line645(lambda request: commands.refusal(request, "not_authorised")).carry_out(TRIP)
    assert isinstance(refused, Refused)
    assert refused.reason.en == "password wrong or not authorised"


def test_what_became_of_an_order_without_an_answer_is_unknown() -> None:
    for terminal in (silent, denying, lambda question: [wrong(question, 1)]):
        line = Line(terminal)
        assert isinstance(line.carry_out(TRIP), Unknown)
        assert len(line.asked) == 1
    assert isinstance(Line(lambda question: [wrong(question, 2)]).carry_out(TRIP), Refused)


def test_the_state_of_a_relay() -> None:
    line = line645(lambda request: commands.read_reply(request, bytes.fromhex("5000")))
    assert line.carry_out(ReadRelay(TRIP.meter)) == Done({"closed": False, "kept": False})
    assert isinstance(Line(denying).carry_out(ReadRelay(TRIP.meter)), Refused)
    assert isinstance(Line(silent).carry_out(ReadRelay(TRIP.meter)), Unknown)
    stranger = meter(1, "3301000700000001", protocol="gdw1376-1")
    assert isinstance(line.carry_out(ReadRelay(stranger)), Refused)


def test_port_and_speed_are_those_of_the_archives() -> None:
    line = line645(lambda request: commands.read_reply(request, bytes(2)))
    line.carry_out(ReadRelay(TRIP.meter._replace(port="2", baud=9600)))
    assert line.asked[0].units[0].data[:2] == bytes([2, 0xCB])


# Parameters ----------------------------------------------------------------------------------------------------------


def test_parameters_in_words() -> None:
    terminal = Parameters()
    terminal.data[1, 0] = bytes.fromhex("0a051e030705")
    Line(terminal).carry_out(SyncArchives((meter(1),)))
    found = Line(terminal).carry_out(ReadParameters(("F1", "F10", "F25 p3")))
    assert isinstance(found, Done)
    assert "heartbeat_period=5" in str(found.facts["F1"])
    assert "meter[0].address=000000000001" in str(found.facts["F10"])
    assert "meter[0].password=***" in str(found.facts["F10"])
    assert found.facts["F25 p3"] == "the terminal denies it"
    usual = Line(terminal).carry_out(ReadParameters())
    assert isinstance(usual, Done)
    assert list(usual.facts) == ["F1", "F3", "F4", "F7", "F8", "F9", "F10"]


@pytest.mark.parametrize("name", ["", "F0", "F9999", "40000200", "F1 p9999", "F1;"])
def test_what_is_no_parameter_is_refused_before_it_is_asked(name: str) -> None:
    line = Line(Parameters())
    assert isinstance(line.carry_out(ReadParameters((name,))), Refused)
    assert not line.asked


def test_parameters_that_are_all_denied_are_refused() -> None:
    assert isinstance(Line(denying).carry_out(ReadParameters(("F1",))), Refused)
    assert isinstance(Line(silent).carry_out(ReadParameters(("F1",))), Unknown)


# Events --------------------------------------------------------------------------------------------------------------


class Recorder:
    """A terminal with events: `times` of the important ones, and none else; it keeps the last `memory` of them."""

    def __init__(self, times: list[str], memory: int = 250) -> None:
        self.times, self.memory = times, memory

    def __call__(self, question: Message) -> Said:
        if question.afn == 0x0C:
            counters = {"important_event_counter": str(len(self.times) % 256), "ordinary_event_counter": "0"}
            return [service.answer(question, [part1.build_unit(0x0C, True, [0], [7], counters)])]
        unit = question.units[0]
        first, end = unit.data
        numbers = [number % 256 for number in range(first, first + (end - first) % 256)]
        kept = {place % 256: self.times[place] for place in range(len(self.times))[-self.memory :]}
        if unit.items != (1,) or any(number not in kept for number in numbers):
            return [denial(question)]
        values: dict[str, Any] = {
            "important_event_counter": "0",
            "ordinary_event_counter": "0",
            "first_index": str(first),
            "last_index": str(end),
        }
        for index, number in enumerate(numbers):
            values[f"event[{index}]"] = {"value": "ERC14", "time": kept[number], "data": "0000000000"}
        return [service.answer(question, [part1.build_unit(0x0E, True, [0], [1], values)])]


def read_events(line: Line, first: datetime, end: datetime) -> tuple[object, int]:
    outcome = line.carry_out(ReadEvents(utc_us(first, ZONE), utc_us(end, ZONE)))
    return outcome, len(Gdw1376Driver.events(line.kept, received=NOW_US, zone=ZONE).events)


@pytest.mark.parametrize("count", [1, 8, 9, 100, 250, 256, 257, 600])
def test_events_are_read_from_the_newest_to_the_first_that_is_too_old(count: int) -> None:
    times = [f"2026-11-{1 + place // 24:02d}T{place % 24:02d}:00" for place in range(count)]
    line = Line(Recorder(times))
    outcome, kept = read_events(line, datetime(2026, 11, 3), datetime(2026, 12, 1))
    recent = sum(one >= "2026-11-03T00:00" for one in times[-250:])
    assert isinstance(outcome, Done)
    # The oldest that the terminal still has may share a question with some that it has no more.
    assert recent - 8 < int(outcome.facts["events"]) <= recent
    assert int(outcome.facts["events"]) <= kept < recent + 8
    if count < 250:
        assert outcome.facts["events"] == recent


def test_a_terminal_without_events_is_asked_little() -> None:
    line = Line(Recorder([]))
    assert read_events(line, datetime(2026, 11, 5), datetime(2026, 12, 1)) == (Done({"events": 0}), 0)
    assert len(line.asked) == 3


@pytest.mark.parametrize("counter", [0, 1, 7, 8, 200, 255])
def test_every_record_is_asked_for_once(counter: int) -> None:
    numbers = [number for first, end in windows(counter) for number in range(first, end or 256)]
    assert sorted(numbers) == list(range(256))
    assert all(first < (end or 256) <= first + 8 for first, end in windows(counter))


def test_events_may_be_refused_or_unknown() -> None:
    wanted = ReadEvents(0, NOW_US)
    assert isinstance(Line(denying).carry_out(wanted), Refused)
    assert isinstance(Line(silent).carry_out(wanted), Unknown)


# All -----------------------------------------------------------------------------------------------------------------

OPERATIONS: list[Operation] = [
    ReadNow((meter(1), meter(2)), (ENERGY, *codes("1-0:14.7.0"))),
    ReadStored((meter(1), meter(2)), (ENERGY, POWER), Profile.CURVE, 900, NOW_US - 86_400 * US, NOW_US),
    ReadEvents(0, NOW_US),
    SyncArchives((meter(1), meter(2))),
    SyncTasks((DAY_TASK,), (meter(1),)),
    ReadClock(),
    SetClock(),
    TRIP,
    ReadRelay(meter(1)),
    ReadParameters(),
]


@pytest.mark.parametrize("wanted", OPERATIONS, ids=lambda one: type(one).__name__)
def test_before_a_login_nothing_is_sent(wanted: Operation) -> None:
    line = Line(silent, Gdw1376Driver(65536))
    assert isinstance(line.carry_out(wanted), NotSent)
    assert not line.asks


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_a_terminal_answers_nothing_is_raised(data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(OPERATIONS))
    left = 40

    def answer(question: Message) -> Said:
        nonlocal left
        left -= 1
        if left < 0 or not data.draw(st.integers(0, 5)):
            return []
        afn = data.draw(st.sampled_from([question.afn, question.afn, question.afn, 0x00, 0x0C]))
        seq = data.draw(st.sampled_from([0x60, 0x60, 0x60, 0x40, 0x00, 0x20])) | question.number
        heads = [(unit.da | unit.dt << 16).to_bytes(4, "little") for unit in question.units[:3]]
        body = b"".join(head + data.draw(st.binary(max_size=30)) for head in heads)
        control = data.draw(st.sampled_from([0x88, 0x88, 0x80, 0x89]))
        head = bytes([control]) + REGION.to_bytes(2, "little") + TERMINAL.to_bytes(2, "little") + bytes([2, afn, seq])
        return [wrap(2, head + body)]

    line = Line(answer)
    assert isinstance(line.carry_out(wanted), Done | Refused | Unknown)
    line.readings()


def test_numbers_go_round_and_each_question_has_its_own() -> None:
    line = Line(denying)
    for _ in range(40):
        line.carry_out(ReadClock())
    assert [one.number for one in line.asked] == [number % 16 for number in range(40)]


def test_the_130_family_gets_its_short_password() -> None:
    login = part1.encode(service.login(REGION, TERMINAL)._replace(protocol=PROTOCOL_130))
    line = Line(lambda question: [service.confirm(question)], driver(login=login))
    assert line.carry_out(SetClock()) == Done()
    assert (line.asked[0].protocol, line.asked[0].pw) == (PROTOCOL_130, bytes(2))


def test_what_a_terminal_sends_is_an_answer_or_a_report() -> None:
    here = driver()
    question = service.request(REGION, TERMINAL, 0x0C, [Unit(0, 0x0002)], number=9)
    said = here.hear(part1.encode(service.confirm(question)))
    assert isinstance(said, Answer)
    assert (said.address_key, said.number) == (REGION << 16 | TERMINAL, 9)
    report = service.report(REGION, TERMINAL, 0x0C, [Unit(0, 0x0002, bytes(6))])
    assert isinstance(here.hear(part1.encode(report)), Push)
