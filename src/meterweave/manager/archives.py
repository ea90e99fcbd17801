"""Tables of the archives, page by page, and single rows of them, for who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import tzinfo
from typing import Any

from meterweave.manager.errors import NotVisible
from meterweave.manager.finding import find
from meterweave.manager.identity import Identity, require
from meterweave.manager.listing import Page, ServerTable, page, read_question
from meterweave.manager.listing.export import export_csv
from meterweave.registry import Registry
from meterweave.registry.search import Found
from meterweave.text import Language, Text


def rows(
    registry: Registry,
    identity: Identity,
    table: ServerTable,
    filters: Iterable[tuple[str, str]] = (),
    *,
    sort: str | None = None,
    text: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """A page of a table; as `listing.paging`, filters and sort as `listing.read_question`. Blocks.

    Raises
    ------
    NotAllowed
        If the caller may not see the table.
    ListingError
        If the question cannot be put so.
    """
    question = read_question(table, filters, sort=sort, text=text)
    with registry.reading() as session:
        return page(session, identity, question, limit=limit, cursor=cursor)


def one(registry: Registry, identity: Identity, table: ServerTable, number: int) -> dict[str, Any]:
    """The row of a table with the id `number`, its columns by their names. Blocks.

    Raises
    ------
    NotAllowed
        If the caller may not see the table.
    NotVisible
        If there is none, or the caller may not see it: in the same words.
    """
    there = rows(registry, identity, table, [("id", str(number))], limit=1).to_json()["rows"]
    if not there:
        raise NotVisible(
            Text(
                f"{table.title.en}: there is none with id {number} that you may see",
                f"{table.title.zh}：没有您可查看的id为{number}的记录",
            )
        )
    row: dict[str, Any] = there[0]
    return row


def rows_csv(
    registry: Registry,
    identity: Identity,
    table: ServerTable,
    filters: Iterable[tuple[str, str]] = (),
    *,
    sort: str | None = None,
    text: str = "",
    language: Language,
    zone: tzinfo,
) -> Iterator[bytes]:
    """All rows of a table that are asked for, as CSV in pieces. Blocks.

    What cannot be asked so is refused before the first piece is taken.

    Raises
    ------
    NotAllowed, ListingError
        As `rows`.
    """
    require(identity, table.permission)
    question = read_question(table, filters, sort=sort, text=text)

    def pieces() -> Iterator[bytes]:
        with registry.reading() as session:
            for piece in export_csv(session, identity, question, language=language, zone=zone):
                yield piece.encode()

    return pieces()


def found(registry: Registry, identity: Identity, text: str, *, limit: int) -> Found:
    """Whatever has `text` in its number, name, address or code, the best fit first; as `finding.find`. Blocks."""
    with registry.reading() as session:
        return find(session, identity, text, limit=limit)
