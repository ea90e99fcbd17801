"""What a login asks for, before anything that is missing is read: new terminals are commissioned, and of those that
were away the events of that time are read, since a terminal that is cut off may drop them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from meterweave.headend.collection.commissioning import begin, finish, unfinished
from meterweave.headend.collection.moments import instant, instant_us
from meterweave.headend.collection.settings import CollectionSettings
from meterweave.headend.operations import Done, Operation, Outcome, ReadEvents
from meterweave.registry import Registry
from meterweave.registry.errors import RegistryError
from meterweave.registry.models import Terminal
from meterweave.registry.terminal_table import TerminalEntry
from meterweave.registry.vocabulary import TerminalState

_ASKED_AT_ONCE = 1000
_DAY_US = 86_400_000_000

_log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class _Login(NamedTuple):
    at_us: int
    heartbeat_s: int


class Arrivals:
    """Terminals that logged in, and what is to be done with them; nothing is begun here, see `take`.

    Parameters
    ----------
    clock : callable
        As of the head-end. [us since 1970, UTC]
    ask : callable
        Has a terminal (id) do something, when it is its turn.
    online : callable
        Whether the terminal with this id has a session.
    on_return : callable
        Told of a terminal (id) that was away longer than its heartbeat explains.
    on_work : callable
        Told of a terminal (id) for which there is something to `take`.
    commission : bool
        Whether new terminals are commissioned.
    """

    def __init__(
        self,
        registry: Registry,
        settings: CollectionSettings,
        *,
        clock: Callable[[], int],
        ask: Callable[[int, Operation], Awaitable[Outcome]],
        online: Callable[[int], bool],
        on_return: Callable[[int], None],
        on_work: Callable[[int], None],
        commission: bool,
    ) -> None:
        self._registry, self._settings, self._clock, self._ask = registry, settings, clock, ask
        self._online, self._on_return, self._on_work = online, on_return, on_work
        self._commission = commission
        self._unfinished: set[int] = set()  # commissioning was begun
        self._to_commission: set[int] = set()
        self._to_read: dict[int, ReadEvents] = {}
        self._logins: dict[int, _Login] = {}  # of which it is not known yet whether they were away
        self._wake = asyncio.Event()

    def entered(self, terminal: TerminalEntry) -> None:
        """A terminal has logged in."""
        if self._commission and (terminal.state is TerminalState.PLANNED or terminal.id in self._unfinished):
            self._to_commission.add(terminal.id)
        self._logins[terminal.id] = _Login(self._clock(), terminal.heartbeat_s)
        self._wake.set()

    def take(self, terminal: int) -> Coroutine[None, None, None] | None:
        """The next work with a terminal, for whoever sees to it that there is one at a time; it is not given again."""
        if terminal in self._to_commission:
            self._to_commission.discard(terminal)
            return self._hand_over(terminal)
        wanted = self._to_read.pop(terminal, None)
        return None if wanted is None else self._read_events(terminal, wanted)

    async def run(self) -> None:
        """See who was away, for ever; at the start also whom an earlier process did not finish with."""
        known = not self._commission
        while True:
            known = known or await self._recall()
            await self._see_who_was_away()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if known else self._settings.look_s):
                    await self._wake.wait()

    # New terminals ---------------------------------------------------------------------------------------------------

    async def _recall(self) -> bool:
        """Go on with those that an earlier process did not finish with; whether they are known."""
        tries_max = self._settings.commission_tries
        found = await self._read("unfinished", lambda session: unfinished(session, tries_max))
        if found is None:
            return False
        self._unfinished |= found
        for terminal in filter(self._online, found):
            self._to_commission.add(terminal)
            self._on_work(terminal)
        return True

    async def _hand_over(self, terminal: int) -> None:
        """Make a new terminal what the archives say it is; what fails is tried again at its next login."""
        self._unfinished.add(terminal)
        tries_max = self._settings.commission_tries
        steps = await self._write("commissioning", lambda session: begin(session, terminal, tries_max))
        if steps is None:
            return
        for step in steps:
            outcome = await self._ask(terminal, step)
            if not isinstance(outcome, Done):
                name, reason = type(step).__name__, outcome.reason.en
                _log.warning("terminal not commissioned", terminal=terminal, step=name, reason=reason)
                return
        if steps and await self._write("commissioned", lambda session: self._finish(session, terminal)) is None:
            return
        self._unfinished.discard(terminal)
        if steps:
            _log.info("terminal commissioned", terminal=terminal)

    def _finish(self, session: Session, terminal: int) -> bool:
        finish(session, terminal, instant(self._clock()))
        return True

    # Terminals that were away ----------------------------------------------------------------------------------------

    async def _see_who_was_away(self) -> None:
        """Soon, since the head-end notes every few seconds whom it hears."""
        self._wake.clear()
        logins, self._logins = self._logins, {}
        if not logins:
            return
        heard_us = await self._read("away", lambda session: _last_heard_us(session, list(logins)))
        for terminal, login in logins.items():
            last_us = (heard_us or {}).get(terminal, login.at_us)
            if login.at_us - last_us > self._settings.away_heartbeats * login.heartbeat_s * 1_000_000:
                oldest_us = login.at_us - self._settings.away_events_days * _DAY_US
                self._to_read[terminal] = ReadEvents(max(last_us, oldest_us), login.at_us)
                self._on_return(terminal)
                self._on_work(terminal)

    async def _read_events(self, terminal: int, wanted: ReadEvents) -> None:
        """What comes of it is in the lake; that it fails is no reason to try again before the next absence."""
        outcome = await self._ask(terminal, wanted)
        if not isinstance(outcome, Done):
            _log.info("events of an absence not read", terminal=terminal, reason=outcome.reason.en)

    # The archives ----------------------------------------------------------------------------------------------------

    async def _read(self, what: str, work: Callable[[Session], Result]) -> Result | None:
        def read() -> Result:
            with self._registry.reading() as session:
                return work(session)

        return await _in_thread(what, read)

    async def _write(self, what: str, work: Callable[[Session], Result]) -> Result | None:
        def write() -> Result:
            with self._registry.writing() as session:
                return work(session)

        return await _in_thread(what, write)


async def _in_thread(what: str, work: Callable[[], Result]) -> Result | None:
    """What `work` gives; None where the archives cannot be used."""
    try:
        return await asyncio.to_thread(work)
    except (SQLAlchemyError, RegistryError) as error:
        _log.warning("the archives cannot be used just now", work=what, error=str(error))
        return None


def _last_heard_us(session: Session, terminals: list[int]) -> Mapping[int, int]:
    """When terminals, by id, were heard of last; those never heard of are left out. [us since 1970, UTC]"""
    found: dict[int, int] = {}
    for first in range(0, len(terminals), _ASKED_AT_ONCE):
        some = terminals[first : first + _ASKED_AT_ONCE]
        query = select(Terminal.id, Terminal.last_seen_at).where(Terminal.id.in_(some))
        found |= {terminal: instant_us(at) for terminal, at in session.execute(query) if at is not None}
    return found
