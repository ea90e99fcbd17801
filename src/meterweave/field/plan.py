"""What a line is to do, as plain data: its devices, how often each is read, and how fast the line is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from meterweave.errors import ConfigError
from meterweave.profiles import Profile
from meterweave.profiles.language import CJT188, DLT645, DLT645_1997, DLT698, MBUS, MODBUS
from meterweave.text import Text

BUS_PROTOCOLS = frozenset({DLT645, DLT645_1997, DLT698, CJT188, MBUS, MODBUS})
"""What is asked on lines; devices of other protocols speak by themselves."""
BITS = 11
"""Of an octet on the line: start, eight of data, parity or a second stop bit, stop. Without parity it is ten; eleven
errs on the safe side."""
MODBUS_CHARACTERS = 3.5
MODBUS_SILENCE_MIN_S = 0.00175
"""MODBUS over Serial Line V1.02, 2.5.1.1: 3.5 characters between frames, above 19200 Bd a fixed 1.75 ms."""
MODBUS_FAST_BAUD = 19200
GAP_CHARACTERS = 20
GAP_MIN_S = 0.1
"""A silence this long inside a frame ends it; serial servers hand octets on in pieces."""


class PlanError(ConfigError):
    """A line that cannot be run as it is planned."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en, zh)


class Bus(Enum):
    """What a line is made of."""

    RS485 = "rs485"
    MBUS = "mbus"
    MODBUS_TCP = "modbus-tcp"

    @property
    def devices_max(self) -> int:
        """Most devices on one: 32 unit loads, the primary addresses of M-Bus, the units of Modbus."""
        return {Bus.RS485: 32, Bus.MBUS: 250, Bus.MODBUS_TCP: 247}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """One device to be read."""

    meter: int
    """Names it in readings and events; unique in a collector, for instance its id in the archives."""
    profile: Profile
    address: str
    period_s: float = 0.0
    """From one reading to the next; 0: as the profile says. [s]"""
    wanted: frozenset[int] | None = None
    """Packed OBIS codes; None: everything the profile knows, and its events."""

    @property
    def every_s(self) -> float:
        """The period that holds. [s]"""
        return self.period_s or self.profile.settings.period_s


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePlan:
    """One line and the devices on it; `meterweave.field.schedule.check` says whether it can be done."""

    name: str
    devices: tuple[DevicePlan, ...]
    bus: Bus = Bus.RS485
    baud: int = 0
    """Speed of the line; 0: that of the profiles, which then have to agree. [Bd]"""
    latency_s: float = 0.05
    """What the way to the line adds to every answer; a mobile link needs a second or two. [s]"""
    turnaround_s: float = 0.05
    """What a device usually takes before it answers, for the arithmetic; the profile says what it may take. [s]"""
    attempts_max: int = 3
    """How often one request is sent before the device counts as silent."""
    back_off_max_s: float = 3600.0
    """Longest pause before a silent device is tried again. [s]"""

    def __post_init__(self) -> None:
        for name in ("attempts_max", "back_off_max_s"):
            if (value := getattr(self, name)) <= 0:
                raise PlanError(
                    f"line {self.name}: {name} must be positive, not {value}",
                    f"线路{self.name}：{name}须为正数，不能为{value}",
                )
        for name in ("latency_s", "turnaround_s", "baud"):
            if (value := getattr(self, name)) < 0:
                raise PlanError(
                    f"line {self.name}: {name} must not be negative, it is {value}",
                    f"线路{self.name}：{name}不能为负数（{value}）",
                )


QUESTION_OCTETS = 64
"""About as long as a request gets."""


class Pace(NamedTuple):
    """The times of one line and one model of device, all in seconds."""

    character_s: float
    """One octet on the line; 0 where there is none."""
    silence_s: float
    """Of the line, before a request."""
    reply_s: float
    """How long an answer may take to begin, from the end of the request on."""
    gap_s: float
    """A silence this long inside a frame ends it."""
    pause_s: float = 0.0
    """Before a further request to the same device."""


def pace(line: LinePlan, profile: Profile) -> Pace:
    """The times that hold for devices of `profile` on `line`."""
    own = profile.settings
    baud = line.baud or own.baud
    character_s = 0.0 if line.bus is Bus.MODBUS_TCP else BITS / baud
    silence_s = own.silence_ms / 1000
    if profile.protocol == MODBUS and character_s:
        silence_s = max(silence_s, MODBUS_SILENCE_MIN_S if baud > MODBUS_FAST_BAUD else MODBUS_CHARACTERS * character_s)
    return Pace(
        character_s,
        silence_s,
        own.timeout_ms / 1000 + line.latency_s,
        max(GAP_MIN_S, GAP_CHARACTERS * character_s) + line.latency_s,
        own.pause_ms / 1000,
    )


def answers_s(line: LinePlan) -> float:
    """How long after a request was sent an answer may yet begin, whatever device of `line` was asked. [s]"""
    paces = {id(device.profile): pace(line, device.profile) for device in line.devices}
    return max(one.reply_s + QUESTION_OCTETS * one.character_s for one in paces.values())
