"""The readings in messages.

An answer does not say which registers it holds. They count where the request is known, or where a 4G meter sends them
by itself, in the status block; a guess by length is good for people, not for bills. An answer alone counts if it has
the length of the status block and the model in it is one that has this block.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

from meterweave.metering.batch import Profile, Quality, Reading, Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.metering.quantities import by_code
from meterweave.protocols.modbus.content import READ_REGISTERS, Span, answers, span
from meterweave.protocols.modbus.envelope import Envelope
from meterweave.protocols.modbus.frame import Message
from meterweave.protocols.modbus.registers import Item
from meterweave.protocols.modbus.rtu import Frame
from meterweave.protocols.modbus.upload import Record, inner_frame, read_upload
from meterweave.protocols.modbus.words import Clock, Number

UPLOAD = 0x91
PASS_THROUGH = 0x90
STATUS_BLOCKS = ("status", "status_8")
STATUS_MODELS = (5, 7, 10)  # DTSY1352, DDSY1352, ADF300
_KEY_DIGITS = 15  # so many fit the 64 bits of a wire key

PREFIXES = {"kW": ("W", 3), "kvar": ("var", 3), "kVA": ("VA", 3)}
"""Units of registers that quantities write without prefix: that unit, and the power of ten between."""


class Reader:
    """Turns messages in the order of the line into readings; remembers what was asked of every unit."""

    def __init__(self, *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> None:
        """Values without a time of their own get `received`. [us since 1970, UTC]"""
        self._received = received
        self._zone = zone
        self._asked: dict[int, Frame] = {}

    def read(self, message: Message, index: int = 0) -> list[Reading]:
        """The readings in `message`; `index` goes into `Reading.frame`."""
        if isinstance(message, Frame):
            return self._answer(message, index, Source.READ)
        if message.command == PASS_THROUGH:
            frame = inner_frame(message.body)
            return self._answer(frame, index, Source.FORWARDED) if frame else []
        return self._upload(message, index) if message.command == UPLOAD else []

    def _answer(self, frame: Frame, index: int, source: Source) -> list[Reading]:
        kind = frame.kind
        if kind == "request" and frame.function in READ_REGISTERS:
            self._asked[frame.unit] = frame
        if kind != "response":
            return []
        asked = self._asked.pop(frame.unit, None)
        if asked is not None and not answers(frame, asked):
            asked = None
        known = span(frame, request=asked)
        if known is None or (known.guessed and not _status(known)):
            return []
        return self._readings(known, index, frame.unit, source)

    def _upload(self, message: Envelope, index: int) -> list[Reading]:
        said = read_upload(message.body)
        found: list[Reading] = []
        for record in said.records if said else ():
            known = span(record.answer)
            if said and known and known.block.name in STATUS_BLOCKS:
                found += self._readings(known, index, wire_key(said.serial, record), Source.PUSHED)
        return found

    def _readings(self, known: Span, index: int, meter: int, source: Source) -> list[Reading]:
        clocks = [value for value in known.values if isinstance(value.item.word, Clock)]
        ts, quality = self._time(clocks[0].octets) if clocks else (self._received, Quality.GOOD)
        found = []
        for item, octets in known.values:
            if item.quantity is not None and isinstance(item.word, Number):
                value, flags = stored(item, item.word.number(octets))
                found.append(Reading(index, meter, item.quantity, Profile.SPOT, ts, value, flags | quality, source))
        return found

    def _time(self, octets: bytes) -> tuple[int, Quality]:
        clock = Clock(len(octets))
        moment = clock.moment(octets)
        if moment is not None:
            return utc_us(moment, self._zone), Quality.GOOD
        return self._received, Quality.GOOD if clock.absent(octets) else Quality.TIME_INVALID


def _status(known: Span) -> bool:
    """Whether a guessed block is the status block of a model that has one."""
    return known.block.name in STATUS_BLOCKS and int.from_bytes(known.octets[:2], "big") in STATUS_MODELS


def wire_key(serial: bytes, record: Record) -> int:
    """The meter of an upload: the last 15 digits of its serial number as one hexadecimal number.

    Without digits there those of its address, and without any the unit of the answer.
    """
    for octets in (serial, record.address):
        digits = bytes(octet for octet in octets if octet in b"0123456789")[-_KEY_DIGITS:]
        if digits:
            return int(digits, 16)
    return record.answer.unit


@cache
def factor(item: Item) -> Fraction:
    """What the number of `item` must be multiplied with to be a stored integer of its quantity."""
    assert item.quantity is not None
    target = by_code()[item.quantity]
    unit, power = PREFIXES.get(item.word.unit, (item.word.unit, 0))
    assert unit == target.unit, item.name  # held by the test of the table
    return Fraction(10) ** (item.word.exponent + power - target.exponent)


@cache
def _ratio(item: Item) -> tuple[int, int]:
    return factor(item).as_integer_ratio()


def stored(item: Item, number: int | Fraction | None) -> tuple[int | None, Quality]:
    """A sent number as the stored integer of its quantity, half rounded away from zero; null where it does not fit."""
    if number is None:
        return None, Quality.NO_VALUE
    numerator, denominator = _ratio(item)
    whole, rest = divmod(abs(number.numerator) * numerator, number.denominator * denominator)
    whole += 2 * rest >= number.denominator * denominator
    if whole >= 1 << 63:
        return None, Quality.OUT_OF_RANGE
    return (-whole if number < 0 else whole), Quality.ROUNDED if rest else Quality.GOOD
