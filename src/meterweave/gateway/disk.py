"""The store beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from meterweave.gateway.store import Store

Given = ParamSpec("Given")
Got = TypeVar("Got")


class Disk:
    """The store, in a thread of its own, one thing at a time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(1, "gateway-disk")

    async def do(self, work: Callable[Given, Got], *given: Given.args, **named: Given.kwargs) -> Got:
        """What `work`, a method of the store, gives."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*given, **named))

    def close(self) -> None:
        """Wait for what is being done."""
        self._thread.shutdown()
