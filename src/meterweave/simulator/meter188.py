"""A simulated water, gas or heat meter as it answers CJ/T 188: its register, its clock and its valve.

It lists itself under the maker code 0000, so that its twelve digits are the lower ones of the fourteen. What it shows
on this line has two decimals: a hundredth of a cubic metre, or of a kilowatt hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from meterweave.errors import DecodeError
from meterweave.metering.clock import local_us
from meterweave.protocols import cjt188
from meterweave.protocols.bcd import decode_bcd, encode_bcd
from meterweave.protocols.cjt188.content import content, reply
from meterweave.protocols.cjt188.frame import ERROR, Frame
from meterweave.simulator import registers
from meterweave.simulator.events import Diary, Kind
from meterweave.simulator.meter645 import local
from meterweave.simulator.town import LOCAL_S, Meter, Utility

READ, WRITE = 0x01, 0x04
TYPES: Mapping[Utility, int] = {Utility.WATER: 0x10, Utility.HEAT: 0x20, Utility.GAS: 0x30}
"""Meter type T of each utility."""
PRESENT, VALVE, CLOCK = 0x901F, 0xA017, 0xA015
OPEN, CLOSE = 0x55, 0x99
_ANY_TYPE = 0xAA
_KWH, _WATT, _CUBIC_METRE, _CUBIC_METRE_AN_HOUR = 0x05, 0x14, 0x2C, 0x35
_STEPS_PER_HUNDREDTH: Mapping[Utility, int] = {Utility.WATER: 100, Utility.GAS: 100, Utility.HEAT: 36_000}


def answer(meters: Sequence[Meter], octets: bytes, now_s: int, diary: Diary) -> bytes | None:
    """What comes back from the line when a centre sends `octets` through; None where no meter feels meant."""
    try:
        request = cjt188.decode(octets)
    except DecodeError:
        return None
    meter = next((one for one in meters if one.speaks == "cjt188" and f"00{one.address}" == request.address), None)
    if meter is None or not meter.answers(now_s) or request.answer:
        return None
    if request.meter_type not in {TYPES[meter.utility], _ANY_TYPE}:
        return None
    return cjt188.encode(_reply(meter, request, now_s, diary))


def _reply(meter: Meter, request: Frame, now_s: int, diary: Diary) -> Frame:
    parts = content(request)
    meter_type, address = TYPES[meter.utility], request.address
    if request.control == READ and parts.di == PRESENT:
        return reply(request, present(meter, now_s), meter_type=meter_type, address=address)
    if request.control == WRITE and parts.di == VALVE and _turned(meter, parts.payload, now_s, diary):
        return reply(request, _status(meter), meter_type=meter_type, address=address)
    if request.control == WRITE and parts.di == CLOCK and _clock_set(meter, parts.payload, now_s, diary):
        return reply(request, meter_type=meter_type, address=address)
    refused = reply(request, meter_type=meter_type, address=address)
    return replace(refused, control=refused.control | ERROR, data=bytes([parts.ser or 0]) + _status(meter))


def present(meter: Meter, now_s: int) -> bytes:
    """The data of 901F."""
    register = int(registers.register(meter, registers.moments(now_s))[0]) // _STEPS_PER_HUNDREDTH[meter.utility]
    clock = local(now_s + meter.condition.clock_off_s).strftime("%Y%m%d%H%M%S")
    end = bytes.fromhex(clock)[::-1] + _status(meter)
    if meter.utility is not Utility.HEAT:
        return _metered(register, _CUBIC_METRE) + _metered(0, _CUBIC_METRE) + end
    heat = _metered(0, _KWH) + _metered(register, _KWH) + _metered(0, _WATT)
    return heat + _metered(0, _CUBIC_METRE_AN_HOUR) + _metered(0, _CUBIC_METRE) + bytes(9) + end


def _metered(number: int, unit: int) -> bytes:
    return encode_bcd(number % 100_000_000, 4) + bytes([unit])


def _status(meter: Meter) -> bytes:
    return bytes([0 if meter.condition.closed else 1, 0])


def _turned(meter: Meter, payload: bytes, now_s: int, diary: Diary) -> bool:
    """Open or close the valve: the supply flows while it is open."""
    was_open = meter.condition.closed
    if payload == bytes([CLOSE]):
        meter.condition.trip(now_s)
    elif payload == bytes([OPEN]):
        meter.condition.close(now_s)
    else:
        return False
    if was_open != meter.condition.closed:
        diary.note(Kind.TRIPPED if was_open else Kind.CLOSED, now_s, meter)
    return True


def _clock_set(meter: Meter, payload: bytes, now_s: int, diary: Diary) -> bool:
    if len(payload) != 7 or decode_bcd(payload) is None:
        return False
    try:
        wanted = datetime.strptime(payload[::-1].hex(), "%Y%m%d%H%M%S")
    except ValueError:
        return False
    meter.condition.clock_off_s = local_us(wanted) // 1_000_000 - LOCAL_S - now_s
    diary.note(Kind.CLOCK_SET, now_s, meter)
    return True
