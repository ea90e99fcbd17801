"""The measured values of one message: the reference that `batch` is held against.

Only what a meter answers to a read, or to a balance query, measures something; a value with a time of its own (maximum
demand, load record) holds at that time, any other when it was received.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from meterweave.metering.batch import Quality, Reading, Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.protocols.dlt645.formats import Binary, Moment, Number
from meterweave.protocols.dlt645.frame import Frame
from meterweave.protocols.dlt645.items import Value
from meterweave.protocols.dlt645.message import contents


def readings(
    frame: Frame, *, index: int = 0, received: int = 0, zone: ZoneInfo = SHANGHAI, source: Source = Source.READ
) -> list[Reading]:
    """The readings in a reply, in order; none in any other message.

    Parameters
    ----------
    frame : Frame
        The message.
    index : int
        What stands in the column ``frame``.
    received : int
        When the octets came in. [us since 1970, UTC]
    zone : ZoneInfo
        Where the meter's clock is set.
    source : Source
        How the message came.
    """
    item = contents(frame) if frame.is_reply else None
    if item is None:
        return []
    meter = int(frame.address, 16)
    found = []
    for at, (element, octets) in enumerate(item.values):
        format_ = element.format
        if not element.quantity or not isinstance(format_, Number | Binary):
            continue
        number = format_.number(octets)
        value = None if number is None else number * element.factor
        ts, quality = _time(item.values, at, received, zone)
        quality |= Quality.NO_VALUE if number is None else Quality.GOOD
        found.append(Reading(index, meter, element.quantity, element.profile, ts, value, quality, source))
    return found


def _time(values: Sequence[Value], at: int, received: int, zone: ZoneInfo) -> tuple[int, Quality]:
    """When the value at `at` holds [us since 1970, UTC], and what is wrong with that."""
    place = at + values[at].element.time_from
    if place == at or place >= len(values):
        return received, Quality.GOOD
    element, octets = values[place]
    moment = element.format.moment(octets) if isinstance(element.format, Moment) else None
    if moment is None:
        return received, Quality.TIME_INVALID
    return utc_us(moment, zone), Quality.GOOD
