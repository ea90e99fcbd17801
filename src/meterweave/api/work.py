"""Threads for what blocks: the database and the lake are asked there, never in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from meterweave.api.problem import Trouble
from meterweave.text import Text

P = ParamSpec("P")
T = TypeVar("T")


class Work:
    """A few threads, and a bound on what waits for them; used from one event loop.

    Parameters
    ----------
    workers : int
        Threads.
    waiting_max : int
        Most that waits or is being done.
    """

    def __init__(self, workers: int, waiting_max: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="api")
        self._waiting_max = waiting_max
        self.waiting = 0

    async def run(self, ask: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What `ask` gives, from a thread.

        Raises
        ------
        Trouble
            If too much waits already.
        """
        if self.waiting >= self._waiting_max:
            raise Trouble("busy", Text("too many requests are waiting", "排队请求过多"), retry_s=1)
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(ask, *args, **named))
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
