"""Running the centre from the command line: what is shown, what is logged, when it ends."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine, MutableMapping
from typing import Any

import structlog
import typer
import uvloop
from rich.console import Console
from rich.live import Live
from rich.text import Text as Styled

from meterweave.centre import Centre, CentreSettings
from meterweave.cli.folder import Folder
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


def stop_event() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _serve(
    registry: Registry, lake: Lake, settings: CentreSettings, console: Console, spoken: Language
) -> Counters:
    stop = stop_event()
    async with Centre(registry, lake, settings) as centre:
        for protocol, host, port in centre.ports:
            typer.echo(f"{_LISTENING.in_language(spoken)} {protocol} {host}:{port}")
        counters = centre.head_end.counters
        await first_of(stop.wait(), centre.watch(), _show(counters, console, spoken))
    return counters


async def first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these ends, and end the others; raises what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


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


class _ConsoleLog(logging.Handler):
    """Log lines on the console above the line that stays."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)
        except Exception:  # a full disk behind standard error must not end what only wanted to say so
            self.handleError(record)


def log_to(console: Console) -> None:
    """Everything that is logged, here and in the libraries of the project, one line each, with its time in UTC."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _ConsoleLog(console)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _one_line,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _one_line(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
    """``2026-11-22T10:00:00Z warning login refused address=…``."""
    head = f"{event.pop('timestamp')} {event.pop('level')} {event.pop('event')}"
    trace = event.pop("exception", None)
    facts = "".join(f" {key}={value}" for key, value in event.items())
    return f"{head}{facts}" + (f"\n{trace}" if trace else "")
