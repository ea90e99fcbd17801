"""Whether a line's plan can be done at all, and who is read next.

The arithmetic is that of the line: octets times 11 bits over the speed, the silences, and the time devices take to
answer. How long the answers are is not guessed: the profile's own simulated device gives them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from meterweave.field.plan import BUS_PROTOCOLS, Bus, DevicePlan, LinePlan, PlanError, pace
from meterweave.profiles import Device, Profile, Request
from meterweave.profiles.language import MODBUS
from meterweave.text import Text

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
    size = _size(_reading(device))
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
    return sum(term.share for term in terms(line))


def check(lines: Sequence[LinePlan]) -> None:
    """Look at everything before anything starts.

    Raises
    ------
    PlanError
        If a plan cannot be: too many devices on a line, two with one address, protocols or speeds that do not go
        together, a device that nothing is read of, or more to do than there is time for; the text shows the arithmetic.
    """
    _unique(_LINE, [line.name for line in lines], _EVERYWHERE)
    _unique(_METER, [str(device.meter) for line in lines for device in line.devices], _EVERYWHERE)
    for line in lines:
        _check_devices(line)
        _check_speed(line)
        _check_time(line)


_LINE, _METER, _ADDRESS = Text("line", "线路"), Text("meter", "表计"), Text("address", "地址")
_EVERYWHERE = Text("", "")


def _check_devices(line: LinePlan) -> None:
    name, count, most = line.name, len(line.devices), line.bus.devices_max
    if not 1 <= count <= most:
        raise PlanError(
            f"line {name} has {count} devices; {line.bus.value} takes 1 to {most}",
            f"线路{name}有{count}台设备；{line.bus.value}可接1至{most}台",
        )
    for device in line.devices:
        if device.profile.protocol not in BUS_PROTOCOLS:
            raise PlanError(
                f"line {name}: devices of profile {device.profile.name} speak by themselves",
                f"线路{name}：配置{device.profile.name}为主动上报设备",
            )
    protocols = sorted({device.profile.speech.codec.name for device in line.devices})
    if len(protocols) > 1:
        raise PlanError(
            f"line {name} has devices of {' and '.join(protocols)}: give each protocol its own line",
            f"线路{name}上有{'、'.join(protocols)}设备：每种规约应各用一条线路",
        )
    if line.bus is Bus.MODBUS_TCP and protocols != [MODBUS]:
        raise PlanError(
            f"line {name}: modbus-tcp carries Modbus only, not {protocols[0]}",
            f"线路{name}：modbus-tcp只能承载Modbus，不能承载{protocols[0]}",
        )
    where = Text(f"line {name}: ", f"线路{name}：")
    _unique(_ADDRESS, [device.profile.address(device.address) for device in line.devices], where)
    for device in line.devices:
        if device.period_s < 0:
            raise PlanError(
                f"line {name}: the period of meter {device.meter} is {device.period_s} s",
                f"线路{name}：表计{device.meter}的周期为{device.period_s} s",
            )
        if not _size(_reading(device)).requests:
            raise PlanError(
                f"line {name}: nothing that meter {device.meter} is wanted for is in its profile",
                f"线路{name}：表计{device.meter}所需的量均不在其配置中",
            )


def _check_speed(line: LinePlan) -> None:
    if line.bus is Bus.MODBUS_TCP:
        return
    forms = {(one.parity, one.stop_bits) for one in (device.profile.settings for device in line.devices)}
    bauds = {device.profile.settings.baud for device in line.devices}
    if len(forms) > 1:
        raise PlanError(
            f"line {line.name}: the profiles differ in parity or stop bits; a line has one of each",
            f"线路{line.name}：各配置的校验位或停止位不同；一条线路只能有一种",
        )
    if len(bauds) > 1 and not line.baud:
        speeds = ", ".join(map(str, sorted(bauds)))
        raise PlanError(
            f"line {line.name}: the profiles want {speeds} Bd; a line has one speed: give its baud",
            f"线路{line.name}：各配置的波特率为{speeds} Bd；一条线路只能有一种，请指定baud",
        )


class Term(NamedTuple):
    """Devices of one kind on a line, and what reading them takes."""

    profile: str
    devices: int
    every_s: float
    baud: int
    each: Cost

    @property
    def share(self) -> float:
        """Of the line's time."""
        return self.devices * self.each.total_s / self.every_s


def terms(line: LinePlan) -> list[Term]:
    """The arithmetic of a line, kind by kind; the shares add up to `load`."""
    costs: dict[_Reading, Cost] = {}
    counts: dict[tuple[str, float, int, Cost], int] = {}
    for device in line.devices:
        reading = _reading(device)
        if reading not in costs:
            costs[reading] = cost(line, device)
        kind = device.profile.name, device.every_s, line.baud or device.profile.settings.baud, costs[reading]
        counts[kind] = counts.get(kind, 0) + 1
    return [Term(name, count, every_s, baud, each) for (name, every_s, baud, each), count in counts.items()]


def _check_time(line: LinePlan) -> None:
    share = load(line)
    if share <= 1:
        return
    kinds = terms(line)
    told = [_told(kind) for kind in kinds[:_SHOWN_MAX]]
    if len(kinds) > _SHOWN_MAX:
        more = len(kinds) - _SHOWN_MAX
        told.append(Text(f"and {more} more kinds", f"及另外{more}类"))
    raise PlanError(
        f"line {line.name} cannot keep its plan, it would be busy {share:.0%} of the time: "
        f"{'; '.join(one.en for one in told)}. "
        "Give longer periods, want fewer quantities, or put devices on another line",
        f"线路{line.name}无法按计划抄读，占用率将达{share:.0%}：{'；'.join(one.zh for one in told)}。"
        "请延长周期、减少抄读的量，或将部分设备移至其他线路",
    )


def _told(term: Term) -> Text:
    one, count = term.each, term.devices
    octets = one.size.out_octets + one.size.in_octets
    takes = f" × 11 / {term.baud} Bd = {one.octets_s:.3f} s" if one.octets_s else ""
    shares = f"{count} × {one.total_s:.3f} / {term.every_s:g} = {term.share:.0%}"
    return Text(
        f"{count} × {term.profile} every {term.every_s:g} s, each {one.size.requests} requests: "
        f"{octets} octets{takes}, silences {one.silences_s:.3f} s, replies {one.replies_s:.3f} s, "
        f"together {one.total_s:.3f} s; {shares}",
        f"{count} × {term.profile}，周期{term.every_s:g} s，每台{one.size.requests}次请求："
        f"{octets}字节{takes}，静默{one.silences_s:.3f} s，应答{one.replies_s:.3f} s，"
        f"合计{one.total_s:.3f} s；{shares}",
    )


def _unique(what: Text, names: Collection[str], where: Text) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise PlanError(f"{where.en}the {what.en} {name} is there twice", f"{where.zh}{what.zh}{name}重复")
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


def _reading(device: DevicePlan) -> _Reading:
    return _Reading(device.profile, device.address, device.wanted)


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
