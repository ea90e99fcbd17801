"""Running a gateway from the command line: what is shown, what is logged, when it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
import typer
import uvloop
from rich.console import Console
from rich.live import Live
from rich.text import Text as Styled

from meterweave.cli.log import log_to
from meterweave.cli.until import first_of, stop_event
from meterweave.gateway.gateway import Gateway
from meterweave.gateway.settings import GatewaySettings, load, readable_by_others
from meterweave.gateway.store import Store
from meterweave.text import Language, Text

SHOWN_EVERY_S = 2.0

_READS = Text("gateway {} reads for the centre at {}:{}", "网关{}为中心{}:{}抄读")
_ONLINE, _OFFLINE = Text("centre reached", "已连接中心"), Text("centre not reached", "未连接中心")
_STOPPED = Text("stopped", "已停止")
_READ, _WAIT, _LINES = (
    Text("readings read", "已抄读数"),
    Text("rows wait for the centre", "行待上传"),
    Text("lines", "线路"),
)

_log = structlog.get_logger(__name__)


def run(config: Path, folder: Path, spoken: Language) -> None:
    """Read until Ctrl-C or SIGTERM.

    Raises
    ------
    MeterweaveError
        If the settings are not right, or the data cannot be opened.
    """
    settings = load(config)
    console = Console(stderr=True)
    log_to(console)
    if readable_by_others(config):
        _log.warning("others may read the key of this gateway: chmod 600", file=str(config))
    with Store(folder, journal_octets_max=settings.journal_octets_max) as store:
        words = uvloop.run(_run(settings, store, console, spoken))
    typer.echo(f"{_STOPPED.in_language(spoken)}: {words}")


async def _run(settings: GatewaySettings, store: Store, console: Console, spoken: Language) -> str:
    stop = stop_event()
    gateway = Gateway(settings, store)
    typer.echo(_READS.in_language(spoken).format(settings.name, settings.host, settings.port))
    await first_of(stop.wait(), gateway.run(), _show(gateway, console, spoken))
    return _words(gateway, spoken)


async def _show(gateway: Gateway, console: Console, spoken: Language) -> None:
    """How it goes as a line that stays, where somebody looks."""
    if not console.is_terminal:
        await asyncio.Event().wait()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            reached = (_ONLINE if gateway.uplink.online else _OFFLINE).in_language(spoken)
            live.update(Styled(f"{_words(gateway, spoken)} · {reached}", "dim"), refresh=True)
            await asyncio.sleep(SHOWN_EVERY_S)


def _words(gateway: Gateway, spoken: Language) -> str:
    counts = (
        (len(gateway.collector.lanes), _LINES),
        (gateway.collector.readings_kept, _READ),
        (gateway.rows_held, _WAIT),
    )
    return " · ".join(f"{count:,} {text.in_language(spoken)}" for count, text in counts)
