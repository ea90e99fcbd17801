"""A centre: its parts set up together, and ended together."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

import structlog

from meterweave.centre.certificate import Identity, own_identity
from meterweave.centre.direct import Direct
from meterweave.centre.gateways import Gateways
from meterweave.centre.lines import Lines
from meterweave.centre.router import Router
from meterweave.centre.settings import CentreSettings, Listener
from meterweave.errors import ConfigError
from meterweave.headend import HeadEnd, HeadEndSettings
from meterweave.headend.collection import Collector
from meterweave.headend.dispatch import Dispatcher
from meterweave.headend.networks import Networks, server_tls
from meterweave.lake import Lake, LakeError
from meterweave.profiles.shelf import FOLDER, Shelf
from meterweave.registry import Directory, Registry

OWN_FILES = 256
"""Files that the centre opens for itself."""
LAKE_LOOK_S = 1.0

_log = structlog.get_logger(__name__)


class Port(NamedTuple):
    """Where a centre listens."""

    protocol: str
    host: str
    port: int


def within_open_files(settings: HeadEndSettings) -> HeadEndSettings:
    """Let this process open as many files as it may, and take no more connections than that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # macOS calls a limit infinite that it does not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY:
        return settings
    most = max(1, soft - OWN_FILES)
    if most < settings.connections_max:
        _log.info("connections are bounded by the open files allowed", connections_max=most, open_files=soft)
    return replace(settings, connections_max=min(settings.connections_max, most))


class Centre:
    """Collects, re-reads what is missing, and carries out commands, as long as it is entered.

    Parameters
    ----------
    registry, lake
        Opened, the lake for writing; whoever opened them closes them, after the centre.
    clock : callable, optional
        The time of day, if not the real one: of a simulated town whose time runs faster. [us since 1970, UTC]
    """

    def __init__(
        self, registry: Registry, lake: Lake, settings: CentreSettings, *, clock: Callable[[], int] | None = None
    ) -> None:
        self.settings, self.ports = settings, tuple[Port, ...]()
        self._lake = lake
        directory = Directory(registry)
        head_end = within_open_files(settings.head_end)
        self.head_end = HeadEnd(
            registry, directory, lake, head_end, enrol=settings.enrol, zone=settings.zone, clock=clock
        )
        self.collector = Collector(
            registry,
            directory,
            lake,
            self.head_end,
            settings.collection,
            zone=settings.zone,
            clock=self.head_end.clock,
            commission=settings.commission,
        )
        self.shelf = Shelf(lake.folder.parent / FOLDER)
        dtu_networks = Networks.of(settings.lines.allow) if settings.lines.allow else None
        self.lines = Lines(registry, directory, lake, self.head_end, self.shelf, dtu_networks=dtu_networks)
        self.gateways = Gateways(
            registry,
            directory,
            self.shelf,
            settings.gateways,
            keep=self.head_end.keep,
            heard=self.head_end.heard,
            clock=self.head_end.clock,
        )
        router = Router(self.head_end, self.lines, self.gateways)
        self.dispatcher = Dispatcher(registry, router, settings.of_commands)
        self.direct = Direct(self.head_end, directory, lake, settings, self.shelf)
        self._works: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Open the ports.

        Raises
        ------
        ConfigError
            If a port, or a certificate, cannot be opened.
        """
        await self.head_end.start()
        try:
            self.ports = tuple([await self._listen(one) for one in self.settings.listeners])
            if self.settings.lines.dtu_port is not None:
                self.ports += (await self._listen_for_dtus(self.settings.lines.dtu_host, self.settings.lines.dtu_port),)
            if self.settings.gateways.port is not None:
                self.ports += (Port("n5", *self.gateways.listen(self._identity())),)
            self.ports += tuple([Port(*one) for one in await self.direct.open()])
        except ConfigError:
            self.direct.close()
            self.gateways.close()
            self.lines.close()
            await self.head_end.stop()
            raise
        parts = (
            self.head_end.watch(),
            self.collector.run(),
            self.lines.run(),
            self.gateways.run(),
            self.dispatcher.run(),
            self.direct.run(),
            self._watch_lake(),
        )
        self._works = [asyncio.create_task(part) for part in parts]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.direct.stop()
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
        await self.head_end.stop()
        self.direct.close()

    async def watch(self) -> None:
        """Wait for ever; ends with the exception where a part fails, so that the centre can be started anew."""
        await asyncio.gather(*self._works)

    async def _watch_lake(self) -> None:
        """Raises `LakeError` when a thread of the lake is gone: acknowledging must not go on without it."""
        while (why := self._lake.failed()) is None:
            await asyncio.sleep(LAKE_LOOK_S)
        raise LakeError(why)

    def _identity(self) -> Identity:
        """What the centre proves itself with to gateways."""
        told = self.settings.gateways
        if told.certificate is not None and told.key is not None:
            return Identity(told.certificate, told.key)
        return own_identity(self._lake.folder.parent)

    async def _listen_for_dtus(self, host: str, port: int) -> Port:
        try:
            return Port("dtu", *await self.lines.listen(host, port))
        except OSError as error:
            raise ConfigError(f"{host}:{port} cannot be opened for DTUs: {error}") from error

    async def _listen(self, wanted: Listener) -> Port:
        tls = None
        if wanted.tls_certificate is not None and wanted.tls_key is not None:
            tls = server_tls(wanted.tls_certificate, wanted.tls_key, wanted.tls_clients)
        networks = Networks.of(wanted.allow) if wanted.allow else None
        try:
            here = await self.head_end.listen(wanted.protocol, wanted.host, wanted.port, tls=tls, networks=networks)
        except OSError as error:
            raise ConfigError(f"{wanted.host}:{wanted.port} cannot be opened for {wanted.protocol}: {error}") from error
        return Port(wanted.protocol, *here)
