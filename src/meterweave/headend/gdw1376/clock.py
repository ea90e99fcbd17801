"""The terminal's clock: read (AFN 0CH F2) and set (AFN 05H F31)."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from meterweave.headend.gdw1376.dialogue import NO_ANSWER, Dialogue
from meterweave.headend.operations import Conversation, Done, Refused, Unknown
from meterweave.metering.clock import utc_us
from meterweave.protocols.gdw1376.part1 import Unit, build_unit, unit_values
from meterweave.protocols.gdw1376.part1.catalogue import PRESENT
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.text import Text

CONTROL = 0x05  # AFN
_CLOCK, _SET_CLOCK = 2, 31  # items Fn
_US = 1_000_000
_NO_TIME = Refused(Text("the terminal tells no possible time", "终端时钟无效"))


def read_clock(dialogue: Dialogue) -> Conversation:
    """How far the clock is ahead, to the second, as of the moment at which its answer came."""
    reply = yield from dialogue.ask(PRESENT, [Unit(0, dt_of([_CLOCK]))])
    if reply is None:
        return Unknown(NO_ANSWER)
    if reply.denial is not None:
        return Refused(reply.denial)
    entries = [entry for message, unit in reply.units() for entry in unit_values(message, unit)[0]]
    told = next((entry["value"] for entry in entries if entry["name"] == "clock"), None)
    try:
        clock_us = utc_us(datetime.fromisoformat(told or ""), dialogue.zone)
    except ValueError:
        return _NO_TIME
    return Done(MappingProxyType({"offset_s": round((clock_us - dialogue.clock()) / _US)}))


def set_clock(dialogue: Dialogue) -> Conversation:
    """Set the clock, asked once: sent again, the time would be an old one."""
    now = dialogue.now()
    values = {"clock": now.isoformat(timespec="seconds"), "clock.weekday": str(now.isoweekday())}
    unit = build_unit(CONTROL, False, [0], [_SET_CLOCK], values)
    reply = yield from dialogue.ask(CONTROL, [unit], tries=1, tp=dialogue.tag())
    if reply is None:
        return Unknown(NO_ANSWER)
    return Refused(reply.denial) if reply.denial is not None else Done()
