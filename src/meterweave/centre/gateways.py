"""The gateways that call the centre (interface N5): who is let in, what each has to read, what is wished of its lines.

A gateway is let in by its key alone, over TLS with a certificate that it knows. Where it calls a second time the newer
connection stays: the older one is dead, whether or not that shows.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from meterweave.centre.certificate import Identity
from meterweave.centre.gateway_link import LOGGED_MAX, GatewayCounters, GatewayLink, Keep
from meterweave.centre.gateway_plan import Charge, charge
from meterweave.centre.gateway_settings import GatewaysSettings
from meterweave.errors import ConfigError, DecodeError
from meterweave.field.order import Happened, Outcome, Wish
from meterweave.gateway.status import SiteStatus
from meterweave.gateway.wire import (
    FROM_GATEWAY,
    FROM_STRANGERS,
    VERSION,
    Decoder,
    Hello,
    Refusal,
    Welcome,
    encode,
)
from meterweave.headend.networks import Networks, server_tls
from meterweave.headend.unknown import Unknown
from meterweave.profiles.shelf import Shelf
from meterweave.registry import Directory, Registry
from meterweave.registry.gateways import gateway_of_key
from meterweave.registry.lines import lines_of
from meterweave.registry.models import Terminal
from meterweave.text import Text

FOLLOW_S = 0.5
"""How often it is looked whether the archives, or the profiles, changed. [s]"""
ACCEPT_AGAIN_S = 1.0
"""Pause where no connection can be taken, for want of open files say. [s]"""
UNKNOWN_MAX = 1000
"""Names with a wrong key that are remembered, so that each is logged once."""

_BACKLOG = 256
_CHUNK = 1 << 16

OFFLINE = Text("the gateway of the line is not connected; nothing was sent", "线路所属网关未连接，未发送任何内容")

_log = structlog.get_logger(__name__)


class _Known(NamedTuple):
    """A gateway as the archives have it."""

    charge: Charge
    digest: str | None
    """Of its key."""


class Gateways:
    """Listens for gateways while entered into a task by `run`.

    Parameters
    ----------
    directory : Directory
        Somebody else keeps it up to date.
    keep : callable
        Keeps readings and event rows; done means kept, a `LakeError` that they are not.
    heard : callable
        Told the id of a gateway, or line, when it was heard.
    clock : callable
        The centre's time. [us since 1970, UTC]
    """

    def __init__(
        self,
        registry: Registry,
        directory: Directory,
        shelf: Shelf,
        settings: GatewaysSettings,
        *,
        keep: Keep,
        heard: Callable[[int], None],
        clock: Callable[[], int],
    ) -> None:
        self.settings, self.keep, self.heard, self.clock = settings, keep, heard, clock
        self.counters = GatewayCounters()
        self._registry, self._directory, self._shelf = registry, directory, shelf
        self._links: dict[int, GatewayLink] = {}
        self._came: set[GatewayLink] = set()  # since the archives were looked at last
        self._gateway_of: Mapping[int, int] = {}  # by line
        self._wrong: Unknown[str] = Unknown(UNKNOWN_MAX)
        self._networks = Networks.of(settings.allow) if settings.allow else None
        self._socket: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None
        self._strangers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing = False

    def listen(self, identity: Identity) -> tuple[str, int]:
        """Open the port; where it is, which tells the port where it was 0. Gateways are let in by `run`.

        Raises
        ------
        ConfigError
            If the port or the certificate cannot be opened.
        """
        host, port = self.settings.host, self.settings.port or 0
        self._tls = server_tls(identity.certificate, identity.key)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigError(f"{host}:{port} cannot be opened for gateways: {error}") from error
        self._socket.setblocking(False)
        where = self._socket.getsockname()
        return where[0], where[1]

    def close(self) -> None:
        """Close the port, if it is open."""
        if self._socket is not None:
            self._socket.close()

    async def run(self) -> None:
        """Let gateways in, and tell them what changed, until cancelled."""
        works = [self._follow()] if self._socket is None else [self._follow(), self._accept(self._socket)]
        try:
            await asyncio.gather(*works)
        finally:
            self.close()
            for link in list(self._links.values()):
                link.end("the centre stops")
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # What the rest of the centre asks ---------------------------------------------------------------------------------

    def masters(self, line: int) -> bool:
        """Whether the archives give the line with this id to a gateway."""
        return line in self._gateway_of

    def online(self, terminal: int) -> bool:
        """Whether the line, or gateway, with this id can be reached now."""
        if terminal in self._links:
            return True
        link = self._link_of(terminal)
        status = None if link is None else link.line(terminal)
        return status is not None and status.running and status.open

    def status(self, gateway: int) -> SiteStatus | None:
        """What the gateway with this id told last; None: it is not connected."""
        link = self._links.get(gateway)
        return None if link is None else link.status

    async def call_line(self, line: int, wish: Wish, *, begin_s: float | None = None) -> Happened:
        """Have the gateway of a line fulfil a wish; whatever comes of it, nothing is raised.

        Parameters
        ----------
        begin_s : float, optional
            How long it may wait for its turn on the line. [s]
        """
        link = self._link_of(line)
        if link is None:
            return Happened(Outcome.NOT_SENT, OFFLINE)
        return await link.ask(wish, self.settings.begin_s if begin_s is None else begin_s)

    def _link_of(self, line: int) -> GatewayLink | None:
        gateway = self._gateway_of.get(line)
        return None if gateway is None else self._links.get(gateway)

    # Letting in -------------------------------------------------------------------------------------------------------

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                link, peer = await loop.sock_accept(listening)
            except OSError as error:
                _log.warning("no connection of a gateway can be taken", why=str(error))
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            if not self._may_stay(peer[0]):
                self.counters.turned_away += 1
                link.close()
                continue
            task = loop.create_task(self._serve(link))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _may_stay(self, peer: str) -> bool:
        if self._networks is not None and peer not in self._networks:
            return False
        return self._strangers < self.settings.strangers_max and len(self._links) < self.settings.connections_max

    async def _serve(self, connection: socket.socket) -> None:
        """One connection, from its first octet to its end; whatever comes, nothing is raised."""
        link: GatewayLink | None = None
        reason = "it closed the connection"
        self._strangers += 1
        try:
            try:
                async with asyncio.timeout(self.settings.login_within_s):
                    link = await self._let_in(connection)
            finally:
                self._strangers -= 1
            if link is not None:
                await link.run()
        except DecodeError as error:
            self.counters.broken += 1
            reason = str(error)
        except ssl.SSLError as error:
            self.counters.broken += 1
            reason = f"TLS: {error.reason or error}"
        except OSError as error:
            self.counters.broken += link is None
            reason = str(error) or "it said nothing for too long"
        except Exception:  # a fault of ours must cost this gateway its connection, and the centre nothing
            _log.exception("the connection of a gateway failed")
        finally:
            if link is not None:
                self._leave(link, reason)

    async def _let_in(self, connection: socket.socket) -> GatewayLink | None:
        """TLS, and who it is; None: nobody who may come in, and it was told so."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._tls, ssl_handshake_timeout=self.settings.login_within_s
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            decoder = Decoder(FROM_STRANGERS)
            while (hello := decoder.next()) is None:
                octets = await reader.read(_CHUNK)
                if not octets:
                    raise ConnectionResetError("it closed the connection before it said who it is")
                decoder.feed(octets)
            assert isinstance(hello, Hello)  # nothing else may come
            found = await self._known(hello)
            if isinstance(found, str):
                writer.write(encode(Refusal(found)))
                writer.close()
                return None
            gateway, known = found
            decoder.takes = FROM_GATEWAY
            link = GatewayLink(
                self,
                reader,
                writer,
                decoder,
                gateway=gateway,
                name=hello.name,
                journal=hello.journal,
                digest=known.digest,
                charge=known.charge,
            )
            self._enter(link)
            writer.write(encode(Welcome(self.clock())))
            return link
        except BaseException:
            transport.abort()
            raise

    async def _known(self, hello: Hello) -> tuple[int, _Known] | str:
        """Who it is; words: why it is not let in."""
        if hello.version != VERSION:
            return f"it speaks version {hello.version} of the interface, this centre {VERSION}: bring both up to date"
        try:
            found = await asyncio.to_thread(self._look_up, hello)
        except SQLAlchemyError as error:
            _log.warning("a gateway cannot be let in, the archives cannot be read", error=str(error))
            return "the archives cannot be read just now"
        if found is not None:
            self._wrong.forget(hello.name)
            return found
        self.counters.keys_wrong += 1
        if self._wrong.meet(hello.name[:64], self.clock()):
            _log.warning("gateway refused", reason="unknown, suspended, or a wrong key", name=hello.name[:64])
        await asyncio.sleep(self.settings.wrong_key_s)
        return "unknown, suspended, or a wrong key"

    def _look_up(self, hello: Hello) -> tuple[int, _Known] | None:
        with self._registry.reading() as session:
            gateway = gateway_of_key(session, hello.name, hello.key)
        if gateway is None:
            return None
        known = self._load({gateway})[1].get(gateway)
        return None if known is None else (gateway, known)

    def _enter(self, link: GatewayLink) -> None:
        before = self._links.pop(link.gateway, None)
        self._links[link.gateway] = link
        self._came.add(link)  # the archives may have changed while it was let in
        self.counters.logins += 1
        self.counters.online = len(self._links)
        if before is not None:
            before.end("the gateway logged in again")
        another = before is not None and before.journal != link.journal
        other = {"other_journal": link.journal[:LOGGED_MAX]} if another else {}
        _log.info("gateway connected", gateway=link.name, **other)
        self.heard(link.gateway)

    def _leave(self, link: GatewayLink, reason: str) -> None:
        self._came.discard(link)
        if self._links.get(link.gateway) is link:
            del self._links[link.gateway]
            self.counters.online = len(self._links)
            _log.info("gateway gone", gateway=link.name, why=reason[:LOGGED_MAX])

    # Following the archives -------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        seen: object = None
        while True:
            try:
                stamp = await asyncio.to_thread(lambda: (self._directory.snapshot.number, self._shelf.stamps()))
                came = set(self._came)
                if stamp != seen or came:
                    wanted = {link.gateway for link in came} if stamp == seen else set(self._links)
                    gateway_of, known = await asyncio.to_thread(self._load, wanted)
                    seen = stamp
                    self._came -= came
                    self._gateway_of = gateway_of
                    self._tell(known)
                if self._failing:
                    _log.info("gateways follow the archives again")
                self._failing = False
            except Exception as error:  # the archives or the profiles cannot be read, or a fault of ours
                if not self._failing:
                    _log.warning("gateways cannot follow the archives; they go on as they are", exc_info=error)
                self._failing = True
            await asyncio.sleep(FOLLOW_S)

    def _load(self, gateways: set[int]) -> tuple[dict[int, int], dict[int, _Known]]:
        """Which gateway has which line, and what these gateways have to do; in a thread."""
        with self._registry.reading() as session:
            lines = select(Terminal.id, Terminal.collector_id).where(Terminal.collector_id.is_not(None))
            gateway_of = {line: gateway for line, gateway in session.execute(lines) if gateway is not None}
            digests = select(Terminal.id, Terminal.key_digest).where(Terminal.id.in_(gateways))
            known = {
                gateway: _Known(charge(gateway, lines_of(session, gateway), self._shelf), digest)
                for gateway, digest in session.execute(digests).all()
            }
        return gateway_of, known

    def _tell(self, known: Mapping[int, _Known]) -> None:
        """Push what changed; a gateway that is not let in any more, or has another key, is sent away."""
        for gateway, link in list(self._links.items()):
            now = known.get(gateway)
            entry = self._directory.snapshot.terminals.by_id(gateway)
            if entry is None or not entry.may_log_in or (now is not None and now.digest != link.digest):
                link.end("the gateway is not let in any more")
            elif now is not None:  # else it came after the archives were looked at
                link.set_charge(now.charge)
