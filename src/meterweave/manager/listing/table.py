"""A table that pages, sorts and filters on the server, described and not programmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select

from meterweave.manager.identity import Identity
from meterweave.manager.listing.column import Column
from meterweave.manager.listing.errors import ListingError
from meterweave.registry.base import Base
from meterweave.text import Text

Joined = Callable[[Select[Any]], Select[Any]]
"""Joins to a question all that the table's columns are taken from."""

Scoped = Callable[[Select[Any], Identity], Select[Any]]
"""Leaves of a question about the table's rows those that the caller may see."""

Gathered = Callable[[Select[Any], Identity], list[Select[Any]]]
"""The same as several questions, which together have just these rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTable:
    """What there is to list.

    Attributes
    ----------
    name : str
        What programs call it.
    model : mapped class
        Whose rows are listed, one each.
    key : tuple of Column
        By what a row is told from all others; only these and own columns are sorted by.
    columns : tuple of Column
        In the order in which they are shown.
    sort : str
        How it is sorted if nothing else is asked for: a column's name, with ``-`` before it the other way round.
    permission : str
        What the caller must be allowed.
    joined : Joined
        For the columns of other tables.
    scoped : Scoped
        The caller's part of the network, as a condition on a row at hand.
    gathered : Gathered, optional
        The same as several questions, each with a quick way to its rows; None: one, as it is.
    """

    name: str
    title: Text
    model: type[Base]
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    sort: str
    permission: str
    joined: Joined
    scoped: Scoped
    gathered: Gathered | None = None

    def column(self, name: str) -> Column:
        """The column called `name`.

        Raises
        ------
        ListingError
            If there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.columns)
        raise ListingError(
            "listing.unknown_column",
            Text(
                f"{self.title.en} has no column {name[:40]!r}; there are: {known}",
                f"{self.title.zh}没有列“{name[:40]}”；可用：{known}",
            ),
            name[:40],
        )

    @property
    def key_expressions(self) -> tuple[ColumnElement[Any], ...]:
        """The columns of the key, in the database."""
        return tuple(column.sql for column in self.key)

    def gathering(self, query: Select[Any], identity: Identity) -> list[Select[Any]]:
        """`query` as one or several, which together have the rows that the caller may see."""
        return [self.scoped(query, identity)] if self.gathered is None else self.gathered(query, identity)

    def to_json(self) -> dict[str, Any]:
        """As a console or program is told of it."""
        return {
            "name": self.name,
            "title": self.title._asdict(),
            "sort": self.sort,
            "columns": [column.to_json() for column in self.columns],
        }
