"""Commands carried out: claimed from the database, sent to terminals that are online, their outcomes written down.

What is written before what decides everything here. ``sent`` is on disk before the first octet goes out, so whoever
starts after a crash knows what may have happened. What switches a supply is sent once: when nobody knows what came of
it, the relay is read instead.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from meterweave.errors import ConfigError
from meterweave.headend.collection.commissioning import planned_tasks
from meterweave.headend.command_operations import (
    Ending,
    TasksOf,
    ending,
    found_out,
    look_at_relay,
    operations,
)
from meterweave.headend.operations import Authority, Done, NotSent, Operation, Outcome, Refusal, Refused
from meterweave.registry import Registry, command_queue
from meterweave.registry.commands import RELAY_KINDS, CommandCard, CommandState, unknown_since

PASSWORD, LEVEL, OPERATOR = "METERWEAVE_RELAY_PASSWORD", "METERWEAVE_RELAY_LEVEL", "METERWEAVE_RELAY_OPERATOR"
"""The variables of the environment that say what makes DL/T 645 meters obey."""

_THREADS = 4  # that wait for the database, so that nobody else's threads do

_log = structlog.get_logger(__name__)

Given = ParamSpec("Given")
Got = TypeVar("Got")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """Settings of commands; every field says unit, default and why.

    Raises
    ------
    ConfigError
        If a bound or a pace is not positive, or the authority has not the octets it needs.
    """

    look_every_s: float = 0.3
    """How often commands are looked for. [s] Who trips a meter waits for it."""

    tidy_every_s: float = 2.0
    """How often deadlines, and what head-ends that are gone left behind, are looked at. [s]"""

    looked_at_once: int = 500
    """Most terminals with something to do that one look takes from the database."""

    running_max: int = 500
    """Most terminals for which commands are carried out at once; the others wait for the next look."""

    lease_s: float = 30.0
    """After how long without a word a head-end counts as gone. [s] It says one three times as often."""

    again_after_s: float = 5.0
    """Pause before what could not be sent to a terminal that is online is tried again. [s] It doubles each time."""

    again_most_s: float = 300.0
    """Longest such pause. [s]"""

    look_after_s: tuple[float, ...] = (2.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
    """Pauses before each reading of a relay of which nobody knows what it did. [s] After the last one it stays
    unknown: a meter that is silent for over an hour needs somebody to go there."""

    effect_within_s: float = 120.0
    """How long a device may still take to obey once nobody knows what came of a command. [s] A terminal passes an order
    on for up to 50 s, the answer is waited for 60 s, and the way takes its time. A relay that is read sooner and is not
    as wanted is read again: that may be the state from before."""

    relay_level: int = 2
    """Level of the password, 2 or 4 (DL/T 645-2007, control code 1CH)."""

    relay_password: bytes = field(default=bytes(3), repr=False)
    """Password that makes DL/T 645 meters obey, 3 octets, most significant first. Zeros: as many are delivered. Never
    stored, logged or shown."""

    relay_operator: bytes = bytes(4)
    """Operator code that goes with it, 4 octets, most significant first."""

    def __post_init__(self) -> None:
        paces = (
            self.look_every_s,
            self.tidy_every_s,
            self.lease_s,
            self.again_after_s,
            self.again_most_s,
            self.effect_within_s,
            *self.look_after_s,
        )
        if min(*paces, self.looked_at_once, self.running_max) <= 0:
            raise ConfigError("bounds and paces of commands must be positive")
        if self.relay_level not in (2, 4):
            raise ConfigError(f"the level of a relay password is 2 or 4, not {self.relay_level}")
        if len(self.relay_password) != 3 or len(self.relay_operator) != 4:
            raise ConfigError("a relay password has 3 octets and an operator code 4")

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> ControlSettings:
        """Defaults, with the authority that the environment gives.

        Raises
        ------
        ConfigError
            If it gives one that is none; the value is not repeated.
        """
        return cls(
            relay_level=int(_hex_of(environment, LEVEL, "02", 1).hex(), 16),
            relay_password=_hex_of(environment, PASSWORD, "000000", 3),
            relay_operator=_hex_of(environment, OPERATOR, "00000000", 4),
        )


def _hex_of(environment: Mapping[str, str], name: str, default: str, octets: int) -> bytes:
    try:
        found = bytes.fromhex(environment.get(name) or default)
    except ValueError:
        found = b""
    if len(found) != octets:
        raise ConfigError(f"{name} must be {2 * octets} hexadecimal digits")
    return found


class Line(Protocol):
    """What is asked of a head-end; see `meterweave.headend.HeadEnd`."""

    def online(self, terminal: int) -> bool:
        """Whether the terminal with this id has a session."""

    async def call(
        self, terminal: int, wanted: Operation, *, urgent: bool = False, begin_s: float | None = None
    ) -> Outcome:
        """Have the terminal with this id do something."""


class Dispatcher:
    """Carries out what `meterweave.registry.command_orders` stored, for the terminals of one head-end.

    Parameters
    ----------
    tasks_of : callable
        What the collection plans want of a terminal, for ``sync``.
    clock : callable
        The time of day of the centre. [us since 1970, UTC]
    """

    def __init__(
        self,
        registry: Registry,
        head_end: Line,
        settings: ControlSettings | None = None,
        *,
        tasks_of: TasksOf = planned_tasks,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.settings = settings or ControlSettings()
        self.name = f"{socket.gethostname()[:32]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        """Under which it claims commands; another one each time."""
        self._registry, self._head_end, self._tasks_of, self._clock = registry, head_end, tasks_of, clock
        self._authority = Authority(
            self.settings.relay_level, self.settings.relay_password, self.settings.relay_operator
        )
        self._lease = timedelta(seconds=self.settings.lease_s)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="commands")
        self._workers: dict[int, asyncio.Task[None]] = {}  # by terminal: one command at a time, in their order
        self._not_before: dict[int, float] = {}  # when a terminal that took nothing is tried again [s of the loop]
        self._pauses: dict[int, float] = {}  # how long such a terminal was left alone last [s]
        self._working_on: set[int] = set()  # commands, ids
        self._after = 0  # the terminal up to which the round has come
        self._failing = False

    async def run(self) -> None:
        """Carry out commands for ever; cancel to end. What is under way then is left for whoever starts next."""
        try:
            await asyncio.gather(
                self._every(self.settings.look_every_s, self._look),
                self._every(self.settings.tidy_every_s, self._tidy),
                self._every(self.settings.lease_s / 3, self._renew),
            )
        finally:
            workers = list(self._workers.values())
            left = list(self._working_on)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await self._let_go(left)
            self._threads.shutdown(wait=False)

    # By the clock ----------------------------------------------------------------------------------------------------

    async def _every(self, pause_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                if self._failing:
                    _log.info("commands can be carried out again")
                self._failing = False
            except SQLAlchemyError as error:
                self._say_failing(error)
            await asyncio.sleep(pause_s)

    async def _look(self) -> None:
        """Put somebody to work for each terminal that is online and has something to do."""
        limit = self.settings.looked_at_once
        newest, following = await self._thread(
            command_queue.terminals_with_work, self._registry, now=self._now(), after=self._after, limit=limit
        )
        self._after = following[-1] if len(following) == limit else 0
        loop = asyncio.get_running_loop()
        self._not_before = {one: when for one, when in self._not_before.items() if when > loop.time()}
        self._pauses = {one: pause for one, pause in self._pauses.items() if self._head_end.online(one)}
        for terminal in (*newest, *following):
            if len(self._workers) >= self.settings.running_max:
                break
            if terminal in self._workers or terminal in self._not_before or not self._head_end.online(terminal):
                continue
            self._workers[terminal] = loop.create_task(self._work(terminal))

    async def _tidy(self) -> None:
        await self._thread(command_queue.tidy, self._registry, now=self._now(), but=frozenset(self._working_on))

    async def _renew(self) -> None:
        if self._working_on:
            until = self._now() + self._lease
            await self._thread(command_queue.renew, self._registry, list(self._working_on), by=self.name, until=until)

    async def _let_go(self, left: list[int]) -> None:
        """Say that nobody works on these any more, so that the next to start need not wait until we count as gone."""
        if not left:
            return
        try:
            await self._thread(command_queue.renew, self._registry, left, by=self.name, until=self._now())
        except SQLAlchemyError as error:
            self._say_failing(error)

    # One terminal ----------------------------------------------------------------------------------------------------

    async def _work(self, terminal: int) -> None:
        """Carry out what waits for a terminal, one after the other, while it takes it."""
        try:
            while self._head_end.online(terminal):
                command = await self._thread(
                    command_queue.claim,
                    self._registry,
                    terminal,
                    by=self.name,
                    now=self._now(),
                    lease=self._lease,
                )
                if command is None:
                    break
                if not await self._take(command):
                    self._leave_alone(terminal)
                    break
                self._pauses.pop(terminal, None)
        except SQLAlchemyError as error:
            self._say_failing(error)
        except Exception:  # a fault of ours must cost this terminal its turn, and the others nothing
            _log.exception("commands could not be carried out", terminal=terminal)
        finally:
            del self._workers[terminal]

    def _leave_alone(self, terminal: int) -> None:
        pause_s = min(self._pauses.get(terminal, self.settings.again_after_s / 2) * 2, self.settings.again_most_s)
        self._pauses[terminal] = pause_s
        self._not_before[terminal] = asyncio.get_running_loop().time() + pause_s

    async def _take(self, command: CommandCard) -> bool:
        """Carry out one claimed command; whether the terminal takes the next one."""
        self._working_on.add(command.id)
        try:
            if command.state is CommandState.UNKNOWN:
                return await self._find_out(command)
            return await self._send(command)
        finally:
            self._working_on.discard(command.id)

    async def _send(self, command: CommandCard) -> bool:
        wanted = await self._thread(self._operations, command)
        outcome = wanted if isinstance(wanted, Refused) else await self._call(command, wanted)
        end = ending(command, outcome)
        await self._write(command, end, self.settings.look_after_s[0])
        return not isinstance(outcome, NotSent)

    async def _find_out(self, command: CommandCard) -> bool:
        """Read the relay of which nobody knows what it did."""
        wanted, settled_at = await self._thread(self._look_at, command)
        settled = self._now() >= settled_at  # taken first: a state is as old as the asking for it
        outcome = wanted if isinstance(wanted, Refused) else await self._call(command, wanted)
        if isinstance(outcome, NotSent):
            until = self._now() + timedelta(seconds=self.settings.again_after_s)
            await self._surely(command_queue.put_off, self._registry, command, by=self.name, until=until)
            return False
        end = found_out(command, outcome, settled=settled)
        await self._write(command, end, self._pause_s(command, end, settled_at))
        return True

    def _pause_s(self, command: CommandCard, end: Ending, settled_at: datetime) -> float | None:
        """How long until the relay is read again, if it is not known yet; None: it was read often enough."""
        pause_s = dict(enumerate(self.settings.look_after_s)).get(command.tries + 1)
        if not end.too_early:
            return pause_s
        # There is always a reading that is not too early, and it is not put off without need.
        left_s = max(0.0, (settled_at - self._now()).total_seconds())
        return left_s if pause_s is None else min(pause_s, left_s)

    async def _call(self, command: CommandCard, wanted: Sequence[Operation]) -> Outcome:
        """Have the terminal do all of this, one after the other, as far as it does; begun before the deadline only."""
        facts: dict[str, bool | int | str] = {}
        refusals: tuple[Refusal, ...] = ()
        begin_s = self._left_s(command)
        for one in wanted:
            outcome = await self._head_end.call(command.terminal_id, one, urgent=True, begin_s=begin_s)
            begin_s = None  # what is begun is brought to its end
            if not isinstance(outcome, Done):
                return outcome
            facts |= outcome.facts
            refusals += outcome.refusals
        return Done(facts, refusals)

    def _left_s(self, command: CommandCard) -> float | None:
        """How long the command may still wait; None once it was sent and only its effect is looked for."""
        if command.state is not CommandState.SENT:
            return None
        return max(0.0, (command.not_after - self._now()).total_seconds())

    async def _write(self, command: CommandCard, end: Ending, look_after_s: float | None) -> None:
        now = self._now()
        again = end.look_again and look_after_s is not None
        wrote = await self._surely(
            command_queue.conclude,
            self._registry,
            command,
            end.state,
            by=self.name,
            now=now,
            words=end.words,
            facts=end.facts,
            look_at=now + timedelta(seconds=look_after_s or 0) if again else None,
        )
        if not wrote or command.kind in RELAY_KINDS:
            told = end.state.value if wrote else "decided by somebody else"
            _log.info("command", id=command.id, kind=command.kind.value, state=told, why=end.words.en)

    # The database ----------------------------------------------------------------------------------------------------

    def _operations(self, command: CommandCard) -> Sequence[Operation] | Refused:
        with self._registry.reading() as session:
            return operations(session, command, self._authority, self._tasks_of)

    def _look_at(self, command: CommandCard) -> tuple[Sequence[Operation] | Refused, datetime]:
        """What to read, and when it tells for certain what came of the command."""
        with self._registry.reading() as session:
            since = unknown_since(session, command.id) or command.state_at
            return look_at_relay(session, command), since + timedelta(seconds=self.settings.effect_within_s)

    async def _surely(self, work: Callable[Given, Got], *args: Given.args, **kwargs: Given.kwargs) -> Got:
        """As `_thread`, until the database takes it: an outcome that is known must not be lost."""
        while True:
            try:
                return await self._thread(work, *args, **kwargs)
            except SQLAlchemyError as error:
                self._say_failing(error)
                await asyncio.sleep(self.settings.again_after_s)

    async def _thread(self, work: Callable[Given, Got], *args: Given.args, **kwargs: Given.kwargs) -> Got:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1e6, UTC)

    def _say_failing(self, error: SQLAlchemyError) -> None:
        if not self._failing:
            _log.warning("commands cannot be read or written; they wait", error=str(error))
        self._failing = True
