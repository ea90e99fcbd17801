"""Devices that send datagrams: each holds whole messages or frames, and says by itself whose it is.

datagram ─► network, rate ─► seen before? ─► read ─► Intake ─► journal ─► answered, where the protocol answers

A device that hears no answer sends the same again: that is answered again and not kept again. Who sent a datagram
proves nothing, so nothing but the answer to it ever goes to where it came from.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from meterweave.errors import ConfigError
from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.driver import Heartbeat, Login, Logout, Push, Translator
from meterweave.headend.messages.condition import Tentative
from meterweave.headend.messages.house import House
from meterweave.headend.messages.memory import Memory, digest
from meterweave.headend.messages.rate import Rate
from meterweave.headend.messages.source import MessageSource, Told
from meterweave.headend.networks import Networks
from meterweave.profiles.message import Message
from meterweave.registry.address import UDP, address_text
from meterweave.registry.terminal_table import TerminalEntry

_ENROLLING_MAX = 1000  # datagrams of one port whose devices are being enrolled; one more is turned away
_REMEMBERED_MAX = 100_000  # datagrams
_ADDRESSES_MAX = 10_000

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramSettings:
    """Bounds of a port; every field says unit, default and why."""

    per_s: float = 100.0
    """Datagrams of one address; ten seconds' worth may come at once. [1/s] A carrier may have many devices speak
    from one address."""

    all_per_s: float = 5000.0
    """Datagrams of all addresses, since addresses can be forged. [1/s]"""

    again_s: float = 300.0
    """How long the same octets are the same message. [s] Longer than any device repeats itself, shorter than any
    without a time in its messages reports."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if (value := getattr(self, name)) <= 0:
                raise ConfigError(f"{name} must be positive, not {value}")


class Letter:
    """One datagram whose content is on its way to the disk; a `meterweave.headend.intake.Sender`."""

    def __init__(self, port: DatagramPort, octets: bytes, sender: Address) -> None:
        self._port, self.octets, self.sender = port, octets, sender
        self.answers: list[bytes] = []
        """What is to be sent when each push is kept, by its number; empty where nothing is."""
        self._waiting = self._kept = 0
        self._sent: list[bytes] = []

    def push(self, terminal: TerminalEntry, octets: bytes, answer: bytes, told: Told | None = None) -> Push:
        """Something to be kept, and answered then."""
        number = len(self.answers).to_bytes(4, "big")
        self.answers.append(answer)
        self._waiting += 1
        return Push(terminal.address_key, octets, number, message=told)

    def settle(self, acknowledgements: list[bytes], settled: int) -> None:
        """Answer what is kept; once all of it is, a repeat need not be kept again."""
        for number in acknowledgements:
            self._kept += 1
            if answer := self.answers[int.from_bytes(number, "big")]:
                self._sent.append(answer)
                self._port.send(answer, self.sender)
        self._waiting -= settled
        if not self._waiting:
            self._port.settled(self, self._sent, kept=self._kept == len(self.answers))


class DatagramPort(ABC, asyncio.DatagramProtocol):
    """An open port; what its datagrams hold is for those who fill this in."""

    def __init__(self, house: House, settings: DatagramSettings, networks: Networks | None) -> None:
        self.house, self._networks = house, networks
        self._memory = Memory(_REMEMBERED_MAX, round(settings.again_s * 1e6))
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._rate = Rate(settings.per_s, settings.all_per_s, _ADDRESSES_MAX, loop.time())
        self._on_the_way: set[bytes] = set()
        self._enrolling: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self.stopping = False
        """Whether nothing more is taken; what was, is still answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if self.stopping:
            return
        counters = self.house.counters
        counters.messages += 1
        if self._networks is not None and addr[0] not in self._networks:
            counters.datagrams_not_allowed += 1
            return
        if not self._rate.admits(addr[0], self._now()):
            counters.datagrams_over_rate += 1
            return
        key = digest(data)
        answers = self._memory.answers(key, self.house.clock())
        if answers is None and key not in self._on_the_way:
            self.hear(data, addr)
            return
        counters.messages_again += 1
        for answer in answers or ():
            self.send(answer, addr)

    @abstractmethod
    def hear(self, data: bytes, sender: Address) -> None:
        """A datagram came that was not kept before."""

    def meet(self, name: str, data: bytes, sender: Address) -> TerminalEntry | None:
        """The device of this name; None: it is unknown, or is enrolled first and its datagram heard then."""
        reception = self.house.reception
        terminal = reception.find(UDP, name)
        if terminal is not None:
            self.house.heard(terminal.id)
        elif len(self._enrolling) < _ENROLLING_MAX and reception.may_enrol(UDP, name):
            task = asyncio.get_running_loop().create_task(self._enrol(name, data, sender))
            self._enrolling.add(task)
            self._on_the_way.add(digest(data))
            task.add_done_callback(self._enrolling.discard)
        else:
            reception.turn_away(UDP, name)
        return terminal

    async def _enrol(self, name: str, data: bytes, sender: Address) -> None:
        found = await self.house.reception.enrol(UDP, name)
        self._on_the_way.discard(digest(data))
        if found is None:
            self.house.reception.turn_away(UDP, name)
        else:
            self.hear(data, sender)

    def offer(self, letter: Letter, translator: Translator, terminal: TerminalEntry, pushes: Sequence[Push]) -> None:
        """Give what a datagram holds to the intake."""
        self._on_the_way.add(digest(letter.octets))
        self.house.counters.pushes += len(pushes)
        self.house.intake.offer(letter, translator, terminal, pushes)

    def settled(self, letter: Letter, answers: Sequence[bytes], *, kept: bool) -> None:
        """All of a datagram is dealt with."""
        key = digest(letter.octets)
        self._on_the_way.discard(key)
        if kept:
            self._memory.note(key, self.house.clock(), answers)

    def send(self, octets: bytes, receiver: Address) -> None:
        """Send an answer; one that is lost is asked for again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(octets, receiver)

    def close(self) -> None:
        """Hear no more."""
        if self._transport is not None:
            self._transport.close()


class MessagePort(DatagramPort):
    """Messages that profiles describe, or whole frames of a protocol; the first of `sources` that understands wins."""

    def __init__(
        self, house: House, settings: DatagramSettings, networks: Networks | None, sources: Sequence[MessageSource]
    ) -> None:
        super().__init__(house, settings, networks)
        self._sources, self._tentative = sources, Tentative(house.conditions)

    def hear(self, data: bytes, sender: Address) -> None:
        """See `DatagramPort`."""
        now_us = self.house.clock()
        for source in self._sources:
            (told,) = source.hear([Message(None, data)], [now_us])
            if told is not None:
                self.house.counters.messages_not_understood += told.partly
                self._take(source, told, sender, now_us)
                return
        self.house.counters.messages_not_understood += 1

    def _take(self, source: MessageSource, told: Told, sender: Address, now_us: int) -> None:
        terminal = self.meet(told.name, told.octets, sender)
        if terminal is None:
            return
        letter = WatchedLetter(self, told.octets, sender, terminal, self._tentative)
        told = letter.watch(told, now_us)
        if told.readings or told.events:
            self.offer(letter, source, terminal, [letter.push(terminal, told.octets, b"", told)])


class WatchedLetter(Letter):
    """A datagram whose events count as told once they are on disk."""

    def __init__(
        self, port: DatagramPort, octets: bytes, sender: Address, terminal: TerminalEntry, tentative: Tentative
    ) -> None:
        super().__init__(port, octets, sender)
        self._terminal, self._tentative = terminal, tentative
        self._lasting: frozenset[int] | None = None

    def watch(self, told: Told, received: int) -> Told:
        """The message with its events."""
        told, self._lasting = self._tentative.watch(told, self._terminal.id, self._terminal.address_key, received)
        return told

    def settle(self, acknowledgements: list[bytes], settled: int) -> None:
        """See `Letter`."""
        if self._lasting is not None and acknowledgements:
            self._tentative.kept(self._terminal.id, self._lasting)
        elif self._lasting is not None:
            self._tentative.dropped(self._terminal.id)
        super().settle(acknowledgements, settled)


class Dlt698Port(DatagramPort):
    """DL/T 698.45: reports are kept and answered as over a connection; there is no session to keep."""

    def __init__(self, house: House, settings: DatagramSettings, networks: Networks | None) -> None:
        super().__init__(house, settings, networks)
        self._driver = Dlt698Driver(house.settings.apdu_octets_max)

    def hear(self, data: bytes, sender: Address) -> None:
        """See `DatagramPort`."""
        decoder = self._driver.decoder()
        frames = [one for one in (*decoder.feed(data), *decoder.flush()) if isinstance(one, bytes)]
        said = [self._driver.hear(frame) for frame in frames]
        names = {address_text("dlt698", one.address_key) for one in said if one.address_key > 0}
        if len(names) != 1:
            self.house.counters.messages_not_understood += 1
            return
        terminal = self.meet(names.pop(), data, sender)
        if terminal is None:
            return
        letter = Letter(self, data, sender)
        pushes = [letter.push(terminal, one.octets, one.acknowledgement) for one in said if isinstance(one, Push)]
        for one in said:
            if isinstance(one, Login | Heartbeat | Logout):
                self._confirm(one, sender)
            elif not isinstance(one, Push):
                self.house.counters.messages_not_understood += 1
        if pushes:
            self.offer(letter, Dlt698Driver, terminal, pushes)

    def _confirm(self, said: Login | Heartbeat | Logout, sender: Address) -> None:
        now_us = self.house.clock()
        if isinstance(said, Login):
            self.house.counters.logins += 1
        elif isinstance(said, Heartbeat):
            self.house.counters.heartbeats += 1
        self.send(self._driver.confirm(said, received_us=now_us, now_us=now_us, zone=self.house.zone), sender)
