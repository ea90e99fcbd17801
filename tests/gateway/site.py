"""A centre and its gateways in one process: real archives, a real lake, TLS and meters on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from meterweave.centre.certificate import own_identity
from meterweave.centre.gateway_settings import GatewaysSettings
from meterweave.centre.gateways import Gateways
from meterweave.gateway.gateway import Gateway
from meterweave.gateway.settings import GatewaySettings
from meterweave.gateway.store import Store
from meterweave.gateway.trust import Trust
from meterweave.gateway.wire import FROM_CENTRE, VERSION, Decoder, Hello, Message, Plan, Welcome, encode
from meterweave.registry import Registry
from meterweave.registry.gateways import give_key
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalKind
from tests.centre.buses import WAIT_S, Running, running

LISTENING = GatewaysSettings(port=0, wrong_key_s=0.05, login_within_s=10.0)
QUICK: dict[str, Any] = {
    "tick_s": 0.02,
    "again_s": 0.05,
    "again_max_s": 0.1,
    "status_s": 0.02,
    "ping_s": 1.0,
    "refused_pause_s": 0.05,
}
"""A gateway in a hurry."""


def add_gateway(registry: Registry, name: str) -> tuple[int, str]:
    """A gateway in the archives: its id and key."""
    with registry.writing() as session:
        terminal = enrol(session, "n5", name, kind=TerminalKind.COLLECTOR)
        return terminal.id, give_key(session, terminal.id)


def settings_of(here: Running, folder: Path, name: str, key: str, **more: Any) -> GatewaySettings:
    """What a gateway of this centre, whose data are in `folder`, needs."""
    port = next(port for protocol, _, port in here.centre.ports if protocol == "n5")
    certificate = own_identity(folder).pem()
    told: dict[str, Any] = {"host": "127.0.0.1", "port": port, "name": name, "key": key, "certificate": certificate}
    return GatewaySettings(**told | QUICK | more)


def gateways(here: Running) -> Gateways:
    """Of a running centre."""
    found: Gateways = here.centre.gateways
    return found


@asynccontextmanager
async def centre(folder: Path, registry: Registry, **settings: Any) -> AsyncIterator[Running]:
    """A centre that lets gateways in."""
    async with running(folder, registry, **{"gateways": LISTENING} | settings) as here:
        yield here


class Peer:
    """A gateway spoken by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.decoder = Decoder(FROM_CENTRE)

    @classmethod
    async def connect(cls, settings: GatewaySettings) -> Peer:
        """TLS stands, nothing is said yet."""
        link = await asyncio.open_connection(settings.host, settings.port, ssl=Trust(settings.certificate).context)
        return cls(*link)

    @classmethod
    async def let_in(cls, settings: GatewaySettings, journal: str = "hand") -> Peer:
        """Welcomed, the first plan read."""
        peer = await cls.connect(settings)
        peer.say(Hello(VERSION, settings.name, settings.key, journal))
        assert isinstance(await peer.heard(), Welcome)
        assert isinstance(await peer.heard(), Plan)
        return peer

    def say(self, *messages: Message) -> None:
        self.writer.write(b"".join(map(encode, messages)))

    async def heard(self) -> Message:
        """The next message, whatever it is."""
        async with asyncio.timeout(WAIT_S):
            while (message := self.decoder.next()) is None:
                octets = await self.reader.read(1 << 16)
                assert octets, "the centre closed the connection"
                self.decoder.feed(octets)
            return message

    async def closed(self) -> bool:
        """Wait until the centre has closed the connection."""
        async with asyncio.timeout(WAIT_S):
            with suppress(OSError):
                while await self.reader.read(1 << 16):
                    pass
        return True

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def site(folder: Path, settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """A gateway that runs; it ends orderly."""
    with Store(folder, journal_octets_max=settings.journal_octets_max) as store:
        gateway = Gateway(settings, store)
        task = asyncio.create_task(gateway.run())
        try:
            yield gateway
        finally:
            task.cancel()
            await asyncio.wait((task,))
        assert task.cancelled(), task.exception()
