"""Readings entered: a list of them, and the sheets for a round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import typer

from meterweave.cli import columns, moment, render
from meterweave.cli.archive_file import CSV, WORKBOOK
from meterweave.cli.columns import Cell
from meterweave.cli.folder import Folder
from meterweave.cli.reading_desk import Json, in_words, reading_json
from meterweave.cli.whole_file import whole_file
from meterweave.errors import ConfigError
from meterweave.metering.quantities import by_code
from meterweave.registry.entered import Listed, Round, amount_text, entered, sheet_rows, write_sheet
from meterweave.registry.entered.roll import Roll
from meterweave.registry.importing.export import BOM, csv_line
from meterweave.registry.vocabulary import WORDS, Utility, read_word
from meterweave.text import Language, Text

_TABLE = (
    Text("number", "编号"),
    Text("meter", "表计"),
    Text("quantity", "数据项"),
    Text("value", "示数"),
    Text("read at", "抄表时间"),
    Text("kind", "类别"),
    Text("reader", "抄表员"),
    Text("photo", "照片"),
    Text("note", "备注"),
    Text("entered by", "录入人"),
    Text("entered at", "录入时间"),
)
_NONE = Text("nobody entered a reading", "没有录入的读数")
_WITHDRAWN = Text("taken back", "已撤回")
_ESTIMATED, _REPLACED = Text("estimated", "估算"), Text("corrected since", "已更正")
_AND = Text(", ", "，")
_MORE = Text("older ones: --before {}", "更早的读数：--before {}")
_WRITTEN = Text("{file}: {count} meters to read", "{file}：待抄表计{count}块")


class Wanted(NamedTuple):
    """Which readings are listed."""

    meter: str | None
    limit: int
    before: int | None
    history: bool


class Page(NamedTuple):
    """A part of the readings asked for."""

    readings: list[Listed]
    more: bool  # whether there are older ones


def listed(folder: Folder, wanted: Wanted, language: Language) -> Page:
    """The readings asked for.

    Raises
    ------
    MeterweaveError
        If no meter, or several, are called so, or the archives cannot be read.
    """
    with in_words(language), folder.archives() as registry, registry.reading() as session:
        meter = None
        if wanted.meter is not None:
            meter = Roll(session, [wanted.meter]).the_one(wanted.meter).id
        found = entered(
            session, meter=meter, limit=wanted.limit + 1, before=wanted.before, history=wanted.history
        )  # fmt: skip
    return Page(found[: wanted.limit], len(found) > wanted.limit)


def show(found: Page, language: Language, *, as_json: bool) -> None:
    """Print them."""
    if as_json:
        typer.echo(json.dumps({"readings": list(map(_json, found.readings)), "more": found.more}, ensure_ascii=False))
        return
    if not found.readings:
        typer.echo(_NONE.in_language(language))
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _TABLE]
    rows = [list(map(Cell, _cells(one, language))) for one in found.readings]
    columns.write(render.console(), [header, *rows], right=[0, 3])
    if found.more:
        typer.echo(_MORE.in_language(language).format(found.readings[-1].kept.id))


def _json(one: Listed) -> Json:
    more = {"asset_number": one.asset_number, "replaced": one.replaced}
    return {"id": one.kept.id, **reading_json(one.kept, one.meter), **more}


def _cells(one: Listed, language: Language) -> list[str]:
    kept, entry = one.kept, one.kept.entry
    marks = [WORDS[entry.purpose].in_language(language)]
    marks += [_ESTIMATED.in_language(language)] * entry.estimated + [_REPLACED.in_language(language)] * one.replaced
    marks += [_WITHDRAWN.in_language(language)] * kept.withdrawn
    return [
        str(kept.id),
        one.asset_number or one.meter,
        by_code()[entry.quantity].meaning.in_language(language),
        amount_text(entry.value, entry.quantity),
        moment.local(entry.ts),
        _AND.in_language(language).join(marks),
        entry.reader or "",
        entry.photo or "",
        entry.note or "",
        kept.entered_by,
        moment.local(kept.entered_at),
    ]


def write_template(
    folder: Folder, file: Path, route: str | None, district: str | None, utility: str | None, language: Language
) -> str:
    """Write a reading sheet; what was written, in words.

    Raises
    ------
    ConfigError
        If the file's name or an option does not say what to write.
    OSError
        If the file cannot be written; then there is none.
    """
    suffix = file.suffix.lower()
    if suffix not in {WORKBOOK, CSV}:
        raise ConfigError(f"{file}: wanted a name that ends in {WORKBOOK} or {CSV}")
    wanted, zone = Round(route, district, _utility(utility)), moment.zone()
    with folder.archives() as registry, registry.reading() as session, whole_file(file) as part:
        if suffix == WORKBOOK:
            count = write_sheet(session, part, wanted, language, zone)
        else:
            rows = list(sheet_rows(session, wanted, language, zone))
            count = len(rows) - 1
            part.write_text(BOM + "".join(map(csv_line, rows)), encoding="utf-8", newline="")
    return _WRITTEN.in_language(language).format(file=file, count=f"{count:,}")


def _utility(word: str | None) -> Utility | None:
    if word is None:
        return None
    found = read_word(Utility, word)
    if found is None:
        raise ConfigError(f"{word!r} is no utility; wanted {', '.join(Utility)}")
    return found
