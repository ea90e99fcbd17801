"""What a DL/T 698.45 terminal of the town is told: clock, relays and valves, list of meters, tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterweave.headend.dlt698 import archives, parameters, relay
from meterweave.headend.dlt698.archive_unit import read_unit, unit_data, wanted_unit
from meterweave.headend.dlt698.archives import DIFFERENT, read_list
from meterweave.headend.dlt698.clock_setting import CLOCK
from meterweave.headend.dlt698.line import NO_ANSWER, dar_words
from meterweave.headend.dlt698.literals import array, enum, structure, u8, u16
from meterweave.headend.dlt698.tally import LEFT_OUT
from meterweave.headend.dlt698.task_units import REPORT_SCHEMES, SCHEMES, TASK_TABLE
from meterweave.headend.dlt698.tasks import NOTHING
from meterweave.headend.operations import (
    Authority,
    Done,
    ReadClock,
    ReadParameters,
    ReadRelay,
    Refusal,
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
from meterweave.metering.quantities import obis_code
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import access, get, proxy
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.values import BitString, TimeInterval
from meterweave.registry.vocabulary import Utility, Wiring
from meterweave.simulator import Instant
from tests.headend.talk698 import NOW_S, Conversing, Scripted, a_terminal, entry
from tests.simulator.centre import Faults, small_town

AUTHORITY = Authority(2, bytes(3), bytes(4))
WRONG = Authority(2, b"\x12\x34\x56", bytes(4))
QUANTITIES = tuple(map(obis_code, ("1-0:1.8.0", "1-0:32.7.0", "8-0:1.0.0", "7-0:3.0.0", "6-0:1.0.0")))
TASKS = tuple(
    Task(
        utility,
        profile,
        (900 if utility is Utility.ELECTRICITY else 3600) if profile is Profile.CURVE else 0,
        QUANTITIES,
    )
    for utility in Utility
    for profile in (Profile.CURVE, Profile.DAILY, Profile.MONTHLY)
)


@pytest.fixture
def line():
    _, terminal = a_terminal()
    return Conversing(terminal)


@pytest.fixture
def meters(line):
    return tuple(entry(meter, number) for number, meter in enumerate(line.terminal.site.meters, 1))


@pytest.fixture
def bare():
    """A terminal that nobody has told anything yet."""
    _, (terminal, _) = small_town()
    habits = replace(terminal.habits, bare=True)
    return Conversing(
        type(terminal)(terminal.site, terminal._reports, terminal.first_s, seed=1, faults=Faults(), habits=habits)
    )


def speaking(meters, protocol):
    return next(meter for meter in meters if meter.protocol == protocol)


# Clock ---------------------------------------------------------------------------------------------------------------


def test_a_wrong_clock_is_found_and_set():
    site, terminal = a_terminal(meters=4, others=0, faults=Faults(wrong_clock=1.0))
    line = Conversing(terminal)
    assert site.clock_off_s != 0
    assert line.have(ReadClock()) == Done({"offset_s": site.clock_off_s})
    assert line.have(SetClock()) == Done({"offset_s": 0})
    assert line.have(ReadClock()) == Done({"offset_s": 0})


def test_a_repeated_clock_setting_tells_the_time_anew():
    times = iter(range(NOW_S + 20, NOW_S + 1000, 20))
    terminal = Scripted(lambda apdu: None)

    def answer(apdu):
        terminal.now_s = next(times)
        if len(terminal.requests) == 1:
            return None
        if isinstance(apdu, access.SetRequestNormal):
            return access.SetResponseNormal(apdu.piid, apdu.oad, 0)
        return get.GetResponseNormal(apdu.piid, ResultNormal(CLOCK, terminal.requests[1].value))

    terminal.answers = answer
    outcome = terminal.have(SetClock())
    first, second, _ = terminal.requests
    assert first.value != second.value
    assert isinstance(outcome, Done)
    assert all(ask.tries == 1 for ask in terminal.asked[:2])


def test_clocks_that_say_no_or_nothing():
    denied = Scripted(lambda apdu: access.SetResponseNormal(apdu.piid, apdu.oad, 3))
    assert denied.have(SetClock()) == Refused(dar_words(3))
    for value in ((Tag.DATE_TIME_S, b"\xff" * 7), (Tag.UNSIGNED, 1)):
        odd = Scripted(lambda apdu, value=value: get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, value)))
        outcome = odd.have(ReadClock())
        assert isinstance(outcome, Refused)
        assert "no time" in outcome.reason.en


# Relays and valves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["dlt698", "dlt645"])
def test_the_relay_of_an_electricity_meter(line, meters, protocol):
    meter = speaking(meters, protocol)

    def operated(action):
        return line.have(Relay(meter, action, AUTHORITY))

    def state():
        return line.have(ReadRelay(meter)).facts

    assert state() == {"closed": True, "kept": False}
    assert operated(RelayAction.TRIP) == Done()
    assert state() == {"closed": False, "kept": False}
    assert operated(RelayAction.CLOSE) == Done()
    assert operated(RelayAction.KEEP) == Done()
    assert state() == {"closed": True, "kept": True}
    assert isinstance(operated(RelayAction.TRIP), Refused)
    assert state() == {"closed": True, "kept": True}
    assert operated(RelayAction.RELEASE) == Done()
    assert state() == {"closed": True, "kept": False}


def test_the_valve_of_another_meter(line, meters):
    meter = speaking(meters, "cjt188")
    assert line.have(Relay(meter, RelayAction.TRIP, AUTHORITY)) == Done()
    assert line.have(ReadRelay(meter)).facts["closed"] is False
    assert line.have(Relay(meter, RelayAction.CLOSE, AUTHORITY)) == Done()
    assert line.have(ReadRelay(meter)).facts["closed"] is True
    asked = len(line.asked)
    assert isinstance(line.have(Relay(meter, RelayAction.KEEP, AUTHORITY)), Refused)
    assert len(line.asked) == asked


def test_commands_go_out_once_and_carry_the_time_until_which_they_are_obeyed(line, meters):
    for protocol in ("dlt698", "dlt645", "cjt188"):
        line.have(Relay(speaking(meters, protocol), RelayAction.TRIP, AUTHORITY))
    assert [(ask.tries, ask.forwarded) for ask in line.asked] == [(1, True)] * 3
    request = dlt698.decode(line.asked[0].octets).apdu
    assert request.time_tag.max_delay == relay.OBEY_WITHIN


@pytest.mark.parametrize("protocol", ["dlt698", "dlt645", "cjt188"])
def test_a_lost_answer_leaves_it_unknown_what_the_relay_did(line, meters, protocol):
    meter = speaking(meters, protocol)
    sent = []

    def lost_on_the_way_back(octets):
        sent.append(octets)
        line.terminal.receive(octets, Instant(0.0, line.now_s))

    assert line.have(Relay(meter, RelayAction.TRIP, AUTHORITY), lost_on_the_way_back) == NO_ANSWER
    assert len(sent) == 1
    assert line.have(ReadRelay(meter)).facts["closed"] is False


def test_a_meter_that_refuses_says_why(line, meters):
    refused = line.have(Relay(speaking(meters, "dlt645"), RelayAction.TRIP, WRONG))
    assert isinstance(refused, Refused)
    assert "password" in refused.reason.en


@pytest.mark.parametrize("dar", [1, 2, 33, 255])
def test_a_terminal_that_does_not_know_leaves_it_unknown(meters, dar):
    def answer(apdu):
        if isinstance(apdu, proxy.ProxyTransCommandRequest):
            return proxy.ProxyTransCommandResponse(apdu.piid, apdu.oad, dar)
        (server,) = apdu.servers
        results = tuple(access.ActionResult(item.omd, dar, None) for item in server.items)
        return proxy.ProxyActionResponseList(apdu.piid, (proxy.ServerActionResults(server.server, results),))

    for protocol in ("dlt698", "dlt645"):
        command = Relay(speaking(meters, protocol), RelayAction.TRIP, AUTHORITY)
        assert Scripted(answer).have(command) == Unknown(dar_words(dar))


def test_an_answer_about_another_meter_or_method_is_unknown(meters):
    meter = speaking(meters, "dlt698")
    command = Relay(meter, RelayAction.TRIP, AUTHORITY)
    other = bytes.fromhex("05999999999999")

    def about(server, omd):
        results = (proxy.ServerActionResults(server, (access.ActionResult(omd, 0, None),)),)
        return Scripted(lambda apdu: proxy.ProxyActionResponseList(apdu.piid, results))

    own = bytes.fromhex("05" + meter.address)
    assert about(other, relay.TRIP).have(command) == Unknown(LEFT_OUT)
    assert about(own, relay.CLOSE).have(command) == Unknown(LEFT_OUT)
    assert about(own, relay.TRIP).have(command) == Done()


def test_valves_of_meters_of_this_protocol_and_meters_that_call_by_themselves(meters):
    own = speaking(meters, "dlt698")._replace(address="330000000001", address_key=0x330000000001)
    terminal = Scripted(lambda apdu: access.ActionResponseNormal(apdu.piid, apdu.omd, 0))
    for action in RelayAction:
        assert terminal.have(Relay(own, action, AUTHORITY)) == Done()
    water = own._replace(utility=Utility.WATER)
    assert terminal.have(Relay(water, RelayAction.TRIP, AUTHORITY)) == Done()
    assert terminal.have(Relay(water, RelayAction.KEEP, AUTHORITY)) == relay.NO_KEEPING
    assert terminal.have(ReadRelay(water)) == relay.NO_VALVE_STATE
    orders = [(request.omd, request.param) for request in terminal.requests]
    assert [omd for omd, _ in orders] == [relay.TRIP, relay.CLOSE, relay.KEEP, relay.RELEASE, 0x4307_8000]
    assert orders[-1][1] == (Tag.ENUM, 0x99)


def test_states_that_are_not_told(meters):
    meter = speaking(meters, "dlt698")._replace(address="330000000001", address_key=0x330000000001)

    def state(output, keeping):
        return Scripted(
            lambda apdu: get.GetResponseNormalList(
                apdu.piid, (ResultNormal(relay.OUTPUT_STATE, output), ResultNormal(relay.KEEP_STATE, keeping))
            )
        ).have(ReadRelay(meter))

    bits = (Tag.BIT_STRING, BitString(8, b"\x80"))
    assert state(bits, (Tag.ENUM, 1)) == Done({"closed": False, "kept": True})
    assert state(bits, 4) == Done({"closed": False})
    assert state(4, (Tag.ENUM, 1)) == relay.NO_STATE
    assert state((Tag.BIT_STRING, BitString(0, b"")), 4) == relay.NO_STATE
    assert state(33, 33) == Unknown(dar_words(33))
    assert state(15, 15) == Refused(dar_words(15))


# The list of meters --------------------------------------------------------------------------------------------------


def test_a_list_that_is_right_is_left_alone(line, meters):
    assert line.have(SyncArchives(meters)) == Done({"added": 0, "deleted": 0})
    assert len(line.asked) == 2


def test_meters_are_added_and_taken_away(line, meters):
    archive = line.terminal.archive
    assert line.have(SyncArchives(meters[3:])) == Done({"added": 0, "deleted": 3})
    assert len(archive.units) == len(meters) - 3
    assert line.have(SyncArchives(meters)) == Done({"added": 3, "deleted": 0})
    assert {unit.address for unit in archive.units.values()} == {
        bytes.fromhex("05" + meter.address[-12:]) for meter in meters
    }
    assert line.have(SyncArchives(())) == Done({"added": 0, "deleted": len(meters)})
    assert archive.units == {}
    assert line.have(SyncArchives(meters)) == Done({"added": len(meters), "deleted": 0})
    assert max(len(ask.octets) for ask in line.asked) < 1000


def test_numbers_and_facts_of_the_archives_are_brought_to_the_terminal(line, meters):
    first, second = meters[0], meters[1]
    known = first._replace(point_number=77, baud=9600, port="F2010202", tariff_count=2, wiring=Wiring.FOUR_WIRE)
    swapped = (known, second._replace(point_number=1), *meters[2:])
    outcome = line.have(SyncArchives(swapped))
    assert isinstance(outcome, Done)
    units = {unit.number: read_unit(unit.data()) for unit in line.terminal.archive.units.values()}
    assert len(units) == len(meters)
    assert units[77] == wanted_unit(known, 77)
    assert units[77]._replace(user_type=0) == (77, first.address_key, 0xF201_0202, 6, units[77].protocol, 2, 0, 3)
    assert units[1].key == second.address_key
    assert line.have(SyncArchives(swapped)) == Done({"added": 0, "deleted": 0})


def test_what_the_archives_do_not_know_stays_as_it_was(line, meters):
    before = {number: unit.data() for number, unit in line.terminal.archive.units.items()}
    renamed = (meters[0]._replace(tariff_count=1), *meters[1:])
    assert line.have(SyncArchives(renamed)) == Done({"added": 1, "deleted": 0})
    old, new = read_unit(before[1]), read_unit(line.terminal.archive.units[1].data())
    assert new == old._replace(tariffs=1)


def test_a_long_list_is_read_by_number(meters):
    many = [
        meters[0]._replace(id=number, address=f"{number:012d}", address_key=int(f"{number:012d}", 16))
        for number in range(1, 131)
    ]
    listed = [wanted_unit(meter, 3 * meter.id) for meter in many]

    def answer(apdu):
        if isinstance(apdu, get.GetRequestRecord):
            low, high = apdu.rsd.from_[1], apdu.rsd.to[1]
            rows = [
                (unit_data(meter, unit),)
                for meter, unit in zip(many, listed, strict=True)
                if low <= unit.number <= high  # this one takes the end in
            ]
            return get.GetResponseRecord(apdu.piid, ResultRecord(apdu.oad, apdu.rcsd, tuple(rows)))
        return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, u16(130)))

    terminal = Scripted(answer)
    assert carried_out(terminal, read_list(terminal.driver._line)) == listed
    assert len(terminal.requests) == 1 + 8

    def whole(apdu):
        if isinstance(apdu, get.GetRequestRecord):
            return get.GetResponseRecord(apdu.piid, ResultRecord(apdu.oad, apdu.rcsd, 5))
        if apdu.oad == archives.COUNT:
            return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, u16(130)))
        units = [unit_data(meter, unit) for meter, unit in zip(many, listed, strict=True)]
        return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, array(units)))

    terminal = Scripted(whole)
    assert carried_out(terminal, read_list(terminal.driver._line)) == listed


def carried_out(terminal, talk):
    answer = None
    try:
        while True:
            answer = terminal._answer(talk.send(answer))
    except StopIteration as end:
        return end.value


def test_a_meter_that_the_terminal_does_not_take_is_named(meters):
    bad = meters[4]
    kept = []

    def answer(apdu):
        if isinstance(apdu, get.GetRequestNormal):
            value = u16(len(kept)) if apdu.oad == archives.COUNT else array(kept)
            return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, value))
        units = apdu.param[1]
        refused = any(read_unit(unit).key == bad.address_key for unit in units)
        kept.extend(() if refused else units)
        return access.ActionResponseNormal(apdu.piid, apdu.omd, 8 if refused else 0)

    outcome = Scripted(answer).have(SyncArchives(meters))
    assert outcome == Done({"added": len(meters) - 1, "deleted": 0}, (Refusal(bad.id, dar_words(8)),))


def test_a_terminal_that_says_yes_and_does_nothing_is_found_out(meters):
    def answer(apdu):
        if isinstance(apdu, get.GetRequestNormal):
            value = u16(0) if apdu.oad == archives.COUNT else array(())
            return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, value))
        return access.ActionResponseNormal(apdu.piid, apdu.omd, 0)

    assert Scripted(answer).have(SyncArchives(meters)) == Refused(DIFFERENT)


@pytest.mark.parametrize(
    "units", [[u8(1)], [structure()], [structure(u16(1), u8(1))], [structure(u16(1), structure())]]
)
def test_a_list_that_cannot_be_understood_is_not_touched(meters, units):
    def answer(apdu):
        value = u16(1) if apdu.oad == archives.COUNT else array(units)
        return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, value))

    terminal = Scripted(answer)
    assert isinstance(terminal.have(SyncArchives(meters)), Unknown)
    assert len(terminal.requests) == 2


def test_clearing_that_is_refused(meters):
    def answer(apdu):
        if isinstance(apdu, access.ActionRequest):
            return access.ActionResponseNormal(apdu.piid, apdu.omd, 15)
        listed = unit_data(meters[0], wanted_unit(meters[0], 1))
        value = u16(1) if apdu.oad == archives.COUNT else array([listed])
        return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, value))

    terminal = Scripted(answer)
    assert terminal.have(SyncArchives(())) == Refused(dar_words(15))
    assert terminal.requests[-1].omd == archives.CLEAR


# Tasks ---------------------------------------------------------------------------------------------------------------


def test_a_bare_terminal_learns_its_meters_and_tasks_and_reports_them(bare):
    site = bare.terminal.site
    meters = tuple(entry(meter, number) for number, meter in enumerate(site.meters, 1))
    assert bare.terminal.archive.reported() == ()
    assert bare.have(SyncArchives(meters)) == Done({"added": len(meters), "deleted": 0})
    assert bare.have(SyncTasks(TASKS, meters)) == Done({"added": 4 * len(TASKS), "deleted": 0})
    reported = bare.terminal.archive.reported()
    found = {(one.profile, meter.address) for one in reported for meter in one.meters}
    profiles = (Profile.CURVE, Profile.DAILY)
    assert found >= {(profile, meter.address) for profile in profiles for meter in site.meters}
    assert max(len(ask.octets) for ask in bare.asked) < 1000
    assert bare.have(SyncTasks(TASKS, meters)) == Done({"added": 0, "deleted": 0})


def test_tasks_that_are_too_many_go_and_those_for_other_things_stay(line, meters):
    archive = line.terminal.archive
    foreign = structure(u8(1), (Tag.TI, TimeInterval(1, 5)), enum(2), u8(9), *(u8(0),) * 8)
    archive.tables[TASK_TABLE].clear()
    archive.tables[TASK_TABLE][1] = foreign
    outcome = line.have(SyncTasks(TASKS[:1], meters))
    assert isinstance(outcome, Done)
    assert set(archive.tables[TASK_TABLE]) == {1, 2, 102}
    assert archive.tables[TASK_TABLE][1] == foreign
    assert set(archive.tables[SCHEMES]) == set(archive.tables[REPORT_SCHEMES]) == {2}
    (columns,) = {columns for columns, _ in archive._running()}
    assert columns[-1] == (0x5002_0200, (0x2021_0200, 0x0010_0200, 0x2000_0200))
    assert line.have(SyncTasks((), meters)) == Done({"added": 0, "deleted": 4})
    assert set(archive.tables[TASK_TABLE]) == {1}


def test_one_utility_is_all_meters_and_several_are_told_apart(line, meters):
    electric = tuple(meter for meter in meters if meter.utility is Utility.ELECTRICITY)
    line.have(SyncTasks(TASKS, electric))
    scheme = line.terminal.archive.tables[SCHEMES]
    assert len(scheme) == 3
    assert dlt698_set(scheme[1]) == "AllMeters"
    line.have(SyncTasks(TASKS, meters))
    assert dlt698_set(line.terminal.archive.tables[SCHEMES][1]) == "MetersOfTypes"


def dlt698_set(scheme):
    return type(scheme[1][4][1]).__name__


def test_a_priority_may_come_back_as_an_enum(line, meters):
    line.have(SyncTasks(TASKS[:1], meters))
    table = line.terminal.archive.tables[TASK_TABLE]
    for number, (tag, parts) in table.items():
        table[number] = (tag, (*parts[:7], enum(parts[7][1]), *parts[8:]))
    assert line.have(SyncTasks(TASKS[:1], meters)) == Done({"added": 0, "deleted": 0})


def test_tasks_that_cannot_be_carried_or_kept(meters):
    def answer(apdu):
        if isinstance(apdu, get.GetRequestNormal):
            return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, (Tag.NULL, None)))
        return access.ActionResponseNormal(apdu.piid, apdu.omd, 0)

    outcome = Scripted(answer).have(SyncTasks(TASKS, meters))
    assert isinstance(outcome, Refused)
    assert "still differ" in outcome.reason.en
    second = Task(Utility.ELECTRICITY, Profile.EVENT, 0, QUANTITIES)
    assert Scripted(answer).have(SyncTasks((second,), meters)) == NOTHING
    many = SyncTasks(TASKS * 10, meters)
    assert isinstance(Scripted(answer).have(many), Refused)
    odd = Scripted(lambda apdu: get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, array([u8(1)]))))
    assert isinstance(odd.have(SyncTasks(TASKS, meters)), Unknown)


# Parameters ----------------------------------------------------------------------------------------------------------


def test_parameters_in_words(line):
    outcome = line.have(ReadParameters())
    assert isinstance(outcome, Done)
    assert outcome.facts["40010200"] == "33 00 00 00 00 01"
    assert outcome.facts["40000200"] == "2026-09-22 01:23:20"
    assert outcome.facts["43000300"].startswith("(MTWV, 0001, ")
    assert outcome.facts["60000300"] == "33"
    assert list(outcome.facts) == [f"{oad:08X}" for oad in parameters.USUAL]
    assert line.have(ReadParameters(("4fff0200",))) == Done({"4FFF0200": "refused: object undefined"})


def test_parameters_by_name():
    values = {
        0x4500_0900: (Tag.LONG, -71),
        0x2000_0200: (Tag.ARRAY, ((Tag.LONG_UNSIGNED, 2301), (Tag.NULL, None))),
        0x4300_0800: (Tag.BOOL, 1),
        0x202C_0200: (Tag.STRUCTURE, ((Tag.DOUBLE_LONG_UNSIGNED, 1234), (Tag.DOUBLE_LONG_UNSIGNED, 7))),
        0x3106_0800: (Tag.ENUM, 3),
    }

    def answer(apdu):
        results = tuple(ResultNormal(oad, values.get(oad, 6)) for oad in apdu.oads)
        return get.GetResponseNormalList(apdu.piid, results)

    names = (*(f"{oad:08x}" for oad in values), "4500FF00")
    outcome = Scripted(answer).have(ReadParameters(names))
    assert outcome == Done(
        {
            "45000900": "-71 dBm",
            "20000200": "[230.1 V, ]",
            "43000800": "yes",
            "202C0200": "(12.34 yuan, 7)",
            "31060800": "report beginning and end",
            "4500FF00": "refused: object does not exist",
        }
    )


@pytest.mark.parametrize("names", [("F1",), ("4000020",), ("4000020G",), ("44010200",), ("40000200",) * 201])
def test_parameters_that_cannot_be_asked_for(names):
    terminal = Scripted(lambda apdu: None)
    assert isinstance(terminal.have(ReadParameters(names)), Refused)
    assert terminal.asked == []
