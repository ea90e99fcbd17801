"""Stays with one MQTT broker for ever: connects, subscribes, and starts anew where that is cut or cannot go on.

broker ─► Link ─► Delivery ─► MessageSource ─► Intake ─► journal ─► Delivery.settle ─► Window ─► Link ─► PUBACK

The broker keeps our session while we are away, so what it took from devices meanwhile comes afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import aiomqtt
import structlog

from meterweave.errors import ConfigError
from meterweave.headend.messages.broker import Broker
from meterweave.headend.messages.delivery import Delivery
from meterweave.headend.messages.house import House
from meterweave.headend.messages.link import Link, LoopThread
from meterweave.headend.messages.source import MessageSource

_LOOK_S = 0.02  # between looks whether all is settled

_log = structlog.get_logger(__name__)


class Subscriber:
    """One broker.

    Parameters
    ----------
    sources : callable
        Gives the sources to subscribe to; asked at each connection, so that profiles may change. May raise
        `ConfigError`.
    """

    def __init__(self, broker: Broker, house: House, sources: Callable[[], Sequence[MessageSource]]) -> None:
        self.broker, self._house, self._sources = broker, house, sources
        self.connected = False
        """Whether the broker delivers."""
        self.problem = ""
        """Why it does not, as it was logged last."""
        self._was_up = False
        self._fault = ""  # of ours, as it was logged last

    async def run(self) -> None:
        """Take what the broker delivers, until cancelled; then what it delivered is kept and acknowledged."""
        wait_s = self.broker.again_s
        with LoopThread() as thread:
            while True:
                acknowledged = await self._connection(thread)
                # Progress, however little, tells that the broker and the journal work.
                wait_s = self.broker.again_s if acknowledged else min(2 * wait_s, self.broker.again_s_max)
                await asyncio.sleep(wait_s)

    async def _connection(self, thread: LoopThread) -> int:
        """One connection, from first to last; how many messages were acknowledged."""
        try:
            sources = self._sources()
        except ConfigError as error:
            self._down(str(error))
            return 0
        link = Link(self.broker, thread, lambda: self.up(delivery))
        delivery = Delivery(self._house, sources, link.acknowledge, after_start=not self._was_up)
        talking = link.talk(_topics(sources), delivery.take)
        talk = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(talking, thread.loop))
        refused = asyncio.ensure_future(delivery.wait_refused())
        try:
            await asyncio.wait({talk, refused}, return_when=asyncio.FIRST_COMPLETED)
            self.connected = False
            if delivery.refused.is_set():
                self._refused(delivery.fault)
            delivery.refused.set()
            # Nothing may be delivered again while it is still being kept, however long that takes.
            await self._settled(delivery)
        finally:
            self.connected = False
            refused.cancel()
            delivery.refused.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._house.settings.stop_within_s):
                    await self._settled(delivery)
            link.end()
            await self._ended(talk)
        return delivery.acknowledged

    async def _settled(self, delivery: Delivery) -> None:
        """Wait for what is on its way to the disk."""
        while not delivery.idle:
            await asyncio.sleep(_LOOK_S)

    async def _ended(self, talk: asyncio.Future[None]) -> None:
        try:
            await asyncio.wait_for(talk, self._house.settings.stop_within_s)
        except (aiomqtt.MqttError, ConfigError, OSError, ValueError) as error:
            self._down(str(error) or type(error).__name__)

    def up(self, delivery: Delivery) -> None:
        """The broker delivers, unless what it delivered while it was told the topics had to be refused."""
        if delivery.refused.is_set():
            return
        self._was_up = self.connected = True
        if self.problem:
            _log.info("the MQTT broker delivers again", broker=self.broker.name)
        self.problem = ""

    def _refused(self, fault: Exception | None) -> None:
        if fault is not None and repr(fault) != self._fault:
            _log.error("messages could not be taken", broker=self.broker.name, exc_info=fault)
            self._fault = repr(fault)
        self._down("what it delivers cannot be kept; it is asked for again later")

    def _down(self, problem: str) -> None:
        """The first failure of a kind is logged, not each try."""
        if problem != self.problem:
            _log.warning("the MQTT broker does not deliver", broker=self.broker.name, problem=problem)
        self.problem = problem


def _topics(sources: Sequence[MessageSource]) -> list[tuple[str, bool]]:
    """What to subscribe to, and whether what is retained is to come each time.

    Readings that a broker retains come to a new subscription alone, but states always: nobody else knows them.
    """
    states = {one.state_filter for one in sources}
    return [(topic, topic in states) for topic in dict.fromkeys(topic for one in sources for topic in one.filters)]
