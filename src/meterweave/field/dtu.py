"""Terminals of data (DTU) that dial us: each says who it is with a packet of its own, and carries one line.

The packet is what was set in the DTU, any octets, sent first on every connection. It is no secret worth the name: let
only networks in that are yours, or a VPN.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container

import structlog

from meterweave.field.plan import PlanError
from meterweave.field.ports import CHUNK, Link, Port, StreamLink

PACKET_MAX = 128
"""Longest registration packet. [octets]"""
REGISTER_S = 15.0
"""How long a new connection may take to say who it is. [s]"""
STRANGERS_MAX = 256
"""Connections that have not said who they are; one more is closed as it comes."""

QUIET_S = 60.0
"""After a connection was refused, none of the same address is told of in the log for so long. [s]"""
TOLD_MAX = 1024
"""Addresses of which it is known when they were told of."""

_log = structlog.get_logger(__name__)


class DtuLink(StreamLink):
    """A DTU's connection; what it says by itself to keep the connection alive is left out."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes, own: frozenset[bytes]
    ) -> None:
        super().__init__(reader, writer, first)
        self._own = own

    async def receive(self, until: float) -> bytes:
        while (octets := await super().receive(until)) in self._own:
            pass
        return octets


class DtuPort(Port):
    """The line behind one DTU; made by `DtuListener.port`."""

    def __init__(self, packet: bytes, heartbeat: bytes) -> None:
        self.name = f"dtu:{packet.hex()}"
        self.own = frozenset({packet, heartbeat} - {b""})
        """What the DTU says by itself."""
        self._arrived = asyncio.Event()
        self._next: Link | None = None
        self._open: Link | None = None

    async def open(self) -> Link:
        """The connection of the DTU; waits until it dials."""
        while self._next is None:
            self._arrived.clear()
            await self._arrived.wait()
        self._open, self._next = self._next, None
        return self._open

    def arrive(self, link: Link) -> None:
        """The DTU dialled; what it had before is dead, whether or not that shows."""
        for old in (self._next, self._open):
            if old is not None:
                old.close()
        self._next, self._open = link, None
        self._arrived.set()

    def close(self) -> None:
        """Let go of its connections."""
        for link in (self._next, self._open):
            if link is not None:
                link.close()


class DtuListener:
    """One TCP port to which DTUs dial.

    Parameters
    ----------
    allowed : container of str, optional
        The IP addresses from which they may dial; without it any.

    Attributes
    ----------
    refused : int
        Connections closed since the start: from elsewhere, strangers, too slow, or too many.
    """

    def __init__(
        self,
        *,
        register_s: float = REGISTER_S,
        strangers_max: int = STRANGERS_MAX,
        allowed: Container[str] | None = None,
    ) -> None:
        self.refused = 0
        self._allowed = allowed
        self._register_s, self._strangers_max = register_s, strangers_max
        self._ports: dict[bytes, DtuPort] = {}
        self._strangers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._quiet_until: dict[str, float] = {}  # by address of the peer, the oldest first [s]

    def port(self, packet: bytes, heartbeat: bytes = b"") -> DtuPort:
        """The port of the DTU that registers with `packet`, which puts it on the list of those let in.

        Parameters
        ----------
        heartbeat : bytes
            What it sends to keep its connection alive.

        Raises
        ------
        PlanError
            If the packet is empty or too long, or another one begins like it, so that they cannot be told apart.
        """
        if not 0 < len(packet) <= PACKET_MAX:
            raise PlanError(
                f"a registration packet has 1 to {PACKET_MAX} octets, not {len(packet)}",
                f"注册包应为1至{PACKET_MAX}字节，而非{len(packet)}字节",
            )
        for other in self._ports:
            if packet.startswith(other) or other.startswith(packet):
                raise PlanError(
                    f"registration packets {packet.hex()} and {other.hex()} begin alike: change one",
                    f"注册包{packet.hex()}与{other.hex()}开头相同，请修改其一",
                )
        self._ports[packet] = DtuPort(packet, heartbeat)
        return self._ports[packet]

    def forget(self, packet: bytes) -> None:
        """Let the DTU of this packet in no more, and close its connections."""
        if port := self._ports.pop(packet, None):
            port.close()

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; where, in case `port` is 0."""
        self._server = await asyncio.start_server(self._take, host, port, limit=CHUNK)
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return address

    def stop(self) -> None:
        """Listen no more, and let go of all connections."""
        if self._server is not None:
            self._server.close()
        for writer in self._strangers:
            writer.close()
        for port in self._ports.values():
            port.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if self._allowed is not None and (peer is None or peer[0] not in self._allowed):
            self._refuse(writer, "not from a network that may dial")
            return
        if len(self._strangers) >= self._strangers_max:
            self._refuse(writer, "too many connections that have not registered")
            return
        self._strangers.add(writer)
        try:
            async with asyncio.timeout(self._register_s):
                octets = await self._registered(reader)
        except OSError as error:
            self._refuse(writer, f"no registration packet: {error or 'too slow'}")
            return
        finally:
            self._strangers.discard(writer)
        packet = self._packet(octets)
        if packet is None:
            self._refuse(writer, f"unknown registration packet {octets[:PACKET_MAX].hex()}")
            return
        port = self._ports[packet]
        port.arrive(DtuLink(reader, writer, octets[len(packet) :], port.own))

    async def _registered(self, reader: asyncio.StreamReader) -> bytes:
        """The first octets of a connection, until they are a known packet or cannot become one."""
        octets = b""
        while self._packet(octets) is None and any(packet.startswith(octets) for packet in self._ports):
            more = await reader.read(CHUNK)
            if not more:
                raise ConnectionResetError("the other side closed the connection")
            octets += more
        return octets

    def _packet(self, octets: bytes) -> bytes | None:
        return next((packet for packet in self._ports if octets.startswith(packet)), None)

    def _refuse(self, writer: asyncio.StreamWriter, why: str) -> None:
        self.refused += 1
        peer, now = writer.get_extra_info("peername"), time.monotonic()
        host = str(peer[0]) if peer else ""
        if now >= self._quiet_until.get(host, 0.0):
            self._quiet_until.pop(host, None)
            self._quiet_until[host] = now + QUIET_S
            if len(self._quiet_until) > TOLD_MAX:
                del self._quiet_until[next(iter(self._quiet_until))]
            _log.warning("dtu refused", peer=peer, why=why, refused=self.refused)
        writer.close()
