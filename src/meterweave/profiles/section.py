"""One section of a profile read by the language: keys known, values of their kind, and each with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from meterweave.metering.events import event_codes, event_kinds
from meterweave.metering.quantities import Quantity, quantities
from meterweave.profiles import topic as topics
from meterweave.profiles import tree
from meterweave.profiles.language import JSON, MODBUS, Key, Kind, sections
from meterweave.profiles.mistake import Mistakes, Place, nearest
from meterweave.profiles.path import Path, read_path
from meterweave.profiles.unit import UNITS, scale
from meterweave.text import Text

WORDS_MAX = 200
_INTEGER = re.compile(r"([+-]?)(?:(\d{1,20})|0[xX]([0-9a-fA-F]{1,16})|([0-9a-fA-F]{1,16})[hH])")
_HEX = re.compile(r"[0-9a-fA-F]{2,64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_TRUTHS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(slots=True)
class Section:
    """What a section says: values by key, and where each of them stands."""

    place: Place
    values: dict[str, Any]
    places: dict[str, Place]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str, usual: Any = None) -> Any:
        """The value of a key, `usual` where it is not there."""
        return self.values.get(name, usual)

    def at(self, name: str) -> Place:
        """Where a key's value stands; the section's own place where it is not there."""
        return self.places.get(name, self.place)


def read_section(node: tree.Node, name: str, protocol: str, mistakes: Mistakes) -> Section:
    """The section `name` of the language in `node`; what is wrong goes to `mistakes` and is left out."""
    section = Section(node.place, {}, {})
    if not isinstance(node, tree.Mapping):
        mistakes.add(
            node.place,
            f"a {name} is a list of keys and values",
            f"{name}应为键值列表",
            Text("write key: value", "写作“键: 值”"),
        )
        return section
    keys = sections()[name]
    entries = tree.unique_entries(node, mistakes)
    for word, (place, value) in entries.items():
        key = keys.get(word)
        if key is None or not key.applies(protocol):
            _unknown(word, place.place, keys, protocol, mistakes)
            continue
        section.places[word] = value.place
        found = _value(key, value, protocol, mistakes)
        if found is not None:
            section.values[word] = found
    for key in keys.values():
        if key.needed(protocol) and key.name not in entries:
            mistakes.add(node.place, f"{key.name} is missing in this {name}", f"此{name}缺少{key.name}", key.meaning)
    return section


def _unknown(word: str, place: Place, keys: Mapping[str, Key], protocol: str, mistakes: Mistakes) -> None:
    known = [key.name for key in keys.values() if key.applies(protocol)]
    if word in keys:
        whose = ", ".join(keys[word].protocols)
        hint = _WHY.get((protocol, word), Text(f"it belongs to {whose}", f"它属于{whose}"))
        mistakes.add(place, f"protocol {protocol} has no key {word!r} here", f"协议{protocol}在此没有键{word!r}", hint)
    else:
        mistakes.add(place, f"there is no key {word!r} here", f"此处没有键{word!r}", nearest(word, known))


_NOT_ASKED = Text("the device speaks by itself and is not asked", "设备自主上报，不被询问")
_WHY: Mapping[tuple[str, str], Text] = {
    (JSON, "serial"): _NOT_ASKED,
    (JSON, "polling"): _NOT_ASKED,
    (JSON, "control"): Text("nothing can be sent to a device that only speaks", "只上报的设备无法接收命令"),
    (MODBUS, "messages"): Text(
        "an answer does not tell which registers it holds, so it means nothing without its question",
        "应答不含寄存器地址，离开请求便无法理解",
    ),
}
"""Why a protocol has no such key, where that is not plain."""


def _value(key: Key, node: tree.Node, protocol: str, mistakes: Mistakes) -> Any:
    if key.kind is Kind.SECTION:
        return read_section(node, key.inner, protocol, mistakes)
    if key.kind in (Kind.LIST, Kind.INTEGERS):
        return _list(key, node, protocol, mistakes)
    if not isinstance(node, tree.Scalar):
        mistakes.add(node.place, f"{key.name} is one value, not a list", f"{key.name}应为单个值", _wanted(key))
        return None
    return _READERS[key.kind](key, node, mistakes)


def _list(key: Key, node: tree.Node, protocol: str, mistakes: Mistakes) -> list[Any] | None:
    if not isinstance(node, tree.Sequence) or not node.items:
        mistakes.add(
            node.place,
            f"{key.name} is a list with at least one member",
            f"{key.name}应为非空列表",
            Text("begin each member with a hyphen", "每项以连字符开头"),
        )
        return None
    if key.kind is Kind.LIST:
        return [read_section(item, key.inner, protocol, mistakes) for item in node.items]
    return [_value(key._replace(kind=Kind.INTEGER), item, protocol, mistakes) for item in node.items]


def _wanted(key: Key) -> Text:
    if key.kind is Kind.CHOICE:
        return Text(f"wanted one of {', '.join(key.choices)}", f"可用：{'、'.join(key.choices)}")
    return Text(f"wanted {key.kind.value.en}", f"应为{key.kind.value.zh}")


def _words(key: Key, node: tree.Scalar, mistakes: Mistakes) -> str | None:
    if not 0 < len(node.text) <= WORDS_MAX or not node.text.isprintable():
        mistakes.add(
            node.place,
            f"{key.name} is not 1 to {WORDS_MAX} printable characters",
            f"{key.name}应为1至{WORDS_MAX}个可打印字符",
        )
        return None
    return node.text


def _name(key: Key, node: tree.Scalar, mistakes: Mistakes) -> str | None:
    if not _NAME.fullmatch(node.text):
        mistakes.add(
            node.place, f"{key.name} {node.text!r} is no name", f"{key.name} {node.text!r}不是合法名称", _wanted(key)
        )
        return None
    return node.text


def integer(text: str) -> int | None:
    """A whole number as manuals write it: 512, 0x200 or 0200H; None where it is none."""
    match = _INTEGER.fullmatch(text.strip())
    if not match:
        return None
    sign, decimal, prefixed, suffixed = match.groups()
    number = int(decimal) if decimal else int(prefixed or suffixed, 16)
    return -number if sign == "-" else number


def _integer(key: Key, node: tree.Scalar, mistakes: Mistakes) -> int | None:
    number = integer(node.text)
    if number is None:
        mistakes.add(
            node.place,
            f"{key.name} {node.text!r} is no whole number",
            f"{key.name} {node.text!r}不是整数",
            Text("write 512, 0x200 or 0200H", "写作512、0x200或0200H"),
        )
    elif not key.low <= number <= key.high:
        mistakes.add(
            node.place,
            f"{key.name} {node.text} is not {key.low} to {key.high}",
            f"{key.name} {node.text}不在{key.low}至{key.high}之间",
        )
        return None
    return number


def _scale(key: Key, node: tree.Scalar, mistakes: Mistakes) -> Fraction | None:
    try:
        found = scale(node.text)
    except (ValueError, ZeroDivisionError):
        found = Fraction(0)
    if not found:
        mistakes.add(
            node.place,
            f"{key.name} {node.text!r} is no possible scale",
            f"{key.name} {node.text!r}不是可用的比例",
            _wanted(key),
        )
        return None
    return found


def _hex(key: Key, node: tree.Scalar, mistakes: Mistakes) -> str | None:
    digits = node.text.replace(" ", "").replace("-", "")
    if not _HEX.fullmatch(digits) or len(digits) % 2:
        mistakes.add(
            node.place,
            f"{key.name} {node.text!r} is no row of whole hexadecimal octets",
            f"{key.name} {node.text!r}不是十六进制字节",
            Text("two digits an octet, at most 32 octets", "每字节两位，最多32字节"),
        )
        return None
    return digits.lower()


def _choice(key: Key, node: tree.Scalar, mistakes: Mistakes) -> str | None:
    if node.text not in key.choices:
        mistakes.add(
            node.place,
            f"{key.name} cannot be {node.text!r}",
            f"{key.name}不能是{node.text!r}",
            nearest(node.text, key.choices),
        )
        return None
    return node.text


def _truth(key: Key, node: tree.Scalar, mistakes: Mistakes) -> bool | None:
    found = _TRUTHS.get(node.text.lower())
    if found is None:
        mistakes.add(
            node.place, f"{key.name} {node.text!r} is neither yes nor no", f"{key.name} {node.text!r}既不是yes也不是no"
        )
    return found


def _quantity(key: Key, node: tree.Scalar, mistakes: Mistakes) -> Quantity | None:
    found = quantities().get(node.text) or _by_name().get(node.text)
    if found is None:
        hint = nearest(node.text, _hinted())
        mistakes.add(node.place, f"there is no quantity {node.text!r}", f"没有量{node.text!r}", hint)
    return found


@cache
def _by_name() -> Mapping[str, Quantity]:
    return {one.name: one for one in quantities().values()}


@cache
def _hinted() -> tuple[str, ...]:
    """The names and codes that are offered; those of single tariffs are too many to be looked through."""
    whole = [one for one in quantities().values() if not one.tariff]
    return tuple(word for one in whole for word in (one.name, one.obis))


@cache
def _lasting() -> tuple[str, ...]:
    return tuple(kind.name for kind in event_kinds().values() if kind.lasts)


def _event(key: Key, node: tree.Scalar, mistakes: Mistakes) -> int | None:
    code = event_codes().get(node.text)
    lasting = _lasting()
    if code is None:
        mistakes.add(
            node.place, f"there is no event {node.text!r}", f"没有事件{node.text!r}", nearest(node.text, lasting)
        )
    elif node.text not in lasting:
        mistakes.add(
            node.place,
            f"{node.text} happens at one moment; a bit can only tell what lasts",
            f"{node.text}是瞬时事件；状态位只能表示持续的事件",
            nearest(node.text, lasting),
        )
        return None
    return code


def _unit(key: Key, node: tree.Scalar, mistakes: Mistakes) -> str | None:
    if node.text not in UNITS:
        mistakes.add(node.place, f"there is no unit {node.text!r}", f"没有单位{node.text!r}", nearest(node.text, UNITS))
        return None
    return node.text


def _path(key: Key, node: tree.Scalar, mistakes: Mistakes) -> Path | None:
    try:
        return read_path(node.text)
    except ValueError:
        mistakes.add(
            node.place,
            f"{key.name} {node.text!r} is no path",
            f"{key.name} {node.text!r}不是路径",
            Text(
                'write "data.energy[0].value"; a key with other signs as data."active power"',
                '写作"data.energy[0].value"；含其他字符的键写作data."active power"',
            ),
        )
        return None


def _topic(key: Key, node: tree.Scalar, mistakes: Mistakes) -> topics.Topic | None:
    if _words(key, node, mistakes) is None:
        return None
    fault = topics.fault(node.text)
    if fault is not None:
        mistakes.add(node.place, f"{node.text!r} is no topic", f"{node.text!r}不是合法主题", fault)
        return None
    return topics.Topic(node.text)


_READERS: Mapping[Kind, Callable[[Key, tree.Scalar, Mistakes], Any]] = {
    Kind.WORDS: _words,
    Kind.NAME: _name,
    Kind.INTEGER: _integer,
    Kind.SCALE: _scale,
    Kind.HEX: _hex,
    Kind.CHOICE: _choice,
    Kind.TRUTH: _truth,
    Kind.QUANTITY: _quantity,
    Kind.EVENT: _event,
    Kind.UNIT: _unit,
    Kind.PATH: _path,
    Kind.TOPIC: _topic,
}
