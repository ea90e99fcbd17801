"""Running the centre from the command line: what is shown, what is logged, when it ends."""

from __future__ import annotations

import asyncio

import typer
import uvloop
from rich.console import Console
from rich.live import Live
from rich.text import Text as Styled

from meterweave.centre import Centre, CentreSettings
from meterweave.cli.api import api_of, greet_first
from meterweave.cli.folder import Folder
from meterweave.cli.log import log_to
from meterweave.cli.until import first_of, stop_event
from meterweave.headend import Counters
from meterweave.lake import Lake
from meterweave.registry import Registry
from meterweave.text import Language, Text

SHOWN_EVERY_S = 2.0

_LINE: tuple[tuple[str, Text], ...] = (
    ("terminals_online", Text("terminals online", "在线终端")),
    ("readings", Text("readings stored", "已存读数")),
    ("frames", Text("frames", "帧")),
    ("pushes_kept", Text("reports acknowledged", "已确认上报")),
    ("pushes_unknown_meter", Text("reports of unknown meters", "未知电表上报")),
    ("logins_refused", Text("logins refused", "拒绝登录")),
    ("garbage_octets", Text("octets of garbage", "无效字节")),
)
_LISTENING = Text("listening", "监听")
_STOPPED = Text("stopped", "已停止")


def run(folder: Folder, settings: CentreSettings, *, spoken: Language) -> Counters:
    """Collect until Ctrl-C or SIGTERM; what was counted.

    Raises
    ------
    MeterweaveError
        If a port or the data cannot be opened.
    """
    console = Console(stderr=True)
    log_to(console)
    with folder.registry() as registry, Lake.open(folder.lake_path, settings.of_lake) as lake:
        return uvloop.run(_serve(registry, lake, settings, console, spoken))


def farewell(counters: Counters, spoken: Language) -> str:
    """What there is to say at the end."""
    return f"{_STOPPED.in_language(spoken)}: {_words(counters, spoken)}"


async def _serve(
    registry: Registry, lake: Lake, settings: CentreSettings, console: Console, spoken: Language
) -> Counters:
    stop = stop_event()
    async with Centre(registry, lake, settings) as centre:
        for protocol, host, port in centre.ports:
            typer.echo(f"{_LISTENING.in_language(spoken)} {protocol} {host}:{port}")
        counters = centre.head_end.counters
        works = [stop.wait(), centre.watch(), _show(counters, console, spoken)]
        if not settings.api.enabled:
            await first_of(*works)
            return counters
        async with api_of(centre, registry, lake) as api:
            typer.echo(f"{_LISTENING.in_language(spoken)} api {api.url}")
            greet_first(api, spoken)
            await first_of(*works, api.watch())
    return counters


async def _show(counters: Counters, console: Console, spoken: Language) -> None:
    """The counters as a line that stays, where somebody looks."""
    if not console.is_terminal:
        await asyncio.Event().wait()
    before = 0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            rate = (counters.readings - before) / SHOWN_EVERY_S
            before = counters.readings
            live.update(Styled(f"{_words(counters, spoken)} · {rate:,.0f}/s", "dim"), refresh=True)
            await asyncio.sleep(SHOWN_EVERY_S)


def _words(counters: Counters, spoken: Language) -> str:
    return " · ".join(f"{getattr(counters, name):,} {text.in_language(spoken)}" for name, text in _LINE)
