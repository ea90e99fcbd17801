"""What one device's page is made of: titled lists of facts and tables, in the language that is spoken."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from meterweave.cli import columns
from meterweave.cli.columns import Cell
from meterweave.text import Language, Text

Fact = tuple[Text, str]
"""What it is called and what it is; empty: not known."""


def title(out: Console, text: str) -> None:
    """A line that stands above all that follows."""
    columns.write(out, [[Cell(text, "bold cyan")]])


def facts(out: Console, found: Sequence[Fact], language: Language) -> None:
    """What is known, each on a line; what is not known is left out."""
    rows = [[Cell(f"  {name.in_language(language)}", "dim"), Cell(value)] for name, value in found if value]
    columns.write(out, rows)


def table(
    out: Console,
    heading: Text,
    headers: Sequence[Text],
    rows: Sequence[Sequence[str]],
    language: Language,
    *,
    right: Sequence[int] = (),
    none: Text,
) -> None:
    """A table with a heading; where there is nothing to show, the words for that."""
    columns.write(out, [[Cell("")], [Cell(heading.in_language(language), "bold")]])
    if not rows:
        note(out, none.in_language(language))
        return
    first, *others = headers
    header = [Cell(f"  {first.in_language(language)}", "dim")]
    header += [Cell(one.in_language(language), "dim") for one in others]
    body = [[Cell(f"  {row[0]}"), *map(Cell, row[1:])] for row in rows]
    columns.write(out, [header, *body], right=right)


def note(out: Console, text: str) -> None:
    """A line below a table."""
    columns.write(out, [[Cell(f"  {text}", "dim")]])
