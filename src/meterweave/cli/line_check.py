"""The arithmetic of lines: whether their meters can be read as often as wanted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import typer

from meterweave.cli import columns, render
from meterweave.cli.columns import Cell
from meterweave.cli.folder import Folder
from meterweave.cli.line_lore import Json, KnownLine, known_lines
from meterweave.cli.line_page import percent
from meterweave.field.schedule import Term, terms
from meterweave.text import Language, Text

_LINE, _PROFILE, _TOTAL = Text("line", "线路"), Text("profile", "设备配置"), Text("in all", "合计")
_HEADERS = (
    _LINE,
    _PROFILE,
    Text("meters", "表计"),
    Text("every", "周期"),
    Text("requests", "请求"),
    Text("octets", "字节"),
    Text("speed", "波特率"),
    Text("octets take", "传输"),
    Text("silences", "静默"),
    Text("replies", "应答"),
    Text("each", "单表"),
    Text("busy", "占用率"),
)
_RIGHT = range(2, len(_HEADERS))
_NO_LINE = Text("the archives have no line that runs", "档案中没有运行的线路")


class Checked(NamedTuple):
    """A line that is to run, and its arithmetic."""

    known: KnownLine
    terms: tuple[Term, ...]

    @property
    def problem(self) -> Text | None:
        """Why it cannot be run as it is."""
        return self.known.line.problem


def checked(folder: Folder) -> list[Checked]:
    """Every line that is to run, by name; what somebody stopped is left out."""
    lines = [known for known in known_lines(folder) if known.line.entry.runs]
    return [Checked(known, tuple(terms(known.line.plan)) if known.line.plan else ()) for known in lines]


def show(found: Sequence[Checked], language: Language, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        typer.echo(json.dumps({"lines": [_json(one) for one in found]}, ensure_ascii=False, default=str))
        return
    if not found:
        typer.echo(_NO_LINE.in_language(language))
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _HEADERS]
    rows = [row for one in found for row in _rows(one, language)]
    columns.write(render.console(), [header, *rows], right=list(_RIGHT), whole=(0, 1))
    for one in found:
        name = one.known.line.entry.name
        if one.problem is not None:
            typer.echo(f"{name}: {one.problem.in_language(language)}")
        for meter, why in one.known.line.problems.items():
            typer.echo(f"{name}: id:{meter}: {why.in_language(language)}")


def _rows(one: Checked, language: Language) -> list[list[Cell]]:
    name = one.known.line.entry.name
    rows = [_row(name if not index else "", term) for index, term in enumerate(one.terms)]
    if len(rows) == 1:
        return rows
    blank = [""] * (len(_HEADERS) - 3)
    share = one.known.share
    total = [_TOTAL.in_language(language) if rows else "", *blank, percent(share)]
    return [*rows, [Cell("" if rows else name), *map(Cell, total)]]


def _row(name: str, term: Term) -> list[Cell]:
    each = term.each
    octets = each.size.out_octets + each.size.in_octets
    cells = (
        name,
        term.profile,
        str(term.devices),
        f"{term.every_s:g} s",
        str(each.size.requests),
        str(octets),
        f"{term.baud} Bd" if each.octets_s else "",
        f"{each.octets_s:.3f} s",
        f"{each.silences_s:.3f} s",
        f"{each.replies_s:.3f} s",
        f"{each.total_s:.3f} s",
        percent(term.share),
    )
    return [Cell(one, "red" if index == len(cells) - 1 and term.share > 1 else "") for index, one in enumerate(cells)]


def _json(one: Checked) -> Json:
    return one.known.to_json() | {
        "terms": [
            {
                "profile": term.profile,
                "meters": term.devices,
                "every_s": term.every_s,
                "baud": term.baud,
                "requests": term.each.size.requests,
                "octets_out": term.each.size.out_octets,
                "octets_in": term.each.size.in_octets,
                "octets_s": term.each.octets_s,
                "silences_s": term.each.silences_s,
                "replies_s": term.each.replies_s,
                "busy": term.share,
            }
            for term in one.terms
        ],
        "meter_problems": [{"id": meter, **why._asdict()} for meter, why in one.known.line.problems.items()],
    }
