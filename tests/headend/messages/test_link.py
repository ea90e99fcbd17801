from __future__ import annotations

import asyncio

from meterweave.headend.messages.broker import Broker
from meterweave.headend.messages.link import Link, LoopThread


def test_what_is_kept_after_the_end_of_the_thread_is_acknowledged_to_nobody() -> None:
    async def work() -> None:
        with LoopThread() as thread:
            link = Link(Broker(url="mqtt://127.0.0.1"), thread, lambda: None)
        assert thread.loop.is_closed()
        link.acknowledge([1])
        link.end()

    asyncio.run(work())
