"""A centre: its parts set up together, and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from meterweave.centre.settings import CentreSettings, Listener
from meterweave.errors import ConfigError
from meterweave.headend import HeadEnd
from meterweave.headend.collection import Collector
from meterweave.headend.dispatch import ControlSettings, Dispatcher
from meterweave.headend.networks import Networks, server_tls
from meterweave.lake import Lake
from meterweave.registry import Directory, Registry


class Port(NamedTuple):
    """Where a centre listens."""

    protocol: str
    host: str
    port: int


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
        directory = Directory(registry)
        self.head_end = HeadEnd(
            registry, directory, lake, settings.head_end, enrol=settings.enrol, zone=settings.zone, clock=clock
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
        self.dispatcher = Dispatcher(registry, self.head_end, ControlSettings.of_environment())
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
        parts = (self.collector.run(), self.dispatcher.run())
        self._works = [asyncio.create_task(self.head_end.watch()), *map(asyncio.create_task, parts)]
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
