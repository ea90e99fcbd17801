"""MQTT topics of devices, with one level that is the device's address: ``site/+/{address}/up``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from meterweave.text import Text

ADDRESS = "{address}"
LENGTH_MAX = 200
_ANY, _REST = "+", "#"
NAME_MAX = 64
"""The longest name of a device, as the archives have room for. [characters]"""
_NAME = re.compile(rf"[a-z0-9][a-z0-9._:-]{{0,{NAME_MAX - 1}}}")
_SIMULATED = "1"


class Topic(NamedTuple):
    """A template of topics."""

    text: str

    @property
    def filter(self) -> str:
        """What to subscribe to."""
        return self.text.replace(ADDRESS, _ANY)

    @property
    def tells_address(self) -> bool:
        """Whether one of its levels is the device's address."""
        return ADDRESS in self.text

    def device(self, topic: str) -> str | None:
        """The device that a topic names, in lower case; empty where it names none, or what cannot be a name.

        None: messages under this topic are not meant.
        """
        match = _pattern(self.text).fullmatch(topic)
        if match is None:
            return None
        return device_name(match["address"]) if match.re.groups else ""

    def covers(self, other: Topic) -> bool:
        """Whether all topics of another template are of this one too."""
        own, others = self.filter.split("/"), other.filter.split("/")
        if own[-1] == _REST:
            own.pop()
            others = others[: len(own)]
        return len(own) == len(others) and all(
            one == two or (one == _ANY and two != _REST) for one, two in zip(own, others, strict=True)
        )

    def of(self, address: str) -> str:
        """A topic under which the device of this address may speak."""
        levels = self.text.replace(ADDRESS, address).split("/")
        return "/".join(_SIMULATED if level in (_ANY, _REST) else level for level in levels)


def device_name(text: str) -> str:
    """A device's name as the archives write it; empty where `text` is none."""
    name = text.lower()
    return name if _NAME.fullmatch(name) else ""


@lru_cache(1024)
def _pattern(text: str) -> re.Pattern[str]:
    levels = text.split("/")
    rest = levels[-1] == _REST
    parts = [
        "(?P<address>[^/]+)" if level == ADDRESS else "[^/]*" if level == _ANY else re.escape(level)
        for level in (levels[:-1] if rest else levels)
    ]
    whole = "/".join(parts)
    return re.compile(f"{whole}(?:/.*)?" if rest and parts else ".*" if rest else whole, re.DOTALL)


def fault(text: str) -> Text | None:
    """Why `text` is no template of topics; None where it is one."""
    levels = text.split("/")
    if len(text) > LENGTH_MAX or not text or text[0] in "$/" or text[-1] == "/":
        return Text(
            f"a topic has 1 to {LENGTH_MAX} characters and neither begins with $ or / nor ends with /",
            f"主题为1至{LENGTH_MAX}个字符，不以$或/开头，也不以/结尾",
        )
    if any(_REST in level for level in levels[:-1]) or (_REST in levels[-1] and levels[-1] != _REST):
        return Text("# stands for all further levels and is the last one, alone", "#代表其余各级，只能单独位于最后一级")
    if any(_ANY in level and level != _ANY for level in levels):
        return Text("+ stands for one whole level", "+只能单独占一级")
    if levels.count(ADDRESS) > 1:
        return Text("{address} stands in a topic once", "{address}在主题中只能出现一次")
    if any("{" in level or "}" in level for level in levels if level != ADDRESS):
        return Text(
            "{address} is a whole level of the topic, and the only thing in braces there is",
            "{address}须单独占一级，且花括号内只能是address",
        )
    return None
