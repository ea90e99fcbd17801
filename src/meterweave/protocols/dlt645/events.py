"""The events in a reply to a read of event records (DL/T 645-2007 annex A.4; identifiers 03…, 1D…, 1E…).

A meter keeps the last ten records of each kind, counted back from the newest (01 to 0A); a place that was never filled
has no time and gives no event. `events.csv` says which event of `meterweave.metering.events` the first three octets of
an identifier are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from meterweave.metering.batch import Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.metering.events import Event, detail_text, event_codes
from meterweave.protocols.dlt645.formats import Moment
from meterweave.protocols.dlt645.frame import Frame
from meterweave.protocols.dlt645.items import Value
from meterweave.protocols.dlt645.message import contents

RECORDS = range(1, 11)
"""The last octet of the identifiers of single records; 00 is totals, FF all at once."""
STARTS, END = ("start", "time", "after"), "end"
"""The last words of the names of elements that tell when; the record of setting the clock has the new time only."""


@cache
def codes() -> Mapping[str, int]:
    """The codes of events by the first three octets of their identifiers, six lower-case digits."""
    with files("meterweave.protocols.dlt645").joinpath("events.csv").open(encoding="utf-8") as lines:
        return MappingProxyType({row["di"]: event_codes()[row["event"]] for row in csv.DictReader(lines)})


def events(frame: Frame, *, index: int = 0, zone: ZoneInfo = SHANGHAI, source: Source = Source.READ) -> list[Event]:
    """The event in a reply, or none.

    Parameters
    ----------
    index : int
        Goes into `Event.frame`.
    zone : ZoneInfo
        Where the meter's clock is set.
    source : Source
        How the reply came.
    """
    item = contents(frame) if frame.is_reply else None
    code = codes().get(item.di[:6]) if item else None
    if item is None or code is None or int(item.di[6:], 16) not in RECORDS:
        return []
    start = next((when for word in STARTS for when in _moments(item.values, word)), None)
    if start is None:
        return []
    end = next(_moments(item.values, END), None)
    detail: dict[str, Any] = {"values": values} if (values := _others(item.values)) else {}
    ended = None if end is None else utc_us(end, zone)
    key = int(frame.address, 16)
    return [Event(index, key, False, code, utc_us(start, zone), ended, None, detail_text(detail), int(source))]


def _moments(values: Sequence[Value], word: str) -> Iterator[datetime]:
    """The times among `values` whose name ends with `word`, at the level of the record itself."""
    for element, octets in values:
        if _word(element.name) == word and isinstance(element.format, Moment):
            when = element.format.moment(octets)
            if when is not None:
                yield when


def _word(name: str) -> str:
    """What an element is called within its record: ``event.power_down.1.start`` is ``start``."""
    parts = name.split(".")
    at = next((place for place, part in enumerate(parts) if part.isdecimal()), 0)
    return ".".join(parts[at + 1 :])


def _others(values: Sequence[Value]) -> list[dict[str, Any]]:
    """What the record holds beside its times."""
    found = []
    for value in values:
        word, shown = _word(value.element.name), value.read()
        if word not in {*STARTS, END} and shown is not None:
            found.append({"name": word, "value": shown, "unit": value.element.unit})
    return found
