"""Readings as they come on disk, handed to whoever watches: bounded queues, and who is too slow is told and let go.

The head-end calls `Live.take` in its own thread and goes on at once; all else happens in the event loop of the API.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.api.problem import Trouble
from meterweave.metering.batch import ReadingBatch
from meterweave.text import Text

PENDING_MAX = 64
"""Most batches on their way from the head-end's thread; more, and all who watch have missed something."""

_TOO_MANY = Text("too many live streams are open", "实时推送连接过多")


class Some(NamedTuple):
    """The readings of one batch that somebody watches."""

    batch: ReadingBatch
    rows: NDArray[np.intp]


class Watcher:
    """One live stream.

    Attributes
    ----------
    missed : bool
        It was too slow: something is missing from here on.
    """

    def __init__(self, meters: NDArray[np.int64], queue_max: int) -> None:
        self.meters = meters  # ids, sorted
        self.missed = False
        self._queue: asyncio.Queue[Some | None] = asyncio.Queue(queue_max + 1)  # one more for the end
        self._queue_max = queue_max

    def offer(self, batch: ReadingBatch) -> None:
        """Take what is watched of a batch."""
        if self.missed or not len(self.meters):
            return
        place = np.minimum(np.searchsorted(self.meters, batch.meter), len(self.meters) - 1)
        rows = np.flatnonzero(self.meters[place] == batch.meter)
        if not len(rows):
            return
        if self._queue.qsize() >= self._queue_max:
            self.miss()
        else:
            self._queue.put_nowait(Some(batch, rows))

    def miss(self) -> None:
        """Note that something is missing, and end; what waits is given before."""
        if not self.missed:
            self.missed = True
            self._queue.put_nowait(None)

    async def next(self, within_s: float) -> Some | None:
        """What came next; None: nothing within that time, or nothing more, see `missed`."""
        try:
            async with asyncio.timeout(within_s):
                return await self._queue.get()
        except TimeoutError:
            return None


class Live:
    """Everybody who watches.

    Parameters
    ----------
    watchers_max, each_max : int
        Most streams in all, and of one user or key.
    queue_max : int
        Batches that wait for one stream.
    """

    def __init__(self, watchers_max: int, each_max: int, queue_max: int) -> None:
        self._watchers_max, self._each_max, self._queue_max = watchers_max, each_max, queue_max
        self._watchers: set[Watcher] = set()
        self._of: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending = 0
        self._overrun = False
        self.missed = 0
        """Streams that were ended because they were too slow."""

    def __len__(self) -> int:
        return len(self._watchers)

    @contextmanager
    def watching(self, who: str, meters: NDArray[np.int64]) -> Iterator[Watcher]:
        """A stream of the readings of some meters (ids, sorted) for `who`.

        Raises
        ------
        Trouble
            If there are too many.
        """
        if len(self._watchers) >= self._watchers_max or self._of[who] >= self._each_max:
            raise Trouble("too-many", _TOO_MANY, retry_s=30)
        self._loop = asyncio.get_running_loop()
        watcher = Watcher(meters, self._queue_max)
        self._watchers.add(watcher)
        self._of[who] += 1
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self.missed += watcher.missed
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]

    def take(self, batch: ReadingBatch) -> None:
        """Readings that have come on disk; any thread may call, and is not kept."""
        loop = self._loop
        if not self._watchers or loop is None or loop.is_closed():
            return
        if self._pending >= PENDING_MAX:
            self._overrun = True
            return
        self._pending += 1
        loop.call_soon_threadsafe(self._spread, batch)

    def _spread(self, batch: ReadingBatch) -> None:
        self._pending -= 1
        overrun, self._overrun = self._overrun, False
        for watcher in list(self._watchers):
            watcher.offer(batch)
            if overrun:
                watcher.miss()
