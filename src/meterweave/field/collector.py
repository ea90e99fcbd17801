"""Many lines in one process: reads them all by their plans and hands on what was read, tick by tick.

What was read waits until it is kept. Where keeping fails it is tried again, and with too much waiting no more is read:
meters count on meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from meterweave.errors import ConfigError, DecodeError, MeterweaveError
from meterweave.field.draft import words_of
from meterweave.field.lane import Lane, Lanes, tell
from meterweave.field.line import End, Send
from meterweave.field.plan import DevicePlan, LinePlan
from meterweave.field.poller import CALLS_MAX, Call, Called, Got
from meterweave.field.ports import FloodError, Link, Port
from meterweave.field.schedule import check
from meterweave.metering.batch import Profile as Series
from meterweave.metering.batch import Reading, ReadingBatch, Source, from_readings
from meterweave.metering.events import Event
from meterweave.profiles import Request, changes
from meterweave.text import Text

Keep = Callable[[ReadingBatch, Sequence[Event]], Awaitable[None]]
"""Keeps the readings and events of one tick; done means kept. `Event.key` is the meter of the plan."""

HANDED_MAX = 20_000
"""Readings, and events, handed on at once; putting more of them together would hold up everything else."""

_log = structlog.get_logger(__name__)


class BusyError(MeterweaveError):
    """Too much waits for a line already."""


class Keeping(NamedTuple):
    """What is being kept."""

    done: asyncio.Future[None]
    readings: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """Bounds and paces of a collector.

    Raises
    ------
    ConfigError
        If one is not positive.
    """

    tick_s: float = 1.0
    """From one handing-on to the next. [s]"""
    waiting_max: int = 200_000
    """Readings and events that wait to be kept; with more no device's turn begins."""
    keep_again_s: float = 5.0
    """Pause after keeping failed. [s]"""
    open_again_s: float = 1.0
    """Pause after a port could not be opened or was lost; doubled each time. [s]"""
    open_again_max_s: float = 60.0
    """Longest such pause. [s]"""
    stop_within_s: float = 10.0
    """How long an orderly end waits for the last readings to be kept. [s]"""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if (value := getattr(self, name)) <= 0:
                raise ConfigError(f"{name} must be positive, not {value}")


class Collector:
    """Runs lines.

    Parameters
    ----------
    lines : sequence of (LinePlan, Port)
        Every port is one line's own. `set_lines` gives others later.
    keep : callable
        See `Keep`. A `MeterweaveError` or `OSError` of it means that nothing was kept: it is called again.
    clock : callable
        The time of day. [us since 1970, UTC]

    Raises
    ------
    ConfigError
        If a plan cannot be; see `meterweave.field.schedule.check`.

    Attributes
    ----------
    lanes : dict of str to Lane
        By name of the line; of those that run.
    refused : dict of str to Text
        Why a line of `set_lines` is not run, by its name.
    on_heard : callable
        Called with a lane when a device of it has answered.
    readings_kept, events_kept, keeps_failed : int
        Since the start.
    """

    def __init__(
        self,
        lines: Sequence[tuple[LinePlan, Port]],
        keep: Keep,
        settings: CollectorSettings | None = None,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        check([plan for plan, _ in lines])
        self.settings = settings or CollectorSettings()
        self._lanes = Lanes()
        for plan, port in lines:
            self._lanes.add(Lane(plan, port))
        self.refused: dict[str, Text] = {}
        self.on_heard: Callable[[Lane], None] = lambda lane: None
        self.readings_kept = self.events_kept = self.keeps_failed = 0
        self._keep, self._clock = keep, clock or _now_us
        self._readings: list[Reading] = []
        self._events: list[Event] = []
        self._keeping: Keeping | None = None
        self._frame_count = 0
        self._conditions: dict[int, dict[int, bool]] = {}  # what lasts, by meter
        self._links: dict[Port, Link] = {}  # open ones, from a lane that ended to the next one of the port
        self._changed = asyncio.Event()  # lanes are not those that run
        self._kept_more = asyncio.Event()

    @property
    def lanes(self) -> dict[str, Lane]:
        """By name of the line."""
        return self._lanes.by_name

    @property
    def waiting(self) -> int:
        """Readings and events that are not kept yet."""
        return len(self._readings) + len(self._events)

    async def run(self) -> None:
        """Read until cancelled; then what was read is kept before this ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._run_lanes(tasks))
                tasks.create_task(self._hand_on())
        finally:
            self._close_links(list(self._links))
            await self._keep_last()

    def set_lines(self, lines: Sequence[tuple[LinePlan, Port]]) -> None:
        """Run these lines from now on, and no others; one whose plan and port are as before goes on undisturbed.

        One whose plan is another begins anew over the open port, once what was asked before can be answered no more.
        A line that cannot be is not run and the others are: why is in `refused`, and in the log once. Where two lines
        have a name, a meter or a port in common, the later one cannot be.
        """
        lanes = Lanes()
        refused: dict[str, Text] = {}
        for plan, port in lines:
            try:
                lanes.check(plan, port)
                lanes.add(self._lane(plan, port))
            except MeterweaveError as error:
                refused[plan.name] = words_of(error)
                if self.refused.get(plan.name) != refused[plan.name]:
                    _log.error("line not run", line=plan.name, why=str(error))
        self._lanes, self.refused = lanes, refused
        self._changed.set()

    def device(self, meter: int) -> DevicePlan | None:
        """The plan of a device; None: it is on no line that runs."""
        lane = self._lanes.by_meter.get(meter)
        return None if lane is None else next(one for one in lane.plan.devices if one.meter == meter)

    def set_conditions(self, meter: int, lasting: Collection[int]) -> None:
        """Tell what lasted when the device was looked at last, so that it is no event once more.

        Parameters
        ----------
        lasting : collection of int
            Codes of events that began and have not ended.
        """
        self._conditions[meter] = dict.fromkeys(lasting, True)

    async def ask(self, meter: int, requests: Sequence[Request], *, begin_s: float | None = None) -> Called:
        """Ask a device something outside its plan, before all that is planned; for instance an order of its profile.

        What it reads is handed on like all readings. What a cancelled call has sent stays sent.

        Parameters
        ----------
        begin_s : float, optional
            How long it may wait for its turn, while the port is lost for instance; after that nothing is sent. [s]

        Raises
        ------
        ConfigError
            If no line has the meter, or there is nothing to ask.
        BusyError
            If too many calls wait for its line.
        """
        lane = self._lanes.by_meter.get(meter)
        if lane is None or not requests:
            raise ConfigError(f"meter {meter} is on no line of this collector" if requests else "there is no request")
        answered: asyncio.Future[Called] = asyncio.get_running_loop().create_future()
        call = Call(meter, requests, lambda called: None if answered.done() else answered.set_result(called))
        if not lane.poller.call(call):
            raise BusyError(f"{CALLS_MAX} calls wait for line {lane.plan.name} already; try again later")
        try:
            await asyncio.wait((answered,), timeout=begin_s)
            return await answered if call.begun or answered.done() else Called((), End.LOST, 0)
        finally:
            call.dropped = True

    async def kept(self) -> None:
        """Wait until all that was read up to now is kept."""
        readings, events = self.readings_kept + len(self._readings), self.events_kept + len(self._events)
        while self.readings_kept < readings or self.events_kept < events:
            await self._kept_more.wait()

    # Lines ------------------------------------------------------------------------------------------------------------

    def _lane(self, plan: LinePlan, port: Port) -> Lane:
        """The lane that runs already, where it is the same; else a new one."""
        before = self.lanes.get(plan.name)
        if before is not None and before.port is port and before.plan == plan:
            return before
        check([plan])
        return Lane(plan, port)

    async def _run_lanes(self, tasks: asyncio.TaskGroup) -> None:
        """Start and end lanes as `lanes` changes; a port is let go of before its next lane takes it."""
        loop = asyncio.get_running_loop()
        running: dict[Lane, asyncio.Task[None]] = {}
        while True:
            self._changed.clear()
            wanted = set(self.lanes.values())
            ended = {lane.port: lane for lane in running if lane not in wanted}
            tasks_ended = [running.pop(lane) for lane in ended.values()]
            for task in tasks_ended:
                task.cancel()
            if tasks_ended:
                await asyncio.wait(tasks_ended)
            for lane in self.lanes.values():
                if lane not in running:
                    if lane.port in ended:
                        lane.follow(ended[lane.port], loop.time())
                    running[lane] = tasks.create_task(self._run_lane(lane))
            self._close_links(self._links.keys() - self._lanes.by_port.keys())
            await self._changed.wait()

    def _close_links(self, ports: Collection[Port]) -> None:
        """Let go of open links that no lane goes on with."""
        for port in ports:
            self._links.pop(port).close()

    async def _run_lane(self, lane: Lane) -> None:
        try:
            await self._open_and_talk(lane)
        finally:
            lane.poller.end_calls()
            self._take(lane)

    async def _open_and_talk(self, lane: Lane) -> None:
        """Poll over the port whenever it is open; first over the link that the lane before left open."""
        again_s = self.settings.open_again_s
        while True:
            try:
                left = self._links.pop(lane.port, None)
                await self._talk(lane, left or await lane.port.open())
            except (OSError, DecodeError) as error:
                if not lane.is_lost:
                    lane.log.warning("line lost", why=str(error) or type(error).__name__)
                    again_s = self.settings.open_again_s
                if isinstance(error, FloodError):  # whoever does that will do it again
                    again_s = self.settings.open_again_max_s
            except Exception:  # a fault of ours must cost this line a pause, and the others nothing
                lane.log.exception("line failed")
                again_s = self.settings.open_again_max_s
            lane.is_lost = True
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, self.settings.open_again_max_s)

    async def _talk(self, lane: Lane, link: Link) -> None:
        """Poll over an open link until it fails; where another lane is to have the port it stays open."""
        loop, poller = asyncio.get_running_loop(), lane.poller
        poller.opened(loop.time(), lane.hush_until)
        lane.is_open = True
        try:
            while True:
                poller.held = self.waiting >= self.settings.waiting_max
                step = poller.step(loop.time())
                self._take(lane)
                if isinstance(step, Send):
                    link.send(step.octets)
                elif octets := await link.receive(step.until):
                    poller.heard(octets, loop.time())
                    lane.back()
        except asyncio.CancelledError:
            if self._lanes.by_port.get(lane.port, lane) is not lane:
                self._links[lane.port] = link
            raise
        finally:
            lane.is_open = False
            poller.lost()
            if self._links.get(lane.port) is not link:
                link.close()

    def _take(self, lane: Lane) -> None:
        got, notices = lane.poller.take()
        if got:
            lane.heard_us = self._clock()
            self.on_heard(lane)
        for one in got:
            self._note(one)
        for notice in notices:
            tell(lane, notice)

    def _note(self, got: Got) -> None:
        now, meter = self._clock(), got.device.meter
        self._frame_count += 1
        self._readings += [
            Reading(
                self._frame_count,
                meter,
                row.point.quantity.code,
                Series.SPOT,
                now,
                row.value,
                int(row.quality),
                Source.READ,
            )
            for row in got.answer.rows
        ]
        before = self._conditions.get(meter, {})
        self._events += changes(before, got.answer.conditions, meter=meter, at=now)
        self._conditions[meter] = {**before, **got.answer.conditions}

    # Keeping ----------------------------------------------------------------------------------------------------------

    async def _hand_on(self) -> None:
        fails = False
        while True:
            await asyncio.sleep(self.settings.keep_again_s if fails else self.settings.tick_s)
            try:
                await self._keep_waiting()
                while self.waiting >= HANDED_MAX:
                    await self._keep_waiting()
                fails = False
            except (MeterweaveError, OSError) as error:
                self.keeps_failed += 1
                if not fails:
                    _log.error("readings not kept", why=str(error), waiting=self.waiting)
                fails = True

    async def _keep_waiting(self) -> None:
        """Hand on what waits, `HANDED_MAX` of it at once; it is let go when it is kept.

        A cancelled wait leaves the keeping going on; the next call waits for it, so that nothing is handed on twice.
        """
        if self._keeping is None:
            if not self.waiting:
                return
            readings, events = self._readings[:HANDED_MAX], self._events[:HANDED_MAX]
            kept = self._keep(from_readings(readings, received=self._clock()), events)
            self._keeping = Keeping(asyncio.ensure_future(kept), len(readings), len(events))
        keeping = self._keeping
        await asyncio.wait((keeping.done,))
        self._keeping = None
        keeping.done.result()
        del self._readings[: keeping.readings], self._events[: keeping.events]
        self.readings_kept += keeping.readings
        self.events_kept += keeping.events
        self._kept_more.set()
        self._kept_more = asyncio.Event()

    async def _keep_last(self) -> None:
        try:
            async with asyncio.timeout(self.settings.stop_within_s):
                while self.waiting:
                    await self._keep_waiting()
        except (MeterweaveError, OSError) as error:
            _log.error("readings lost at the end", why=str(error) or "too slow", count=self.waiting)


def _now_us() -> int:
    return time.time_ns() // 1000
