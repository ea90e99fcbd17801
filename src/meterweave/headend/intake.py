"""From pushes to readings and events on disk: what all sessions pushed within a tick is kept together.

offer ─► (tick) decode ─► wire keys to meters ─► journal, fsync ─► settled: acknowledge

A push is acknowledged when every reading and every event in it is on disk, and never before. Where a meter is unknown,
what is known of the others is kept and the push stays unacknowledged, so that the terminal offers it again when the
archives know more. The frames are kept too, for tracing, unless the lake keeps no frames; a push that holds neither
readings nor events is then kept as its frame alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import structlog

from meterweave.headend.counters import Counters
from meterweave.headend.driver import Push, Translator
from meterweave.headend.enrolment import EnrolmentDesk, NewMeter
from meterweave.headend.lake_rows import event_rows, frame_rows
from meterweave.headend.naming import Ints, Named, Stranger, name
from meterweave.headend.settings import HeadEndSettings
from meterweave.headend.unknown import Unknown
from meterweave.lake import JournalError, Lake
from meterweave.metering.batch import ReadingBatch
from meterweave.registry import Directory
from meterweave.registry.terminal_table import TerminalEntry

_BUSY_PUSHES = 64  # in a tick, from which on all of `tick_s` is taken to gather more

_log = structlog.get_logger(__name__)


class Sender(Protocol):
    """Whose pushes they are."""

    def settle(self, acknowledgements: list[bytes], settled: int) -> None:
        """`settled` pushes are dealt with; send these answers.

        There is one for each push that has one and is fully kept, so a sender that gives every push an acknowledgement
        learns how many were; and the dismissal of each that has one and of which no more can ever be kept.
        """
        ...


class Offer(NamedTuple):
    """A push that waits."""

    sender: Sender
    translator: Translator
    terminal: TerminalEntry
    push: Push
    enrolled: bool = False  # whether its meters were to be enrolled before
    undecided: bool = False  # whether that did not come to an end, and may yet be done


class MeterName(NamedTuple):
    """A meter by the terminal (its id) and the key under which it came."""

    terminal: int
    key: int


class Intake:
    """Takes pushes from all sessions; settles every one of them sooner or later.

    Parameters
    ----------
    clock : callable
        The time of day. [us since 1970, UTC]
    on_room : callable
        Called when `crowded` is over.
    desk : EnrolmentDesk, optional
        Where unknown meters are enrolled; without it they stay unknown.

    Attributes
    ----------
    on_kept : list of callables
        Each is called with readings that have just come on disk, their meters named by ids.
    """

    def __init__(
        self,
        directory: Directory,
        lake: Lake,
        settings: HeadEndSettings,
        counters: Counters,
        *,
        zone: ZoneInfo,
        clock: Callable[[], int],
        on_room: Callable[[], None],
        desk: EnrolmentDesk | None = None,
    ) -> None:
        self._directory, self._lake, self._settings, self._counters = directory, lake, settings, counters
        self._zone, self._clock, self._on_room, self._desk = zone, clock, on_room, desk
        self.unknown_meters: Unknown[MeterName] = Unknown(settings.unknown_max)
        self.on_kept: list[Callable[[ReadingBatch], None]] = []
        self._waiting: deque[Offer] = deque()
        self._octets = 0  # of all pushes not settled
        self._keeping: set[asyncio.Task[None]] = set()
        self._enrolling: set[asyncio.Task[None]] = set()  # bounded by the octets of the pushes that wait for them
        self._timer: asyncio.Handle | None = None
        self._next_tick = 0.0
        self._failing = False
        self._archiving = lake.settings.frames_days > 0

    @property
    def crowded(self) -> bool:
        """Whether connections that push should not be read for now."""
        return 2 * self._octets >= self._settings.waiting_octets_max

    @property
    def idle(self) -> bool:
        """Whether all is settled."""
        return not (self._waiting or self._keeping or self._enrolling)

    def offer(self, sender: Sender, translator: Translator, terminal: TerminalEntry, pushes: Sequence[Push]) -> None:
        """Take pushes; `sender` is told when they are settled, which is at once where there is no room."""
        dropped = 0
        for push in pushes:
            if self._octets + len(push.octets) > self._settings.waiting_octets_max:
                dropped += 1
                continue
            self._octets += len(push.octets)
            self._waiting.append(Offer(sender, translator, terminal, push))
        if dropped:
            self._counters.pushes_dropped += dropped
            sender.settle([], dropped)
        self._schedule()

    async def keep(self, readings: ReadingBatch, events: pa.RecordBatch | None) -> None:
        """Keep what came by another way than a push, its meters named by ids already; returns once it is on disk.

        Raises
        ------
        LakeError
            If it was not kept.
        """
        content = _Content(readings if len(readings) else None, events if events is not None and len(events) else None)
        if not content.empty:
            rows = None if content.readings is None else content.readings.to_arrow()
            await self._lake.append(rows, events=content.events)
            self._count(content)

    def _schedule(self) -> None:
        if self._timer is None and self._waiting and len(self._keeping) < self._settings.batches_max:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._next_tick, loop.time()), self._tick)

    def _next(self) -> list[Offer]:
        """As much of what waits as is decoded in one go; one at least."""
        waiting, offers, octets = self._waiting, list[Offer](), 0
        while waiting and len(offers) < self._settings.tick_pushes_max and octets < self._settings.tick_octets_max:
            octets += len(waiting[0].push.octets)
            offers.append(waiting.popleft())
        return offers

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        offers = self._next()
        # What is left over is decoded in the loop's next round; others have their turn before. Where little comes,
        # little is gained by gathering it, and who waits for each answer before reporting on would lose much.
        busy = min(1.0, len(offers) / _BUSY_PUSHES)
        self._next_tick = loop.time() + (0.0 if self._waiting else busy * self._settings.tick_s)
        received = self._clock()
        for translator in {offer.translator for offer in offers}:
            together = [offer for offer in offers if offer.translator is translator]
            try:
                self._take(together, received)
            except Exception:  # a fault of ours must cost these pushes their answer, and the centre nothing
                _log.exception("pushes could not be taken", count=len(together))
                self._settle([(one, True) for one in together], kept=False)
        self._schedule()

    def _take(self, offers: list[Offer], received: int) -> None:
        """Decode pushes of one protocol, and see to it that each is settled."""
        terminals = np.array([one.terminal.id for one in offers], np.int64)
        named = self._named(offers, terminals, received)
        strangers = named.strangers()
        waiting, new = self._meet(strangers, offers, received)
        complete = self._complete(named, {one.push for one in strangers}, waiting, len(offers))
        left = named.without(waiting)
        known = left.known()
        self._counters.readings_unknown_meter += len(left.readings) - len(known.readings)
        self._counters.events_unknown_meter += len(left.events) - len(known.events)
        content = _content(known, terminals, received)
        if self._archiving:
            archived = [index for index in range(len(offers)) if index not in waiting and index not in named.bad]
            content = content._replace(frames=_frames(offers, archived, terminals, received))
        settled = [(one, index in complete) for index, one in enumerate(offers) if index not in waiting]
        if content.empty:
            self._settle(settled, kept=True)  # nothing is left that could be lost
        else:
            self._start(self._keep(content, settled), self._keeping)
        if waiting:
            self._start(self._enrol([offers[one] for one in sorted(waiting)], new), self._enrolling)

    def _named(self, offers: Sequence[Offer], terminals: Ints, received: int) -> Named:
        """What the pushes hold, and whose it is."""
        pushes = [one.push for one in offers]
        readings, events = offers[0].translator.content(pushes, received=received, zone=self._zone)
        return name(readings, events, terminals, self._directory.snapshot)

    def _complete(self, named: Named, lacking: set[int], waiting: set[int], count: int) -> set[int]:
        """The pushes of which all will be on disk when what is known is; the others are counted."""
        holding = named.holding()
        empty = set(range(count)) - holding - named.bad
        self._counters.pushes_broken += len(named.bad)
        self._counters.pushes_empty += len(empty)
        self._counters.pushes_unknown_meter += len(lacking - waiting)
        return (holding | empty if self._archiving else holding) - lacking - named.bad

    def _meet(self, strangers: Sequence[Stranger], offers: Sequence[Offer], now_us: int) -> _Meeting:
        """Whom to enrol, where that may help, and which pushes wait for it; the others are noted."""
        again_us = now_us - round(self._settings.enrol_again_s * 1e6)
        new: dict[MeterName, NewMeter] = {}
        waiting: set[int] = set()
        for push, key, quantity, forwarded in strangers if self._desk is not None else ():
            offer = offers[push]
            meter = MeterName(offer.terminal.id, key)
            if not offer.enrolled and not self.unknown_meters.lately(meter, again_us):
                stranger = NewMeter(offer.terminal.id, offer.terminal.protocol, key, quantity, forwarded)
                new[meter] = offer.translator.introduce(stranger, offer.push)
                waiting.add(push)
        for push, key, _, _ in strangers:
            terminal, tried = offers[push].terminal, not offers[push].undecided
            if push not in waiting and tried and self.unknown_meters.meet(MeterName(terminal.id, key), now_us):
                _log.warning("unknown meter", terminal=terminal.address, key=f"{key:x}")
        return _Meeting(waiting, list(new.values()))

    async def _enrol(self, offers: Sequence[Offer], new: Sequence[NewMeter]) -> None:
        assert self._desk is not None
        decided = False
        try:
            decided = await self._desk.enrol(new)
        finally:
            tried = [one._replace(enrolled=True, undecided=not decided) for one in offers]
            self._waiting.extendleft(reversed(tried))

    async def _keep(self, content: _Content, offers: Sequence[tuple[Offer, bool]]) -> None:
        kept = False
        readings, events, frames = content
        try:
            await self._lake.append(readings.to_arrow() if readings is not None else None, events=events, frames=frames)
            kept = True
        except JournalError as error:
            if not self._failing:
                _log.error("what comes in cannot be kept; terminals are not acknowledged", error=str(error))
            self._failing = True
        else:
            if self._failing:
                _log.info("what comes in is kept again")
            self._failing = False
            self._count(content)
        finally:
            self._settle(offers, kept=kept)

    def _count(self, content: _Content) -> None:
        """Count what is on disk, and tell who wants to know of it."""
        self._counters.events += content.events.num_rows if content.events is not None else 0
        if content.readings is not None:
            self._counters.readings += len(content.readings)
            for tell in self.on_kept:
                tell(content.readings)

    def _settle(self, offers: Iterable[tuple[Offer, bool]], *, kept: bool) -> None:
        """Tell the senders; of each push, whether it is complete, and of all, whether they are on disk."""
        crowded = self.crowded
        answers: dict[Sender, list[bytes]] = {}
        settled: dict[Sender, int] = {}
        for offer, complete in offers:
            self._octets -= len(offer.push.octets)
            sender = offer.sender
            settled[sender] = settled.get(sender, 0) + 1
            if not kept:
                self._counters.pushes_not_kept += complete
                continue
            self._counters.pushes_kept += complete
            answer = offer.push.acknowledgement if complete else offer.push.dismissal
            if answer and (complete or not offer.undecided):
                answers.setdefault(sender, []).append(answer)
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


class _Meeting(NamedTuple):
    """What is to be done about unknown meters."""

    waiting: set[int]  # the pushes that wait until their meters are enrolled
    new: list[NewMeter]


class _Content(NamedTuple):
    """What is kept of a tick's pushes."""

    readings: ReadingBatch | None
    events: pa.RecordBatch | None
    frames: pa.RecordBatch | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to keep."""
        return self.readings is None and self.events is None and self.frames is None


def _content(known: Named, terminals: Ints, received: int) -> _Content:
    readings = replace(known.readings, meter=known.reading_meter) if len(known.readings) else None
    if not known.events:
        return _Content(readings, None)
    return _Content(readings, event_rows(known.events, terminals[known.event_frame], known.event_meter, received))


def _frames(offers: Sequence[Offer], archived: Sequence[int], terminals: Ints, received: int) -> pa.RecordBatch | None:
    """The frames of these pushes; None where there are none."""
    if not archived:
        return None
    octets = [offers[index].push.octets for index in archived]
    return frame_rows(octets, terminals[archived], offers[0].translator.protocol, received)
