"""A dispatcher that is killed at a given point: ``python -m tests.headend.crash_dispatcher FOLDER WHEN``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from meterweave.headend.operations import Done, Operation, Outcome
from meterweave.registry import Registry, command_queue
from tests.headend.centre import WAIT_S
from tests.headend.dispatching import StandIn, dispatching


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: Path, when: str) -> None:
    async def answer(terminal: int, wanted: Operation) -> Outcome:
        with (folder / "went_out").open("a") as file:
            print(type(wanted).__name__, file=file, flush=True)
        if when == "sent":
            die()
        return Done()

    stand_in = StandIn(answer)
    if when == "claimed":
        stand_in.call = lambda *_, **__: die()  # type: ignore[assignment, method-assign]
    if when == "answered":
        command_queue.conclude = lambda *_, **__: die()  # type: ignore[assignment]
    async with dispatching(Registry.open(folder / "registry.sqlite"), stand_in):
        await asyncio.sleep(WAIT_S)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
