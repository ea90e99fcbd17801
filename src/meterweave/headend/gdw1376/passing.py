"""Asking a meter through its terminal, octets passed on as they are (AFN 10H F1): reading, relay and valve."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from meterweave.headend import forwarded
from meterweave.headend.driver import Answer
from meterweave.headend.gdw1376.dialogue import NO_ANSWER, Dialogue, Talk
from meterweave.headend.operations import Conversation, ReadRelay, Refused, Relay, Unknown
from meterweave.protocols.gdw1376.part1 import build_unit
from meterweave.protocols.gdw1376.part1.readings import FORWARD
from meterweave.protocols.gdw1376.part1.readings import forwarded as passed_on
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

POWER_LINE = 31
"""Port of the power-line module, where a meter hangs unless the archives say otherwise."""
_SPEEDS: Mapping[int, int] = MappingProxyType({300: 0, 600: 1, 1200: 2, 2400: 3, 4800: 4, 7200: 5, 9600: 6, 19200: 7})
_EIGHT_EVEN = 0x0B  # 8 data bits, even parity, one stop bit: what DL/T 645 and CJ/T 188 both want
_BAUD = 2400
_WAIT_MS, _GAP_MS = 50_000, 500  # for a meter's answer, and between two octets of it
_ADDRESS_UNKNOWN = 2  # ERR of AFN 00H F3

SILENT = Text("the meter does not answer the terminal", "表计对终端无应答")


class Passed(NamedTuple):
    """What came of passing something on."""

    octets: bytes  # the meter's; empty: none came
    answer: Answer | None = None  # the frame that carried them
    denial: Text | None = None  # what the terminal says no with
    surely_not: bool = False  # the terminal has not passed it on


def pass_on(dialogue: Dialogue, meter: MeterEntry, octets: bytes, *, tries: int = 2) -> Talk[Passed | None]:
    """Have the terminal send `octets` to `meter`; None: the terminal does not answer."""
    values = {
        "port": str(port_of(meter)),
        "control_word": f"0x{_SPEEDS.get(meter.baud or _BAUD, _SPEEDS[_BAUD]) << 5 | _EIGHT_EVEN:02X}",
        "message_timeout": str(_WAIT_MS),
        "byte_timeout": str(_GAP_MS),
        "forwarded": octets.hex(),
    }
    unit = build_unit(FORWARD, False, [0], [1], values)
    reply = yield from dialogue.ask(FORWARD, [unit], tries=tries, forwarded=True)
    if reply is None:
        return None
    if reply.denial is not None:
        return Passed(b"", None, reply.denial, _ADDRESS_UNKNOWN in reply.errors)
    for answer in reply.answers:
        if found := passed_on(answer.message):
            return Passed(found[0], answer)
    return Passed(b"")


def port_of(meter: MeterEntry) -> int:
    """The terminal's port on which a meter hangs."""
    text = meter.port or ""
    return int(text) if text.isdecimal() and 0 < int(text) <= POWER_LINE else POWER_LINE


def operate(dialogue: Dialogue, wanted: Relay) -> Conversation:
    """Operate a relay or valve: asked once, whatever comes."""
    zone = dialogue.zone
    request = forwarded.relay_request(wanted.meter, wanted.action, wanted.authority, dialogue.clock(), zone)
    if isinstance(request, Refused):
        return request
    passed = yield from pass_on(dialogue, wanted.meter, request, tries=1)
    if passed is None:
        return Unknown(NO_ANSWER)
    if passed.denial is not None:
        # Some terminals deny what a meter did not answer, so the meter may have done it all the same.
        return Refused(passed.denial) if passed.surely_not else Unknown(passed.denial)
    return forwarded.outcome(request, passed.octets) if passed.octets else Unknown(SILENT)


def read_relay(dialogue: Dialogue, wanted: ReadRelay) -> Conversation:
    """Ask a meter for the state of its relay or valve."""
    request = forwarded.relay_state_request(wanted.meter)
    if isinstance(request, Refused):
        return request
    passed = yield from pass_on(dialogue, wanted.meter, request)
    if passed is None:
        return Unknown(NO_ANSWER)
    if passed.denial is not None:
        return Refused(passed.denial)
    return forwarded.outcome(request, passed.octets) if passed.octets else Unknown(SILENT)
