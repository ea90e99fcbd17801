"""What a running centre does, as a picture in the terminal that stays and changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as Styled

from meterweave.text import Language, Text

_COLUMNS = (
    Text("read success", "抄读成功率"),
    Text("expected", "应抄"),
    Text("stored", "已存"),
    Text("unasked", "一次成功"),
    Text("now", "当前"),
)
_ONLINE = Text("terminals online", "在线终端")
_LINES = Text("lines open", "在线总线")
_STORED = Text("readings stored", "已存读数")
_RATE = Text("readings/s", "读数/秒")
_GAPS = Text("gaps open (meter days)", "未补缺口（表·日）")
_OLDEST = Text("oldest unread", "最早未抄")
_EVENTS = Text("events stored", "已存事件")
_NONE = Text("none", "无")


class Success(NamedTuple):
    """How far reading by one plan has come; all are counts of readings."""

    name: Text
    expected: int
    first_try: int
    stored: int


class Figures(NamedTuple):
    """What is shown."""

    online: int
    terminals: int
    lines: int
    lines_planned: int
    stored: int
    rate: float
    events: int
    gaps: int
    oldest_us: int | None
    plans: Sequence[Success]


def picture(head: str, figures: Figures, hints: Sequence[str], zone: ZoneInfo, spoken: Language) -> RenderableType:
    """All of it: a headline, the figures, a table of plans, what to do next."""
    facts = Table.grid(padding=(0, 3))
    for name, value in _facts(figures, zone, spoken):
        facts.add_row(Styled(name, "dim"), Styled(value, "bold"))
    plans = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for place, column in enumerate(_COLUMNS):
        plans.add_column(column.in_language(spoken), justify="left" if place == 0 else "right")
    for plan in figures.plans:
        share = _share(plan.stored, plan.expected)
        colour = "green" if plan.stored == plan.expected else "yellow"
        first = _share(plan.first_try, plan.expected)
        plans.add_row(
            plan.name.in_language(spoken),
            f"{plan.expected:,}",
            f"{plan.stored:,}",
            first,
            Styled(share, colour),
        )
    return Group(Styled(head, "bold cyan"), "", facts, "", plans, *([""] if hints else []), *map(Styled, hints))


def line(figures: Figures, zone: ZoneInfo, spoken: Language) -> str:
    """The same in one line, for where nobody looks at a picture."""
    facts = ", ".join(f"{name} {value}" for name, value in _facts(figures, zone, spoken))
    expected, stored = (sum(getattr(one, name) for one in figures.plans) for name in ("expected", "stored"))
    return f"{facts}, {_COLUMNS[0].in_language(spoken)} {_share(stored, expected)}"


def _facts(figures: Figures, zone: ZoneInfo, spoken: Language) -> list[tuple[str, str]]:
    oldest = _NONE.in_language(spoken) if figures.oldest_us is None else _local(figures.oldest_us, zone)
    facts = (
        (_ONLINE, f"{figures.online:,} / {figures.terminals:,}"),
        (_LINES, f"{figures.lines:,} / {figures.lines_planned:,}"),
        (_STORED, f"{figures.stored:,}"),
        (_RATE, f"{figures.rate:,.0f}"),
        (_EVENTS, f"{figures.events:,}"),
        (_GAPS, f"{figures.gaps:,}"),
        (_OLDEST, oldest),
    )
    return [(name.in_language(spoken), value) for name, value in facts]


def _share(part: int, whole: int) -> str:
    """A share that says 100 % only when nothing is missing."""
    if not whole:
        return "–"
    return "100 %" if part >= whole else f"{min(part / whole, 0.9999):.2%}".replace("%", " %")


def _local(us: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")
