"""Answers that are made while they are read, and whose end is always noticed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Piecewise(StreamingResponse):
    """A streamed answer; `end` is called when it is over, also where the other end had gone before the first piece."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        end: Callable[[], Awaitable[None]],
        *,
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(pieces, media_type=media_type, headers=headers)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._end()
