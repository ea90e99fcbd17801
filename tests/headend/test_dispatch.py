"""Commands carried out: nothing goes out before it is written down, nothing that switches goes out twice."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterweave.errors import ConfigError
from meterweave.headend.collection.commissioning import planned_tasks
from meterweave.headend.collection.moments import instant_us
from meterweave.headend.command_operations import FACT_MAX, FACTS_MAX
from meterweave.headend.dispatch import ControlSettings
from meterweave.headend.operations import (
    Done,
    NotSent,
    Operation,
    Outcome,
    ReadClock,
    ReadEvents,
    ReadNow,
    ReadParameters,
    ReadRelay,
    ReadStored,
    Refusal,
    Refused,
    Relay,
    SetClock,
    SyncArchives,
    SyncTasks,
    Task,
    Unknown,
)
from meterweave.metering.batch import Profile
from meterweave.metering.quantities import quantities
from meterweave.registry import Meter, Registry
from meterweave.registry.command_orders import cancel
from meterweave.registry.commands import RELAY_KINDS, CommandCard, CommandKind, CommandState
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text
from tests.headend.centre import run, until
from tests.headend.dispatching import (
    LATER_US,
    QUICK,
    StandIn,
    always,
    archives,
    command,
    dispatching,
    ended,
    filled,
    history,
    is_now,
    now,
    story,
)
from tests.registry.conftest import place

__all__ = ["place"]  # the fixture: an empty database, of each engine

WHY = Text("because", "因为")
K, S = CommandKind, CommandState


def carried_out(folder: Path, kind: CommandKind, *outcomes: Outcome, **given: Any) -> tuple[Any, StandIn, list[str]]:
    """One command to its end: the command, who carried it out, and its story."""
    stand_in = StandIn(always(*outcomes))
    registry = archives(folder)
    stored = command(registry, kind, **given)

    async def work() -> None:
        async with dispatching(registry, stand_in):
            await ended(registry, stored)

    run(work)
    return is_now(registry, stored), stand_in, story(registry, stored)


# What comes of it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(RELAY_KINDS))
def test_done_is_confirmed(tmp_path: Path, kind: CommandKind) -> None:
    found, stand_in, told = carried_out(tmp_path, kind, Done({"closed": False}))
    assert (found.state, found.facts) == (S.CONFIRMED, {"closed": False})
    assert told == ["queued", "sent", "confirmed"]
    (asked,) = stand_in.asked
    assert isinstance(asked, Relay)
    assert (asked.action.value, asked.authority.password) == (kind.value, QUICK.relay_password)


def test_a_device_that_tells_too_much_is_cut_short(tmp_path: Path) -> None:
    found, _, _ = carried_out(tmp_path, K.PARAMETERS, Done({f"F{n}": "x" * 9000 for n in range(999)}))
    assert found.state is S.CONFIRMED
    assert found.facts is not None
    assert (len(found.facts), len(found.facts["F0"])) == (FACTS_MAX, FACT_MAX + 1)


def test_refused_with_the_reason_of_the_device(tmp_path: Path) -> None:
    found, _, told = carried_out(tmp_path, K.TRIP, Refused(WHY))
    assert (found.state, found.outcome) == (S.REFUSED, WHY)
    assert told == ["queued", "sent", "refused"]


def test_it_is_written_down_before_it_goes_out(tmp_path: Path) -> None:
    registry = archives(tmp_path)
    stored = command(registry, K.TRIP)
    seen: list[CommandState] = []

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        seen.append(is_now(registry, stored).state)
        return Done()

    async def work() -> None:
        async with dispatching(registry, StandIn(answer)):
            await ended(registry, stored)

    run(work)
    assert seen == [S.SENT]


def test_what_was_not_sent_is_tried_again(tmp_path: Path) -> None:
    found, stand_in, told = carried_out(tmp_path, K.TRIP, NotSent(WHY), NotSent(WHY), Done())
    assert found.state is S.CONFIRMED
    assert told == ["queued", "sent", "queued", "sent", "queued", "sent", "confirmed"]
    assert stand_in.count(Relay) == 3


def test_it_waits_for_its_terminal_and_expires(tmp_path: Path) -> None:
    registry = archives(tmp_path, 2)
    waits = command(registry, K.TRIP, 1)
    late = command(registry, K.TRIP, 2, not_after=now() + timedelta(milliseconds=50))
    stand_in = StandIn(always(Done()))
    stand_in.away = {1, 2}

    async def work() -> None:
        async with dispatching(registry, stand_in):
            assert (await ended(registry, late)).state is S.EXPIRED
            assert is_now(registry, waits).state is S.QUEUED
            stand_in.away.clear()
            assert (await ended(registry, waits)).state is S.CONFIRMED

    run(work)
    assert stand_in.count(Relay) == 1


# Nobody knows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "facts", "state"),
    [
        (K.TRIP, {"closed": False}, S.CONFIRMED),
        (K.TRIP, {"closed": True}, S.FAILED),
        (K.CLOSE, {"closed": True}, S.CONFIRMED),
        (K.CLOSE, {"closed": False, "kept": True}, S.FAILED),
        (K.KEEP, {"closed": True, "kept": True}, S.CONFIRMED),
        (K.KEEP, {"closed": True, "kept": False}, S.FAILED),
        (K.RELEASE, {"closed": True, "kept": False}, S.CONFIRMED),
        (K.RELEASE, {"closed": True}, S.UNKNOWN),
        (K.KEEP, {"closed": True}, S.UNKNOWN),
    ],
)
def test_a_lost_answer_is_found_out_by_reading_the_relay(
    tmp_path: Path, kind: CommandKind, facts: dict[str, bool], state: CommandState
) -> None:
    found, stand_in, told = carried_out(tmp_path, kind, Unknown(WHY), Done(facts))
    assert (found.state, found.facts) == (state, facts)
    assert told == ["queued", "sent", "unknown", state.value]
    assert [type(one) for one in stand_in.asked] == [Relay, ReadRelay]


def looked_at(folder: Path, settings: ControlSettings, *outcomes: Outcome) -> tuple[Registry, CommandCard, StandIn]:
    """A trip of which nobody knows what came, after its first look or the end of it."""
    stand_in = StandIn(always(Unknown(WHY), *outcomes))
    registry = archives(folder)
    stored = command(registry, K.TRIP)

    async def work() -> None:
        async with dispatching(registry, stand_in, settings):
            await until(lambda: is_now(registry, stored).ended or is_now(registry, stored).tries == len(outcomes))

    run(work)
    return registry, stored, stand_in


def test_a_relay_that_is_not_as_wanted_yet_is_read_again(tmp_path: Path) -> None:
    closed = Done({"closed": True})
    settings = replace(QUICK, effect_within_s=3600.0)
    registry, stored, stand_in = looked_at(tmp_path, settings, closed, closed, Done({"closed": False}))
    assert story(registry, stored) == ["queued", "sent", "unknown", "unknown", "unknown", "confirmed"]
    assert "may still be about to obey" in history(registry, stored)[3].words.en
    assert [stand_in.count(one) for one in (Relay, ReadRelay)] == [1, 3]


@pytest.mark.parametrize(
    ("last", "state"),
    [(Done({"closed": True}), S.FAILED), (Done({"closed": False}), S.CONFIRMED), (Unknown(WHY), S.UNKNOWN)],
)
def test_the_last_word_is_said_when_the_device_has_no_time_left_to_obey(
    tmp_path: Path, last: Outcome, state: CommandState
) -> None:
    settings = replace(QUICK, effect_within_s=3600.0, look_after_s=(0.01,))
    registry, stored, stand_in = looked_at(tmp_path, settings, Done({"closed": True}))
    early, unknown = is_now(registry, stored), history(registry, stored)[2]
    assert (early.state, unknown.state) == (S.UNKNOWN, S.UNKNOWN)
    assert early.due_at is not None
    assert early.due_at >= unknown.at + timedelta(hours=1)
    stand_in.answer = always(last)

    async def an_hour_later() -> None:
        async with dispatching(registry, stand_in, settings, ahead_us=3600_000_000 + LATER_US):
            assert (await ended(registry, stored)).state is state

    run(an_hour_later)
    assert [stand_in.count(one) for one in (Relay, ReadRelay)] == [1, 2]


def test_reading_the_relay_is_bounded(tmp_path: Path) -> None:
    found, stand_in, told = carried_out(tmp_path, K.TRIP, Unknown(WHY))
    assert found.state is S.UNKNOWN
    assert told == ["queued", "sent", *["unknown"] * 4]
    assert [stand_in.count(one) for one in (Relay, ReadRelay)] == [1, 3]


def test_a_relay_that_cannot_be_read_stays_unknown(tmp_path: Path) -> None:
    found, stand_in, _ = carried_out(tmp_path, K.TRIP, Unknown(WHY), Refused(WHY))
    assert found.state is S.UNKNOWN
    assert found.outcome is not None
    assert "cannot be read: because" in found.outcome.en
    assert stand_in.count(ReadRelay) == 1


def test_looking_waits_for_the_terminal(tmp_path: Path) -> None:
    unsure: list[Outcome] = [
        Unknown(WHY),
        NotSent(WHY),
        NotSent(WHY),
        Unknown(WHY),
        NotSent(WHY),
        Done({"closed": False}),
    ]
    found, stand_in, told = carried_out(tmp_path, K.TRIP, *unsure)
    assert found.state is S.CONFIRMED
    assert told == ["queued", "sent", "unknown", "unknown", "confirmed"]
    assert [stand_in.count(one) for one in (Relay, ReadRelay)] == [1, 5]


def test_what_may_be_repeated_is_not_looked_for(tmp_path: Path) -> None:
    found, stand_in, told = carried_out(tmp_path, K.READ, Unknown(WHY))
    assert found.state is S.UNKNOWN
    assert told == ["queued", "sent", "unknown"]
    assert len(stand_in.asked) == 1


# What is asked -------------------------------------------------------------------------------------------------------


def test_every_kind_asks_what_it_means(tmp_path: Path) -> None:
    registry = archives(tmp_path)
    energy = quantities()["1-0:1.8.0"].code
    span = {"profile": "curve", "period_s": 900, "from_us": 5, "to_us": 7}
    task = Task(Utility.ELECTRICITY, Profile.DAILY, 0, (energy,))
    given: dict[CommandKind, dict[str, Any]] = {
        K.READ: {"quantities": ["1-0:1.8.0"]},
        K.READ_STORED: {"quantities": ["1-0:1.8.0"], **span},
        K.READ_RELAY: {},
        K.CLOCK: {},
        K.READ_CLOCK: {},
        K.PARAMETERS: {"names": ["40000200"]},
        K.EVENTS: {"from_us": 5, "to_us": 7},
        K.SYNC: {},
    }
    stand_in = StandIn(always(Done()))

    async def work() -> None:
        async with dispatching(registry, stand_in, tasks={1: (task,)}):
            for kind, arguments in given.items():
                stored = command(registry, kind, arguments=arguments)
                assert (await ended(registry, stored)).state is S.CONFIRMED

    run(work)
    read, stored, relay, clock, read_clock, parameters, events, archived, tasks = stand_in.asked
    assert isinstance(read, ReadNow)
    assert ([one.address for one in read.meters], read.quantities) == (["000000000001"], (energy,))
    assert stored == ReadStored(read.meters, (energy,), Profile.CURVE, 900, 5, 7)
    assert relay == ReadRelay(read.meters[0])
    assert (clock, read_clock, parameters) == (SetClock(), ReadClock(), ReadParameters(("40000200",)))
    assert events == ReadEvents(5, 7)
    assert archived == SyncArchives(read.meters)
    assert tasks == SyncTasks((task,), read.meters)


def test_a_reading_of_nothing_in_particular_reads_what_matters(tmp_path: Path) -> None:
    _, stand_in, _ = carried_out(tmp_path, K.READ, Done())
    (asked,) = stand_in.asked
    assert isinstance(asked, ReadNow)
    known = {one.code: one.name for one in quantities().values()}
    assert [known[one] for one in asked.quantities][:2] == ["active_import_energy", "active_power"]


def test_events_of_no_time_in_particular_are_those_of_the_last_day(tmp_path: Path) -> None:
    found, stand_in, _ = carried_out(tmp_path, K.EVENTS, Done({"events": 3}))
    to_us = (instant_us(found.created_at) // 1_000_000 + 1) * 1_000_000
    assert stand_in.asked == [ReadEvents(to_us - 86_400_000_000, to_us)]
    assert found.outcome == Text("events read: 3", "读到事件3条")


def test_a_terminal_is_not_emptied(tmp_path: Path) -> None:
    registry = archives(tmp_path)
    with registry.writing() as session:
        session.get_one(Meter, 1).terminal_id = None
    stand_in = StandIn(always(Done()))
    stored = command(registry, K.SYNC)

    async def work() -> None:
        async with dispatching(registry, stand_in):
            assert (await ended(registry, stored)).state is S.REFUSED

    run(work)
    assert stand_in.asked == []


def test_the_tasks_are_those_of_the_plans(tmp_path: Path) -> None:
    registry = archives(tmp_path)
    with registry.reading() as session:
        tasks = planned_tasks(session, 1)
    assert {(one.utility, one.profile, one.period_s) for one in tasks} >= {
        (Utility.ELECTRICITY, Profile.CURVE, 900),
        (Utility.ELECTRICITY, Profile.DAILY, 0),
    }


def test_the_second_step_is_not_taken_where_the_first_fails(tmp_path: Path) -> None:
    found, stand_in, _ = carried_out(tmp_path, K.SYNC, Refused(WHY))
    assert found.state is S.REFUSED
    assert [type(one) for one in stand_in.asked] == [SyncArchives]


def test_meters_that_were_refused_are_named(tmp_path: Path) -> None:
    found, _, _ = carried_out(tmp_path, K.SYNC, Done({}, (Refusal(1, WHY),)))
    assert found.state is S.REFUSED
    assert found.facts == {"refusals": [{"meter": 1, "en": "because", "zh": "因为"}] * 2}
    (tmp_path / "one").mkdir()
    found, _, _ = carried_out(tmp_path / "one", K.READ, Done({}, (Refusal(1, WHY),)))
    assert (found.state, found.outcome) == (S.REFUSED, WHY)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (K.READ, {"quantities": ["9-9:9.9.9"]}),
        (K.READ, {"quantities": 5}),
        (K.EVENTS, {"from_us": 7, "to_us": 7}),
        (K.EVENTS, {"from_us": "now"}),
    ],
)
def test_arguments_that_mean_nothing_are_refused_unsent(
    tmp_path: Path, kind: CommandKind, arguments: dict[str, Any]
) -> None:
    found, stand_in, _ = carried_out(tmp_path, kind, Done(), arguments=arguments)
    assert found.state is S.REFUSED
    assert stand_in.asked == []


def test_a_meter_that_moved_is_not_switched_through_its_old_terminal(tmp_path: Path) -> None:
    registry = archives(tmp_path, 2)
    stored = command(registry, K.TRIP, 1)
    with registry.writing() as session:
        meter = session.get_one(Meter, 1)
        meter.terminal_id = 2
    stand_in = StandIn(always(Done()))

    async def work() -> None:
        async with dispatching(registry, stand_in):
            assert (await ended(registry, stored)).state is S.REFUSED

    run(work)
    assert stand_in.asked == []


# Order, bounds, faults -----------------------------------------------------------------------------------------------


def test_one_terminal_in_order_and_many_at_once(tmp_path: Path) -> None:
    registry = archives(tmp_path, 2)
    kinds = [K.TRIP, K.CLOSE, K.KEEP]
    first = [command(registry, kind, 1) for kind in kinds]
    release = asyncio.Event()

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        if terminal == 1:
            await release.wait()
        return Done()

    stand_in = StandIn(answer)

    async def work() -> None:
        async with dispatching(registry, stand_in):
            other = command(registry, K.TRIP, 2)
            assert (await ended(registry, other)).state is S.CONFIRMED
            await until(lambda: is_now(registry, first[0]).state is S.SENT)
            assert [is_now(registry, one).state for one in first[1:]] == [S.QUEUED, S.QUEUED]
            assert cancel(registry, first[2].id, by="wang", now=now()).state is S.CANCELLED
            release.set()
            for one in first:
                await ended(registry, one)

    run(work)
    done = [one.action.value for one in stand_in.asked if isinstance(one, Relay) and one.meter.terminal == 1]
    assert done == ["trip", "close"]


def test_no_more_at_once_than_the_bound(tmp_path: Path) -> None:
    registry = archives(tmp_path, 6)
    stored = [command(registry, K.TRIP, number) for number in range(1, 7)]
    busy, most = 0, 0

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        return Done()

    async def work() -> None:
        settings = ControlSettings(look_every_s=0.01, running_max=2, looked_at_once=2)
        async with dispatching(registry, StandIn(answer), settings):
            for one in stored:
                assert (await ended(registry, one)).state is S.CONFIRMED

    run(work)
    assert most <= 2


def test_an_outcome_outlives_a_database_that_is_locked(tmp_path: Path) -> None:
    registry = archives(tmp_path, busy_timeout_s=0.05)
    stored = command(registry, K.TRIP)
    other = sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.3, other.execute, "ROLLBACK")
        return Done()

    stand_in = StandIn(answer)

    async def work() -> None:
        async with dispatching(registry, stand_in):
            assert (await ended(registry, stored)).state is S.CONFIRMED

    run(work)
    other.close()
    assert stand_in.count(Relay) == 1


def test_a_fault_costs_one_terminal_only(tmp_path: Path) -> None:
    registry = archives(tmp_path, 2)
    first, second = command(registry, K.TRIP, 1), command(registry, K.TRIP, 2)

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        if terminal == 1:
            raise RuntimeError("a fault")
        return Done()

    async def work() -> None:
        async with dispatching(registry, StandIn(answer)):
            assert (await ended(registry, second)).state is S.CONFIRMED
            await until(lambda: is_now(registry, first).state is S.SENT)  # after the lease its relay will be read

    run(work)


def test_two_head_ends_on_one_database_do_everything_once(place: str) -> None:
    registry = filled(Registry.open(place), 10)
    stored = [command(registry, kind, number) for number in range(1, 11) for kind in (K.TRIP, K.CLOSE, K.READ)]
    one, two = StandIn(always(Done())), StandIn(always(Done()))

    async def work() -> None:
        async with dispatching(registry, one), dispatching(Registry.open(place), two):
            for each in stored:
                assert (await ended(registry, each)).state is S.CONFIRMED

    run(work)
    assert [story(registry, each) for each in stored] == [["queued", "sent", "confirmed"]] * len(stored)
    done = sorted((one.meter.id, one.action.value) for one in (*one.asked, *two.asked) if isinstance(one, Relay))
    assert done == sorted((number, kind) for number in range(1, 11) for kind in ("trip", "close"))
    registry.close()


# Ends and crashes ----------------------------------------------------------------------------------------------------


def test_an_orderly_end_leaves_it_to_the_next_at_once(tmp_path: Path) -> None:
    registry = archives(tmp_path)
    stored = command(registry, K.TRIP)

    async def silent(terminal: int, wanted: Operation) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    first, second = StandIn(silent), StandIn(always(Done({"closed": False})))

    async def work() -> None:
        async with dispatching(registry, first):
            await until(lambda: first.asked)
        async with dispatching(registry, second):
            assert (await ended(registry, stored)).state is S.CONFIRMED

    run(work)
    assert [type(one) for one in (*first.asked, *second.asked)] == [Relay, ReadRelay]
    assert story(registry, stored) == ["queued", "sent", "unknown", "confirmed"]


@pytest.mark.parametrize("when", ["claimed", "sent", "answered"])
@pytest.mark.parametrize("kind", [K.TRIP, K.READ])
def test_killed_at_any_point_nothing_switches_twice(tmp_path: Path, when: str, kind: CommandKind) -> None:
    registry = archives(tmp_path)
    stored = command(registry, kind)
    child = [sys.executable, "-m", "tests.headend.crash_dispatcher", str(tmp_path), when]
    assert subprocess.run(child, check=False, timeout=60).returncode == -signal.SIGKILL
    assert is_now(registry, stored).state is S.SENT
    went_out = (tmp_path / "went_out").read_text().split() if when != "claimed" else []
    stand_in = StandIn(always(Done({"closed": False})))

    async def work() -> None:
        async with dispatching(registry, stand_in, ahead_us=LATER_US):
            assert (await ended(registry, stored)).state is S.CONFIRMED

    run(work)
    if kind is K.TRIP:
        assert len(went_out) <= 1
        assert [type(one) for one in stand_in.asked] == [ReadRelay]
        assert story(registry, stored) == ["queued", "sent", "unknown", "confirmed"]
    else:
        assert [type(one) for one in stand_in.asked] == [ReadNow]
        assert story(registry, stored) == ["queued", "sent", "queued", "sent", "confirmed"]


# Authority -----------------------------------------------------------------------------------------------------------


def test_the_password_is_nowhere_to_be_seen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = ControlSettings.of_environment({"METERWEAVE_RELAY_PASSWORD": "a1b2c3"})
    assert settings.relay_password == QUICK.relay_password
    found, _, _ = carried_out(tmp_path, K.TRIP, Unknown(WHY), Done({"closed": False}))
    assert found.state is S.CONFIRMED
    said = "".join(capfd.readouterr()) + repr(settings)
    octets = b"".join(path.read_bytes() for path in tmp_path.iterdir()) + said.encode()
    assert b"a1b2c3" not in octets.lower()
    assert bytes.fromhex("a1b2c3") not in octets
    assert "xa1" not in said


@pytest.mark.parametrize(
    "environment",
    [
        {"METERWEAVE_RELAY_PASSWORD": "secret"},
        {"METERWEAVE_RELAY_PASSWORD": "12345678"},
        {"METERWEAVE_RELAY_OPERATOR": "1"},
        {"METERWEAVE_RELAY_LEVEL": "03"},
    ],
)
def test_an_authority_that_is_none(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        ControlSettings.of_environment(environment)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"look_every_s": 0}, {"running_max": -1}, {"look_after_s": (1.0, 0.0)}, {"effect_within_s": 0.0}]
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ControlSettings(**wrong)


def test_who_did_it_is_in_the_history(tmp_path: Path) -> None:
    registry = archives(tmp_path)
    stored = command(registry, K.TRIP)

    async def work() -> None:
        async with dispatching(registry, StandIn(always(Done()))) as dispatcher:
            await ended(registry, stored)
            assert [step.by for step in history(registry, stored)] == ["wang", dispatcher.name, dispatcher.name]

    run(work)
