"""Simulated devices that publish to an MQTT broker: one connection each, so that each has a will of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import aiomqtt

from meterweave.errors import ConfigError
from meterweave.profiles import Device

RETRY_S = 2.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_AT_LEAST_ONCE = 1


class Broker(NamedTuple):
    """Where messages are published."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @property
    def text(self) -> str:
        """Without what is secret."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def broker(text: str) -> Broker:
    """What ``--mqtt`` says.

    Raises
    ------
    ConfigError
        If that is no broker.
    """
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port or _PORTS.get(url.scheme, 0)
    except ValueError:
        host, port = None, 0
    if not host or not port or url.scheme not in _PORTS or url.path or url.query:
        raise ConfigError("that is no broker; wanted mqtt://host:1883 or mqtts://user:password@host:8883")
    username = unquote(url.username) if url.username else None
    return Broker(host, port, url.scheme == "mqtts", username, unquote(url.password) if url.password else None)


async def run(
    devices: Sequence[Device], where: Broker, every_s: float, zone: ZoneInfo, say: Callable[[str], None]
) -> None:
    """Publish until SIGINT or SIGTERM; then every device takes its leave.

    Raises
    ------
    ConfigError
        If the broker cannot be reached at the start.
    """
    task = asyncio.current_task()
    assert task is not None  # a coroutine runs in one
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    fleet = _Fleet(where, every_s, zone, say)
    try:
        async with asyncio.TaskGroup() as group:
            for number, device in enumerate(devices):
                group.create_task(fleet.live(device, every_s * number / len(devices)))
    except* aiomqtt.MqttError as failed:
        raise ConfigError(f"{where.text}: {failed.exceptions[0]}") from None
    except* asyncio.CancelledError:
        pass


class _Fleet:
    """What the devices share."""

    def __init__(self, where: Broker, every_s: float, zone: ZoneInfo, say: Callable[[str], None]) -> None:
        self._where, self._every_s, self._zone, self._say = where, every_s, zone, say
        self._reached = self._lost = False

    async def live(self, device: Device, wait_s: float) -> None:
        """Connect and publish for ever, beginning after `wait_s`."""
        while True:
            try:
                async with self._client(device) as client:
                    self._came()
                    await self._publish(client, device, wait_s)
            except aiomqtt.MqttError as error:
                if not self._reached:
                    raise
                self._went(error)
                await asyncio.sleep(RETRY_S)

    def _client(self, device: Device) -> aiomqtt.Client:
        where, gone = self._where, device.presence(online=False)
        return aiomqtt.Client(
            where.host,
            where.port,
            identifier=f"{device.profile.name}-{device.address}",
            username=where.username,
            password=where.password,
            will=aiomqtt.Will(gone.topic or "", gone.payload, _AT_LEAST_ONCE, retain=True) if gone else None,
            tls_context=ssl.create_default_context() if where.tls else None,
        )

    async def _publish(self, client: aiomqtt.Client, device: Device, wait_s: float) -> None:
        here, gone = device.presence(online=True), device.presence(online=False)
        if here is not None:
            await client.publish(here.topic or "", here.payload, _AT_LEAST_ONCE, retain=True)
        try:
            await asyncio.sleep(wait_s)
            while True:
                message = device.message(int(time.time()), self._zone)
                await client.publish(message.topic or "", message.payload, _AT_LEAST_ONCE)
                await asyncio.sleep(self._every_s)
        except asyncio.CancelledError:
            # Who leaves in order has no will carried out.
            if gone is not None:
                with contextlib.suppress(aiomqtt.MqttError):
                    await client.publish(gone.topic or "", gone.payload, _AT_LEAST_ONCE, retain=True)
            raise

    def _came(self) -> None:
        if not self._reached or self._lost:
            self._say(self._where.text)
        self._reached, self._lost = True, False

    def _went(self, error: aiomqtt.MqttError) -> None:
        if not self._lost:
            self._say(f"{self._where.text}: {error}")
        self._lost = True
