"""The readings in one frame: the complete decoder, which the columns of `batch` must equal."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.metering.batch import Quality, Reading, Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.protocols.cjt188.content import content, find_layout, split
from meterweave.protocols.cjt188.formats import Clock, Digits, Metered
from meterweave.protocols.cjt188.frame import Frame
from meterweave.protocols.cjt188.items import Item, Layout
from meterweave.protocols.cjt188.meter import Medium, meter_kind
from meterweave.protocols.cjt188.units import FIXED_UNITS, UNITS, conversion


class Column(NamedTuple):
    """A measured item of a layout: where it stands and what it measures."""

    at: int  # offset in the payload [octets]
    item: Item
    format: Digits
    quantity: int


@cache
def columns(layout: Layout, medium: Medium) -> tuple[Column, ...]:
    """The items of `layout` that a meter of `medium` measures."""
    found = []
    at = 0
    for item in layout.items:
        quantity = item.quantity(medium)
        if quantity is not None and isinstance(item.format, Digits):
            found.append(Column(at, item, item.format, quantity))
        at += item.format.size
    return tuple(found)


def readings(frame: Frame, *, index: int = 0, received: int = 0, zone: ZoneInfo = SHANGHAI) -> list[Reading]:
    """The readings in `frame`; requests and refusals have none.

    A value whose unit is unknown, or measures something else than its item, gives no reading. The time is the meter's
    clock where the answer has one, else `received`.

    Parameters
    ----------
    index : int
        Goes into `Reading.frame`.
    received : int
        When the octets came in. [us since 1970, UTC]
    """
    if not frame.answer or frame.error:
        return []
    parts = content(frame)
    layout = find_layout(frame, parts)
    if layout is None:
        return []
    clocks = [value.octets for value in split(parts.payload, layout) if isinstance(value.item.format, Clock)]
    ts, quality = _time(clocks[0], received, zone) if clocks else (received, Quality.GOOD)
    meter = int(frame.address, 16)
    found = []
    value: int | None
    for column in columns(layout, meter_kind(frame.meter_type).medium):
        octets = parts.payload[column.at : column.at + column.format.size]
        number = column.format.number(octets)
        if number is None:
            value, flags = None, quality | Quality.NO_VALUE
        elif ratio := _ratio(column, octets):
            value, exact = scale(number, *ratio)
            flags = quality if exact else quality | Quality.ROUNDED
        else:
            continue
        found.append(Reading(index, meter, column.quantity, layout.profile, ts, value, int(flags), Source.READ))
    return found


def scale(number: int, numerator: int, denominator: int) -> tuple[int, bool]:
    """``number · numerator / denominator`` of a natural number, half rounded up, and whether that is exact."""
    whole, rest = divmod(number * numerator, denominator)
    return whole + (2 * rest >= denominator), rest == 0


def _ratio(column: Column, octets: bytes) -> tuple[int, int] | None:
    form = column.format
    unit = UNITS.get(octets[-1]) if isinstance(form, Metered) else FIXED_UNITS[form.unit]
    return conversion(unit, form.exponent, column.quantity) if unit else None


def _time(octets: bytes, received: int, zone: ZoneInfo) -> tuple[int, Quality]:
    clock = Clock(len(octets))
    moment, _ = clock.moment(octets)
    if moment is not None:
        return utc_us(moment, zone), Quality.GOOD
    return received, Quality.GOOD if clock.absent(octets) else Quality.TIME_INVALID
