"""What a long-running command logs: one line each, whatever came in over a port."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog
from rich.console import Console

from meterweave.cli.log import log_to

FORGED = "a\n2026-11-22T10:00:00Z info gateway connected gateway=mill\x1b[2J\x1b]0;x\x07\u202e\r\u2028b 电表"


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    log_to(Console(file=out, force_terminal=True))
    yield out
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


def test_what_strangers_say_forges_no_line_and_orders_no_terminal(said: io.StringIO) -> None:
    structlog.get_logger("x").warning("gateway refused", name=FORGED)
    line = said.getvalue()
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "\\n2026" in line
    assert "\\u202e" in line
    assert "电表" in line


def test_a_trace_stands_indented_below_its_line(said: io.StringIO) -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        structlog.get_logger("x").exception("it failed")
    first, *others = said.getvalue().splitlines()
    assert "error it failed" in first
    assert len(others) > 2
    assert all(one.startswith("  ") for one in others)
    assert "\x1b" not in said.getvalue()
