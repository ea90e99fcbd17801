"""Whether a line's plan can be done at all, and who is read next.

The arithmetic is that of the line: octets times 11 bits over the speed, the silences, and the time devices take to
answer. How long the answers are is not guessed: the profile's own simulated device gives them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from meterweave.errors import ConfigError
from meterweave.field.plan import Bus, DevicePlan, LinePlan, pace
from meterweave.profiles import Device, Profile, Request
from meterweave.profiles.language import MODBUS

FOLLOWS_MAX = 16
"""Parts of one answer; a device that promises more for ever is left."""
_SHOWN_MAX = 8


class Size(NamedTuple):
    """What reading one device puts on its line."""

    requests: int
    out_octets: int
    in_octets: int


class Cost(NamedTuple):
    """How long one device keeps its line busy each time it is read; all in seconds but the sizes."""

    size: Size
    octets_s: float
    silences_s: float
    replies_s: float

    @property
    def total_s(self) -> float:
        """[s]"""
        return self.octets_s + self.silences_s + self.replies_s


def cost(line: LinePlan, device: DevicePlan) -> Cost:
    """How long `device` keeps `line` busy each time it is read."""
    size = _size(_Reading(device.profile, device.address, device.wanted))
    own = pace(line, device.profile)
    between_s = max(own.pause_s, own.silence_s)
    return Cost(
        size,
        (size.out_octets + size.in_octets) * own.character_s,
        own.silence_s + (size.requests - 1) * between_s,
        size.requests * (line.turnaround_s + line.latency_s),
    )


def load(line: LinePlan) -> float:
    """The share of its time that the plan keeps the line busy; more than 1 cannot be done."""
    return sum(cost(line, device).total_s / device.every_s for device in line.devices)


def check(lines: Sequence[LinePlan]) -> None:
    """Look at everything before anything starts.

    Raises
    ------
    ConfigError
        If a plan cannot be: too many devices on a line, two with one address, protocols or speeds that do not go
        together, a device that nothing is read of, or more to do than there is time for; the text shows the arithmetic.
    """
    _unique("line", [line.name for line in lines], "")
    _unique("meter", [str(device.meter) for line in lines for device in line.devices], "")
    for line in lines:
        _check_devices(line)
        _check_speed(line)
        _check_time(line)


def _check_devices(line: LinePlan) -> None:
    count, most = len(line.devices), line.bus.devices_max
    if not 1 <= count <= most:
        raise ConfigError(f"line {line.name} has {count} devices; {line.bus.value} takes 1 to {most}")
    protocols = sorted({device.profile.speech.codec.name for device in line.devices})
    if len(protocols) > 1:
        raise ConfigError(f"line {line.name} has devices of {' and '.join(protocols)}: give each protocol its own line")
    if line.bus is Bus.MODBUS_TCP and protocols != [MODBUS]:
        raise ConfigError(f"line {line.name}: modbus-tcp carries Modbus only, not {protocols[0]}")
    _unique("address", [device.profile.address(device.address) for device in line.devices], f"line {line.name}: ")
    for device in line.devices:
        if device.period_s < 0:
            raise ConfigError(f"line {line.name}: the period of meter {device.meter} is {device.period_s} s")
        if not device.profile.requests(device.address, device.wanted):
            raise ConfigError(f"line {line.name}: nothing that meter {device.meter} is wanted for is in its profile")


def _check_speed(line: LinePlan) -> None:
    if line.bus is Bus.MODBUS_TCP:
        return
    forms = {(one.parity, one.stop_bits) for one in (device.profile.settings for device in line.devices)}
    bauds = {device.profile.settings.baud for device in line.devices}
    if len(forms) > 1:
        raise ConfigError(f"line {line.name}: the profiles differ in parity or stop bits; a line has one of each")
    if len(bauds) > 1 and not line.baud:
        speeds = ", ".join(map(str, sorted(bauds)))
        raise ConfigError(f"line {line.name}: the profiles want {speeds} Bd; a line has one speed: give its baud")


def _check_time(line: LinePlan) -> None:
    share = load(line)
    if share <= 1:
        return
    kinds: dict[tuple[str, float, Cost], int] = {}
    for device in line.devices:
        kind = device.profile.name, device.every_s, cost(line, device)
        kinds[kind] = kinds.get(kind, 0) + 1
    terms = [_term(line, kind, count) for kind, count in list(kinds.items())[:_SHOWN_MAX]]
    if len(kinds) > _SHOWN_MAX:
        terms.append(f"and {len(kinds) - _SHOWN_MAX} more kinds")
    raise ConfigError(
        f"line {line.name} cannot keep its plan, it would be busy {share:.0%} of the time: {'; '.join(terms)}. "
        "Give longer periods, want fewer quantities, or put devices on another line"
    )


def _term(line: LinePlan, kind: tuple[str, float, Cost], count: int) -> str:
    name, every_s, one = kind
    baud = line.baud or next(d.profile.settings.baud for d in line.devices if d.profile.name == name)
    octets = one.size.out_octets + one.size.in_octets
    bits = f"{octets} octets × 11 / {baud} Bd = {one.octets_s:.3f} s" if one.octets_s else f"{octets} octets"
    return (
        f"{count} × {name} every {every_s:g} s, each {one.size.requests} requests: {bits}, "
        f"silences {one.silences_s:.3f} s, replies {one.replies_s:.3f} s, together {one.total_s:.3f} s; "
        f"{count} × {one.total_s:.3f} / {every_s:g} = {count * one.total_s / every_s:.0%}"
    )


def _unique(what: str, names: Collection[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigError(f"{where}the {what} {name} is there twice")
        seen.add(name)


class _Reading(NamedTuple):
    """One device being read; hashes by what the sizes depend on."""

    profile: Profile
    address: str
    wanted: frozenset[int] | None

    @property
    def kind(self) -> tuple[str, int, int, frozenset[int] | None]:
        """What devices have in common whose answers are equally long."""
        return self.profile.name, id(self.profile), len(self.address), self.wanted

    def __hash__(self) -> int:
        return hash(self.kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reading) and self.kind == other.kind


@lru_cache(maxsize=1024)
def _size(reading: _Reading) -> Size:
    device = Device(reading.profile, reading.address)
    requests = out_octets = in_octets = 0
    for first in reading.profile.requests(reading.address, reading.wanted):
        asked: Request | None = first
        for _ in range(FOLLOWS_MAX):
            if asked is None:
                break
            said = device.feed(asked.octets)
            requests, out_octets, in_octets = requests + 1, out_octets + len(asked.octets), in_octets + len(said)
            asked = _more(reading.profile, asked, said)
    return Size(requests, out_octets, in_octets)


def _more(profile: Profile, asked: Request, said: bytes) -> Request | None:
    frames = [event for event in profile.speech.codec.decoder().feed(said) if isinstance(event, bytes)]
    return profile.answer(asked, frames[0]).more if frames else None


class Schedule:
    """Who is read next: of those whose time has come, whose deadline is nearest; among equals who waited longest.

    A device that does not answer is tried again after twice its period, four times, and so on up to a bound: a dead
    meter costs its line less and less. A line that falls behind leaves out readings of all devices alike: a deadline
    moves on when a device was read, so that nobody is passed over for ever.
    """

    def __init__(self, devices: Sequence[DevicePlan], back_off_max_s: float) -> None:
        self._every_s = [device.every_s for device in devices]
        self._back_off_max_s = back_off_max_s
        self._due_s = [0.0] * len(devices)
        self._failures = [0] * len(devices)

    def failures(self, index: int) -> int:
        """How often in a row a device did not answer."""
        return self._failures[index]

    def due_s(self, index: int) -> float:
        """When a device is to be read next. [s]"""
        return self._due_s[index]

    def next(self, now: float) -> int | None:
        """The device to read now; None where nobody's time has come."""
        due = [index for index, due_s in enumerate(self._due_s) if due_s <= now]
        return min(due, key=lambda index: (self._due_s[index] + self._every_s[index], self._due_s[index]), default=None)

    def try_again(self) -> None:
        """The way to the devices is a new one: who did not answer on the old one may do so now, and is asked once."""
        for index, failures in enumerate(self._failures):
            if failures:
                self._failures[index], self._due_s[index] = 1, 0.0

    def wake_s(self) -> float:
        """When the next device's time comes. [s]"""
        return min(self._due_s)

    def done(self, index: int, begun: float, *, answered: bool) -> None:
        """A device was read, or did not answer; `begun` is when its turn came. [s]"""
        every_s = self._every_s[index]
        if answered:
            self._failures[index] = 0
            kept_s = self._due_s[index] + every_s
            self._due_s[index] = kept_s if kept_s > begun else begun + every_s
            return
        self._failures[index] += 1
        doubled_s = every_s * 2.0 ** min(self._failures[index], 30)
        self._due_s[index] = begun + max(every_s, min(doubled_s, self._back_off_max_s))
