"""Events that a terminal recorded (AFN 0EH), by its two counters: important ones (EC1, F1) and ordinary ones (EC2, F2).

A counter says how many events there were, modulo 256; the records are numbered by it. Nobody knows the times of the
records before they are read, so they are read from the newest backwards, until one is older than what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from meterweave.errors import DecodeError
from meterweave.headend.gdw1376.dialogue import NO_ANSWER, Dialogue, Reply, Talk
from meterweave.headend.operations import Conversation, Done, Keep, ReadEvents, Refused, Unknown
from meterweave.protocols.gdw1376.part1 import Message, Unit, build_unit, unit_values
from meterweave.protocols.gdw1376.part1.catalogue import PRESENT
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.protocols.gdw1376.part1.event_records import CLASS_3, IMPORTANT, ORDINARY, events

_COUNTERS = 7  # F of present data
_KINDS = {IMPORTANT: "important_event_counter", ORDINARY: "ordinary_event_counter"}
"""Items Fn of AFN 0EH, and the counters that number their records."""
AT_ONCE = 8
"""Records asked for at once."""
_ROUND = 256


def read_events(dialogue: Dialogue, wanted: ReadEvents) -> Conversation:
    """Read both kinds; `Done.facts` has how many ``events`` of the span there were."""
    reply = yield from dialogue.ask(PRESENT, [Unit(0, dt_of([_COUNTERS]))])
    if reply is None:
        return Unknown(NO_ANSWER)
    if reply.denial is not None:
        return Refused(reply.denial)
    counters = _counters(reply)
    count = 0
    for fn, name in _KINDS.items():
        found = yield from _read_kind(dialogue, wanted, fn, counters.get(name, 0))
        if found is None:
            return Unknown(NO_ANSWER)
        count += found
    return Done(MappingProxyType({"events": count}))


def _counters(reply: Reply) -> dict[str, int]:
    entries = [entry for message, unit in reply.units() for entry in unit_values(message, unit)[0]]
    return {entry["name"]: int(entry["value"]) for entry in entries if entry["name"] in _KINDS.values()}


def _read_kind(dialogue: Dialogue, wanted: ReadEvents, fn: int, counter: int) -> Talk[int | None]:
    """How many events of one kind lie in the span; None: the terminal does not answer."""
    count = 0
    for first, end in windows(counter):
        values = {"first_index": str(first), "last_index": str(end)}
        reply = yield from dialogue.ask(CLASS_3, [build_unit(CLASS_3, False, [0], [fn], values)])
        if reply is None:
            return None
        times = [_times(message, dialogue) for message in reply.messages]
        for answer, here in zip(reply.answers, times, strict=True):
            inside = sum(wanted.from_us <= one < wanted.to_us for one in here)
            count += inside
            if inside:
                yield Keep(answer.octets)
        if min((one for here in times for one in here), default=0) < wanted.from_us:
            break  # all others are older, or there are none
    return count


def windows(counter: int) -> Iterator[tuple[int, int]]:
    """Records to ask for, newest first: from a number to before another, none across the counter's wrap."""
    for top, bottom in ((counter, 0), (_ROUND, counter)):
        end = top
        while end > bottom:
            first = max(bottom, end - AT_ONCE)
            yield first, end % _ROUND
            end = first


def _times(message: Message, dialogue: Dialogue) -> list[int]:
    """When the events in a frame were. [us since 1970, UTC] None in a frame that is cut short."""
    try:
        return [one.ts for one in events(message, received=dialogue.clock(), zone=dialogue.zone)]
    except DecodeError:
        return []
