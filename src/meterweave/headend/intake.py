"""From pushes to readings on disk: what all sessions pushed within a tick is decoded in columns and kept together.

offer ─► (tick) decode ─► wire keys to meters ─► journal, fsync ─► settled: acknowledge

A push is acknowledged when every reading in it is on disk, and never before. Where a meter is unknown, the readings of
the others are kept and the push stays unacknowledged, so that the terminal offers it again when the archives know more.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import fields, replace
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import structlog
from numpy.typing import NDArray

from meterweave.headend.counters import Counters
from meterweave.headend.driver import Driver, Push
from meterweave.headend.enrolment import EnrolmentDesk, NewMeter
from meterweave.headend.settings import HeadEndSettings
from meterweave.headend.unknown import Unknown
from meterweave.lake import JournalError, Lake
from meterweave.metering.batch import ReadingBatch, Source
from meterweave.registry import Directory
from meterweave.registry.key_table import UNKNOWN
from meterweave.registry.terminal_table import TerminalEntry

_log = structlog.get_logger(__name__)


class Sender(Protocol):
    """Whose pushes they are."""

    def settle(self, acknowledgements: list[bytes], settled: int) -> None:
        """`settled` pushes are dealt with; send these answers."""
        ...


class Offer(NamedTuple):
    """A push that waits."""

    sender: Sender
    driver: type[Driver]
    terminal: TerminalEntry
    push: Push
    enrolled: bool = False  # whether its meters were to be enrolled before


class MeterName(NamedTuple):
    """A meter by the terminal (its id) and the key under which it came."""

    terminal: int
    key: int


class Intake:
    """Takes pushes from all sessions; settles every one of them sooner or later.

    Parameters
    ----------
    on_room : callable
        Called when `crowded` is over.
    desk : EnrolmentDesk, optional
        Where unknown meters are enrolled; without it they stay unknown.
    """

    def __init__(
        self,
        directory: Directory,
        lake: Lake,
        settings: HeadEndSettings,
        counters: Counters,
        *,
        zone: ZoneInfo,
        on_room: Callable[[], None],
        desk: EnrolmentDesk | None = None,
    ) -> None:
        self._directory, self._lake, self._settings, self._counters = directory, lake, settings, counters
        self._zone, self._on_room, self._desk = zone, on_room, desk
        self.unknown_meters: Unknown[MeterName] = Unknown(settings.unknown_max)
        self._waiting: deque[Offer] = deque()
        self._octets = 0  # of all pushes not settled
        self._keeping: set[asyncio.Task[None]] = set()
        self._enrolling: set[asyncio.Task[None]] = set()  # bounded by the octets of the pushes that wait for them
        self._timer: asyncio.Handle | None = None
        self._next_tick = 0.0
        self._failing = False

    @property
    def crowded(self) -> bool:
        """Whether connections that push should not be read for now."""
        return 2 * self._octets >= self._settings.waiting_octets_max

    @property
    def idle(self) -> bool:
        """Whether all is settled."""
        return not (self._waiting or self._keeping or self._enrolling)

    def offer(self, sender: Sender, driver: type[Driver], terminal: TerminalEntry, pushes: Sequence[Push]) -> None:
        """Take pushes; `sender` is told when they are settled, which is at once where there is no room."""
        dropped = 0
        for push in pushes:
            if self._octets + len(push.octets) > self._settings.waiting_octets_max:
                dropped += 1
                continue
            self._octets += len(push.octets)
            self._waiting.append(Offer(sender, driver, terminal, push))
        if dropped:
            self._counters.pushes_dropped += dropped
            sender.settle([], dropped)
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None and self._waiting and len(self._keeping) < self._settings.batches_max:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._next_tick, loop.time()), self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        count = min(len(self._waiting), self._settings.tick_pushes_max)
        offers = [self._waiting.popleft() for _ in range(count)]
        # What is left over is decoded in the loop's next round; others have their turn before.
        self._next_tick = loop.time() + (0.0 if self._waiting else self._settings.tick_s)
        received = time.time_ns() // 1000
        for driver in {offer.driver for offer in offers}:
            of_driver = [offer for offer in offers if offer.driver is driver]
            try:
                self._take(of_driver, received)
            except Exception:  # a fault of ours must cost these pushes their answer, and the centre nothing
                _log.exception("pushes could not be taken", count=len(of_driver))
                self._settle([(one, True) for one in of_driver], kept=False)
        self._schedule()

    def _take(self, offers: list[Offer], received: int) -> None:
        """Decode pushes of one protocol, and see to it that each is settled."""
        batch = offers[0].driver.readings([one.push.octets for one in offers], received=received, zone=self._zone)
        meter = self._meters(batch, offers)
        unknown = meter == UNKNOWN
        lacking = np.unique(batch.frame[unknown])
        full = np.unique(batch.frame)
        self._counters.pushes_broken += len(batch.bad)
        self._counters.pushes_empty += len(offers) - len(full) - len(batch.bad)
        enrolling = self._strangers(batch, unknown, offers, received) if len(lacking) else set()
        final = unknown & ~np.isin(batch.frame, list(enrolling))
        self._counters.readings_unknown_meter += int(final.sum())
        self._counters.pushes_unknown_meter += len(lacking) - len(enrolling)
        complete = set(np.setdiff1d(full, lacking).tolist())
        rest = [(one, index in complete) for index, one in enumerate(offers) if index not in enrolling]
        rows = ~unknown if not enrolling else ~unknown & ~np.isin(batch.frame, list(enrolling))
        if rows.any():
            named = replace(batch, meter=meter)
            self._start(self._keep(named if rows.all() else _selected(named, rows), rest), self._keeping)
        else:
            self._settle(rest, kept=False)

    def _meters(self, batch: ReadingBatch, offers: Sequence[Offer]) -> NDArray[np.int64]:
        """The ids of the meters of all readings; `UNKNOWN` where the archives have none."""
        if not len(batch):
            return batch.meter
        snapshot = self._directory.snapshot
        terminals = np.array([one.terminal.id for one in offers], np.int64)[batch.frame]
        forwarded = batch.source == Source.FORWARDED
        if not forwarded.any():
            return snapshot.meters_of_many(terminals, batch.meter)
        return np.where(
            forwarded,
            snapshot.forwarded_meters_of_many(terminals, batch.meter),
            snapshot.meters_of_many(terminals, batch.meter),
        )

    def _strangers(
        self, batch: ReadingBatch, unknown: NDArray[np.bool_], offers: Sequence[Offer], now_us: int
    ) -> set[int]:
        """Have unknown meters enrolled, where that may help, and note the others; which pushes wait for that."""
        columns = (batch.frame, batch.meter, batch.quantity, batch.source)
        rows = list(zip(*(one[unknown].tolist() for one in columns), strict=True))
        again_us = now_us - round(self._settings.enrol_again_s * 1e6)
        new: dict[MeterName, NewMeter] = {}
        enrolling: set[int] = set()
        for frame, key, quantity, source in rows if self._desk is not None else ():
            offer = offers[frame]
            name = MeterName(offer.terminal.id, key)
            if not offer.enrolled and not self.unknown_meters.lately(name, again_us):
                protocol = offer.terminal.protocol
                new[name] = NewMeter(offer.terminal.id, protocol, key, quantity, source == Source.FORWARDED)
                enrolling.add(frame)
        for frame, key, _, _ in rows:
            terminal = offers[frame].terminal
            if frame not in enrolling and self.unknown_meters.meet(MeterName(terminal.id, key), now_us):
                _log.warning("unknown meter", terminal=terminal.address, key=f"{key:x}")
        if enrolling:
            self._start(self._enrol([offers[one] for one in sorted(enrolling)], list(new.values())), self._enrolling)
        return enrolling

    async def _enrol(self, offers: Sequence[Offer], new: Sequence[NewMeter]) -> None:
        assert self._desk is not None
        try:
            await self._desk.enrol(new)
        finally:
            self._waiting.extendleft(one._replace(enrolled=True) for one in reversed(offers))

    async def _keep(self, batch: ReadingBatch, offers: Sequence[tuple[Offer, bool]]) -> None:
        kept = False
        try:
            await self._lake.append(batch.to_arrow())
            kept = True
        except JournalError as error:
            if not self._failing:
                _log.error("readings cannot be kept; terminals are not acknowledged", error=str(error))
            self._failing = True
        else:
            self._counters.readings += len(batch)
            if self._failing:
                _log.info("readings are kept again")
            self._failing = False
        finally:
            self._settle(offers, kept=kept)

    def _settle(self, offers: Iterable[tuple[Offer, bool]], *, kept: bool) -> None:
        """Tell the senders; of each push, whether it is complete, and of all, whether they are on disk."""
        crowded = self.crowded
        answers: dict[Sender, list[bytes]] = {}
        settled: dict[Sender, int] = {}
        for offer, complete in offers:
            self._octets -= len(offer.push.octets)
            sender = offer.sender
            settled[sender] = settled.get(sender, 0) + 1
            if not complete:
                continue
            if not kept:
                self._counters.pushes_not_kept += 1
                continue
            self._counters.pushes_kept += 1
            if offer.push.acknowledgement:
                answers.setdefault(sender, []).append(offer.push.acknowledgement)
        for sender, count in settled.items():
            sender.settle(answers.get(sender, []), count)
        if crowded and not self.crowded:
            self._on_room()

    def _start(self, work: Coroutine[None, None, None], among: set[asyncio.Task[None]]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            among.discard(task)
            if not task.cancelled() and task.exception() is not None:
                _log.error("a batch was not dealt with", error=repr(task.exception()))
            self._schedule()

        task = asyncio.get_running_loop().create_task(work)
        among.add(task)
        task.add_done_callback(ended)


def _selected(batch: ReadingBatch, rows: NDArray[np.bool_]) -> ReadingBatch:
    columns = (field.name for field in fields(batch) if field.name != "bad")
    return ReadingBatch(**{name: getattr(batch, name)[rows] for name in columns})
