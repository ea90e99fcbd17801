"""From a line as the archives have it to its plan: each meter with its profile, and what is amiss with those without.

A meter that cannot be planned is a problem of its own and not of its line: the others are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from meterweave.errors import ConfigError
from meterweave.field.plan import BUS_PROTOCOLS, DevicePlan, LinePlan
from meterweave.field.reach import Way, plan_of
from meterweave.profiles import Profile, ProfileError
from meterweave.profiles.language import MBUS, MODBUS
from meterweave.text import Language, Text

_NO_MODEL = Text(
    "it has no model, which names its device profile; meterweave profile list shows those that ship",
    "未填写型号（即设备配置名称）；meterweave profile list可列出自带的配置",
)
_OTHER_PROTOCOL = Text("the archives say it speaks {0}, its profile {1} speaks {2}", "档案规约为{0}，其配置{1}为{2}")
_NO_BUS = Text(
    "its profile {0} is of devices that speak by themselves; a line cannot ask them",
    "其配置{0}为主动上报设备，不能在总线上抄读",
)
_TWICE = Text("its address {0} is that of meter {1} on this line already", "其地址{0}与本线路上的表{1}重复")


class Member(NamedTuple):
    """A meter on a line, as the archives have it."""

    meter: int
    protocol: str
    address: str
    model: str


class Profiles(Protocol):
    """Where profiles are; see `meterweave.profiles.shelf.Shelf`."""

    def find(self, name: str) -> Profile:
        """The profile of this name; raises `ConfigError`."""


class Draft(NamedTuple):
    """A line planned as far as can be."""

    plan: LinePlan | None
    """None: no meter of it can be read."""
    problems: Mapping[int, Text]
    """Why a meter is not read, by meter."""


def draft(name: str, way: Way, members: Iterable[Member], profiles: Profiles) -> Draft:
    """Plan a line.

    Raises
    ------
    ConfigError
        If the way to the line says what cannot be.
    """
    devices: list[DevicePlan] = []
    problems: dict[int, Text] = {}
    taken: dict[str, int] = {}
    for member in members:
        device = _device(member, profiles, float(way.period_s or 0))
        if isinstance(device, Text):
            problems[member.meter] = device
        elif (other := taken.setdefault(device.address, member.meter)) != member.meter:
            problems[member.meter] = _words(_TWICE, device.address, other)
        else:
            devices.append(device)
    return Draft(plan_of(name, way, devices) if devices else None, MappingProxyType(problems))


def _device(member: Member, profiles: Profiles, period_s: float) -> DevicePlan | Text:
    """One meter's plan; words: why there is none."""
    if not member.model:
        return _NO_MODEL
    try:
        profile = profiles.find(member.model)
        if profile.protocol not in BUS_PROTOCOLS:
            return _words(_NO_BUS, profile.name)
        if profile.protocol != member.protocol:
            return _words(_OTHER_PROTOCOL, member.protocol, profile.name, profile.protocol)
        address = profile.address(bus_address(member.protocol, member.address))
    except ConfigError as error:
        return words_of(error)
    return DevicePlan(meter=member.meter, profile=profile, address=address, period_s=period_s)


def bus_address(protocol: str, address: str) -> str:
    """An address of the archives as profiles take it.

    >>> bus_address("modbus", "u5"), bus_address("mbus", "KAM-12345678-01-04")
    ('5', '12345678')
    """
    if protocol == MODBUS:
        return address.removeprefix("u")
    spelt = re.fullmatch(r"[A-Z]{3}-([0-9a-f]{8})-[0-9a-f]{2}-[0-9a-f]{2}", address) if protocol == MBUS else None
    return spelt[1] if spelt else address


def words_of(error: Exception) -> Text:
    """What an error says, in both languages where it has both."""
    if isinstance(error, ProfileError):
        said = [[one.words(error.file, language) for one in error.mistakes] for language in _LANGUAGES]
        return Text("; ".join(said[0]), "；".join(said[1]))
    text = getattr(error, "text", None)
    said_once = str(error) or type(error).__name__
    return text if isinstance(text, Text) else Text(said_once, said_once)


_LANGUAGES: tuple[Language, Language] = ("en", "zh")


def _words(text: Text, *parts: object) -> Text:
    return Text(text.en.format(*parts), text.zh.format(*parts))
