"""Devices that speak for themselves: the settings of brokers and datagram ports, and both opened, kept and closed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, cast
from zoneinfo import ZoneInfo

import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from meterweave.errors import ConfigError
from meterweave.headend import HeadEnd
from meterweave.headend.messages import (
    Broker,
    Conditions,
    DatagramPort,
    DatagramSettings,
    Dlt698Port,
    House,
    Memory,
    MessagePort,
    MessageSource,
    Subscriber,
)
from meterweave.headend.networks import Networks
from meterweave.lake import Lake, LakeError
from meterweave.profiles import Profile
from meterweave.profiles.frames import OCTETS, Frames
from meterweave.profiles.message import Messages
from meterweave.profiles.shelf import Shelf
from meterweave.protocols.registry import registry as codecs
from meterweave.registry import Directory
from meterweave.registry.address import MQTT, UDP
from meterweave.registry.vocabulary import Utility

USERNAME, PASSWORD = "METERWEAVE_MQTT_USERNAME", "METERWEAVE_MQTT_PASSWORD"
"""In the environment: as whom to come to brokers whose table does not say."""
_CODECS = {"dlt645-1997": "dlt645"}  # one codec knows both editions
_REMEMBERED_MAX = 20_000  # messages without a time of their own
_REMEMBERED_US = 86_400_000_000

_log = structlog.get_logger(__name__)


class MqttBroker(BaseModel):
    """An MQTT broker to which devices report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """``mqtt://host[:1883]`` or ``mqtts://host[:8883]``."""
    profiles: tuple[str, ...] = Field(min_length=1)
    """Of the devices; their topics are subscribed to."""
    username: str | None = None
    password: SecretStr | None = None
    ca: Path | None = None
    """PEM of the authorities that may have signed the broker's certificate; those of the system without it."""
    client_id: str = Field("meterweave", pattern=r"^[0-9A-Za-z._-]{1,64}$")
    """Under which the broker keeps what comes while the centre is away. Two centres at one broker need two."""
    version: Literal["5", "3.1.1"] = "5"
    """Of MQTT."""

    @field_validator("url")
    @classmethod
    def _is_one(cls, url: str) -> str:
        try:
            Broker(url=url)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return url

    def broker(self) -> Broker:
        """With what the environment adds."""
        password = self.password.get_secret_value() if self.password else os.environ.get(PASSWORD)
        username = self.username or os.environ.get(USERNAME)
        return Broker(
            url=self.url,
            username=username or None,
            password=password if username else None,
            ca=self.ca,
            client_id=self.client_id,
            version=self.version,
        )


class UdpPort(BaseModel):
    """A port for datagrams."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    protocol: Literal["dlt698", "dlt645", "dlt645-1997", "cjt188", "mbus"] | None = None
    """Of the frames that the datagrams are."""
    profiles: tuple[str, ...] = ()
    """Or of the messages that they are; the first that understands one has it."""
    allow: tuple[str, ...] = ()
    """Networks from which datagrams are taken; none named: any."""
    per_s: float = Field(100.0, gt=0)
    """Most datagrams taken from one address. [1/s]"""
    again_s: float = Field(300.0, gt=0)
    """How long the same octets are the same message. [s]"""

    @model_validator(mode="after")
    def _one_kind(self) -> UdpPort:
        if (self.protocol is None) == (not self.profiles):
            raise ValueError("give a protocol or profiles, and not both")
        return self


class Wanted(Protocol):
    """What of the centre's settings is needed here."""

    @property
    def mqtt(self) -> tuple[MqttBroker, ...]:
        """The brokers."""

    @property
    def udp(self) -> tuple[UdpPort, ...]:
        """The ports."""


class Direct:
    """Brokers and datagram ports of one centre."""

    def __init__(self, head_end: HeadEnd, directory: Directory, lake: Lake, settings: Wanted, shelf: Shelf) -> None:
        self._head_end, self._directory, self._lake = head_end, directory, lake
        self._settings, self._shelf = settings, shelf
        self.house = House(
            intake=head_end.intake,
            reception=head_end.reception,
            conditions=Conditions(),
            memory=Memory(_REMEMBERED_MAX, _REMEMBERED_US),
            counters=head_end.counters,
            settings=head_end.settings,
            zone=head_end.zone,
            clock=head_end.clock,
            heard=head_end.heard,
        )
        self.subscribers: tuple[Subscriber, ...] = ()
        self._ports: list[DatagramPort] = []

    async def open(self) -> list[tuple[str, str, int]]:
        """Check what profiles say, and open the ports: protocol ``udp``, host and port of each.

        Raises
        ------
        ConfigError
            If a profile is missing or has no messages, or a port cannot be opened.
        """
        wanted = self._settings
        if not (wanted.mqtt or wanted.udp):
            return []
        for broker in wanted.mqtt:
            self._sources(broker.profiles, of_topics=True)
        await self._restore()
        self.subscribers = tuple(self._subscriber(one) for one in wanted.mqtt)
        return [await self._listen(one) for one in wanted.udp]

    async def run(self) -> None:
        """Hear the brokers, until cancelled."""
        await asyncio.gather(*(one.run() for one in self.subscribers))
        if not self.subscribers:
            await asyncio.Event().wait()

    def stop(self) -> None:
        """Take no more datagrams; what came is still kept and answered, until `close`."""
        for port in self._ports:
            port.stopping = True

    def close(self) -> None:
        """Close the ports."""
        for port in self._ports:
            port.close()

    async def _restore(self) -> None:
        """Take up what was known before the centre was started."""
        terminals = self._directory.snapshot.terminals
        devices = [*terminals.ids(MQTT).tolist(), *terminals.ids(UDP).tolist()]
        if not devices:
            return
        try:
            await asyncio.to_thread(self.house.conditions.restore, self._lake, devices)
            await asyncio.to_thread(self.house.memory.restore, self._lake, devices, self._head_end.clock())
        except LakeError as error:
            _log.warning("it is not known what lasted at devices; events may be told twice", error=str(error))

    def _subscriber(self, wanted: MqttBroker) -> Subscriber:
        return Subscriber(wanted.broker(), self.house, lambda: self._sources(wanted.profiles, of_topics=True))

    def _sources(self, profiles: Sequence[str], *, of_topics: bool = False) -> list[MessageSource]:
        found = [self._shelf.find(name) for name in profiles]
        for one in found:
            if one.messages is None or (of_topics and one.messages.topic is None):
                raise ConfigError(f"profile {one.name} has no messages{' with a topic' if of_topics else ''}")
        return [_source(one, self._head_end.zone) for one in found]

    async def _listen(self, wanted: UdpPort) -> tuple[str, str, int]:
        bounds = DatagramSettings(per_s=wanted.per_s, again_s=wanted.again_s)
        networks = Networks.of(wanted.allow) if wanted.allow else None
        port: DatagramPort
        if wanted.protocol == "dlt698":
            port = Dlt698Port(self.house, bounds, networks)
        else:
            port = MessagePort(self.house, bounds, networks, self._of_port(wanted))
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: port, (wanted.host, wanted.port))
        except OSError as error:
            raise ConfigError(f"{wanted.host}:{wanted.port} cannot be opened for udp: {error}") from error
        self._ports.append(port)
        here = transport.get_extra_info("sockname")
        return UDP, here[0], here[1]

    def _of_port(self, wanted: UdpPort) -> list[MessageSource]:
        if wanted.protocol is None:
            return self._sources(wanted.profiles)
        messages = Messages(None, Frames(codecs()[_CODECS.get(wanted.protocol, wanted.protocol)], OCTETS))
        return [MessageSource(wanted.protocol, messages, self._head_end.zone)]


def _source(profile: Profile, zone: ZoneInfo) -> MessageSource:
    messages = cast(Messages, profile.messages)
    return MessageSource(profile.protocol, messages, zone, model=profile.name, utility=Utility(profile.utility))
