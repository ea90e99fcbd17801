"""What a long-running command logs: one line each, above the line that stays."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog
from rich.console import Console


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
    indented = "".join(f"\n  {_shown(line)}" for line in trace.splitlines()) if trace else ""
    return _shown(head + facts) + indented


def _shown(text: str) -> str:
    """Without line ends and orders to the terminal: names and reasons may come from anybody who can reach a port."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
