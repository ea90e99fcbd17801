"""A stored command as the operations that carry it out, and what they brought as the state it ends in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from meterweave.headend.collection.moments import instant_us
from meterweave.headend.operations import (
    Authority,
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
    Refused,
    Relay,
    RelayAction,
    SetClock,
    SyncArchives,
    SyncTasks,
    Task,
)
from meterweave.metering.batch import Profile
from meterweave.metering.quantities import quantities
from meterweave.registry.commands import RELAY_KINDS, CommandCard, CommandKind, CommandState
from meterweave.registry.meter_entries import MeterEntry, meter_entry, meters_on
from meterweave.registry.vocabulary import Phase, Utility, Wiring
from meterweave.text import Text

TasksOf = Callable[[Session, int], Sequence[Task]]
"""What the collection plans want a terminal (id) to collect and report."""

READ_WHAT: Mapping[Utility, tuple[str, ...]] = {
    Utility.ELECTRICITY: ("active_import_energy", "active_power", "voltage_l1", "current_l1"),
    Utility.WATER: ("cold_water_volume",),
    Utility.GAS: ("gas_volume",),
    Utility.HEAT: ("heat_energy",),
}
"""The quantities that are read where a command names none; of three phases, the others too."""

_OTHER_PHASES = ("voltage_l2", "current_l2", "voltage_l3", "current_l3")

EVENTS_OF = timedelta(days=1)
"""Of which time before its end events are read, where a command names no beginning."""

_SECOND_US = 1_000_000

REFUSALS_MAX = 100
"""Most meters of which it is kept why they were refused."""

FACTS_MAX, FACT_MAX = 256, 4000
"""Most facts of one command that are kept, and most characters of each; a device must not fill the database."""

MOVED = Text(
    "the meter does not hang on this terminal any more; give the command anew",
    "该表已不在此终端下，请重新下达命令",
)
NO_METERS = Text(
    "the archives have no meter behind this terminal; sending them would empty it",
    "档案中该终端下没有表计，下发会清空终端",
)
NOT_UNDERSTOOD = Text("the arguments of the command cannot be understood: {}", "命令参数无法识别：{}")

_WANTED: Mapping[CommandKind, tuple[str, bool]] = {
    CommandKind.TRIP: ("closed", False),
    CommandKind.CLOSE: ("closed", True),
    CommandKind.KEEP: ("kept", True),
    CommandKind.RELEASE: ("kept", False),
}
"""What `ReadRelay` tells when the command was carried out."""

_FOUND: Mapping[tuple[str, bool], Text] = {
    ("closed", True): Text("found by reading the relay: it is closed", "读继电器状态得知：合闸"),
    ("closed", False): Text("found by reading the relay: it is open", "读继电器状态得知：分闸"),
    ("kept", True): Text("found by reading the relay: the supply is kept", "读继电器状态得知：保电"),
    ("kept", False): Text("found by reading the relay: the supply is not kept", "读继电器状态得知：未保电"),
}


_NOT_YET = Text(
    "{}; that may be the state from before, since the device may still be about to obey",
    "{}，可能仍是执行前的状态，设备可能尚未执行",
)


class Ending(NamedTuple):
    """Where a command ends up, and why."""

    state: CommandState
    words: Text
    facts: Mapping[str, Any] | None = None
    look_again: bool = False  # it is not known yet, and may be found out
    too_early: bool = False  # the relay was read while the device may still be about to obey


def operations(
    session: Session, command: CommandCard, authority: Authority, tasks_of: TasksOf
) -> list[Operation] | Refused:
    """What to have the terminal do, one after the other; `Refused`: nothing could be asked for.

    Parameters
    ----------
    authority : Authority
        What makes the meter obey, where the command switches its supply.
    """
    try:
        if command.meter_id is None:
            return _of_terminal(session, command, tasks_of)
        meter = _meter(session, command)
        return Refused(MOVED) if meter is None else [_of_meter(command, meter, authority)]
    except (KeyError, TypeError, ValueError) as error:
        return Refused(Text(*(one.format(error) for one in NOT_UNDERSTOOD)))


def look_at_relay(session: Session, command: CommandCard) -> list[Operation] | Refused:
    """What tells whether a command that switched a meter was carried out."""
    meter = _meter(session, command)
    return Refused(MOVED) if meter is None else [ReadRelay(meter)]


def _meter(session: Session, command: CommandCard) -> MeterEntry | None:
    """The meter of a command, as long as it hangs where it hung when the command was given."""
    meter = meter_entry(session, command.meter_id or 0)
    return meter if meter is not None and meter.terminal == command.terminal_id else None


def _of_meter(command: CommandCard, meter: MeterEntry, authority: Authority) -> Operation:
    given = command.arguments
    if command.kind in RELAY_KINDS:
        return Relay(meter, RelayAction(command.kind.value), authority)
    if command.kind is CommandKind.READ_RELAY:
        return ReadRelay(meter)
    codes = _codes(given.get("quantities") or _usual(meter))
    if command.kind is CommandKind.READ:
        return ReadNow((meter,), codes)
    profile, period_s = Profile[given["profile"].upper()], int(given["period_s"])
    return ReadStored((meter,), codes, profile, period_s, int(given["from_us"]), int(given["to_us"]))


def _of_terminal(session: Session, command: CommandCard, tasks_of: TasksOf) -> list[Operation] | Refused:
    if command.kind is CommandKind.SYNC:
        terminal = command.terminal_id
        meters = tuple(meters_on(session, [terminal]).get(terminal, ()))
        if not meters:
            return Refused(NO_METERS)
        return [SyncArchives(meters), SyncTasks(tuple(tasks_of(session, terminal)), meters)]
    if command.kind is CommandKind.PARAMETERS:
        return [ReadParameters(tuple(str(name) for name in command.arguments.get("names", ())))]
    if command.kind is CommandKind.EVENTS:
        return [ReadEvents(*events_span(command))]
    return [SetClock() if command.kind is CommandKind.CLOCK else ReadClock()]


def events_span(command: CommandCard) -> tuple[int, int]:
    """The span whose events a command asks for: up to when it was given, and for `EVENTS_OF`, where it names none.

    Returns
    -------
    tuple of int
        From this instant to before that one. [us since 1970, UTC]

    Raises
    ------
    ValueError
        If it ends before it begins.
    """
    given = command.arguments
    # Devices count in seconds: what happened in the very second in which the command was given is wanted, too.
    now_us = (instant_us(command.created_at) // _SECOND_US + 1) * _SECOND_US
    to_us = int(given.get("to_us", now_us))
    from_us = int(given.get("from_us", to_us - EVENTS_OF // timedelta(microseconds=1)))
    if from_us >= to_us:
        raise ValueError(f"the span from {from_us} to {to_us} has no time in it")
    return from_us, to_us


def _usual(meter: MeterEntry) -> tuple[str, ...]:
    known = {quantity.name: obis for obis, quantity in quantities().items()}
    three = meter.wiring in (Wiring.THREE_WIRE, Wiring.FOUR_WIRE) or meter.phase is Phase.ABC
    names = READ_WHAT[meter.utility] + (_OTHER_PHASES if three and meter.utility is Utility.ELECTRICITY else ())
    return tuple(known[name] for name in names)


def _codes(obis: Sequence[str]) -> tuple[int, ...]:
    return tuple(quantities()[one].code for one in obis)


def ending(command: CommandCard, outcome: Outcome) -> Ending:
    """Where a command that was sent ends up."""
    relay = command.kind in RELAY_KINDS
    if isinstance(outcome, Done):
        return _done(command, outcome)
    if isinstance(outcome, Refused):
        return Ending(CommandState.REFUSED, outcome.reason)
    if isinstance(outcome, NotSent):
        return Ending(CommandState.QUEUED, outcome.reason)
    return Ending(CommandState.UNKNOWN, outcome.reason, look_again=relay)


def _done(command: CommandCard, done: Done) -> Ending:
    facts = _bounded(done.facts)
    if not done.refusals:
        return Ending(CommandState.CONFIRMED, _told(command, facts), facts)
    if command.meter_id is not None:
        return Ending(CommandState.REFUSED, done.refusals[0].reason, facts)
    said = [{"meter": one.meter, "en": one.reason.en, "zh": one.reason.zh} for one in done.refusals[:REFUSALS_MAX]]
    count = len(done.refusals)
    words = Text(f"refused for {count} meters; done for the others", f"{count}块表被拒绝，其余已执行")
    return Ending(CommandState.REFUSED, words, facts | {"refusals": said})


def _told(command: CommandCard, facts: Mapping[str, Any]) -> Text:
    if command.kind is not CommandKind.EVENTS:
        return Text("done, as the device says", "设备已确认执行")
    count = facts.get("events", 0)
    return Text(f"events read: {count}", f"读到事件{count}条")


def found_out(command: CommandCard, outcome: Outcome, *, settled: bool) -> Ending:
    """What reading the relay says of a command that switched it, and of which nobody knew what came.

    Parameters
    ----------
    settled : bool
        Whether the device has obeyed by now, if it ever does. Before, only a relay that is as wanted tells anything.
    """
    if isinstance(outcome, Done):
        return _judged(command.kind, _bounded(outcome.facts), settled=settled)
    reason = outcome.reason
    if isinstance(outcome, Refused):
        return Ending(
            CommandState.UNKNOWN,
            Text(f"the relay cannot be read: {reason.en}", f"无法读取继电器状态：{reason.zh}"),
        )
    return Ending(
        CommandState.UNKNOWN,
        Text(f"the relay could not be read: {reason.en}", f"未能读到继电器状态：{reason.zh}"),
        look_again=True,
    )


def _bounded(facts: Mapping[str, bool | int | str]) -> dict[str, Any]:
    some = islice(facts.items(), FACTS_MAX)
    return {name: f"{one[:FACT_MAX]}…" if isinstance(one, str) and len(one) > FACT_MAX else one for name, one in some}


def _judged(kind: CommandKind, facts: Mapping[str, Any], *, settled: bool) -> Ending:
    name, wanted = _WANTED[kind]
    seen = facts.get(name)
    if seen is None:
        return Ending(
            CommandState.UNKNOWN,
            Text(
                "the device does not tell whether it keeps the supply; it stays unknown",
                "设备不提供保电状态，结果仍未知",
            ),
            facts,
        )
    found = _FOUND[name, bool(seen)]
    if bool(seen) == wanted:
        return Ending(CommandState.CONFIRMED, found, facts)
    if settled:
        return Ending(CommandState.FAILED, found, facts)
    words = Text(*(said.format(one) for said, one in zip(_NOT_YET, found, strict=True)))
    return Ending(CommandState.UNKNOWN, words, facts, look_again=True, too_early=True)
