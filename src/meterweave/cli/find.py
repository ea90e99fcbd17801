"""``meterweave find``: anything by a part of its number, name, address, asset number or code."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

LISTED, LISTED_MAX = 20, 100


class FoundKind(StrEnum):
    """What can be found, as `meterweave.registry.search_schema.TEXTS` has it."""

    METERS = "meters"
    USAGE_POINTS = "usage_points"
    TERMINALS = "terminals"
    DISTRICTS = "transformer_districts"
    ORGANISATIONS = "organisations"


def find(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="Part of an address, asset number, code or name; or # and an id.")
    ],
    data: DataOption,
    kind: Annotated[FoundKind | None, typer.Option("--kind", help="Only records of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=LISTED_MAX, help="How many to list.")] = LISTED,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find meters, usage points, terminals, districts and organisations; the best fitting come first.

    The last digits of an address are enough. Exit code 1: there is nothing like it.
    """
    spoken = source.language(lang)
    from meterweave.cli import find_page  # noqa: PLC0415 - loading storage takes a second

    found = find_page.found(Folder(data, registry), text, kind, limit)
    find_page.show(found, spoken, as_json=as_json)
    if not found.hits:
        raise typer.Exit(1)
