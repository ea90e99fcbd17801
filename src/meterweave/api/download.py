"""Downloads: made in threads while they are read, a few at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator

from fastapi import Response

from meterweave.api.piecewise import Piecewise
from meterweave.api.problem import Trouble
from meterweave.api.state import Api
from meterweave.text import Text

_TOO_MANY = Text("too many downloads are under way", "正在进行的下载过多")


async def download(api: Api, make: Callable[[], Iterator[bytes]], *, media: str, name: str) -> Response:
    """The pieces that `make` gives as a file called `name`.

    Raises
    ------
    Trouble
        If too many are under way.
    """
    if api.streams.locked():
        raise Trouble("busy", _TOO_MANY, retry_s=10)
    await api.streams.acquire()
    try:
        pieces = Pieces(await api.downloads.run(make))
        begin = await api.downloads.run(pieces.next)  # what goes wrong at once is still told with its status
    except BaseException:
        api.streams.release()
        raise
    return Piecewise(
        _stream(api, begin, pieces),
        lambda: asyncio.shield(_end(api, pieces)),
        media_type=media,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class Pieces:
    """Pieces that one thread at a time makes: a reader may go while one is being made."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._turn = pieces, threading.Lock()

    def next(self) -> bytes | None:
        """The next one; None: there are no more."""
        with self._turn:
            return next(self._pieces, None)

    def close(self) -> None:
        """Let go of what they are made from."""
        with self._turn:
            if isinstance(self._pieces, Generator):
                self._pieces.close()


async def _stream(api: Api, begin: bytes | None, pieces: Pieces) -> AsyncIterator[bytes]:
    """The pieces, each made when the one before was taken."""
    piece = begin
    while piece is not None:
        yield piece
        piece = await api.downloads.run(pieces.next)


async def _end(api: Api, pieces: Pieces) -> None:
    try:
        await api.downloads.run(pieces.close)
    finally:
        api.streams.release()
