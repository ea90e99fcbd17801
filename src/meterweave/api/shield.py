"""What stands before every route: pace, size and time of requests, headers of answers, one line in the log.

Of requests that only read and succeed the log has a line at level ``debug``; of all others at ``info``. No line holds a
query, a body, a header or a cookie: names and secrets travel in them.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meterweave.api.problem import Trouble, answer
from meterweave.api.state import Api
from meterweave.text import Text

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STRICT_TRANSPORT = "max-age=31536000"
_TOO_LARGE = Text("the request is longer than {} octets", "请求超过{}字节")
_TOO_FAST = Text("too many requests from this address", "该地址请求过于频繁")

ABORT = "meterweave.abort"
"""Where a server's state of the connection has the call that ends it at once."""

_log = structlog.get_logger("meterweave.access")
_fault = structlog.get_logger(__name__)


class Shield:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, api: Api) -> None:
        self._app, self._api = app, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(self._api, scope, receive, send)
        try:
            exchange.refuse_at_once()
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.status:  # too late to say so: the connection ends, and the reader finds it cut short
                exchange.cut(error)
                return
            await answer(Request(scope), error)(scope, receive, exchange.send)
        finally:
            exchange.tell()


class Unread(ConnectionError):  # noqa: N818 - what the other end does, not a fault
    """The other end leaves what was sent unread; the connection is given up."""


class Exchange:
    """One request and its answer."""

    def __init__(self, api: Api, scope: Scope, receive: Receive, send: Send) -> None:
        self._api, self._scope, self._receive, self._send = api, scope, receive, send
        self._begun = time.perf_counter()
        self._received = self._sent = 0
        self._until = api.now_s() + api.settings.body_within_s
        self.status = 0
        self.unread = False
        self._headers = Headers(scope=scope)
        given = self._headers.get("x-request-id", "")
        self._request = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope["meterweave.request"] = self._request

    @property
    def address(self) -> str:
        """Where the request comes from."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    def refuse_at_once(self) -> None:
        """Say no to what comes too fast, or announces too much.

        Raises
        ------
        Trouble
            With which it is told.
        """
        wait_s = self._api.by_address.wait_s(self.address, self._api.now_s())
        if wait_s:
            raise Trouble("too-many", _TOO_FAST, retry_s=wait_s)
        announced = self._headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced[:20]) > self._api.settings.body_octets_max:
            most = self._api.settings.body_octets_max
            raise Trouble("too-large", Text(*(one.format(most) for one in _TOO_LARGE)))

    async def receive(self) -> Message:
        """The next part of the request; of the body no more, and no later, than may be."""
        if self.status:  # an answer is under way: only the end of the connection can come
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - self._api.now_s())):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        self._received += len(message.get("body", b""))
        if self._received > self._api.settings.body_octets_max:
            raise HTTPException(413)
        if not message.get("more_body", False):
            self._until = float("inf")
        return message

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer; with the headers that all have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self._scope.get("scheme") == "https":
                headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)
            headers["X-Request-ID"] = self._request
        self._sent += len(message.get("body", b""))
        try:
            async with asyncio.timeout(self._api.settings.send_within_s):
                await self._send(message)
        except TimeoutError:
            self.unread = True
            raise Unread("the answer is not read") from None

    def cut(self, error: Exception) -> None:
        """End the connection in the middle of an answer."""
        if not self.unread and not isinstance(error, OSError | ClientDisconnect):
            _fault.error("an answer was cut short", request=self._request, exc_info=error)
        abort = self._scope.get("state", {}).get(ABORT)
        if abort is not None:
            abort()

    def tell(self) -> None:
        """Count the request, and write its line in the log."""
        took_s = time.perf_counter() - self._begun
        route = self._scope.get("route")
        path = str(getattr(route, "path", "-"))  # the pattern: what stands in its place may be a name
        method = self._scope["method"] if self._scope["method"] in METHODS else "other"
        self._api.metrics.request(method, path, self.status, took_s)
        tell = _log.debug if method in _SAFE and self.status < 400 and not self.unread else _log.info
        tell(
            "request",
            request=self._request,
            method=method,
            route=path,
            status=self.status,
            ms=round(took_s * 1e3, 1),
            octets=self._sent,
            address=self.address,
            who=self._scope.get("meterweave.who", ""),
            **({"unread": True} if self.unread else {}),
        )


METHODS = _SAFE | {"POST", "PUT", "PATCH", "DELETE"}
"""Those that are told apart; any word can stand in their place."""
