"""The lines that the centre masters itself: planned from the archives, followed as these change, read into the lake.

A line and each meter on it that cannot be read is told of in the log once, and in `problem` and `meter_problem`; the
others go on. What is read is kept as what terminals report is kept, and a line is last seen when a device on it
answered.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
import structlog
from sqlalchemy.exc import SQLAlchemyError

from meterweave.centre.lasting import Stopped, lasting_of
from meterweave.centre.line_plans import PlannedLine, planned
from meterweave.errors import ConfigError
from meterweave.field.collector import Collector, CollectorSettings
from meterweave.field.draft import words_of
from meterweave.field.dtu import DtuListener
from meterweave.field.lane import Lane
from meterweave.field.order import Happened, Wish, carry_out
from meterweave.field.plan import LinePlan
from meterweave.field.ports import Port
from meterweave.field.reach import Reach
from meterweave.headend import HeadEnd
from meterweave.headend.lake_rows import event_rows
from meterweave.headend.networks import Networks
from meterweave.lake import Lake, LakeError, QueryError
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.events import Event
from meterweave.profiles.shelf import Shelf
from meterweave.registry import Directory, Registry
from meterweave.registry.lines import LineEntry, lines_of
from meterweave.text import Text

FOLLOW_S = 0.5
"""How often it is looked whether archives or profiles changed. [s]"""
AGAIN_S = 5.0
"""Pause after archives or lake could not be read. [s]"""

Got = TypeVar("Got")


class _Seen(NamedTuple):
    """What tells whether archives or profiles changed."""

    number: int  # of the directory's snapshot
    stamps: object  # of the profiles; None: nothing was seen yet


_log = structlog.get_logger(__name__)


class Lines:
    """Masters the lines of the archives that no gateway masters.

    Parameters
    ----------
    directory : Directory
        Tells when the archives changed; somebody else keeps it current.
    dtu_networks : Networks, optional
        From where DTUs may dial; without it, from anywhere.

    Attributes
    ----------
    collector : Collector
        Runs the lines, under their names.
    """

    def __init__(
        self,
        registry: Registry,
        directory: Directory,
        lake: Lake,
        head_end: HeadEnd,
        shelf: Shelf,
        settings: CollectorSettings | None = None,
        *,
        dtu_networks: Networks | None = None,
    ) -> None:
        self._registry, self._directory, self._lake = registry, directory, lake
        self._head_end, self._shelf = head_end, shelf
        self.collector = Collector([], self._keep, settings, clock=head_end.clock)
        self.collector.on_heard = self._heard
        self._listener = DtuListener(allowed=dtu_networks)
        self._listens = False
        self._reach = Reach()
        self._names: dict[int, str] = {}  # of the lines that are not stopped, by terminal
        self._terminal_of_line: dict[str, int] = {}
        self._terminal_of_meter: dict[int, int] = {}
        self._problems: Mapping[int, Text] = {}
        self._meter_problems: Mapping[int, Text] = {}
        self._looked_at: set[int] = set()  # meters of which it is known what lasts
        self._entries: list[LineEntry] | None = None  # as they were planned last
        self._failing = False

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Open the port to which DTUs dial; where it is, which tells the port where `port` is 0.

        Raises
        ------
        OSError
            If the port cannot be opened.
        """
        where = await self._listener.start(host, port)
        self._reach, self._listens = Reach(self._listener), True
        return where

    async def run(self) -> None:
        """Read lines for ever; cancel to end, and what was read is kept before this ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.collector.run())
                tasks.create_task(self._follow())
        finally:
            self.close()

    def close(self) -> None:
        """Listen for no DTUs any more."""
        if self._listens:
            self._listener.stop()

    # What the rest of the centre asks ---------------------------------------------------------------------------------

    def has(self, terminal: int) -> bool:
        """Whether this is a line of ours that is not stopped."""
        return terminal in self._names

    def online(self, terminal: int) -> bool:
        """Whether a line can be asked now; one that is not run can be, and says why it does nothing."""
        name = self._names.get(terminal)
        if name is None:
            return False
        lane = self.collector.lanes.get(name)
        return lane is None or lane.is_open

    def problem(self, terminal: int) -> Text | None:
        """Why a line is not run; None: it is, or it is none of ours."""
        return self._problems.get(terminal)

    def meter_problem(self, meter: int) -> Text | None:
        """Why a meter is not read by its line; None: it is, or is on none of ours."""
        return self._meter_problems.get(meter)

    async def carry_out(self, wish: Wish, *, begin_s: float | None = None) -> Happened:
        """Have a meter do something; see `meterweave.field.order.carry_out`."""
        return await carry_out(self.collector, wish, begin_s=begin_s)

    # The archives -----------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        before = _Seen(-1, None)
        while True:
            try:
                before = await self._look(before)
                if self._failing:
                    _log.info("lines follow the archives again")
                self._failing = False
            except (SQLAlchemyError, LakeError, OSError) as error:
                if not self._failing:
                    _log.warning("lines cannot follow the archives; they go on as they are", error=str(error))
                self._failing = True
            await asyncio.sleep(AGAIN_S if self._failing else FOLLOW_S)

    async def _look(self, before: _Seen) -> _Seen:
        """Follow the archives and profiles where they are not as they were; what they are like now."""
        now = _Seen(self._directory.snapshot.number, await asyncio.to_thread(self._shelf.stamps))
        if now == before:
            return now
        entries = await _to_its_end(lambda stopped: self._read())
        if entries == self._entries and now.stamps == before.stamps:
            return now  # what changed has nothing to do with lines
        lines, lasting = await _to_its_end(lambda stopped: self._planned(entries, stopped))
        for meter, events in lasting.items():
            self.collector.set_conditions(meter, events)
        self._looked_at = _meters(lines)
        self._set(lines)
        self._entries = entries
        return now

    def _read(self) -> list[LineEntry]:
        """The lines of the archives; blocks."""
        with self._registry.reading() as session:
            return lines_of(session, None)

    def _planned(
        self, entries: Sequence[LineEntry], stopped: Stopped
    ) -> tuple[list[PlannedLine], Mapping[int, frozenset[int]]]:
        """The lines, and what lasts of their meters that are new; in a thread."""
        lines = planned(entries, self._shelf)
        new = _meters(lines) - self._looked_at
        try:
            return lines, lasting_of(self._lake, new, stopped) if new else {}
        except QueryError as error:  # too slow or too large; meters that are not read would be worse
            _log.warning("what lasted of meters cannot be found out; what lasts still is told again", error=str(error))
            return lines, dict.fromkeys(new, frozenset())

    def _set(self, lines: Sequence[PlannedLine]) -> None:
        """Run these, and say what is amiss with the others."""
        self._names = {line.entry.terminal: line.entry.name for line in lines if line.entry.runs}
        self._terminal_of_line = {line.entry.name: line.entry.terminal for line in lines}
        # A meter that left its line may have readings on their way still.
        self._terminal_of_meter |= {one.id: line.entry.terminal for line in lines for one in line.entry.meters}
        problems = {line.entry.terminal: line.problem for line in lines if line.problem is not None}
        problems |= self._run(lines)
        self._tell(lines, problems)
        self._problems = MappingProxyType(problems)
        self._meter_problems = MappingProxyType({meter: why for line in lines for meter, why in line.problems.items()})

    def _run(self, lines: Sequence[PlannedLine]) -> dict[int, Text]:
        """Run what can be; the problems of lines that get in each other's way, or have no port."""
        wanted = [
            (line.entry, line.plan, line.entry.port)
            for line in lines
            if line.problem is None and line.plan is not None and line.entry.port is not None
        ]
        found: dict[int, Text] = {}
        running: list[tuple[LinePlan, Port]] = []
        ports = self._reach.ports([(way, plan.devices[0].profile.settings) for _, plan, way in wanted])
        for (entry, plan, _), port in zip(wanted, ports, strict=True):
            if isinstance(port, ConfigError):
                found[entry.terminal] = words_of(port)
            else:
                running.append((plan, port))
        self.collector.set_lines(running)
        return found | {self._terminal_of_line[name]: why for name, why in self.collector.refused.items()}

    def _tell(self, lines: Sequence[PlannedLine], problems: Mapping[int, Text]) -> None:
        """Log what is amiss, once."""
        for line in lines:
            why = problems.get(line.entry.terminal)
            if why is not None and why != self._problems.get(line.entry.terminal):
                _log.warning("line not run", line=line.entry.name, why=why.en)
            for meter, reason in line.problems.items():
                if reason != self._meter_problems.get(meter):
                    _log.warning("meter not read", line=line.entry.name, meter=meter, why=reason.en)

    # What is read -----------------------------------------------------------------------------------------------------

    async def _keep(self, readings: ReadingBatch, events: Sequence[Event]) -> None:
        rows = None
        if events:
            meters = np.array([one.key for one in events], np.int64)
            terminals = np.array([self._terminal_of_meter[one.key] for one in events], np.int64)
            rows = event_rows(events, terminals, meters, self._head_end.clock())
        await self._head_end.keep(readings, rows)

    def _heard(self, lane: Lane) -> None:
        terminal = self._terminal_of_line.get(lane.plan.name)
        if terminal is not None:
            self._head_end.heard(terminal)


def _meters(lines: Sequence[PlannedLine]) -> set[int]:
    """All that are planned."""
    return {device.meter for line in lines if line.plan is not None for device in line.plan.devices}


async def _to_its_end(work: Callable[[Stopped], Got]) -> Got:
    """Work in a thread; who is cancelled meanwhile waits for its end, since the lake may be closed after that.

    The work is told, and should come to its end soon.
    """
    stopped = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stopped.is_set))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait((task,))
        raise
