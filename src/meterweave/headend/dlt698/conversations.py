"""Which conversation each wish of the centre is."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from meterweave.headend.dlt698 import archives, clock_setting, event_records, parameters, reading, records, relay, tasks
from meterweave.headend.dlt698.line import Line, Talk, TalkEndedError
from meterweave.headend.operations import (
    Conversation,
    NotSent,
    Operation,
    Outcome,
    ReadClock,
    ReadEvents,
    ReadNow,
    ReadParameters,
    ReadRelay,
    ReadStored,
    Relay,
    SetClock,
    SyncArchives,
    SyncTasks,
)
from meterweave.text import Text


def conversation(line: Line, wanted: Operation, *, clock: Callable[[], int], zone: ZoneInfo) -> Conversation:
    """How to go about it; whatever the terminal answers, the outcome says it in words."""
    if line.link is None:
        return NotSent(Text("the terminal has not said its address yet", "终端尚未上报地址"))
    try:
        return (yield from _talk(line, wanted, clock, zone))
    except TalkEndedError as end:
        return end.outcome


def _talk(line: Line, wanted: Operation, clock: Callable[[], int], zone: ZoneInfo) -> Talk[Outcome]:
    match wanted:
        case ReadNow():
            return reading.read_now(line, wanted)
        case ReadStored():
            return records.read_stored(line, wanted, clock, zone)
        case ReadEvents():
            return event_records.read_events(line, wanted, clock, zone)
        case SyncArchives():
            return archives.sync_archives(line, wanted)
        case SyncTasks():
            return tasks.sync_tasks(line, wanted)
        case ReadClock():
            return clock_setting.read_clock(line, clock, zone)
        case SetClock():
            return clock_setting.set_clock(line, clock, zone)
        case Relay():
            return relay.operate(line, wanted, clock, zone)
        case ReadRelay():
            return relay.read_state(line, wanted)
        case ReadParameters():
            return parameters.read_parameters(line, wanted)
