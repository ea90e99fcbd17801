"""A head-end that gives the outcomes a test wants, for those that no real terminal can be made to give."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meterweave.headend.dispatch import ControlSettings, Dispatcher
from meterweave.headend.operations import NotSent, Operation, Outcome, Task
from meterweave.registry import Registry
from meterweave.registry.command_orders import Order, give
from meterweave.registry.commands import METER_KINDS, CommandCard, CommandKind, StepCard, find_command, steps_of
from meterweave.text import Text
from tests.headend.centre import until
from tests.registry.records import add_meter, add_terminal

QUICK = ControlSettings(
    look_every_s=0.01,
    tidy_every_s=0.01,
    again_after_s=0.01,
    again_most_s=0.02,
    look_after_s=(0.01, 0.01, 0.01),
    effect_within_s=0.01,
    relay_password=bytes.fromhex("a1b2c3"),
)
LATER_US = 60_000_000
"""How far ahead the clock of one who starts later is: further than a lease."""

Answer = Callable[[int, Operation], Awaitable[Outcome]]


class StandIn:
    """Terminals that are online, and answer as `answer` says; what they were asked is in `asked`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.away: set[int] = set()
        self.asked: list[Operation] = []

    def online(self, terminal: int) -> bool:
        return terminal not in self.away

    async def call(
        self, terminal: int, wanted: Operation, *, urgent: bool = False, begin_s: float | None = None
    ) -> Outcome:
        assert urgent
        if terminal in self.away:
            return NotSent(Text("away", "离线"))
        self.asked.append(wanted)
        return await self.answer(terminal, wanted)

    def count(self, kind: type[Any]) -> int:
        return sum(isinstance(one, kind) for one in self.asked)


def always(*outcomes: Outcome) -> Answer:
    """Give these one after the other, the last one for ever."""
    left = list(outcomes)

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def now(ahead_us: int = 0) -> datetime:
    return datetime.now(UTC) + timedelta(microseconds=ahead_us)


def archives(folder: Path, terminals: int = 1, *, busy_timeout_s: float = 30.0) -> Registry:
    """Archives in a file, filled."""
    return filled(Registry.open(folder / "registry.sqlite", busy_timeout_s=busy_timeout_s), terminals)


def filled(registry: Registry, terminals: int) -> Registry:
    """Empty archives, with terminals that have one meter each, both with ids from 1."""
    with registry.writing() as session:
        for number in range(1, terminals + 1):
            meter = add_meter(session, str(number), add_terminal(session, str(number)))
            assert meter.id == meter.terminal_id == number
    return registry


def command(registry: Registry, kind: CommandKind, number: int = 1, **given: Any) -> CommandCard:
    """A new command for meter `number`, or for terminal `number` if it is for a terminal."""
    usual: dict[str, Any] = {"operator": "wang", "reason": "test", "not_after": now() + timedelta(minutes=5)}
    usual |= {"caller_id": uuid.uuid4().hex}
    whom = {"meter": number} if kind in METER_KINDS else {"terminal": number}
    return give(registry, Order(kind=kind, **usual | whom | given), now=now()).command


def is_now(registry: Registry, stored: CommandCard) -> CommandCard:
    with registry.reading() as session:
        return find_command(session, stored.id)


def history(registry: Registry, stored: CommandCard) -> list[StepCard]:
    with registry.reading() as session:
        return steps_of(session, stored.id)


def story(registry: Registry, stored: CommandCard) -> list[str]:
    return [step.state.value for step in history(registry, stored)]


@asynccontextmanager
async def dispatching(
    registry: Registry,
    stand_in: StandIn,
    settings: ControlSettings = QUICK,
    *,
    tasks: Mapping[int, tuple[Task, ...]] | None = None,
    ahead_us: int = 0,
) -> AsyncIterator[Dispatcher]:
    """A dispatcher at work."""
    dispatcher = Dispatcher(
        registry,
        stand_in,
        settings,
        tasks_of=lambda _, terminal: (tasks or {}).get(terminal, ()),
        clock=lambda: int(now(ahead_us).timestamp() * 1e6),
    )
    work = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert work.cancelled(), work.exception()


async def ended(registry: Registry, stored: CommandCard) -> CommandCard:
    """Wait until nothing more will come of it."""
    await until(lambda: is_now(registry, stored).ended)
    return is_now(registry, stored)
