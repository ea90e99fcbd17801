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

from meterweave.centre.settings import CentreSettings, Listener
from meterweave.errors import ConfigError
from meterweave.headend import HeadEnd, HeadEndSettings
from meterweave.headend.collection import Collector
from meterweave.headend.dispatch import Dispatcher
from meterweave.headend.networks import Networks, server_tls
from meterweave.lake import Lake, LakeError
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
        self.dispatcher = Dispatcher(registry, self.head_end, settings.of_commands)
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
        except ConfigError:
            await self.head_end.stop()
            raise
        parts = (self.head_end.watch(), self.collector.run(), self.dispatcher.run(), self._watch_lake())
        self._works = [asyncio.create_task(part) for part in parts]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
        await self.head_end.stop()

    async def watch(self) -> None:
        """Wait for ever; ends with the exception where a part fails, so that the centre can be started anew."""
        await asyncio.gather(*self._works)

    async def _watch_lake(self) -> None:
        """Raises `LakeError` when a thread of the lake is gone: acknowledging must not go on without it."""
        while (why := self._lake.failed()) is None:
            await asyncio.sleep(LAKE_LOOK_S)
        raise LakeError(why)

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
