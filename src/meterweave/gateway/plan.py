"""What a gateway is to read, as the centre tells it: lines, how each is reached, the devices on them, their profiles.

The profiles come as texts, so that a gateway needs no files of its own. What is wrong with one device or one line is
said of it, and the others are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from meterweave.errors import ConfigError
from meterweave.field.draft import Member, draft
from meterweave.field.plan import LinePlan
from meterweave.field.ports import Port
from meterweave.field.reach import Reach
from meterweave.profiles import Profile, parse

LINES_MAX, DEVICES_MAX, PROFILES_MAX = 1000, 60_000, 1000
TEXT_MAX = 200
PROFILE_CHARACTERS_MAX = 200_000
_OCTETS = ("packet", "heartbeat")
_NUMBER_MAX = 1 << 63


class SiteWay(NamedTuple):
    """How a line is reached; see `meterweave.field.reach.Way`."""

    kind: str
    host: str | None = None
    port: int | None = None
    path: str | None = None
    packet: bytes | None = None
    heartbeat: bytes | None = None
    bus: str | None = None
    baud: int | None = None
    parity: str | None = None
    stop_bits: int | None = None
    latency_ms: int | None = None
    turnaround_ms: int | None = None
    attempts: int | None = None
    period_s: int | None = None
    back_off_s: int | None = None


_WORDS = ("kind", "host", "path", "bus", "parity")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    """One line."""

    terminal: int
    """Its id in the archives."""
    name: str
    way: SiteWay
    members: tuple[Member, ...]
    """The meters on it, by their ids in the archives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """All that a gateway is to do.

    Raises
    ------
    ConfigError
        If there is more of something than a gateway takes.
    """

    gateway: int
    """Its own id in the archives."""
    lines: tuple[SiteLine, ...] = ()
    profiles: Mapping[str, str]
    """Their texts by name."""

    def __post_init__(self) -> None:
        devices = sum(len(line.members) for line in self.lines)
        _wanted(len(self.lines) <= LINES_MAX, f"has {len(self.lines)} lines, at most {LINES_MAX}")
        _wanted(devices <= DEVICES_MAX, f"has {devices} devices, at most {DEVICES_MAX}")
        _wanted(len(self.profiles) <= PROFILES_MAX, f"has {len(self.profiles)} profiles, at most {PROFILES_MAX}")
        for name, text in self.profiles.items():
            _wanted(len(text) <= PROFILE_CHARACTERS_MAX, f"has a profile {name} of {len(text)} characters")

    @property
    def revision(self) -> str:
        """Sixteen digits that are the same for the same plan."""
        text = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "gateway": self.gateway,
            "lines": [
                {
                    "terminal": line.terminal,
                    "name": line.name,
                    "way": {
                        name: value.hex() if isinstance(value, bytes) else value
                        for name, value in line.way._asdict().items()
                        if value is not None
                    },
                    "members": [list(member) for member in line.members],
                }
                for line in self.lines
            ],
            "profiles": dict(self.profiles),
        }

    @classmethod
    def from_json(cls, told: object) -> SitePlan:
        """The plan of `to_json`; raises `ConfigError` where it is none, whatever it is."""
        whole = _object(told, [one.name for one in fields(cls)])
        lines, profiles = _list(whole["lines"]), whole["profiles"]
        _wanted(isinstance(profiles, dict), "has no profiles")
        return cls(
            gateway=_number(whole["gateway"]),
            lines=tuple(_line(one) for one in lines),
            profiles={_text(name): _text(text, PROFILE_CHARACTERS_MAX) for name, text in profiles.items()},
        )


class Site(NamedTuple):
    """A plan made ready to run."""

    plan: SitePlan
    lines: list[tuple[LinePlan, Port]]
    problems: Mapping[int, str]
    """Of lines that cannot be run, by their ids."""
    device_problems: Mapping[int, str]
    """Of devices that cannot be read, by the ids of their meters."""
    terminals: Mapping[int, int]
    """The id of the line that a meter is on."""


class Builder:
    """Makes plans ready; profiles and ports that stay the same stay the same objects.

    Parameters
    ----------
    reach : Reach
        Makes the ports.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._profiles = PlanProfiles({})

    def build(self, plan: SitePlan) -> Site:
        """What of `plan` can be run, and what is wrong with the rest."""
        self._profiles = PlanProfiles(plan.profiles, self._profiles)
        problems: dict[int, str] = {}
        device_problems: dict[int, str] = {}
        drafts: list[tuple[SiteLine, LinePlan]] = []
        for line in plan.lines:
            try:
                drawn, amiss = draft(line.name, line.way, line.members, self._profiles)
            except (ConfigError, ValueError) as error:  # a word that is none of its kind
                problems[line.terminal] = str(error)
                continue
            device_problems |= {meter: why.en for meter, why in amiss.items()}
            if drawn is None:
                problems[line.terminal] = f"line {line.name} has no device that can be read"
            else:
                drafts.append((line, drawn))
        lines = self._with_ports(drafts, problems)
        terminals = {member.meter: line.terminal for line in plan.lines for member in line.members}
        return Site(plan, lines, problems, device_problems, terminals)

    def _with_ports(
        self, drafts: Sequence[tuple[SiteLine, LinePlan]], problems: dict[int, str]
    ) -> list[tuple[LinePlan, Port]]:
        ports = self._reach.ports([(line.way, drawn.devices[0].profile.settings) for line, drawn in drafts])
        lines: list[tuple[LinePlan, Port]] = []
        for (line, drawn), port in zip(drafts, ports, strict=True):
            if isinstance(port, ConfigError):
                problems[line.terminal] = str(port)
            else:
                lines.append((drawn, port))
        return lines


class PlanProfiles:
    """The profiles of a plan by name; those whose text is as `before` are the same objects."""

    def __init__(self, texts: Mapping[str, str], before: PlanProfiles | None = None) -> None:
        self._texts = texts
        self._found: dict[str, Profile | ConfigError] = {}
        if before is not None:
            self._found = {name: one for name, one in before._found.items() if before._texts[name] == texts.get(name)}

    def find(self, name: str) -> Profile:
        """The profile of this name; raises `ConfigError` if there is none, or something is wrong with its text."""
        if name not in self._found:
            self._found[name] = self._read(name)
        found = self._found[name]
        if isinstance(found, ConfigError):
            raise found.with_traceback(None)
        return found

    def _read(self, name: str) -> Profile | ConfigError:
        if name not in self._texts:
            raise ConfigError(f"the plan has no profile {name!r}")
        try:
            return parse(self._texts[name], name)
        except ConfigError as error:
            return error


# Hostile JSON ---------------------------------------------------------------------------------------------------------


def _wanted(holds: bool, what: str) -> None:
    if not holds:
        raise ConfigError(f"a gateway's plan {what}")


def _object(told: object, names: Sequence[str]) -> dict[str, Any]:
    _wanted(isinstance(told, dict) and set(told) == set(names), f"is no object of {', '.join(names)}")
    assert isinstance(told, dict)  # for the type checker
    return told


def _list(told: object) -> list[Any]:
    _wanted(isinstance(told, list), "has no list where one has to be")
    assert isinstance(told, list)  # for the type checker
    return told


def _line(told: object) -> SiteLine:
    line = _object(told, [one.name for one in fields(SiteLine)])
    return SiteLine(
        terminal=_number(line["terminal"]),
        name=_text(line["name"]),
        way=_way(line["way"]),
        members=tuple(_member(one) for one in _list(line["members"])),
    )


def _member(told: object) -> Member:
    parts = _list(told)
    _wanted(len(parts) == len(Member._fields), "has a meter that is none")
    meter, protocol, address, model = parts
    return Member(_number(meter), _text(protocol), _text(address), _text(model))


def _way(told: object) -> SiteWay:
    _wanted(isinstance(told, dict) and "kind" in told and set(told) <= set(SiteWay._fields), "has a way that is none")
    assert isinstance(told, dict)  # for the type checker
    given: dict[str, Any] = {}
    for name, value in told.items():
        if name in _OCTETS:
            given[name] = _octets(value)
        elif name in _WORDS:
            given[name] = _text(value)
        else:
            given[name] = _number(value)
    return SiteWay(**given)


def _number(told: object) -> int:
    whole = isinstance(told, int) and not isinstance(told, bool)
    _wanted(whole and 0 <= told < _NUMBER_MAX, "has a number that is none")  # type: ignore[operator]
    assert isinstance(told, int)  # for the type checker
    return told


def _text(told: object, most: int = TEXT_MAX) -> str:
    _wanted(isinstance(told, str) and len(told) <= most, f"has a text that is none, or longer than {most} characters")
    assert isinstance(told, str)  # for the type checker
    return told


def _octets(told: object) -> bytes:
    try:
        return bytes.fromhex(_text(told))
    except ValueError:
        raise ConfigError("a gateway's plan has octets that are none") from None
