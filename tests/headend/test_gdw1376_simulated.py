"""Orders to the simulated Q/GDW 1376.1 terminal: what the head-end tells it is what it does and shows."""

from __future__ import annotations

from meterweave.headend.gdw1376 import Gdw1376Driver
from meterweave.headend.operations import (
    Authority,
    Done,
    ReadClock,
    ReadEvents,
    ReadParameters,
    ReadRelay,
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
from meterweave.registry.vocabulary import Utility
from meterweave.simulator.town import Meter
from tests.headend.gdw1376_talk import ZONE, codes
from tests.headend.gdw1376_town import SIM_NOW_S, US, Simulated
from tests.simulator.centre import MIDNIGHT_S, Faults

AUTHORITY = Authority(2, bytes(3), bytes(4))
ENERGY, POWER = codes("1-0:1.8.0", "1-0:16.7.0")
VOLTAGES, CURRENTS = codes("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0"), codes("1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0")
TASKS = (
    Task(Utility.ELECTRICITY, Profile.CURVE, 900, (ENERGY, POWER, *VOLTAGES, *CURRENTS)),
    Task(Utility.ELECTRICITY, Profile.DAILY, 0, (ENERGY,)),
)


def test_the_list_of_meters_becomes_that_of_the_archives() -> None:
    there = Simulated(others=0)
    line = there.line()
    count = len(there.entries)
    assert line.carry_out(SyncArchives(there.entries)) == Done({"added": 0, "changed": 0, "removed": 0})
    fewer = there.entries[3:]
    assert line.carry_out(SyncArchives(fewer)) == Done({"added": 0, "changed": 0, "removed": 3})
    assert line.carry_out(SyncArchives(there.entries)) == Done({"added": 3, "changed": 0, "removed": 0})
    shown = line.carry_out(ReadParameters(("F10",)))
    assert isinstance(shown, Done)
    assert f"meter_count={count}" in str(shown.facts["F10"])


def test_tasks_are_taken_and_shown() -> None:
    there = Simulated(others=0)
    line = there.line()
    first = line.carry_out(SyncTasks(TASKS, there.entries))
    assert isinstance(first, Done)
    assert first.facts["changed"]
    assert line.carry_out(SyncTasks(TASKS, there.entries)) == Done({"tasks": 2, "changed": 0})


def test_a_wrong_clock_is_set() -> None:
    there = Simulated(others=0, faults=Faults(wrong_clock=1.0))
    line = there.line()
    before = line.carry_out(ReadClock())
    assert isinstance(before, Done)
    assert before.facts["offset_s"] == there.site.clock_off_s != 0
    assert line.carry_out(SetClock()) == Done()
    assert line.carry_out(ReadClock()) == Done({"offset_s": 0})


def test_a_relay_trips_and_closes_and_is_kept() -> None:
    there = Simulated(others=0)
    line = there.line()
    entry = there.entries[0]
    for action, facts in (
        (RelayAction.TRIP, {"closed": False, "kept": False}),
        (RelayAction.CLOSE, {"closed": True, "kept": False}),
        (RelayAction.KEEP, {"closed": True, "kept": True}),
        (RelayAction.RELEASE, {"closed": True, "kept": False}),
    ):
        assert line.carry_out(Relay(entry, action, AUTHORITY)) == Done()
        assert line.carry_out(ReadRelay(entry)) == Done(facts)
    refused = line.carry_out(Relay(entry, RelayAction.TRIP, AUTHORITY._replace(password=b"\x12\x34\x56")))
    assert isinstance(refused, Refused)
    assert refused.reason.en == "password wrong or not authorised"
    stranger = entry._replace(address="000000999999", address_key=0x999999)
    assert isinstance(line.carry_out(Relay(stranger, RelayAction.TRIP, AUTHORITY)), Unknown)


def test_events_that_an_order_leaves_are_read() -> None:
    there = Simulated(others=0)
    line = there.line()
    span = ReadEvents((SIM_NOW_S - 120) * US, (SIM_NOW_S + 120) * US)
    assert line.carry_out(span) == Done({"events": 0})
    line.carry_out(Relay(there.entries[0], RelayAction.TRIP, AUTHORITY))
    found = line.carry_out(span)
    assert isinstance(found, Done)
    assert found.facts["events"]
    events = Gdw1376Driver.events(line.kept, received=SIM_NOW_S * US, zone=ZONE).events
    assert there.site.wire_key(_meter(there)) in {one.key for one in events}
    assert line.carry_out(ReadEvents(0, MIDNIGHT_S * US)) == Done({"events": 0})


def _meter(there: Simulated) -> Meter:
    return there.site.meters[0]


def test_the_usual_parameters() -> None:
    found = Simulated(others=0).line().carry_out(ReadParameters())
    assert isinstance(found, Done)
    assert "heartbeat_period=1" in str(found.facts["F1"])
    assert "main_station.ip=127.0.0.1" in str(found.facts["F3"])
