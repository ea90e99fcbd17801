"""The section ``messages`` of a profile, checked and made into what understands messages."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from meterweave.metering.batch import Profile as Series
from meterweave.profiles.clock import ISO, NUMERIC, Clock, pattern_works
from meterweave.profiles.frames import OCTETS, Frames
from meterweave.profiles.language import JSON
from meterweave.profiles.message import Messages, Presence
from meterweave.profiles.mistake import Mistakes, Place
from meterweave.profiles.path import Path, contradict
from meterweave.profiles.profile import Condition, Point
from meterweave.profiles.record import Bit, Record, Wanted, Word
from meterweave.profiles.section import Section
from meterweave.profiles.speech import Speech
from meterweave.profiles.speech.json import JsonCell
from meterweave.profiles.topic import ADDRESS, Topic
from meterweave.profiles.unit import ratio
from meterweave.text import Text

_SERIES = {"spot": Series.SPOT, "curve": Series.CURVE, "daily": Series.DAILY}
_JSON_PAYLOAD = "json"


def read_messages(
    whole: Section, speech: Speech, points: Sequence[Point], conditions: Sequence[Condition], mistakes: Mistakes
) -> Messages | None:
    """How the devices are heard; None where they only answer, or, with mistakes told, where that is not to be used."""
    section: Section | None = whole.get("messages")
    if section is None:
        return None
    document = whole.get("protocol") == JSON
    presence = _presence(section, mistakes)
    _check_payload(section, document, mistakes)
    if document:
        _check_address(section, mistakes)
        _check_rows(section, whole, mistakes)
        _check_paths(section, whole, mistakes)
    else:
        _remark_unheard(whole, mistakes)
    clock = _clock(section, mistakes)
    if mistakes.grave:
        return None
    if document:
        content: Record | Frames = _record(section, points, conditions, clock)
    else:
        content = Frames(speech.codec, section.get("payload", OCTETS))
    return Messages(section.get("topic"), content, presence)


def _remark_unheard(whole: Section, mistakes: Mistakes) -> None:
    """Tell of what the tables of a standard do not have: frames that are not asked for are read by these alone."""
    own = [one for one in whole.get("readings", ()) if "format" in one.places]
    for one in (*own, *whole.get("events", ())):
        mistakes.remark(
            one.place,
            "this is known only when the device is asked: messages are read by the standard's tables",
            "仅在询问设备时可得：上报的帧按标准数据表解析",
        )


def _presence(messages: Section, mistakes: Mistakes) -> Presence | None:
    section: Section | None = messages.get("state")
    topic: Topic | None = section.get("topic") if section else None
    if section is None or topic is None:
        return None
    place = section.at("topic")
    if not topic.tells_address:
        mistakes.add(
            place,
            "nothing tells whose state it is",
            "无法得知是哪台设备的状态",
            Text(f"one level of the topic has to be {ADDRESS}", f"主题须有一级为{ADDRESS}"),
        )
    other: Topic | None = messages.get("topic")
    if other is not None and topic.covers(other):
        mistakes.add(
            place,
            "messages have this topic already",
            "该主题已用于数据报文",
            Text(f"no message would be left for {other.text}", f"{other.text}将收不到任何报文"),
        )
    words = {name: section.get(name, name) for name in ("online", "offline")}
    if words["online"] == words["offline"]:
        mistakes.add(section.place, "online and offline are the same word", "online与offline相同")
    return Presence(topic, words["online"], words["offline"], section.get("path"))


def _check_payload(section: Section, document: bool, mistakes: Mistakes) -> None:
    payload = section.get("payload")
    if payload is not None and (payload == _JSON_PAYLOAD) != document:
        mistakes.add(
            section.at("payload"),
            f"payload cannot be {payload} with this protocol",
            f"此协议的payload不能是{payload}",
            Text("json goes with protocol json, frames with all others", "json仅用于协议json，其他协议为帧"),
        )


def _check_address(section: Section, mistakes: Mistakes) -> None:
    topic: Topic | None = section.get("topic")
    named = "address" in section.places or ("topic" in section.places and (topic is None or topic.tells_address))
    if not named and not mistakes.at(section.place):
        mistakes.add(
            section.place,
            "nothing tells which device a message is from",
            "无法得知报文来自哪台设备",
            Text(f"add a level {ADDRESS} to the topic, or address: path", f"在主题中加{ADDRESS}，或加address: 路径"),
        )


def _check_rows(section: Section, whole: Section, mistakes: Mistakes) -> None:
    time: Section | None = section.get("time")
    if "rows" in section.places:
        if "time" not in section.places or (time is not None and time.get("path", Path(())).outer):
            mistakes.add(
                section.at("rows"),
                "records want a time of their own each",
                "每条记录须有自己的时间",
                Text("add time: {path: …, format: …}, without $", "请加time: {path: …, format: …}，不带$"),
            )
        return
    for one in _uses(section, whole):
        if one.path.outer and one.path.steps:
            mistakes.add(one.place, f"{one.path.text}: $ goes with rows", f"{one.path.text}：$须与rows合用")


class _Use(NamedTuple):
    """A path, and what is read there."""

    place: Place
    path: Path
    kind: str

    def clashes(self, other: _Use) -> bool:
        """Whether no document can have both; readings among themselves are looked at elsewhere."""
        alike = self.kind == other.kind and (self.kind == _READING or self.path == other.path)
        return self.path.outer == other.path.outer and not alike and contradict(self.path, other.path)


_READING, _BITS, _EQUALS = "reading", "bits", "equals"


def _uses(section: Section, whole: Section) -> list[_Use]:
    members = [(one, _READING) for one in whole.get("readings", ())]
    members += [(one, _EQUALS if "equals" in one.places else _BITS) for one in whole.get("events", ())]
    members += [(one, "time") for one in (section.get("time"),) if one]
    found = [_Use(one.at("path"), one.get("path"), kind) for one, kind in members if one.get("path") is not None]
    for name in ("rows", "address"):
        path: Path | None = section.get(name)
        if path is not None:
            found.append(_Use(section.at(name), path._replace(outer="rows" in section.places), name))
    return found


def _check_paths(section: Section, whole: Section, mistakes: Mistakes) -> None:
    """Tell of paths that no document can have together."""
    uses = sorted(_uses(section, whole))
    for index, one in enumerate(uses):
        first = next((other for other in uses[:index] if one.clashes(other)), None)
        if first is not None:
            here, there, line = one.path.text, first.path.text, first.place.line
            mistakes.add(one.place, f"{here} overlaps {there} in line {line}", f"{here}与第{line}行的{there}重叠")


def _clock(messages: Section, mistakes: Mistakes) -> Clock | None:
    section: Section | None = messages.get("time")
    format_: str | None = section.get("format") if section else None
    if section is None or format_ is None or section.get("path") is None:
        return None
    if format_ not in (*NUMERIC, ISO) and not pattern_works(format_):
        mistakes.add(
            section.at("format"),
            f"format {format_!r} is no time",
            f"格式{format_!r}不是时间",
            Text(
                "write unix, unix_ms, iso (which also reads Z, +08:00 and parts of a second), or a pattern such as "
                "YYYY-MM-DD hh:mm:ss",
                "写作unix、unix_ms、iso（可含Z、+08:00及秒的小数），或如YYYY-MM-DD hh:mm:ss的格式",
            ),
        )
        return None
    return Clock(section.get("path"), format_, section.get("zone") == "utc")


def _record(section: Section, points: Sequence[Point], conditions: Sequence[Condition], clock: Clock | None) -> Record:
    bits: dict[JsonCell, list[Bit]] = {}
    for one in conditions:
        assert isinstance(one.cell, JsonCell)  # as the protocol makes them
        bits.setdefault(one.cell, []).append(Bit(one.bit, one.event, one.when))
    return Record(
        wanted=tuple(map(_wanted, points)),
        words=tuple(Word(cell, tuple(own)) for cell, own in bits.items()),
        address=section.get("address"),
        clock=clock,
        series=_SERIES[section.get("series", "spot")],
        rows=section.get("rows"),
    )


def _wanted(point: Point) -> Wanted:
    quantity, cell = point
    assert isinstance(cell, JsonCell)
    worth = ratio(cell.unit, quantity.unit)
    assert worth is not None  # the checker saw to that
    return Wanted(quantity.code, cell, cell.factor * worth * Fraction(10) ** -quantity.exponent)
