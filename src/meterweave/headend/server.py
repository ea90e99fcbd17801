"""The head-end on its sockets: carries out what sessions decide, and feeds them what comes back.

Everything that blocks (the archives, the disk) happens in threads; everything that decides happens in `session` and
`intake`. All of it runs in one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from ssl import SSLContext
from typing import cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from meterweave.headend.calls import OFFLINE, Caller
from meterweave.headend.counters import Counters
from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.driver import Driver, Push
from meterweave.headend.enrolment import EnrolmentDesk, NewTerminal
from meterweave.headend.gdw1376 import Gdw1376Driver
from meterweave.headend.intake import Intake, Sender
from meterweave.headend.networks import Networks
from meterweave.headend.operations import NotSent, Operation, Outcome
from meterweave.headend.reception import Reception, TerminalName
from meterweave.headend.session import Admit, Close, Effect, Hear, Send, Session, Store
from meterweave.headend.settings import HeadEndSettings
from meterweave.headend.unknown import Unknown
from meterweave.lake import Lake
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.clock import SHANGHAI
from meterweave.registry import Directory, Refresh, Registry, RegistryError
from meterweave.registry.address import address_text
from meterweave.registry.terminal_table import TerminalEntry
from meterweave.registry.terminals import note_seen

DRIVERS: Mapping[str, type[Driver]] = {driver.protocol: driver for driver in (Dlt698Driver, Gdw1376Driver)}
"""The protocols terminals may speak."""

_BACKLOG = 4096  # connections the kernel keeps until we take them, for when all terminals call at once

_log = structlog.get_logger(__name__)


class HeadEnd:
    """Listens for terminals and keeps what they report.

    Parameters
    ----------
    enrol : bool
        Whether unknown terminals and meters are taken into the archives.
    zone : ZoneInfo
        In which the clocks of the terminals run.
    clock : callable
        The time of day that terminals are told; anything but the real one is for simulated towns. [us since 1970, UTC]

    Attributes
    ----------
    on_enter : list of callables
        Each is called with the terminal when one has logged in.
    """

    def __init__(
        self,
        registry: Registry,
        directory: Directory,
        lake: Lake,
        settings: HeadEndSettings | None = None,
        *,
        enrol: bool = False,
        zone: ZoneInfo = SHANGHAI,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.settings, self.zone, self.clock = settings or HeadEndSettings(), zone, clock or _now_us
        self.on_enter: list[Callable[[TerminalEntry], None]] = []
        self.counters = Counters()
        self.stopping = False
        """Whether nothing more is read from anybody."""
        self.unknown_terminals: Unknown[TerminalName] = Unknown(self.settings.unknown_max)
        self._registry, self._directory = registry, directory
        self._desk = EnrolmentDesk(registry, directory, self.settings) if enrol else None
        self.reception = Reception(
            directory, self.unknown_terminals, self.counters, self.settings, clock=self.clock, desk=self._desk
        )
        self.intake = Intake(
            directory,
            lake,
            self.settings,
            self.counters,
            zone=zone,
            clock=self.clock,
            on_room=self._on_room,
            desk=self._desk,
        )
        self.connections: set[Connection] = set()
        self._online: dict[int, Connection] = {}
        self._left: dict[int, int] = {}  # when terminals that left, or have no session, were heard since the last note
        self._seen_fails = False
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._admissions: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Follow the archives and watch for silence, until `stop`."""
        works: list[Coroutine[None, None, None]] = [
            self._directory.follow(self._on_change),
            self._sweep(),
            self._note_seen(),
        ]
        if self._desk is not None:
            works.append(self._desk.run())
        self._tasks = [asyncio.create_task(work) for work in works]

    async def watch(self) -> None:
        """Wait for ever; ends with the exception where a part of the centre fails, so that it can be started anew."""
        await asyncio.gather(*self._tasks)

    async def listen(
        self,
        protocol: str,
        host: str,
        port: int,
        *,
        tls: SSLContext | None = None,
        networks: Networks | None = None,
    ) -> tuple[str, int]:
        """Open a port for terminals of one protocol; where it is, which tells the port where `port` is 0.

        Parameters
        ----------
        tls : SSLContext, optional
            With which terminals have to encrypt; see `meterweave.headend.networks.server_tls`.
        networks : Networks, optional
            From where terminals may call; without it, from anywhere.

        Raises
        ------
        OSError
            If the port cannot be opened.
        """
        loop = asyncio.get_running_loop()
        driver = DRIVERS[protocol]
        server = await loop.create_server(
            lambda: Connection(self, driver, networks),
            host,
            port,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=self.settings.login_within_s if tls else None,
        )
        self._servers.append(server)
        where = server.sockets[0].getsockname()
        return where[0], where[1]

    async def stop(self) -> None:
        """Take no more, keep and acknowledge what came, close everything."""
        for server in self._servers:
            server.close()
        self.stopping = True
        for connection in self.connections:
            connection.read_or_wait()
        loop = asyncio.get_running_loop()
        until = loop.time() + self.settings.stop_within_s
        while not self.intake.idle and loop.time() < until:
            await asyncio.sleep(self.settings.tick_s)
        for connection in list(self.connections):
            connection.carry_out(connection.session.end("the centre stops"))
        until = min(until, loop.time() + self.settings.close_within_s)
        while self.connections and loop.time() < until:
            await asyncio.sleep(self.settings.tick_s)
        for connection in list(self.connections):
            connection.abort()
        for task in (*self._tasks, *self._admissions):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._admissions, return_exceptions=True)
        await self._write_seen()

    # What the rest of the centre asks ----------------------------------------------------------------------------

    def online(self, terminal: int) -> bool:
        """Whether the terminal with this id has a session."""
        return terminal in self._online

    def terminals_online(self) -> Collection[int]:
        """The ids of all terminals that have a session; changes as they come and go."""
        return self._online.keys()

    async def call(
        self, terminal: int, wanted: Operation, *, urgent: bool = False, begin_s: float | None = None
    ) -> Outcome:
        """Have the terminal with this id do something; returns when it is clear what came of it.

        Parameters
        ----------
        urgent : bool
            Somebody waits for it: it goes before all calls to this terminal that wait and are not.
        begin_s : float, optional
            How long it may wait for its turn; after that nothing is sent. [s]
        """
        connection = self._online.get(terminal)
        if connection is None:
            return NotSent(OFFLINE)
        return await connection.caller.carry_out(wanted, urgent=urgent, begin_s=begin_s)

    async def keep(self, readings: ReadingBatch, events: pa.RecordBatch | None = None) -> None:
        """Keep what came by another way than a session; returns once it is on disk.

        Parameters
        ----------
        readings : ReadingBatch
            Meters are ids.
        events : pa.RecordBatch, optional
            Rows of `meterweave.lake.EVENTS_SCHEMA`.

        Raises
        ------
        LakeError
            If it was not kept.
        """
        await self.intake.keep(readings, events)

    def heard(self, terminal: int) -> None:
        """The terminal with this id, which has no session, was heard just now."""
        self._left[terminal] = self.clock()

    # What connections ask of the centre --------------------------------------------------------------------------

    def opened(self, connection: Connection, peer: str, networks: Networks | None) -> bool:
        """A connection came from the address `peer`; whether it may stay."""
        if networks is not None and peer not in networks:
            self.counters.connections_not_allowed += 1
            return False
        if len(self.connections) >= self.settings.connections_max:
            self.counters.connections_turned_away += 1
            return False
        self.connections.add(connection)
        self.counters.connections_made += 1
        self.counters.connections = len(self.connections)
        return True

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self.counters.connections = len(self.connections)
        self._leave(connection)

    def admit(self, connection: Connection, address_key: int) -> None:
        """A terminal wants to log in."""
        protocol = connection.driver.protocol
        entry = self._directory.snapshot.terminal(protocol, address_key)
        again_us = self.clock() - round(self.settings.enrol_again_s * 1e6)
        name = TerminalName(protocol, address_text(protocol, address_key))
        if entry is None and self._desk is not None and not self.unknown_terminals.lately(name, again_us):
            task = asyncio.get_running_loop().create_task(self._enrol(self._desk, connection, address_key))
            self._admissions.add(task)
            task.add_done_callback(self._admissions.discard)
            return
        self._decide(connection, address_key, entry)

    async def _enrol(self, desk: EnrolmentDesk, connection: Connection, address_key: int) -> None:
        protocol = connection.driver.protocol
        await desk.enrol([NewTerminal(protocol, address_key)])
        self._decide(connection, address_key, self._directory.snapshot.terminal(protocol, address_key))

    def _decide(self, connection: Connection, address_key: int, entry: TerminalEntry | None) -> None:
        now, now_us = asyncio.get_running_loop().time(), self.clock()
        name = TerminalName(connection.driver.protocol, address_text(connection.driver.protocol, address_key))
        if entry is not None and entry.may_log_in:
            effects = connection.session.admitted(entry, now=now, now_us=now_us)
            if effects:
                self._enter(connection, entry)
            connection.carry_out(effects)
            if effects:
                for tell in self.on_enter:
                    tell(entry)
            self.unknown_terminals.forget(name)
            return
        reason = "unknown terminal" if entry is None else f"terminal is {entry.state}"
        if self.unknown_terminals.meet(name, now_us):
            _log.warning("login refused", reason=reason, protocol=name.protocol, address=name.address)
        connection.carry_out(connection.session.refused(reason, now_us=now_us))

    def _enter(self, connection: Connection, entry: TerminalEntry) -> None:
        self._leave(connection)  # a connection may log in again, even as somebody else
        connection.entered = entry.id
        before = self._online.pop(entry.id, None)
        self._online[entry.id] = connection
        self.counters.terminals_online = len(self._online)
        if before is not None:
            before.carry_out(before.session.end("the terminal logged in again"))

    def _leave(self, connection: Connection) -> None:
        if connection.entered is not None and self._online.get(connection.entered) is connection:
            del self._online[connection.entered]
            self._left[connection.entered] = connection.session.heard_us
        connection.entered = None
        self.counters.terminals_online = len(self._online)

    # What happens by itself --------------------------------------------------------------------------------------

    def _on_room(self) -> None:
        for connection in self.connections:
            connection.read_or_wait()

    def _on_change(self, refresh: Refresh) -> None:
        """The archives changed: end the sessions of terminals that are not let in any more."""
        changed = self._online.keys() if refresh.changed is None else refresh.changed & self._online.keys()
        for terminal in list(changed):
            connection = self._online[terminal]
            known = connection.session.terminal
            entry = refresh.snapshot.terminal(known.protocol, known.address_key) if known else None
            if entry is None or not entry.may_log_in:
                connection.carry_out(connection.session.end("the terminal is not let in any more"))

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.settings.sweep_s)
            now = loop.time()
            for connection in [one for one in self.connections if one.session.deadline <= now]:
                connection.carry_out(connection.session.expire(now))

    async def _note_seen(self) -> None:
        while True:
            await asyncio.sleep(self.settings.seen_s)
            await self._write_seen()

    async def _write_seen(self) -> None:
        heard = self._left | {terminal: connection.session.heard_us for terminal, connection in self._online.items()}
        if not heard:
            return
        left, self._left = self._left, {}
        seen = {terminal: datetime.fromtimestamp(us / 1e6, UTC) for terminal, us in heard.items()}
        try:
            await asyncio.to_thread(self._write_seen_now, seen)
            self._seen_fails = False
        except (SQLAlchemyError, RegistryError) as error:
            self._left = left | self._left
            if not self._seen_fails:
                _log.warning("it cannot be noted which terminals were heard", error=str(error))
            self._seen_fails = True

    def _write_seen_now(self, seen: Mapping[int, datetime]) -> None:
        with self._registry.writing() as session:
            note_seen(session, seen)


class Connection(asyncio.Protocol):
    """One socket: carries out its session's effects."""

    def __init__(self, head_end: HeadEnd, driver: type[Driver], networks: Networks | None) -> None:
        self.head_end, self.driver, self._networks = head_end, driver, networks
        settings, now = head_end.settings, asyncio.get_running_loop().time()
        codec = driver(settings.apdu_octets_max)
        self.session = Session(codec, settings, head_end.counters, now=now, zone=head_end.zone)
        self.caller = Caller(
            codec,
            settings,
            head_end.counters,
            zone=head_end.zone,
            clock=head_end.clock,
            send=self._send,
            offer=self._offer,
        )
        self.entered: int | None = None
        """Id of the terminal under which the centre knows it to be online."""
        self._transport: asyncio.Transport | None = None
        self._peer_slow = False  # it does not read what we send
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's, so there is nothing to ask them.
        stream = cast(asyncio.Transport, transport)
        self._transport = stream
        stream.set_write_buffer_limits(self.head_end.settings.write_octets_max)
        peer = stream.get_extra_info("peername")  # none where the peer has gone again already
        if peer is None or not self.head_end.opened(self, peer[0], self._networks):
            stream.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.session.lost()
        self.caller.lost()
        self.head_end.closed(self)

    def data_received(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self.carry_out(self.session.receive(data, now=now, now_us=self.head_end.clock()))
        self.read_or_wait()

    def eof_received(self) -> bool:
        # A terminal that closes one half of its connection hears no answer that it would not miss.
        return False

    def pause_writing(self) -> None:
        self._peer_slow = True
        self.read_or_wait()

    def resume_writing(self) -> None:
        self._peer_slow = False
        self.read_or_wait()

    def settle(self, acknowledgements: list[bytes], settled: int) -> None:
        """Pushes are dealt with; see `intake.Sender`."""
        self.carry_out(self.session.kept(acknowledgements, settled))
        self.read_or_wait()

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Do what the session decided."""
        for effect in effects:
            transport, terminal = self._transport, self.session.terminal
            match effect:
                case Send(octets):
                    if transport is not None:
                        transport.write(octets)
                case Store(pushes):
                    assert terminal is not None
                    self.head_end.intake.offer(self, self.driver, terminal, pushes)
                case Hear(answer):
                    self.caller.heard(answer)
                case Admit(address_key):
                    self.head_end.admit(self, address_key)
                case Close(reason):
                    self.head_end.counters.connections_closed += 1
                    self.caller.lost()
                    _log.debug("closed", reason=reason, terminal=terminal.address if terminal else None)
                    if transport is not None:
                        self._shut(transport)

    def _send(self, octets: bytes) -> None:
        if self._transport is not None:
            self._transport.write(octets)

    def _offer(self, sender: Sender, pushes: Sequence[Push]) -> None:
        assert self.session.terminal is not None  # only a terminal that logged in is called
        self.head_end.intake.offer(sender, self.driver, self.session.terminal, pushes)

    def read_or_wait(self) -> None:
        """Read from the peer while there is room for what it sends, else let it wait."""
        if self._peer_slow or self.session.full or self.head_end.intake.crowded or self.head_end.stopping:
            self._pause()
        elif self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Wait for nothing more."""
        if self._transport is not None:
            self._transport.abort()

    def _pause(self) -> None:
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _shut(self, transport: asyncio.Transport) -> None:
        """Close once what was sent has gone out; a peer that does not read is not waited for, or not for long."""
        if self._peer_slow:
            transport.abort()
        else:
            transport.close()
            asyncio.get_running_loop().call_later(self.head_end.settings.close_within_s, transport.abort)


def _now_us() -> int:
    return time.time_ns() // 1000
