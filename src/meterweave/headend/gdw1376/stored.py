"""What a terminal stored of its meters: day freezes, month freezes and curves (AFN 0DH), newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.headend.gdw1376.dialogue import Dialogue
from meterweave.headend.gdw1376.gathering import NO_ITEM, NO_POINT, Gathering, Question, own_quantities
from meterweave.headend.gdw1376.ledger import Ledger
from meterweave.headend.operations import Conversation, ReadStored, Refused
from meterweave.metering.batch import Profile
from meterweave.metering.clock import utc_us
from meterweave.protocols.gdw1376.part1 import build_unit
from meterweave.protocols.gdw1376.part1.catalogue import HISTORY
from meterweave.protocols.gdw1376.part1.designator import da_of
from meterweave.protocols.gdw1376.part1.sources import answer_size, items_for
from meterweave.protocols.gdw1376.part1.values import STEPS_MIN
from meterweave.registry.address import GDW_POINT_MAX
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

DENSITIES: Mapping[int, int] = MappingProxyType({60 * minutes: code for code, minutes in STEPS_MIN.items()})
"""Density of Td_c by the period of a curve [s]."""
POINTS_MAX = 240
"""Points of a curve asked for at once; Td_c counts them in one octet."""
_EARLIEST = date(2000, 1, 1)  # years have two digits
_US = 1_000_000


class Span(NamedTuple):
    """What one time tag names."""

    tag: Mapping[str, str]
    points: int  # of a curve


def read_stored(dialogue: Dialogue, wanted: ReadStored) -> Conversation:
    """Ask for every day, month or part of a curve within the span, for all meters together."""
    if wanted.profile is Profile.CURVE and wanted.period_s not in DENSITIES:
        return Refused(
            Text(f"terminals store no curve of {wanted.period_s} s", f"终端没有间隔{wanted.period_s}秒的曲线")
        )
    ledger = Ledger(wanted.meters)
    items: list[tuple[MeterEntry, tuple[int, ...]]] = []
    for meter in wanted.meters:
        fns = items_for(HISTORY, wanted.profile, own_quantities(meter, wanted.quantities))
        if meter.point_number is None or meter.point_number > GDW_POINT_MAX:
            ledger.refuse([meter], NO_POINT)
        elif not fns:
            ledger.refuse([meter], NO_ITEM)
        else:
            items.append((meter, fns))
    spans = spans_of(wanted, now_us=dialogue.clock(), zone=dialogue.zone)
    yield from Gathering(dialogue, HISTORY, ledger).ask(_questions(items, spans))
    return ledger.outcome()


def spans_of(wanted: ReadStored, *, now_us: int, zone: ZoneInfo) -> Iterator[Span]:
    """The time tags for all moments of the span that are not yet to come, newest first."""
    to_us = min(wanted.to_us, now_us + 1)
    first = max(_EARLIEST, _day_of(min(wanted.from_us, to_us), zone))
    day = _day_of(to_us, zone)
    while day >= first:
        if wanted.profile is Profile.CURVE:
            yield from _curve_spans(day, wanted, to_us, zone)
        elif wanted.from_us <= utc_us(_midnight(day), zone) < to_us:
            # What is frozen of a day or month holds when it ends: at midnight of the next.
            yield from _freeze_spans(day, wanted.profile)
        day -= timedelta(days=1)


def _freeze_spans(end: date, profile: Profile) -> Iterator[Span]:
    before = end - timedelta(days=1)
    if profile is Profile.DAILY:
        yield Span({"freeze.day": before.isoformat()}, 0)
    elif end.day == 1:
        yield Span({"freeze.month": f"{before:%Y-%m}"}, 0)


def _curve_spans(day: date, wanted: ReadStored, to_us: int, zone: ZoneInfo) -> Iterator[Span]:
    midnight, step_us = _midnight(day), wanted.period_s * _US
    start_us = utc_us(midnight, zone)
    first = max(0, -((start_us - wanted.from_us) // step_us))
    end = min(86_400 // wanted.period_s, -((start_us - to_us) // step_us))
    while end > first:
        begin = max(first, end - POINTS_MAX)
        start = midnight + timedelta(seconds=begin * wanted.period_s)
        tag = {
            "curve.start": start.isoformat(timespec="minutes"),
            "curve.density": str(DENSITIES[wanted.period_s]),
            "curve.count": str(end - begin),
        }
        yield Span(tag, end - begin)
        end = begin


def _day_of(moment_us: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(max(0, moment_us) / _US, UTC).astimezone(zone).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _questions(items: list[tuple[MeterEntry, tuple[int, ...]]], spans: Iterator[Span]) -> Iterator[Question]:
    every = sorted({fn for _, fns in items for fn in fns})
    for span in spans:
        units = {fn: build_unit(HISTORY, False, [1], [fn], span.tag) for fn in every}
        octets = {fn: answer_size(HISTORY, fn, span.points) for fn in every}
        for meter, fns in items:
            assert meter.point_number is not None
            da = da_of([meter.point_number])
            for fn in fns:
                yield Question(meter, units[fn]._replace(da=da), octets[fn])
