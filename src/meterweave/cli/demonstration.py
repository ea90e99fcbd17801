"""The demo at work: the centre in this process, the town in another, a picture of what happens."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
import uvloop
from rich.console import Console
from rich.live import Live

from meterweave.centre import Centre, CentreSettings, Listener
from meterweave.cli import dashboard
from meterweave.cli.collection_page import gaps, show_gaps
from meterweave.cli.dashboard import Figures, Success
from meterweave.cli.folder import Folder
from meterweave.cli.log import log_to
from meterweave.cli.until import first_of, stop_event
from meterweave.errors import ConfigError
from meterweave.headend import HeadEndSettings
from meterweave.headend.collection import CollectionSettings
from meterweave.lake import Lake
from meterweave.metering.batch import Profile
from meterweave.metering.clock import SHANGHAI
from meterweave.registry import Registry
from meterweave.registry.importing import import_file
from meterweave.simulator import Plan, Protocol, TownClock, build
from meterweave.simulator.archives import Records, archives_of, write_tables
from meterweave.simulator.building import RUNS, Building
from meterweave.simulator.meter645 import local
from meterweave.simulator.town import DAY_S, LOCAL_S, Utility
from meterweave.text import Language, Text

SHOWN_EVERY_S, TOLD_EVERY_S = 0.5, 5.0
"""Between two pictures where somebody looks, and between two lines where nobody does."""
RATE_OVER_S = 5.0
"""Over how long the rate of readings is taken."""
STOP_S = 10.0
"""How long the town may take to end."""
SPREAD_S = 1.0
"""Over how long the centre spreads its calls: twenty concentrators on one machine need no sparing."""
ANSWER_S = 3.0
"""How long a concentrator may take to answer: they are on this machine."""
MISSING_MAX = 50
"""Most lines of what is missing."""
HINTS = (
    'query {data} "SELECT utility, count(*) FROM readings JOIN meters ON meters.id = meter GROUP BY ALL"',
    "collection status {data}",
    "meter show {meter} {data}",
    "meter list --how bus {data}",
    "command read {meter} {data}",
    'command trip {meter} --reason "trying it out" {data}',
)
_HEAD = Text(
    "Meterweave: a centre, a town of {} meters behind {} concentrators, a building of {} on {} lines",
    "Meterweave：主站、{} 只表计与 {} 台集中器的模拟小镇、{} 只表计与 {} 条总线的楼宇",
)
_TIME = Text("town time", "小镇时间")
_ASK = Text("look further, from another terminal:", "在另一个终端中继续查看：")
_END = Text("Ctrl-C ends it", "按 Ctrl-C 结束")
_COMPLETE = Text("complete after {:.0f} s: every reading that was due is stored", "{:.0f} 秒后完成：应抄读数全部入库")
_INCOMPLETE = Text("not complete after {:.0f} s; missing:", "{:.0f} 秒后仍未完成；缺少：")
_PROFILES: Mapping[Profile, Text] = {
    Profile.CURVE: Text("curve", "曲线"),
    Profile.DAILY: Text("daily freeze", "日冻结"),
    Profile.MONTHLY: Text("monthly freeze", "月冻结"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """The town of the demo."""

    meters: int
    others: int
    terminals: int
    seed: int
    days: int
    speed: float
    bad: bool
    start_s: float  # its time when it begins [s since 1970, UTC]
    began_s: float  # ours

    @property
    def plan(self) -> Plan:
        """How it is built; the process that runs it builds the same from the same options."""
        today_s = (int(self.start_s) + LOCAL_S) // DAY_S * DAY_S - LOCAL_S
        return Plan(
            terminals=self.terminals,
            meters=self.meters,
            others=self.others,
            seed=self.seed,
            first_s=today_s - self.days * DAY_S,
            days=self.days,
            protocols=tuple(Protocol),
        )

    @property
    def first_meter(self) -> str:
        """The asset number of one of its electricity meters."""
        site = build(self.plan)[0]
        meter = next(one for one in site.meters if one.utility is Utility.ELECTRICITY)
        return f"MW{meter.address}"

    @property
    def clock(self) -> TownClock:
        """Its time, and therefore the centre's."""
        return TownClock(self.start_s, self.speed, self.began_s)

    def command(self, ports: dict[str, int]) -> list[str]:
        """How it is started, against a centre on these ports."""
        options = [
            *("--dlt698", f"127.0.0.1:{ports['dlt698']}"),
            *("--gdw1376", f"127.0.0.1:{ports['gdw1376-1']}"),
            *("--terminals", self.terminals),
            *("--meters", self.meters),
            *("--others", self.others),
            *("--seed", self.seed),
            *("--days", self.days),
            *("--speed", self.speed),
            *("--start", repr(self.start_s)),
            *("--began", repr(self.began_s)),
            *(("--bad-town",) if self.bad else ()),
        ]
        return [sys.executable, "-m", "meterweave.cli", "simulate", *map(str, options)]


def run(folder: Folder, town: Town, *, limit_s: float | None, spoken: Language) -> bool:
    """Show the town until Ctrl-C, or with `limit_s` until all that was due is stored; whether it was.

    Raises
    ------
    MeterweaveError
        If the data cannot be written or the town cannot be started.
    """
    console = Console(stderr=True)
    log_to(console)
    settings = CentreSettings(
        listeners=(Listener(protocol="dlt698", port=0), Listener(protocol="gdw1376-1", port=0)),
        head_end=HeadEndSettings(answer_s=ANSWER_S, forwarded_answer_s=2 * ANSWER_S),
        collection=CollectionSettings(spread_s=SPREAD_S, look_s=1.0, retry_first_s=2.0),
    )
    with folder.registry() as registry:
        import_archives(registry, archives_of(build(town.plan), town.plan.first_s))
        with Lake.open(folder.lake_path, settings.of_lake) as lake:
            centre = Centre(registry, lake, settings, clock=town.clock.town_us)
            complete = uvloop.run(_Demonstration(town, centre, registry, folder, console, spoken).run(limit_s))
        if not complete:
            missing = gaps(registry, state=None, terminal=None, limit=MISSING_MAX, offset=0, language=spoken)
            show_gaps(missing, 0, spoken, as_json=False)
    return complete


def import_archives(registry: Registry, tables: Mapping[str, Records]) -> None:
    """Take archives in, as a utility would its own: in one workbook, so that all of it is seen at once."""
    with tempfile.TemporaryDirectory() as there:
        for file in write_tables(tables, Path(there) / "demo.xlsx"):
            report = import_file(registry, file)
            if not report.applied:
                raise ConfigError("\n".join(report.lines("en")))


class _Demonstration:
    """The centre at work, the town's process, the building, and what is shown of them."""

    def __init__(
        self, town: Town, centre: Centre, registry: Registry, folder: Folder, console: Console, spoken: Language
    ) -> None:
        self.town, self.centre, self.registry, self.folder = town, centre, registry, folder
        self.console, self.spoken = console, spoken
        self._meter = town.first_meter
        self._rates: deque[tuple[float, int]] = deque(maxlen=round(RATE_OVER_S / SHOWN_EVERY_S))

    async def run(self, limit_s: float | None) -> bool:
        stop = stop_event()
        clock = self.town.clock
        async with Building(lambda: clock.town_us() // 1_000_000) as building, self.centre:
            day = local(self.town.plan.first_s).date().isoformat()
            await asyncio.to_thread(import_archives, self.registry, building.archives(day))
            process = await self._start_town()
            try:
                ends = [stop.wait(), self.centre.watch(), self._ended(process), self._show()]
                if limit_s is not None:
                    ends.append(self._complete(limit_s))
                await first_of(*ends)
            finally:
                await _stop(process)
        if limit_s is None:
            return True
        complete = self._is_complete()
        self._tell_end(complete)
        return complete

    async def _start_town(self) -> asyncio.subprocess.Process:
        ports = {one.protocol: one.port for one in self.centre.ports}
        # In a group of its own: Ctrl-C is ours to hear, and the town ends when we say so.
        return await asyncio.create_subprocess_exec(
            *self.town.command(ports), stdout=asyncio.subprocess.DEVNULL, start_new_session=True
        )

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        raise ConfigError(f"the simulated town ended with exit code {code}")

    async def _complete(self, limit_s: float) -> None:
        until = time.time() + limit_s
        while time.time() < until and not self._is_complete():
            await asyncio.sleep(SHOWN_EVERY_S)

    def _is_complete(self) -> bool:
        progress = self.centre.collector.progress
        return progress.expected > 0 and progress.complete

    async def _show(self) -> None:
        """The picture where somebody looks, else a line now and then."""
        if not self.console.is_terminal:
            while True:
                await asyncio.sleep(TOLD_EVERY_S)
                typer.echo(dashboard.line(self._figures(), SHANGHAI, self.spoken))
        with Live(console=self.console, auto_refresh=False) as live:
            while True:
                shown = dashboard.picture(self._head(), self._figures(), self._hints(), SHANGHAI, self.spoken)
                live.update(shown, refresh=True)
                await asyncio.sleep(SHOWN_EVERY_S)

    def _figures(self) -> Figures:
        counters, progress = self.centre.head_end.counters, self.centre.collector.progress
        now = time.monotonic()
        self._rates.append((now, counters.readings))
        then, before = self._rates[0]
        return Figures(
            online=counters.terminals_online,
            terminals=self.town.terminals,
            lines=sum(lane.is_open for lane in self.centre.lines.collector.lanes.values()),
            lines_planned=len(RUNS),
            stored=counters.readings,
            rate=(counters.readings - before) / (now - then) if now > then else 0.0,
            events=counters.events,
            gaps=progress.gaps_open,
            oldest_us=progress.oldest_unread_us,
            plans=[
                Success(_PROFILES[profile], tally.expected, tally.first_try, tally.stored)
                for profile, tally in progress.profiles.items()
            ],
        )

    def _head(self) -> str:
        head = _HEAD.in_language(self.spoken).format(
            self.town.meters + self.town.others, self.town.terminals, Building.meters, len(RUNS)
        )
        at = datetime.fromtimestamp(self.town.clock.town_us() // 1_000_000, UTC).astimezone(SHANGHAI)
        return f"{head} · {_TIME.in_language(self.spoken)} {at:%Y-%m-%d %H:%M:%S}"

    def _hints(self) -> list[str]:
        told = {"data": f"--data {self.folder.path}", "meter": self._meter}
        return [
            _ASK.in_language(self.spoken),
            *(f"  {_program()} {one.format(**told)}" for one in HINTS),
            _END.in_language(self.spoken),
        ]

    def _tell_end(self, complete: bool) -> None:
        took_s = time.time() - self.town.began_s
        typer.echo((_COMPLETE if complete else _INCOMPLETE).in_language(self.spoken).format(took_s))
        typer.echo(dashboard.line(self._figures(), SHANGHAI, self.spoken))


def _program() -> str:
    """How the commands are called here: as the demo was."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "meterweave" and called.parent.name else "meterweave"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Let the town log out; a town that does not end is killed."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
