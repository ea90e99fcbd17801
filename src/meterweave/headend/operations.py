"""What the centre may want of a terminal, whatever its protocol, and what may come of it.

An operation is one job for one terminal. A driver turns it into a `Conversation`: a generator that yields frames to
ask with and answers to keep, is sent what came back, and returns the outcome. It knows no socket and no clock; who
runs it (`meterweave.headend.calls`) waits, repeats and gives up.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from meterweave.headend.driver import Answer
from meterweave.metering.batch import Profile
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

# What is wanted ------------------------------------------------------------------------------------------------------


class ReadNow(NamedTuple):
    """Values of this moment, from the meters themselves."""

    meters: tuple[MeterEntry, ...]
    quantities: tuple[int, ...]  # packed OBIS codes


class ReadStored(NamedTuple):
    """What the terminal, or the meter, stored at moments from `from_us` to before `to_us`."""

    meters: tuple[MeterEntry, ...]
    quantities: tuple[int, ...]  # packed OBIS codes
    profile: Profile  # CURVE, DAILY or MONTHLY
    period_s: int  # of a curve: 60, 900, 1800 or 3600; 0 of freezes
    from_us: int  # [us since 1970, UTC]
    to_us: int


class ReadEvents(NamedTuple):
    """Events that the terminal, and its meters, recorded from `from_us` to before `to_us`."""

    from_us: int
    to_us: int


class SyncArchives(NamedTuple):
    """Make the terminal's list of meters this one: what is missing is added, what is too much is taken away."""

    meters: tuple[MeterEntry, ...]


class Task(NamedTuple):
    """What a terminal is to collect of all its meters of one utility, and to report by itself."""

    utility: Utility
    profile: Profile
    period_s: int  # of a curve; 0 of freezes
    quantities: tuple[int, ...]


class SyncTasks(NamedTuple):
    """Make the terminal collect and report exactly these."""

    tasks: tuple[Task, ...]
    meters: tuple[MeterEntry, ...]  # all meters of the terminal


class ReadClock(NamedTuple):
    """How far the terminal's clock is off; `Done.facts` has ``offset_s`` (positive: it is ahead)."""


class SetClock(NamedTuple):
    """Set the terminal's clock to the centre's, of the moment at which it is sent."""


class RelayAction(StrEnum):
    """What to do with the relay of an electricity meter, or the valve of another."""

    TRIP = "trip"
    CLOSE = "close"
    KEEP = "keep"  # 保电: supplied whatever comes, trips are refused by the meter
    RELEASE = "release"  # 保电解除


class Authority(NamedTuple):
    """What makes a DL/T 645 meter obey (control code 1CH): password with its level, operator code."""

    level: int  # 02 or 04
    password: bytes  # 3 octets, most significant first
    operator: bytes  # 4 octets, most significant first


class Relay(NamedTuple):
    """Operate the relay or valve of one meter. Never repeated by itself: what it did is found out by `ReadRelay`."""

    meter: MeterEntry
    action: RelayAction
    authority: Authority


class ReadRelay(NamedTuple):
    """`Done.facts` has ``closed`` (bool) and, where the device tells, ``kept`` (bool): kept supplied."""

    meter: MeterEntry


class ReadParameters(NamedTuple):
    """Parameters of the terminal by the protocol's own names, OADs in hex or ``F1`` of AFN 0AH; ``()``: the usual ones.

    `Done.facts` has a value in words for each.
    """

    names: tuple[str, ...] = ()


Operation = (
    ReadNow
    | ReadStored
    | ReadEvents
    | SyncArchives
    | SyncTasks
    | ReadClock
    | SetClock
    | Relay
    | ReadRelay
    | ReadParameters
)

# What comes of it ----------------------------------------------------------------------------------------------------


class Refusal(NamedTuple):
    """What a device said no to, within an operation on several meters."""

    meter: int  # id
    reason: Text


class Done(NamedTuple):
    """The device did it."""

    facts: Mapping[str, bool | int | str] = MappingProxyType({})
    refusals: tuple[Refusal, ...] = ()


class Refused(NamedTuple):
    """The device says no, or nothing in its protocol could carry the wish."""

    reason: Text


class Unknown(NamedTuple):
    """It was sent, and nobody knows what came of it."""

    reason: Text


class NotSent(NamedTuple):
    """It was not sent, so nothing happened."""

    reason: Text


Outcome = Done | Refused | Unknown | NotSent

# How it is talked over -----------------------------------------------------------------------------------------------


class Ask(NamedTuple):
    """Send this and give me the answer that carries `number`; None: none came in time, however often it was sent."""

    octets: bytes  # a whole frame; empty: nothing to send, one more answer is on its way
    number: int
    tries: int = 2
    forwarded: bool = False  # the terminal has to ask somebody else first, so it takes longer


class Keep(NamedTuple):
    """Keep the readings and events in this, as what a terminal pushed is kept; gives None."""

    octets: bytes  # what `Driver.readings` takes


Conversation = Generator[Ask | Keep, Answer | None, Outcome]
