"""What is asked of a table: filters, words, an order; read from text and checked against the table's columns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from meterweave.manager.listing.column import Column, Operator
from meterweave.manager.listing.errors import ListingError
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.value import TEXT_MAX, read_value, write_value
from meterweave.text import Text

FILTERS_MAX = 20
VALUES_MAX = 200
"""Most filters of a question, and most values of ``one_of``."""


class Filter(NamedTuple):
    """One condition, its values of the column's type."""

    column: Column
    operator: Operator
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a table, checked; `read_question` makes it."""

    table: ServerTable
    filters: tuple[Filter, ...] = ()
    text: str = ""  # what some text of the row has in it
    sort: Column
    descending: bool = False

    @property
    def mark(self) -> str:
        """Tells this question from others, so that a page mark is not used with another one."""
        asked = [
            self.table.name,
            self.sort.name,
            self.descending,
            self.text,
            [
                [one.column.name, one.operator.value, [write_value(value) for value in one.values]]
                for one in self.filters
            ],
        ]
        return blake2b(json.dumps(asked).encode(), digest_size=6).hexdigest()


def read_question(
    table: ServerTable, filters: Iterable[tuple[str, str]] = (), *, sort: str | None = None, text: str = ""
) -> Question:
    """A question in words.

    Parameters
    ----------
    table : ServerTable
        What is asked.
    filters : iterable of (str, str)
        ``column`` or ``column.operator``, and the value; values of ``one_of`` have commas between; all must hold.
    sort : str, optional
        A column's name, with ``-`` before it the other way round. None: as the table is.
    text : str
        What the row's text must have in it, where rows are found by text; see `meterweave.registry.search`.

    Raises
    ------
    ListingError
        If a column, operator or value is none.
    """
    found = tuple(_filter(table, name, value) for name, value in filters)
    if len(found) > FILTERS_MAX:
        raise _too_many(Text(f"{len(found)} filters", f"{len(found)}个筛选条件"), FILTERS_MAX)
    if len(text) > TEXT_MAX:
        raise _too_many(Text(f"a text of {len(text)} characters", f"{len(text)}个字符的文本"), TEXT_MAX)
    wanted = table.sort if sort is None else sort
    by = table.column(wanted.removeprefix("-"))
    if not by.sortable:
        known = ", ".join(column.name for column in table.columns if column.sortable)
        raise ListingError(
            "listing.not_sortable",
            Text(
                f"{table.title.en} cannot be sorted by {by.title.en}; it can by: {known}",
                f"{table.title.zh}不能按“{by.title.zh}”排序；可按：{known}",
            ),
            by.name,
        )
    return Question(table=table, filters=found, text=text.strip(), sort=by, descending=wanted.startswith("-"))


def _filter(table: ServerTable, name: str, value: str) -> Filter:
    called, _, asked = name.partition(".")
    column = table.column(called)
    operator = next((one for one in column.operators if one.value == (asked or Operator.IS)), None)
    if operator is None:
        known = ", ".join(column.operators) or "-"
        raise ListingError(
            "listing.unknown_operator",
            Text(
                f"{column.title.en} cannot be filtered by {(asked or 'is')[:40]!r}; it can by: {known}",
                f"“{column.title.zh}”不支持筛选方式“{(asked or 'is')[:40]}”；可用：{known}",
            ),
            column.name,
        )
    if operator is Operator.EMPTY:
        return Filter(column, operator, (_yes(column, value),))
    texts = value.split(",") if operator is Operator.ONE_OF else [value]
    if len(texts) > VALUES_MAX:
        raise _too_many(Text(f"{len(texts)} values", f"{len(texts)}个取值"), VALUES_MAX)
    return Filter(column, operator, tuple(read_value(column, one) for one in texts))


def _yes(column: Column, value: str) -> bool:
    word = value.strip().lower()
    if word not in ("true", "false"):
        raise ListingError(
            "listing.bad_value",
            Text(
                f"{column.title.en}: {value[:40]!r} is no value; wanted true or false",
                f"{column.title.zh}：“{value[:40]}”不合法；应为true或false",
            ),
            column.name,
        )
    return word == "true"


def _too_many(what: Text, most: int) -> ListingError:
    return ListingError(
        "listing.too_many",
        Text(f"{what.en} are asked for; {most} are possible", f"请求了{what.zh}，最多{most}"),
    )
