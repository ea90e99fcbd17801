"""The gateway: masters the lines of its plan, keeps what it reads, and hands it to the centre when it can."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import pyarrow as pa
import structlog

from meterweave.errors import ConfigError
from meterweave.field.collector import Collector, CollectorSettings
from meterweave.field.dtu import DtuListener
from meterweave.field.order import Happened, Wish, carry_out
from meterweave.field.reach import Reach
from meterweave.gateway.clock import SiteClock
from meterweave.gateway.disk import Disk
from meterweave.gateway.plan import Builder, Site, SitePlan
from meterweave.gateway.settings import GatewaySettings
from meterweave.gateway.status import SiteStatus, status_of
from meterweave.gateway.store import Store
from meterweave.gateway.uplink import Uplink
from meterweave.lake.errors import JournalFull
from meterweave.lake.kind import EVENTS_SCHEMA
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.events import Event

CLOCK_LOOK_S = 1.0

_log = structlog.get_logger(__name__)


class Gateway:
    """Reads, keeps and hands on, as long as `run` runs.

    Parameters
    ----------
    store : Store
        Whoever opened it closes it, after the gateway.

    Raises
    ------
    ConfigError
        If a setting cannot be.

    Attributes
    ----------
    collector : Collector
        Of all lines.
    uplink : Uplink
        To the centre.
    """

    def __init__(self, settings: GatewaySettings, store: Store) -> None:
        self.settings = settings
        self.clock = SiteClock(store.latest_us())
        own = CollectorSettings(
            tick_s=settings.tick_s, waiting_max=settings.waiting_max, stop_within_s=settings.stop_within_s
        )
        self.collector = Collector([], self._keep, own, clock=self.clock)
        self._disk = Disk(store)
        self._listener = DtuListener() if settings.dtu_port else None
        self._builder = Builder(Reach(self._listener))
        self._site: Site | None = None
        self._terminals: dict[int, int] = {}  # of meters, also of those that the plan has no more
        self._is_full = False
        self.uplink = Uplink(
            settings, self._disk, self.clock, on_plan=self._adopt, carry_out=self._carry_out, status=self.status
        )
        for meter, events in store.lasting.items():
            self.collector.set_conditions(meter, events)

    async def run(self) -> None:
        """Until cancelled; then what was read is written down before this ends.

        Raises
        ------
        ConfigError
            If the port for DTUs cannot be opened.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self._disk.close)
            if self._listener is not None:
                await self._listen(self._listener)
                stack.callback(self._listener.stop)
            self._adopt_stored(await self._disk.do(self._disk.store.plan))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.collector.run())
                tasks.create_task(self.uplink.run())
                tasks.create_task(self._begin_when_clock_is_set())
                tasks.create_task(self._merge_while_away())

    @property
    def rows_held(self) -> int:
        """Readings and events that the centre does not have yet."""
        return self._disk.store.rows_held

    def status(self) -> SiteStatus:
        """How lines and devices fare."""
        rows, octets = self._disk.store.rows_held, self._disk.store.octets_held
        if self._site is None:
            return SiteStatus("", rows_held=rows, octets_held=octets)
        return status_of(self._site, self.collector, rows_held=rows, octets_held=octets)

    async def _listen(self, listener: DtuListener) -> None:
        host, port = self.settings.dtu_host, self.settings.dtu_port
        try:
            await listener.start(host, port)
        except OSError as error:
            raise ConfigError(f"{host}:{port} cannot be opened for DTUs: {error}") from error

    # The plan ---------------------------------------------------------------------------------------------------------

    def _adopt_stored(self, told: Mapping[str, object] | None) -> None:
        if told is None:
            return
        try:
            self._adopt(SitePlan.from_json(told))
        except ConfigError as error:  # of another version, perhaps
            _log.error("the plan on disk cannot be used, waiting for the centre's", why=str(error))

    def _adopt(self, plan: SitePlan) -> None:
        """Go on by this plan."""
        try:
            site = self._builder.build(plan)
        except Exception:  # a fault of ours must not end a gateway that nobody is near, at every start anew
            _log.exception("the plan cannot be used, going on as before", revision=plan.revision)
            return
        self._tell_problems(site)
        self._site = site
        self._terminals |= site.terminals
        _log.info("plan", revision=plan.revision, lines=len(plan.lines), devices=len(site.terminals))
        if self.clock.is_set:
            self._run_lines(site)

    def _run_lines(self, site: Site) -> None:
        try:
            self.collector.set_lines(site.lines)
        except Exception:  # see `_adopt`
            _log.exception("the lines of the plan cannot be run, going on as before", revision=site.plan.revision)

    def _tell_problems(self, site: Site) -> None:
        """Log what is new of what cannot be read."""
        before = self._site
        for line, why in site.problems.items():
            if before is None or before.problems.get(line) != why:
                _log.error("line not run", terminal=line, why=why)
        for meter, why in site.device_problems.items():
            if before is None or before.device_problems.get(meter) != why:
                _log.error("device not read", meter=meter, why=why)

    async def _begin_when_clock_is_set(self) -> None:
        """With a clock that cannot be right nothing is read: its readings would be of another day."""
        if not self.clock.is_set:
            _log.error("the clock of this machine is not set, nothing is read until the centre tells the time")
        while not self.clock.is_set:
            await asyncio.sleep(CLOCK_LOOK_S)
        if self._site is not None:
            self._run_lines(self._site)

    # Rows and wishes --------------------------------------------------------------------------------------------------

    async def _keep(self, batch: ReadingBatch, events: Sequence[Event]) -> None:
        received = int(batch.received[0]) if len(batch) else self.clock()
        try:
            await self._disk.do(
                self._disk.store.append,
                batch.to_arrow() if len(batch) else None,
                self._event_rows(events, received) if events else None,
            )
        except JournalFull as error:
            if not self._is_full:
                _log.error("the journal is full: nothing is read until the centre takes what waits", why=str(error))
            self._is_full = True
            raise
        self._is_full = False
        self.uplink.more.set()

    async def _merge_while_away(self) -> None:
        """Days of outage are hundreds of thousands of small blobs."""
        while True:
            await asyncio.sleep(self.settings.merge_s)
            if self.uplink.online:
                continue
            try:
                await self._disk.do(self._disk.store.merge)
            except Exception as error:  # whatever stands on a worn card: what is large can be handed on too
                _log.warning("the journal cannot be made smaller", why=str(error) or type(error).__name__)

    def _event_rows(self, events: Sequence[Event], received: int) -> pa.RecordBatch:
        rows = [
            {
                "terminal": self._terminals[one.key],
                "meter": one.key,
                "event": one.code,
                "ts": one.ts,
                "ended": one.ended,
                "number": one.number,
                "detail": one.detail,
                "source": one.source,
                "received": received,
            }
            for one in events
        ]
        return pa.RecordBatch.from_pylist(rows, EVENTS_SCHEMA)

    async def _carry_out(self, wish: Wish, begin_s: float) -> Happened:
        return await carry_out(self.collector, wish, begin_s=begin_s)
