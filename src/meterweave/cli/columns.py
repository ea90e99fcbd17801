"""Rows in columns on a terminal: as wide as they must be, folded where the terminal is narrow.

Rich lays out a table thirty times slower, which a log of 5 MB does not forgive; its console is used for all else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.cells import cell_len, chop_cells
from rich.console import Console

_GAP = "  "
_NARROWEST = 8  # cells; a column is not made narrower, rather do lines get too long
_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}


class Cell(NamedTuple):
    """Text in a style, the words of which are keys of ECMA-48's graphic renditions above."""

    text: str
    style: str = ""


def write(
    out: Console,
    rows: Sequence[Sequence[Cell]],
    *,
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
    widest: int = 0,
) -> None:
    """Write `rows`, all of the same number of cells.

    Parameters
    ----------
    right : sequence of int
        Indexes of the columns that are aligned to the right.
    whole : sequence of int
        Indexes of the columns that are not made narrower as long as others can be: names are worth nothing cut.
    widest : int
        The most cells of the first column; 0: as many as it needs.
    """
    coloured = out.color_system is not None and not out.no_color and not out.legacy_windows
    shown = [[cell._replace(text=_printable(cell.text)) for cell in row] for row in rows]
    widths = [max(cell_len(cell.text) for cell in column) for column in zip(*shown, strict=True)]
    if widest and widths:
        widths[0] = min(widths[0], widest)
    widths = _fit(widths, out.width, whole)
    for row in shown:
        for line in _lines(row, widths, right, coloured=coloured):
            out.file.write(line + "\n")


def _fit(widths: list[int], room: int, whole: Sequence[int]) -> list[int]:
    """The widths, the widest made narrower until all of them have room; those of `whole` last."""
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    for columns in ([index for index in range(len(widths)) if index not in whole], range(len(widths))):
        while excess > 0 and max((widths[index] for index in columns), default=0) > _NARROWEST:
            widths[max(columns, key=lambda index: widths[index])] -= 1
            excess -= 1
    return widths


def _lines(row: Sequence[Cell], widths: Sequence[int], right: Sequence[int], *, coloured: bool) -> Iterator[str]:
    folded = [_fold(cell.text, width) for cell, width in zip(row, widths, strict=True)]
    for parts in zip_longest(*folded, fillvalue=""):
        line, blank = "", ""
        for index, (part, cell, width) in enumerate(zip(parts, row, widths, strict=True)):
            fill = " " * (width - cell_len(part))
            before, after = (fill, "") if index in right else ("", fill)
            if part:
                line += blank + before + (_styled(part, cell.style) if coloured else part)
                blank = after + _GAP
            else:
                blank += fill + _GAP
        yield line


def _fold(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, cut between words where that is possible, all indented alike."""
    if cell_len(text) <= width:
        return [text]
    bare = text.lstrip()
    indent = text[: min(len(text) - len(bare), width // 2)]
    room = width - len(indent)
    lines: list[str] = []
    line = ""
    for word in re.findall(r"\S+\s*", bare):
        if line and cell_len(line + word.rstrip()) > room:
            lines.append(indent + line.rstrip())
            line = ""
        line += word
        if cell_len(line.rstrip()) > room:
            *full, line = chop_cells(line, room)
            lines += [indent + part for part in full]
    return [*lines, indent + line.rstrip()] if line.strip() else lines


def _styled(text: str, style: str) -> str:
    codes = ";".join(_SGR[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


def _printable(text: str) -> str:
    """`text` without what would steer the terminal: what a meter sends is never trusted."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
