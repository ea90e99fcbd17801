"""One connection to a broker, in a thread with an event loop of its own, and how the centre's loop speaks with it.

The centre runs on uvloop, which stops watching a socket that was reset without telling those who gave it the socket, as
aiomqtt does; the connection would hang until its keep-alive ran out. asyncio's own loop tells.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import aiomqtt
from paho.mqtt.client import MQTTMessage
from paho.mqtt.subscribeoptions import SubscribeOptions

from meterweave.headend.messages.broker import Broker, Client

HAND_OVER_S = 0.002
"""How long messages are gathered before the centre's loop is woken for them. [s]"""
_FAILED = 0x80  # from here on the reason codes of a SUBACK are refusals


class LoopThread:
    """An event loop of asyncio's own in a thread; runs while it is entered."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


class Link:
    """One connection. `talk` runs in the thread's loop; everything else is called from the centre's.

    Parameters
    ----------
    up : callable
        Called in the centre's loop when the broker delivers.
    """

    def __init__(self, broker: Broker, thread: LoopThread, up: Callable[[], None]) -> None:
        self._broker, self._there, self._here = broker, thread.loop, asyncio.get_running_loop()
        self._up = up
        self._take: Callable[[Sequence[MQTTMessage]], None] | None = None
        self._client: Client | None = None
        self._came: list[MQTTMessage] = []
        self._end = asyncio.Event()

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Tell the broker that these messages are kept."""
        self._call(self._acknowledge, mids)

    def end(self) -> None:
        """Have `talk` disconnect, once what was to be acknowledged is."""
        self._call(self._end.set)

    def _call(self, what: Callable[..., object], *arguments: object) -> None:
        # The disk may be done with a message after the thread's end: the broker then delivers it again some day.
        with suppress(RuntimeError):
            self._there.call_soon_threadsafe(what, *arguments)

    async def talk(self, topics: Sequence[tuple[str, bool]], take: Callable[[Sequence[MQTTMessage]], None]) -> None:
        """Connect, subscribe, deliver; returns after `end`.

        Parameters
        ----------
        topics : sequence of (str, bool)
            Filters, and whether the broker is to send what it retains under each to a subscription that it has
            already.
        take : callable
            Called in the centre's loop with messages that came.

        Raises
        ------
        aiomqtt.MqttError, OSError, ValueError
            If the broker cannot be reached, does not let us in, or is lost.
        """
        self._take = take
        client = self._client = Client(self._broker, self._gather)
        async with client:
            for topic, again in topics:
                await self._subscribe(client, topic, again=again)
            self._here.call_soon_threadsafe(self._up)
            await self._lost_or_ended(client)

    async def _subscribe(self, client: Client, topic: str, *, again: bool) -> None:
        if self._broker.version == "5":
            handling = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if again else SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            granted = await client.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=handling))
        else:
            granted = await client.subscribe(topic, qos=1)
        if any(getattr(code, "value", code) >= _FAILED for code in granted):
            raise aiomqtt.MqttError(f"the broker does not let us subscribe to {topic}")

    async def _lost_or_ended(self, client: Client) -> None:
        lost, ended = asyncio.ensure_future(client.lost()), asyncio.ensure_future(self._end.wait())
        try:
            await asyncio.wait({lost, ended}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                lost.result()
        finally:
            lost.cancel()
            ended.cancel()
            await asyncio.gather(lost, ended, return_exceptions=True)

    def _gather(self, message: MQTTMessage) -> None:
        if not self._came:
            self._there.call_later(HAND_OVER_S, self._hand_over)
        self._came.append(message)

    def _hand_over(self) -> None:
        came, self._came = self._came, []
        if self._take is not None:
            self._here.call_soon_threadsafe(self._take, came)

    def _acknowledge(self, mids: Sequence[int]) -> None:
        if self._client is not None:
            self._client.acknowledge(mids)
