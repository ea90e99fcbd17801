"""The API's own thread: an event loop beside the head-end's, so that no request holds up what comes in.

Why a thread and not the head-end's loop or another process: docs/decisions/0016.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import structlog
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from meterweave.api.app import ROOT, create_app
from meterweave.api.shield import ABORT
from meterweave.api.state import Api
from meterweave.errors import ConfigError, MeterweaveError

FLUSH_S = 30.0
"""How often it is written down when sessions and keys were used. [s]"""

LOOK_S = 1.0

STOP_S = 10
"""How long requests may take to end when the API stops. [s]"""

_BACKLOG = 1024

_log = structlog.get_logger(__name__)


class Connection(HttpToolsProtocol):
    """A connection that is closed where no request comes, and that can be cut."""

    first_within_s = 20.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, ABORT: transport.abort}
        self.loop.call_later(self.first_within_s, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.abort()


class ApiServer:
    """Serves the API in a thread of its own, as long as it is entered.

    Parameters
    ----------
    make : callable
        Makes what there is to answer with; called in the thread.

    Attributes
    ----------
    host, port
        Where it listens.
    """

    def __init__(self, make: Callable[[], Api], *, host: str, port: int) -> None:
        self._make = make
        self._socket = _bound(host, port)
        where = self._socket.getsockname()
        self.host, self.port = str(where[0]), int(where[1])
        self.api: Api | None = None
        self._server: uvicorn.Server | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    def start(self) -> None:
        """Listen; returns when requests are answered.

        Raises
        ------
        ConfigError
            If it cannot.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.stop()
            raise ConfigError(f"the API cannot be served: {self._failure}") from self._failure

    def stop(self) -> None:
        """End what is under way, and wait for that."""
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(STOP_S + 5)
        self._socket.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def url(self) -> str:
        """Where the API is."""
        secure = self.api is not None and self.api.settings.tls_certificate is not None
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if secure else 'http'}://{host}:{self.port}{ROOT}"

    async def watch(self) -> None:
        """Wait for ever; raises where the thread has ended, so that the centre can be started anew.

        Raises
        ------
        ConfigError
            Then.
        """
        while self._thread.is_alive():
            await asyncio.sleep(LOOK_S)
        raise ConfigError(f"the API has ended: {self._failure}")

    def _run(self) -> None:
        try:
            uvloop.run(self._serve())
        except BaseException as error:
            self._failure = error
            _log.error("the API ended", error=repr(error))
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        api = self.api = self._make()
        if api.collecting is not None:
            api.collecting.intake.on_kept.append(api.live.take)  # it does nothing where nobody watches
        server = self._server = _Server(configured(api), self._ready)
        flushing = asyncio.create_task(_flush(api))
        try:
            await server.serve([self._socket])
        finally:
            flushing.cancel()
            with suppress(MeterweaveError):
                await asyncio.to_thread(api.door.flush)
            api.close()


class _Server(uvicorn.Server):
    """Says when it has begun; signals are for the centre."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


def configured(api: Api) -> uvicorn.Config:
    """The web server's settings for the API."""
    settings = api.settings
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return uvicorn.Config(
        create_app(api),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        limit_concurrency=settings.connections_max,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_S,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


async def _flush(api: Api) -> None:
    """Write down now and then when sessions and keys were used."""
    while True:
        await asyncio.sleep(FLUSH_S)
        try:
            await asyncio.to_thread(api.door.flush)
        except Exception as error:  # it is tried again; nothing else depends on it
            _log.warning("when keys and sessions were used could not be written down", error=str(error)[:500])


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises
    ------
    ConfigError
        If the address cannot be had.
    """
    try:
        family, kind, number, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, number)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(where)
        found.listen(_BACKLOG)
        found.setblocking(False)
    except OSError as error:
        raise ConfigError(f"{host}:{port} cannot be opened for the API: {error}") from error
    return found
