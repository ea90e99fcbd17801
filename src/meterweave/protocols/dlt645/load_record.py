"""Load records, identifiers 06cc00kk (DL/T 645-2007, annex A table A.7 and annex B).

    A0 A0 len mm hh DD MM YY class1 AA class2 AA class3 AA class4 AA class5 AA class6 AA cs E5

``cc`` is the class asked for, 00 all; ``kk`` the place: 00 oldest, 01 from a time on, 02 newest. ``len`` counts the
octets behind it up to the last AA, ``cs`` is the sum of everything before it. E0 E0 in place of A0 A0 marks a bad
record; its values, and those of a record with a wrong ``cs``, are shown but are no readings. A class that is not
recorded is empty: only its AA.

Some meters answer a request for one class with that class alone, and some leave everything but the values away.

Of a record that is cut short, as in the first part of a longer answer, nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby

from meterweave.metering.batch import Profile
from meterweave.protocols.checksum import sum8
from meterweave.protocols.dlt645 import items
from meterweave.protocols.dlt645.formats import Moment, Octets
from meterweave.protocols.dlt645.items import Element, Value, layout
from meterweave.text import Text

CLASSES = range(1, 7)
GOOD, BAD, SEPARATOR, END = b"\xa0\xa0", b"\xe0\xe0", b"\xaa", b"\xe5"

_DI = re.compile(r"060([0-6])000[0-2]")
_NAME = re.compile(r"load_record\.([0-9]+)\.(bad\.)?(.+)")
_PLACES = (Text("oldest", "最早"), Text("from a given time", "给定时间"), Text("newest", "最近"))
_HEAD = 3
"""Octets of the mark and of ``len``."""
_TAIL = 2
"""Octets of ``cs`` and of E5."""
_TIME = Element("time", Text("time of the record", "负荷记录存储时间"), Moment("YYMMDDhhmm"), "local time")


def _structure(en: str, zh: str, size: int) -> Element:
    """An element that holds a record together and is no value: it has no name."""
    return Element("", Text(en, zh), Octets(size), "hex")


_MARK = _structure("record start", "负荷记录起始码", 2)
_LENGTH = _structure("record length", "负荷记录字节数", 1)
_SEPARATED = _structure("end of a class", "块分隔码", 1)
_CHECKSUM = _structure("record checksum", "负荷记录累加校验和", 1)
_END = _structure("record end", "结束码", 1)


def asked_class(di: str) -> int | None:
    """The class `di` asks for, 0 for all; None where `di` is no load record."""
    match = _DI.fullmatch(di)
    return int(match[1]) if match else None


def meaning(di: str) -> Text:
    """What the load record `di` is called."""
    asked = asked_class(di)
    place, zh_place = _PLACES[int(di[-1])]
    if not asked:
        return Text(f"load record, {place}", f"{zh_place}负荷记录")
    return Text(f"load record of class {asked}, {place}", f"第{asked}类{zh_place}负荷记录")


def split(di: str, octets: bytes) -> tuple[list[Value], bytes]:
    """The values of all whole records, the elements that hold them together among them, and what is left."""
    asked = asked_class(di) or 0
    if asked and octets[:2] not in (GOOD, BAD):
        return items.split(_class(asked, "load_record.1."), octets)
    values: list[Value] = []
    at, number = 0, 1
    while octets[at : at + 2] in (GOOD, BAD) and at + _HEAD < len(octets):
        size = _HEAD + octets[at + 2] + _TAIL
        record = octets[at : at + size]
        shape = _shape(record, asked)
        if len(record) < size or shape is None:
            break
        trusted = record[:2] == GOOD and sum8(record[:-_TAIL]) == record[-_TAIL]
        values += items.split(_record(number, record[:2] == BAD, trusted, *shape), record)[0]
        at += size
        number += 1
    return values, octets[at:]


def _shape(record: bytes, asked: int) -> tuple[tuple[int, ...], bool] | None:
    """The classes a record lists, negative where empty, and whether each ends with AA; None where it is no record."""
    if record[-1:] != END:
        return None
    body = record[_HEAD + _TIME.format.size : -_TAIL]
    for classes in (tuple(CLASSES), (asked,)) if asked else (tuple(CLASSES),):
        if (shape := _classes(body, classes)) is not None:
            return shape, True
    return ((asked,), False) if asked and len(body) == _class_size(asked) else None


def _classes(body: bytes, classes: Sequence[int]) -> tuple[int, ...] | None:
    found, at = [], 0
    for number in classes:
        empty = body[at : at + 1] == SEPARATOR
        at += 0 if empty else _class_size(number)
        if body[at : at + 1] != SEPARATOR:
            return None
        at += 1
        found.append(-number if empty else number)
    return tuple(found) if at == len(body) else None


@lru_cache(1024)
def _record(number: int, bad: bool, trusted: bool, classes: tuple[int, ...], separated: bool) -> tuple[Element, ...]:
    """The elements of the `number`-th record with these classes; measured quantities only where it is `trusted`."""
    prefix = f"load_record.{number}." + "bad." * bad
    elements = [_MARK, _LENGTH, replace(_TIME, name=prefix + _TIME.name)]
    time_at = len(elements) - 1
    for one in classes:
        if one > 0:
            elements += [
                replace(element, quantity=element.quantity if trusted else 0, time_from=time_at - at)
                for at, element in enumerate(_class(one, prefix), len(elements))
            ]
        if separated:
            elements.append(_SEPARATED)
    return (*elements, _CHECKSUM, _END)


@lru_cache
def _class(number: int, prefix: str) -> tuple[Element, ...]:
    return tuple(replace(one, name=prefix + one.name) for one in layout(f"load_class_{number}", profile=Profile.CURVE))


@lru_cache
def _class_size(number: int) -> int:
    return sum(element.format.size for element in _class(number, ""))


def element(name: str) -> Element:
    """The element a value of a load record is, by its name.

    Raises
    ------
    ValueError
        If no load record has such a value.
    """
    _, inner = _place(name)
    found = _named().get(inner)
    if found is None:
        raise ValueError(f"{name!r} is no value of a load record")
    return found


def join(values: Sequence[tuple[str, bytes]]) -> bytes:
    """The octets of whole records from their named values, `split` undone.

    Values of one class without a time are a bare answer for that class.

    Raises
    ------
    ValueError
        If a name is none of a load record's, or a class lacks one of its values.
    """
    octets = b""
    for (_, bad), group in groupby(values, key=lambda value: _place(value[0])[0]):
        named = {_place(name)[1]: value for name, value in group}
        classes = [_join_class(one, named) for one in CLASSES]
        if _TIME.name not in named:
            octets += b"".join(classes)
            continue
        body = named[_TIME.name] + b"".join(one + SEPARATOR for one in classes)
        record = (BAD if bad else GOOD) + bytes([len(body)]) + body
        octets += record + bytes([sum8(record)]) + END
    return octets


def _join_class(number: int, named: Mapping[str, bytes]) -> bytes:
    names = [one.name for one in _class(number, "")]
    if not any(name in named for name in names):
        return b""
    missing = [name for name in names if name not in named]
    if missing:
        raise ValueError(f"class {number} of a load record lacks {', '.join(missing)}")
    return b"".join(named[name] for name in names)


def _place(name: str) -> tuple[tuple[int, bool], str]:
    """The record a name belongs to, whether that is bad, and the name inside the record."""
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"{name!r} is no value of a load record")
    return (int(match[1]), bool(match[2])), match[3]


@lru_cache
def _named() -> Mapping[str, Element]:
    return {one.name: one for one in (_TIME, *(one for number in CLASSES for one in _class(number, "")))}
