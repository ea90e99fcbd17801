"""The clock of a terminal: object 4000, attribute 2 (Annex A.5), read and set."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.headend.dlt698.line import SUCCESS, Line, Talk, TalkEndedError, refused
from meterweave.headend.dlt698.literals import local_stamp, stamp
from meterweave.headend.operations import Done, Outcome, Refused
from meterweave.metering.clock import utc_us
from meterweave.protocols.dlt698 import access
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.times import moment
from meterweave.text import Text

CLOCK = 0x4000_0200
RIGHT_WITHIN_S = 30
"""A terminal's clock that is off by less is taken as right. [s]"""
_SECOND_US = 1_000_000
_SENDS_MAX = 2


def read_clock(line: Line, clock: Callable[[], int], zone: ZoneInfo) -> Talk[Outcome]:
    """How far the clock is off when the answer is there; half the way there and back is left in it."""
    return Done({"offset_s": (yield from offset_s(line, clock, zone))})


def offset_s(line: Line, clock: Callable[[], int], zone: ZoneInfo) -> Talk[int]:
    """The terminal's clock minus ours, both in whole seconds. [s]"""
    (result,) = yield from line.attributes((CLOCK,))
    now_us = clock()
    if result.data is None:
        raise TalkEndedError(refused(result.dar))
    tag, octets = result.data
    when = moment(octets) if tag in {Tag.DATE_TIME_S, Tag.DATE_TIME} else None
    if when is None:
        raise TalkEndedError(Refused(Text("the terminal's clock shows no time", "终端时钟无效")))
    return utc_us(when, zone) // _SECOND_US - now_us // _SECOND_US


class Span(NamedTuple):
    """From `from_us` to before `to_us`. [us since 1970, UTC]"""

    from_us: int
    to_us: int


def off_us(line: Line, clock: Callable[[], int], zone: ZoneInfo) -> Talk[int]:
    """How far the clock is off that stamps what the terminal stores: 0 where it is about right, or does not tell."""
    try:
        found = yield from offset_s(line, clock, zone)
    except TalkEndedError as end:
        if isinstance(end.outcome, Refused):
            return 0
        raise
    return found * _SECOND_US if abs(found) >= RIGHT_WITHIN_S else 0


def in_both_times(span: Span, clock_off_us: int) -> Span:
    """The span in our time, and in that of a clock that is off: from the earlier beginning to the later end."""
    low, high = sorted((0, clock_off_us))
    return Span(span.from_us + low, span.to_us + high)


def set_clock(line: Line, clock: Callable[[], int], zone: ZoneInfo) -> Talk[Outcome]:
    """Set the clock and read it back; a question that has to be repeated is made anew, with the time it is then."""
    for left in reversed(range(_SENDS_MAX)):
        request = access.SetRequestNormal(0, CLOCK, stamp(local_stamp(clock(), zone)))
        try:
            answer = yield from line.ask(request, access.SetResponseNormal, tries=1)
        except TalkEndedError:
            if not left:
                raise
            continue
        break
    if answer.dar != SUCCESS:
        return refused(answer.dar)
    return (yield from read_clock(line, clock, zone))
