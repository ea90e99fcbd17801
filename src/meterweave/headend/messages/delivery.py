"""What one connection to a broker delivers: each message understood, handed on, and acknowledged when its turn comes.

A message is acknowledged when all of it is kept, and also where no repeat could help: nobody understands it, or the
archives do not have the device. One that the journal refused is not; since acknowledgements keep their order
(`window`), the connection has then to be made anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from paho.mqtt.client import MQTTMessage

from meterweave.headend.driver import Push
from meterweave.headend.messages.condition import Lasting, Tentative
from meterweave.headend.messages.house import House
from meterweave.headend.messages.memory import known_by
from meterweave.headend.messages.source import MessageSource, Told, old
from meterweave.headend.messages.window import Window
from meterweave.profiles.message import Message
from meterweave.registry.address import MQTT
from meterweave.registry.terminal_table import TerminalEntry

GATHER_S = 0.01
"""How long messages are gathered before they are read together: frames are cheaper by the hundred. [s]"""
TOGETHER_MAX = 500
"""Messages read together at most, which bounds how long the loop does nothing else."""
ON_THE_WAY_MAX = 2000
"""Messages on their way to the disk at most; the others wait to be read."""
GATHERED_OCTETS_MAX = 32 << 20
"""Most that waits to be read, should a broker not keep to our bound. [octets]"""

_log = structlog.get_logger(__name__)


class _Came(NamedTuple):
    """A message as the broker delivered it."""

    number: int  # ours
    source: MessageSource
    message: Message
    mid: int  # the broker's, which a repeat keeps; 0 for QoS 0
    repeated: bool  # the broker says that it delivered it before, or tried to
    retained: bool  # it is older than our subscription
    at: int  # when it came, no two at once [us since 1970, UTC]


class _Kept(NamedTuple):
    """What is to be noted once a message is on disk."""

    key: bytes | None  # by which a repeat is known, where its content does not tell
    terminal: int
    lasting: Lasting | None


class Delivery:
    """The messages of one connection.

    Parameters
    ----------
    acknowledge : callable
        Sends the acknowledgements of messages, by the broker's numbers.
    after_start : bool
        Whether it is the first connection after the start: what comes again then may have been kept before.
    """

    def __init__(
        self,
        house: House,
        sources: Sequence[MessageSource],
        acknowledge: Callable[[Sequence[int]], None],
        *,
        after_start: bool = False,
    ) -> None:
        self._house, self._sources, self._acknowledge = house, sources, acknowledge
        self._after_start = after_start
        self._window, self._tentative = Window(), Tentative(house.conditions)
        self._gathered: deque[_Came] = deque()
        self._octets = 0  # of what is gathered
        self._latest = 0  # when the last message came [us since 1970, UTC]
        self._timer: asyncio.TimerHandle | None = None
        self._kept: dict[int, _Kept] = {}  # by our number: what the intake has, or refused
        self._waiting = 0  # messages that the intake has
        self._enrolling: set[asyncio.Task[None]] = set()
        self.refused = asyncio.Event()
        """Set when a message has to come again: the journal or the archives refused it, or there was no room."""
        self.fault: Exception | None = None
        """Of ours, for which one has to."""
        self.acknowledged = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to the disk."""
        return not (self._gathered or self._waiting or self._enrolling)

    async def wait_refused(self) -> None:
        """Wait for `refused`."""
        await self.refused.wait()

    def take(self, messages: Sequence[MQTTMessage]) -> None:
        """Messages came; raises nothing whatever they hold."""
        for message in messages:
            if not self.refused.is_set():  # else it comes again
                self._take(message)
        self._schedule()

    def _take(self, message: MQTTMessage) -> None:
        self._house.counters.messages += 1
        mid = message.mid if message.qos else 0
        number = self._window.delivered(mid)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        source = next((one for one in self._sources if one.speaks_on(topic)), None)
        if source is None:
            self._pass_over(number)
            return
        told = Message(topic, bytes(message.payload))
        self._latest = max(self._latest + 1, self._house.clock())
        self._gathered.append(_Came(number, source, told, mid, message.dup, message.retain, self._latest))
        self._octets += len(told.payload)
        if self._octets > GATHERED_OCTETS_MAX:
            self._refuse()

    def _schedule(self) -> None:
        """See to it that what is gathered is read, where there is room for more on the way to the disk."""
        busy = self._waiting + len(self._enrolling) >= ON_THE_WAY_MAX
        if self._timer is None and self._gathered and not busy:
            wait_s = GATHER_S if len(self._gathered) < TOGETHER_MAX else 0.0
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._read)

    def _read(self) -> None:
        """Understand messages together, and hand them on in their order."""
        self._timer = None
        gathered = [self._gathered.popleft() for _ in range(min(len(self._gathered), TOGETHER_MAX))]
        self._octets -= sum(len(one.message.payload) for one in gathered)
        try:
            self._hand_on(gathered)
        except Exception as fault:  # of ours; without an end the connection would wait for ever
            self._fail(fault)
        self._schedule()

    def _hand_on(self, gathered: Sequence[_Came]) -> None:
        said: dict[int, Told | None] = {}
        for source in dict.fromkeys(one.source for one in gathered):
            of_source = [one for one in gathered if one.source is source]
            heard = source.hear([one.message for one in of_source], [one.at for one in of_source])
            said.update((came.number, told) for came, told in zip(of_source, heard, strict=True))
        for came in gathered:
            told = said[came.number]
            if told is None:
                self._pass_over(came.number)
                continue
            self._house.counters.messages_not_understood += told.partly
            self._meet(came, old(told, came.at) if came.retained else told)

    def _meet(self, came: _Came, told: Told) -> None:
        """Find out who speaks."""
        reception = self._house.reception
        terminal = reception.find(MQTT, told.name)
        if terminal is not None:
            self._offer(came, told, terminal)
        elif not reception.may_enrol(MQTT, told.name):
            self._turn_away(came.number, told)
        else:
            task = asyncio.get_running_loop().create_task(self._enrol(came, told))
            self._enrolling.add(task)
            task.add_done_callback(self._enrolled)

    def _enrolled(self, task: asyncio.Task[None]) -> None:
        self._enrolling.discard(task)
        fault = None if task.cancelled() else task.exception()
        if isinstance(fault, Exception):
            self._fail(fault)
        self._schedule()

    async def _enrol(self, came: _Came, told: Told) -> None:
        terminal = await self._house.reception.enrol(MQTT, told.name)
        if terminal is None:
            self._refuse()  # the archives cannot be written just now
        else:
            self._offer(came, told, terminal)

    def _offer(self, came: _Came, told: Told, terminal: TerminalEntry) -> None:
        """Give it to the intake, which settles it sooner or later."""
        if not came.retained and told.online is not False:  # else the broker speaks, not the device
            self._house.heard(terminal.id)
        key = known_by(terminal.id, told.octets, came.mid) if came.mid and not told.timed else None
        if key is not None and came.repeated and self._known(key, terminal.id, told.octets):
            self._house.memory.note(key, self._house.clock())
            self._house.counters.messages_again += 1
            self._ready(came.number)
            return
        told, lasting = self._tentative.watch(told, terminal.id, terminal.address_key, self._house.clock())
        if not told.readings and not told.events:
            self._ready(came.number)
            return
        if key is not None:
            self._house.memory.forget(key)
        self._kept[came.number] = _Kept(key, terminal.id, lasting)
        answer = came.number.to_bytes(8, "big")
        self._waiting += 1
        self._house.counters.pushes += 1
        self._house.intake.offer(
            self, came.source, terminal, [Push(terminal.address_key, told.octets, answer, answer, told)]
        )

    def _known(self, key: bytes, terminal: int, octets: bytes) -> bool:
        """Whether a message that comes again was kept."""
        keys = (key, known_by(terminal, octets)) if self._after_start else (key,)
        return any(self._house.memory.answers(one, self._house.clock()) is not None for one in keys)

    def settle(self, acknowledgements: list[bytes], settled: int) -> None:
        """See `meterweave.headend.intake.Sender`."""
        self._waiting -= settled
        for answer in acknowledgements:
            number = int.from_bytes(answer, "big")
            kept = self._kept.pop(number)
            if kept.key is not None:
                self._house.memory.note(kept.key, self._house.clock())
            if kept.lasting is not None:
                self._tentative.kept(kept.terminal, kept.lasting)
            self._ready(number)
        if len(acknowledgements) < settled:
            self._refuse()
        self._schedule()

    def _fail(self, fault: Exception) -> None:
        self.fault = fault
        self._refuse()

    def _refuse(self) -> None:
        """Take no more over this connection: the broker delivers it all again over the next."""
        self.refused.set()
        self._gathered.clear()
        self._octets = 0

    def _pass_over(self, number: int) -> None:
        """Nobody understands it, and nobody will."""
        self._house.counters.messages_not_understood += 1
        self._ready(number)

    def _turn_away(self, number: int, told: Told) -> None:
        self._house.reception.turn_away(MQTT, told.name)
        self._ready(number)

    def _ready(self, number: int) -> None:
        mids = [mid for mid in self._window.ready(number) if mid]
        if mids:
            self._acknowledge(mids)
            self.acknowledged += len(mids)
