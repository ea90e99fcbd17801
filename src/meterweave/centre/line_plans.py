"""The lines of the archives as plans that can be run, and what is amiss with those that cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import structlog

from meterweave.errors import ConfigError
from meterweave.field.draft import Member, Profiles, draft, words_of
from meterweave.field.plan import LinePlan
from meterweave.field.schedule import check
from meterweave.registry.lines import LineEntry
from meterweave.registry.vocabulary import WORDS
from meterweave.text import Text

_log = structlog.get_logger(__name__)

_NO_METERS = Text("the archives have no meter on it", "档案中该线路下没有表计")
_NONE_READABLE = Text("none of its meters can be read", "线路上没有可抄读的表计")
_SAME_PLACE = Text("its port {} is that of line {}", "其端口{}已由线路{}使用")
_STOPPED = Text("it is {}", "该线路已{}")


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """A line of the archives and what became of it."""

    entry: LineEntry
    plan: LinePlan | None
    """None: it cannot be run, and `problem` says why. With a problem beside it, it is not run either."""
    problem: Text | None
    problems: Mapping[int, Text]
    """Why a meter is not read, by meter (id)."""


def planned(entries: Iterable[LineEntry], profiles: Profiles) -> list[PlannedLine]:
    """Every line of `entries`, which have one master, in their order."""
    found: list[PlannedLine] = []
    places: dict[str, str] = {}
    for entry in entries:
        line = _guarded(entry, profiles)
        if line.problem is None and entry.port is not None:
            other = places.setdefault(entry.port.far_end, entry.name)
            if other != entry.name:
                line = replace(line, problem=Text(*(one.format(entry.port.place, other) for one in _SAME_PLACE)))
        found.append(line)
    return found


def _guarded(entry: LineEntry, profiles: Profiles) -> PlannedLine:
    try:
        return _planned(entry, profiles)
    except Exception as error:  # a profile that trips us up must cost its line its readings, and the centre nothing
        _log.exception("line not planned", line=entry.name)
        return PlannedLine(entry, None, words_of(error), MappingProxyType({}))


def _planned(entry: LineEntry, profiles: Profiles) -> PlannedLine:
    if entry.port is None:
        return PlannedLine(entry, None, entry.problem, MappingProxyType({}))
    members = [Member(one.id, one.protocol, one.address, one.model) for one in entry.meters]
    try:
        plan, problems = draft(entry.name, entry.port, members, profiles)
    except ConfigError as error:
        return PlannedLine(entry, None, words_of(error), MappingProxyType({}))
    return PlannedLine(entry, plan, _problem(entry, plan), problems)


def _problem(entry: LineEntry, plan: LinePlan | None) -> Text | None:
    if not entry.runs:
        word = WORDS[entry.state]
        return Text(_STOPPED.en.format(word.en), _STOPPED.zh.format(word.zh))
    if plan is None:
        return _NONE_READABLE if entry.meters else _NO_METERS
    try:
        check([plan])
    except ConfigError as error:
        return words_of(error)
    return None
