"""What can happen: the one table to which every protocol's events map, and events as decoders give them.

The table is `events.csv`, one row a kind of event. Columns: ``code``, a multiple of ten that is never used again;
``name`` ours, unique; ``severity`` see `Severity`; ``lasts`` yes where it begins and ends, no where it happens at one
moment; ``parts`` phases, quadrants or empty: what it may happen to apart; ``en``, ``zh`` the meaning.

A row stands for several kinds. Its own code is the whole; code + 1 to code + 4 are its parts, named ``…_l1`` to
``…_l3`` or ``…_q1`` to ``…_q4``. Of what lasts, the code + `ENDED` is its end, ``…_ended``, for devices that report the
end without saying when it began.

A protocol's event that has no row here keeps its number: `unlisted`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from meterweave.metering.batch import BadFrame
from meterweave.text import Text

ENDED = 5
"""Added to the code of something that lasts, this is the code of its end."""

PARTS: Mapping[str, tuple[tuple[str, Text], ...]] = {
    "": (),
    "phases": (
        ("l1", Text("phase A", "A相")),
        ("l2", Text("phase B", "B相")),
        ("l3", Text("phase C", "C相")),
    ),
    "quadrants": (
        ("q1", Text("quadrant I", "第一象限")),
        ("q2", Text("quadrant II", "第二象限")),
        ("q3", Text("quadrant III", "第三象限")),
        ("q4", Text("quadrant IV", "第四象限")),
    ),
}

UNLISTED: Mapping[str, int] = {"dlt698": 6_980_000, "gdw1376-1": 13_760_000}
"""From where on the codes lie of events of these protocols that are not in the table."""


class Severity(StrEnum):
    """Who should hear of it."""

    ALARM = "alarm"  # somebody should look at it: supply, safety, tampering, wrong measurement
    WARNING = "warning"  # may become an alarm, or disturbs collection
    NOTICE = "notice"  # a thing that somebody wanted done was done


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event."""

    code: int
    name: str
    severity: Severity
    lasts: bool  # whether it begins and ends
    meaning: Text


@cache
def event_kinds() -> Mapping[int, EventKind]:
    """Every kind of event by its code."""
    with files("meterweave.metering").joinpath("events.csv").open(encoding="utf-8") as lines:
        kinds = [kind for row in csv.DictReader(lines) for kind in _kinds(row)]
    ends = [_end(kind) for kind in kinds if kind.lasts]
    return MappingProxyType({kind.code: kind for kind in (*kinds, *ends)})


@cache
def event_codes() -> Mapping[str, int]:
    """The code of every kind of event by its name."""
    return MappingProxyType({kind.name: code for code, kind in event_kinds().items()})


def unlisted(protocol: str, number: int) -> int:
    """The code of an event that the table does not have, by the number its protocol gives it, 0 to FFFFH."""
    return UNLISTED[protocol] + number


def event_kind_table() -> pa.Table:
    """The table for questions: ``code``, ``name``, ``severity``, ``lasts``, ``en``, ``zh``."""
    kinds = list(event_kinds().values())
    return pa.table(
        {
            "code": pa.array([one.code for one in kinds], pa.int32()),
            "name": [one.name for one in kinds],
            "severity": [str(one.severity) for one in kinds],
            "lasts": [one.lasts for one in kinds],
            "en": [one.meaning.en for one in kinds],
            "zh": [one.meaning.zh for one in kinds],
        }
    )


def _kinds(row: Mapping[str, str]) -> Iterator[EventKind]:
    code, lasts, severity = int(row["code"]), row["lasts"] == "yes", Severity(row["severity"])
    whole = EventKind(code, row["name"], severity, lasts, Text(row["en"], row["zh"]))
    yield whole
    for number, (suffix, part) in enumerate(PARTS[row["parts"]], 1):
        meaning = Text(f"{whole.meaning.en}, {part.en}", f"{part.zh}{whole.meaning.zh}")
        yield EventKind(code + number, f"{whole.name}_{suffix}", severity, lasts, meaning)


def _end(kind: EventKind) -> EventKind:
    meaning = Text(f"end of: {kind.meaning.en}", f"{kind.meaning.zh}恢复")
    return EventKind(kind.code + ENDED, f"{kind.name}_ended", Severity.NOTICE, False, meaning)


class Event(NamedTuple):
    """Something that happened, as a decoder gives it."""

    frame: int  # index of the frame that told it
    key: int  # wire key of the meter; where `own`, of the device that sent the frame
    own: bool  # the sender speaks of itself: where it is no meter in the archives, it is the terminal
    code: int  # see `event_kinds`
    ts: int  # when it happened or began [us since 1970, UTC]
    ended: int | None  # when it ended; None: it has not, or does not say [us since 1970, UTC]
    number: int | None  # the device's own number of the record
    detail: str | None  # JSON object; see `detail_text`
    source: int  # `meterweave.metering.batch.Source`


class EventBatch(NamedTuple):
    """Events of many frames, in the order of the frames, and the frames that are broken."""

    events: tuple[Event, ...] = ()
    bad: tuple[BadFrame, ...] = ()


def detail_text(detail: Mapping[str, object]) -> str | None:
    """What else a device says of an event, as compact JSON; None where that is nothing."""
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":")) if detail else None
