"""How a gateway's lines and devices fare, as it tells the centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from meterweave.errors import ConfigError
from meterweave.field.collector import Collector
from meterweave.gateway.plan import LINES_MAX, Site

DEVICES_MAX = 2000
"""Most devices of which it is told what is amiss: with more, it is not the devices."""
WORDS_MAX = 400
_NUMBER_MAX = 1 << 63


class LineStatus(NamedTuple):
    """How one line fares."""

    running: bool
    open: bool
    """Whether its port is open now."""
    heard_us: int | None
    """When a device answered last. [us since 1970, UTC]"""
    problem: str
    """Why it is not run."""


class SiteStatus(NamedTuple):
    """How all of a gateway's lines fare."""

    plan: str
    """The revision of the plan that it goes by."""
    lines: Mapping[int, LineStatus] = MappingProxyType({})
    """By the ids of the lines."""
    devices: Mapping[int, str] = MappingProxyType({})
    """What is amiss with devices, by the ids of their meters: a word of `field.poller.Told`, or a sentence."""
    rows_held: int = 0
    """Readings and events that wait for the centre."""
    octets_held: int = 0
    """Their size on disk. [octets]"""

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            **self._asdict(),
            "lines": {str(line): list(one) for line, one in self.lines.items()},
            "devices": {str(meter): told for meter, told in self.devices.items()},
        }

    @classmethod
    def from_json(cls, told: object) -> SiteStatus:
        """The status of `to_json`; raises `ConfigError` where it is none, whatever it is."""
        if not isinstance(told, dict) or set(told) != set(cls._fields):
            raise _wrong()
        lines, devices = _object(told["lines"], LINES_MAX), _object(told["devices"], DEVICES_MAX)
        return cls(
            plan=_text(told["plan"]),
            lines={_id(name): _line(one) for name, one in lines.items()},
            devices={_id(name): _text(one) for name, one in devices.items()},
            rows_held=_number(told["rows_held"]),
            octets_held=_number(told["octets_held"]),
        )


def status_of(site: Site, collector: Collector, *, rows_held: int, octets_held: int) -> SiteStatus:
    """How `site`, which `collector` runs, fares."""
    lines = {one.terminal: _status(one.name, site.problems.get(one.terminal, ""), collector) for one in site.plan.lines}
    devices = {meter: why[:WORDS_MAX] for meter, why in site.device_problems.items()}
    for lane in collector.lanes.values():
        for meter in lane.devices:
            if (told := lane.known(meter)) is not None:
                devices[meter] = told.name
    return SiteStatus(site.plan.revision, lines, dict(list(devices.items())[:DEVICES_MAX]), rows_held, octets_held)


def _status(name: str, problem: str, collector: Collector) -> LineStatus:
    lane = collector.lanes.get(name)
    if lane is None:
        refused = collector.refused.get(name)
        return LineStatus(False, False, None, (problem or (refused.en if refused else ""))[:WORDS_MAX])
    return LineStatus(True, lane.is_open, lane.heard_us, "")


def _wrong() -> ConfigError:
    return ConfigError("a gateway's status is not as it has to be")


def _object(told: object, most: int) -> dict[str, Any]:
    if not isinstance(told, dict) or len(told) > most:
        raise _wrong()
    return told


def _line(told: object) -> LineStatus:
    if not isinstance(told, Sequence) or isinstance(told, str) or len(told) != len(LineStatus._fields):
        raise _wrong()
    running, is_open, heard_us, problem = told
    if not isinstance(running, bool) or not isinstance(is_open, bool):
        raise _wrong()
    return LineStatus(running, is_open, None if heard_us is None else _number(heard_us), _text(problem))


def _id(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise _wrong()
    return _number(int(text))


def _number(told: object) -> int:
    if not isinstance(told, int) or isinstance(told, bool) or not 0 <= told < _NUMBER_MAX:
        raise _wrong()
    return told


def _text(told: object) -> str:
    if not isinstance(told, str) or len(told) > WORDS_MAX:
        raise _wrong()
    return told
