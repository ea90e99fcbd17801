"""What `meterweave find` found, as a table or as JSON."""

from __future__ import annotations

import json

import typer

from meterweave.cli import columns, render
from meterweave.cli.columns import Cell
from meterweave.cli.folder import Folder
from meterweave.registry.search import FIT_WORDS, Found, search
from meterweave.registry.search_schema import TEXTS
from meterweave.text import Language, Text

_HEADERS = (
    Text("what", "类别"),
    Text("number", "编号"),
    Text("name", "名称"),
    Text("fits", "匹配"),
    Text("id", "id"),
)
_NONE = Text("there is nothing like it", "没有相符的档案")
_MORE = Text("there is more: type more of it", "还有更多结果，请输入更多字符")


def found(folder: Folder, text: str, kind: str | None, limit: int) -> Found:
    """What `text` may mean; only records of a table where one is named.

    Raises
    ------
    MeterweaveError
        If there are no archives, or they cannot be read.
    """
    kinds = None if kind is None else [of.model for of in TEXTS if of.table == kind]
    with folder.archives() as registry, registry.reading() as session:
        return search(session, text, kinds=kinds, limit=limit)


def show(found: Found, language: Language, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        said = {"hits": [hit.to_json() for hit in found.hits], "more": found.more}
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    if not found.hits:
        typer.echo(_NONE.in_language(language))
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _HEADERS]
    rows = [
        [
            Cell(hit.kind.in_language(language)),
            Cell(hit.name),
            Cell(hit.also),
            Cell(FIT_WORDS[hit.fit].in_language(language)),
            Cell(f"#{hit.id}"),
        ]
        for hit in found.hits
    ]
    columns.write(render.console(), [header, *rows])
    if found.more:
        typer.echo(_MORE.in_language(language))
