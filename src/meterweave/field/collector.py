"""Many lines in one process: reads them all by their plans and hands on what was read, tick by tick.

What was read waits until it is kept. Where keeping fails it is tried again, and with too much waiting no more is read:
meters count on meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from meterweave.errors import ConfigError, DecodeError, MeterweaveError
from meterweave.field.line import LineCounters, Send
from meterweave.field.plan import LinePlan
from meterweave.field.poller import CALLS_MAX, Call, Called, DeviceCounters, Got, Notice, Poller, Told
from meterweave.field.ports import Link, Port
from meterweave.field.schedule import check
from meterweave.metering.batch import Profile as Series
from meterweave.metering.batch import Reading, ReadingBatch, Source, from_readings
from meterweave.metering.events import Event
from meterweave.profiles import Request, changes

Keep = Callable[[ReadingBatch, Sequence[Event]], Awaitable[None]]
"""Keeps the readings and events of one tick; done means kept. `Event.key` is the meter of the plan."""

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


class Lane:
    """One line of a collector: its poller, and the port it is reached through."""

    def __init__(self, plan: LinePlan, port: Port) -> None:
        self.plan, self.port = plan, port
        self.poller = Poller(plan)
        self.log = _log.bind(line=plan.name, port=port.name)
        self.is_lost = False
        """Whether the port was lost, and nothing was heard since."""

    def back(self) -> None:
        """Something was heard."""
        if self.is_lost:
            self.is_lost = False
            self.log.info("line back")

    @property
    def counters(self) -> LineCounters:
        """Of the line; those of its devices are `devices`."""
        return self.poller.line.counters

    @property
    def devices(self) -> Mapping[int, DeviceCounters]:
        """By meter."""
        return self.poller.counters

    def known(self, meter: int) -> Told | None:
        """What is amiss with a device; None: nothing is known."""
        return self.poller.known(meter)


class Collector:
    """Runs lines.

    Parameters
    ----------
    lines : sequence of (LinePlan, Port)
        Every port is one line's own.
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
        By name of the line.
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
        self.lanes = {plan.name: Lane(plan, port) for plan, port in lines}
        self.readings_kept = self.events_kept = self.keeps_failed = 0
        self._keep, self._clock = keep, clock or _now_us
        self._readings: list[Reading] = []
        self._events: list[Event] = []
        self._keeping: Keeping | None = None
        self._frame_count = 0
        self._conditions: dict[int, dict[int, bool]] = {}  # what lasts, by meter

    @property
    def waiting(self) -> int:
        """Readings and events that are not kept yet."""
        return len(self._readings) + len(self._events)

    async def run(self) -> None:
        """Read until cancelled; then what was read is kept before this ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self.lanes.values():
                    tasks.create_task(self._run_lane(lane))
                tasks.create_task(self._hand_on())
        finally:
            await self._keep_last()

    async def ask(self, meter: int, requests: Sequence[Request]) -> Called:
        """Ask a device something outside its plan, before all that is planned; for instance an order of its profile.

        It waits while the port is lost: bound it with `asyncio.timeout`. What a cancelled call has sent stays sent.

        Raises
        ------
        ConfigError
            If no line has the meter, or there is nothing to ask.
        BusyError
            If too many calls wait for its line.
        """
        lane = next((lane for lane in self.lanes.values() if meter in lane.devices), None)
        if lane is None or not requests:
            raise ConfigError(f"meter {meter} is on no line of this collector" if requests else "there is no request")
        answered: asyncio.Future[Called] = asyncio.get_running_loop().create_future()
        call = Call(meter, requests, lambda called: None if answered.done() else answered.set_result(called))
        if not lane.poller.call(call):
            raise BusyError(f"{CALLS_MAX} calls wait for line {lane.plan.name} already; try again later")
        try:
            return await answered
        finally:
            call.dropped = True

    # Lines ------------------------------------------------------------------------------------------------------------

    async def _run_lane(self, lane: Lane) -> None:
        again_s = self.settings.open_again_s
        while True:
            try:
                await self._talk(lane, await lane.port.open())
            except (OSError, DecodeError) as error:
                if not lane.is_lost:
                    lane.log.warning("line lost", why=str(error) or type(error).__name__)
                    again_s = self.settings.open_again_s
            lane.is_lost = True
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, self.settings.open_again_max_s)

    async def _talk(self, lane: Lane, link: Link) -> None:
        """Poll over an open link until it fails."""
        loop, poller = asyncio.get_running_loop(), lane.poller
        poller.opened()
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
        finally:
            poller.lost()
            link.close()

    def _take(self, lane: Lane) -> None:
        got, notices = lane.poller.take()
        for one in got:
            self._note(one)
        for notice in notices:
            _tell(lane, notice)

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
                fails = False
            except (MeterweaveError, OSError) as error:
                self.keeps_failed += 1
                if not fails:
                    _log.error("readings not kept", why=str(error), waiting=self.waiting)
                fails = True

    async def _keep_waiting(self) -> None:
        """Hand on all that waits; it is let go when it is kept, and what came meanwhile waits for the next tick.

        A cancelled wait leaves the keeping going on; the next call waits for it, so that nothing is handed on twice.
        """
        if self._keeping is None:
            if not self.waiting:
                return
            readings, events = list(self._readings), list(self._events)
            kept = self._keep(from_readings(readings, received=self._clock()), events)
            self._keeping = Keeping(asyncio.ensure_future(kept), len(readings), len(events))
        keeping = self._keeping
        await asyncio.wait((keeping.done,))
        self._keeping = None
        keeping.done.result()
        del self._readings[: keeping.readings], self._events[: keeping.events]
        self.readings_kept += keeping.readings
        self.events_kept += keeping.events

    async def _keep_last(self) -> None:
        try:
            async with asyncio.timeout(self.settings.stop_within_s):
                while self.waiting:
                    await self._keep_waiting()
        except (MeterweaveError, OSError) as error:
            _log.error("readings lost at the end", why=str(error) or "too slow", count=self.waiting)


def _tell(lane: Lane, notice: Notice) -> None:
    log = _log.info if notice.told is Told.BACK else _log.warning
    log(
        "device",
        line=lane.plan.name,
        meter=notice.device.meter,
        address=notice.device.address,
        told=notice.told.value.en,
    )


def _now_us() -> int:
    return time.time_ns() // 1000
