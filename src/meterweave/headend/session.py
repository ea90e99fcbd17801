"""One connection's life: what comes in, and what is to be done about it.

A session decides and does nothing: it takes octets, decisions of the centre and the time, and gives effects, which
the shell carries out in their order. All that moves it from state to state is `TRANSITIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.headend.counters import Counters
from meterweave.headend.driver import Answer, Driver, Heartbeat, Login, Logout, Other, Part, Push, Said
from meterweave.headend.settings import HeadEndSettings
from meterweave.metering.clock import SHANGHAI
from meterweave.protocols.stream import Garbage
from meterweave.registry.terminal_table import TerminalEntry

HEARTBEAT_S_MIN, HEARTBEAT_S_MAX = 10, 86_400
"""What a terminal's own word about its heartbeat is held to; the archives have the same limits. [s]"""


ANOTHER = "another terminal wants the same connection"


class State(Enum):
    """Where a session stands."""

    CONNECTED = "connected"  # nobody knows who it is
    ADMITTING = "admitting"  # a terminal said who it is, and the centre looks it up
    ONLINE = "online"
    CLOSED = "closed"


class Admitted(NamedTuple):
    """The centre lets the terminal in."""

    terminal: TerminalEntry


class Refused(NamedTuple):
    """The centre does not let the terminal in."""

    reason: str


class Silence(NamedTuple):
    """The deadline passed."""


class Flood(NamedTuple):
    """Too much came that is no frame."""


class Ended(NamedTuple):
    """The centre ends the session."""

    reason: str


TRANSITIONS: Mapping[tuple[State, type], State] = {
    (State.CONNECTED, Login): State.ADMITTING,
    (State.CONNECTED, Silence): State.CLOSED,
    (State.CONNECTED, Flood): State.CLOSED,
    (State.CONNECTED, Ended): State.CLOSED,
    (State.ADMITTING, Admitted): State.ONLINE,
    (State.ADMITTING, Refused): State.CLOSED,
    (State.ADMITTING, Silence): State.CLOSED,
    (State.ADMITTING, Flood): State.CLOSED,
    (State.ADMITTING, Ended): State.CLOSED,
    (State.ONLINE, Login): State.ADMITTING,
    (State.ONLINE, Heartbeat): State.ONLINE,
    (State.ONLINE, Part): State.ONLINE,
    (State.ONLINE, Push): State.ONLINE,
    (State.ONLINE, Answer): State.ONLINE,
    (State.ONLINE, Logout): State.CLOSED,
    (State.ONLINE, Silence): State.CLOSED,
    (State.ONLINE, Flood): State.CLOSED,
    (State.ONLINE, Ended): State.CLOSED,
}
"""What is absent does not move a session: such a frame is counted and ignored."""


class Send(NamedTuple):
    """Send these octets."""

    octets: bytes


class Admit(NamedTuple):
    """Find out whether this terminal may log in, and tell the session."""

    address_key: int


class Store(NamedTuple):
    """Keep what these pushes hold, then tell the session with `Session.kept`."""

    pushes: list[Push]


class Hear(NamedTuple):
    """Give this answer to the conversation that waits for it."""

    answer: Answer


class Close(NamedTuple):
    """Close the connection once what was sent has gone out."""

    reason: str


Effect = Send | Admit | Store | Hear | Close


class Session:
    """One connection, from its first octet to its last.

    Parameters
    ----------
    now : float
        A clock that never goes back. [s]
    """

    def __init__(
        self, driver: Driver, settings: HeadEndSettings, counters: Counters, *, now: float, zone: ZoneInfo = SHANGHAI
    ) -> None:
        self.driver, self.settings, self.counters, self.zone = driver, settings, counters, zone
        self.state = State.CONNECTED
        self.terminal: TerminalEntry | None = None
        self.deadline = now + settings.login_within_s
        """When `expire` is to be called, unless it moves before. [s]"""
        self.heard_us = 0
        """When the last good frame came. [us since 1970, UTC]"""
        self.waiting = 0
        """Pushes handed out with `Store` and not settled."""
        self._stream = driver.decoder()
        self._garbage = 0
        self._login: tuple[Login, int] | None = None  # and when it came [us since 1970, UTC]

    @property
    def full(self) -> bool:
        """Whether nothing more should be read from the peer until pushes are settled."""
        return self.waiting >= self.settings.session_pushes_max

    def receive(self, octets: bytes, *, now: float, now_us: int) -> list[Effect]:
        """The peer sent `octets`; `now_us` is the time of day. [us since 1970, UTC]"""
        effects: list[Effect] = []
        pushes: list[Push] = []
        for event in self._stream.feed(octets):
            if self.state is State.CLOSED:
                break
            if isinstance(event, Garbage):
                self._garbage += len(event.octets)
                self.counters.garbage_octets += len(event.octets)
                if self._garbage > self.settings.garbage_octets_max:
                    effects += self._close(Flood(), f"{self._garbage} octets and no frame")
                continue
            self._garbage = 0
            self.counters.frames += 1
            said = self.driver.hear(event)
            if isinstance(said, Push) and self._belongs(said):
                self.counters.pushes += 1
                pushes.append(said)
            else:
                effects += self._said(said, now_us)
            if self.state is State.ONLINE:
                self._heard(now, now_us)
        if pushes:
            self.waiting += len(pushes)
            # First, so that what a terminal pushed before it logged out is kept.
            effects.insert(0, Store(pushes))
        return effects

    def admitted(self, terminal: TerminalEntry, *, now: float, now_us: int) -> list[Effect]:
        """The centre lets the terminal in."""
        if self._login is None or not self._move(Admitted):
            return []
        login, received_us = self._login
        self._login = None
        self.terminal = terminal
        self.driver.online = True
        self._heartbeat_s = min(max(login.heartbeat_s or terminal.heartbeat_s, HEARTBEAT_S_MIN), HEARTBEAT_S_MAX)
        self._heard(now, now_us)
        self.counters.logins += 1
        return [Send(self.driver.confirm(login, received_us=received_us, now_us=now_us, zone=self.zone))]

    def refused(self, reason: str, *, now_us: int) -> list[Effect]:
        """The centre does not let the terminal in."""
        if self._login is None or not self._move(Refused):
            return []
        login, received_us = self._login
        self.counters.logins_refused += 1
        answer = self.driver.refuse(login, received_us=received_us, now_us=now_us, zone=self.zone)
        return [Send(answer), Close(reason)]

    def kept(self, acknowledgements: list[bytes], settled: int) -> list[Effect]:
        """`settled` pushes are dealt with, and these answers are due to those of them that are on disk."""
        self.waiting -= settled
        if self.state is State.CLOSED:
            return []
        return [Send(b"".join(acknowledgements))] if acknowledgements else []

    def expire(self, now: float) -> list[Effect]:
        """The time is `now`: close if the deadline passed."""
        if now < self.deadline:
            return []
        before = "no login" if self.terminal is None else f"silent for {self.settings.silence_heartbeats:g} heartbeats"
        return self._close(Silence(), before)

    def end(self, reason: str) -> list[Effect]:
        """The centre ends the session: the terminal logged in elsewhere, was suspended, or the centre stops."""
        return self._close(Ended(reason), reason)

    def lost(self) -> None:
        """The connection is gone."""
        self.state = State.CLOSED

    def _belongs(self, push: Push) -> bool:
        """Whether a push may be kept: from the terminal that logged in, and from no other on its connection."""
        return (
            self.state is State.ONLINE and self.terminal is not None and push.address_key == self.terminal.address_key
        )

    def _said(self, said: Said, now_us: int) -> list[Effect]:
        stranger = self.terminal is not None and said.address_key != self.terminal.address_key
        if stranger and isinstance(said, Login):
            # What waits to be said to the one must never be said to the other.
            return self._close(Ended(ANOTHER), ANOTHER)
        if isinstance(said, Other | Push) or stranger or not self._move(type(said)):
            self.counters.frames_ignored += 1
            return []
        match said:
            case Login():
                self._login = (said, now_us)
                self.driver.online = False
                return [Admit(said.address_key)]
            case Heartbeat():
                self.counters.heartbeats += 1
                return [Send(self.driver.confirm(said, received_us=now_us, now_us=now_us, zone=self.zone))]
            case Logout():
                answer = self.driver.confirm(said, received_us=now_us, now_us=now_us, zone=self.zone)
                return [Send(answer), Close("logout")]
            case Part():
                return [Send(said.answer)]
            case Answer():
                return [Hear(said)]

    def _heard(self, now: float, now_us: int) -> None:
        self.heard_us = now_us
        self.deadline = now + self.settings.silence_heartbeats * self._heartbeat_s

    def _close(self, event: Silence | Flood | Ended, reason: str) -> list[Effect]:
        return [Close(reason)] if self._move(type(event)) else []

    def _move(self, event: type) -> bool:
        """Whether `event` means anything in this state; if so the state is what it leads to."""
        to = TRANSITIONS.get((self.state, event))
        if to is None:
            return False
        self.state = to
        return True
