"""Who may call now: limits on calls under way, in all, by channel and by cell group; first come, first served.

Whoever waits for a channel or cell that is full does not keep others from going on.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from meterweave.errors import MeterweaveError
from meterweave.headend.collection.settings import CollectionSettings
from meterweave.registry.vocabulary import Channel


class Lane(NamedTuple):
    """Calls that share all their limits."""

    channel: Channel
    cell_group: str | None


class GateFull(MeterweaveError):  # noqa: N818 - a state that passes, as `JournalFull` is
    """Too many wait already."""


class _Waiting(NamedTuple):
    ticket: int
    turn: asyncio.Future[None]


class CallGate:
    """Lets calls through; one event loop."""

    def __init__(self, settings: CollectionSettings) -> None:
        self._settings = settings
        self._channels: Counter[Channel] = Counter()
        self._groups: Counter[str] = Counter()
        self._lanes: dict[Lane, deque[_Waiting]] = {}
        self._ticket = 0
        self.under_way = 0
        """Calls that were let through and are not over."""
        self.waiting = 0
        """Calls that wait for their turn."""

    @asynccontextmanager
    async def call(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for one's turn, and hold a place until the end of the block.

        Raises
        ------
        GateFull
            If `calls_waiting_max` wait already.
        """
        if lane in self._lanes or not self._has_room(lane):
            await self._wait(lane)  # the place is taken for us, by whoever left
        else:
            self._enter(lane)
        try:
            yield
        finally:
            self._leave(lane)

    def _has_room(self, lane: Lane) -> bool:
        settings = self._settings
        return (
            self.under_way < settings.calls_max
            and self._channels[lane.channel] < settings.calls_of(lane.channel)
            and (lane.cell_group is None or self._groups[lane.cell_group] < settings.cell_group_calls_max)
        )

    def _enter(self, lane: Lane) -> None:
        self.under_way += 1
        self._channels[lane.channel] += 1
        if lane.cell_group is not None:
            self._groups[lane.cell_group] += 1

    def _leave(self, lane: Lane) -> None:
        self.under_way -= 1
        self._channels[lane.channel] -= 1
        if lane.cell_group is not None:
            self._groups[lane.cell_group] -= 1
            if not self._groups[lane.cell_group]:
                del self._groups[lane.cell_group]
        self._let_through()

    async def _wait(self, lane: Lane) -> None:
        if self.waiting >= self._settings.calls_waiting_max:
            raise GateFull
        self._ticket += 1
        mine = _Waiting(self._ticket, asyncio.get_running_loop().create_future())
        self._lanes.setdefault(lane, deque()).append(mine)
        self.waiting += 1
        try:
            await mine.turn
        except asyncio.CancelledError:
            if mine.turn.done() and not mine.turn.cancelled():
                self._leave(lane)  # it was our turn just now
            else:
                self._forget(lane, mine)
            raise

    def _let_through(self) -> None:
        """Everybody there is room for, in the order in which they came."""
        while self.under_way < self._settings.calls_max:
            able = [(queue[0].ticket, lane) for lane, queue in self._lanes.items() if self._has_room(lane)]
            if not able:
                return
            _, lane = min(able)
            first = self._lanes[lane][0]
            self._forget(lane, first)
            self._enter(lane)
            first.turn.set_result(None)

    def _forget(self, lane: Lane, one: _Waiting) -> None:
        queue = self._lanes[lane]
        queue.remove(one)
        self.waiting -= 1
        if not queue:
            del self._lanes[lane]
