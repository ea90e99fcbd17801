"""Frames of other protocols passed through to a meter: PROXY-TransCommand (clause 7.4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from meterweave.headend import forwarded
from meterweave.headend.dlt698.line import Line, Talk, dar_words
from meterweave.headend.operations import Done, Refused, Unknown
from meterweave.protocols.dlt698 import proxy
from meterweave.protocols.dlt698.tables import BAUD
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

CARRIER_PORT = 0xF209_0201
"""Where meters hang of which the archives tell no port: the power-line carrier or radio module."""
ANSWER_S, OCTET_MS = 30, 500
"""How long the terminal waits for the meter's answer, and for the next octet of it. [s, ms]"""
UNCLEAR = frozenset({1, 2, 33, 255})
"""DARs after which nobody knows what the meter did: hardware failure, temporary failure, timed out, other."""
SILENT = Text("the meter did not answer the terminal", "电表未应答终端")

_EVEN, _DATA_BITS, _STOP_BITS, _NO_FLOW_CONTROL = 2, 8, 1, 0
_AUTOMATIC = 0xFF
_CODES: Mapping[int, int] = MappingProxyType({rate: code for code, rate in BAUD.items()})


class Passed(NamedTuple):
    """What came of passing a frame through."""

    outcome: Done | Refused | Unknown
    octets: bytes  # the terminal's answer, for keeping


def port_of(meter: MeterEntry) -> int:
    """The OAD of the port at which a meter hangs."""
    text = (meter.port or "").strip()
    try:
        return int(text, 16) if len(text) == 8 else CARRIER_PORT
    except ValueError:
        return CARRIER_PORT


def baud_code(meter: MeterEntry, usual: int) -> int:
    """The code of a meter's bit rate, or of the `usual` one where the archives tell none; automatic: it has no code."""
    return _CODES.get(usual if meter.baud is None else meter.baud, _AUTOMATIC)


def pass_through(line: Line, meter: MeterEntry, frame: bytes, *, tries: int = 2) -> Talk[Passed]:
    """Send a frame of `forwarded` to a meter, and tell what it says."""
    comdcb = bytes((baud_code(meter, 2400), _EVEN, _DATA_BITS, _STOP_BITS, _NO_FLOW_CONTROL))
    request = proxy.ProxyTransCommandRequest(0, port_of(meter), comdcb, ANSWER_S, OCTET_MS, frame)
    answer, apdu = yield from line.ask_whole(request, proxy.ProxyTransCommandResponse, tries=tries, forwarded=True)
    if isinstance(apdu.reply, int):
        return Passed(_failed(apdu.reply), answer.octets)
    return Passed(forwarded.outcome(frame, apdu.reply) if apdu.reply else Unknown(SILENT), answer.octets)


def _failed(dar: int) -> Refused | Unknown:
    return Unknown(dar_words(dar)) if dar in UNCLEAR else Refused(dar_words(dar))
