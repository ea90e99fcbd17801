"""A page of a table: the keys of its rows first, from as little as possible, then what is shown of these rows.

How the keys are found is decided by how many rows there are to choose from, which is counted up to `GATHERED_MAX`. Few
are gathered and put in order; many are walked through in the order of the list, by its index, until the page is full:
the first costs as much as there are, the second as little as they are thin on the ground.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from meterweave.manager.identity import Identity, require
from meterweave.manager.listing.condition import conditions, unindexed
from meterweave.manager.listing.cursor import Cursor, read_cursor, write_cursor
from meterweave.manager.listing.question import Question
from meterweave.manager.listing.total import Total, total_of_many
from meterweave.manager.listing.value import write_value
from meterweave.registry.planning import plan_for_these_values, sorts_avoided

GATHERED_MAX = 20_000
"""Up to so many rows are counted one by one, and put in order rather than walked through."""

PAGE_ROWS_MAX = 500
"""Most rows of a page."""


class Row(NamedTuple):
    """One row: its key, and its cells in the order of the table's columns."""

    key: tuple[Any, ...]
    cells: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows of a list, and the marks of the pages beside it."""

    question: Question
    rows: tuple[Row, ...]
    total: Total
    after: str | None  # mark of the page behind this one; None: this is the last
    before: str | None  # mark of the page in front; None: this is the first

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        names = [column.name for column in self.question.table.columns]
        return {
            "rows": [dict(zip(names, map(write_value, row.cells), strict=True)) for row in self.rows],
            "total": self.total.rows,
            "exact": self.total.exact,
            "after": self.after,
            "before": self.before,
        }


def page(
    session: Session, identity: Identity, question: Question, *, limit: int = 50, cursor: str | None = None
) -> Page:
    """A page of the rows that a question asks for and the caller may see.

    Parameters
    ----------
    session : Session
        Of `Registry.reading`.
    identity : Identity
        Who asks.
    question : Question
        Of `read_question`.
    limit : int
        How many rows, at most `PAGE_ROWS_MAX`.
    cursor : str, optional
        Mark of a page; None: the first. Rows that are added or taken away meanwhile move no others over its edge.

    Raises
    ------
    NotAllowed
        Without the permission that the table asks for.
    ListingError
        If the mark is none of this list.
    """
    require(identity, question.table.permission)
    place = None if cursor is None else read_cursor(question, cursor)
    limit = max(1, min(limit, PAGE_ROWS_MAX))
    plan_for_these_values(session)
    asked = _keys(question).where(*conditions(session, question, alone=identity.scope.everywhere))
    walked = _walked(session, question, question.table.scoped(asked, identity))
    if walked.whereclause is not None:
        value, *key, count = (gathered := _gathered(question.table.gathering(asked, identity))).selected_columns
        rows = _Order(question, gathered, value, tuple(key)).rows(session, place, limit + 1)
        counted = rows[0][-1] if rows else session.scalar(select(count)) or 0
        if counted <= GATHERED_MAX:
            return _page(session, question, [row[:-1] for row in rows], limit, place, Total(counted, exact=True))
    with sorts_avoided(session):
        order = _Order(question, walked, question.sort.sql, question.table.key_expressions)
        rows = order.rows(session, place, limit + 1)
    return _page(session, question, rows, limit, place, total_of_many(session, question, walked, GATHERED_MAX))


def _keys(question: Question) -> Select[Any]:
    key = [one.label(f"key_{at}") for at, one in enumerate(question.table.key_expressions)]
    return select(question.sort.sql.label("sorted_by"), *key)


def _gathered(alternatives: list[Select[Any]]) -> Select[Any]:
    """Keys found along all ways, some too many at most, and with each how many they are."""
    few = [select(one.limit(GATHERED_MAX + 1).subquery()) for one in alternatives]
    found = union_all(*few).cte("found").prefix_with("MATERIALIZED")
    return select(*found.c, select(func.count()).select_from(found).scalar_subquery().label("counted"))


def _walked(session: Session, question: Question, wanted: Select[Any]) -> Select[Any]:
    """`wanted`, to be read in the order of the list."""
    if wanted.whereclause is None or session.get_bind().dialect.name != "sqlite":
        return wanted
    return _keys(question).where(unindexed(wanted.whereclause))


def _page(
    session: Session, question: Question, found: list[tuple[Any, ...]], limit: int, place: Cursor | None, total: Total
) -> Page:
    back = place is not None and place.back
    further = len(found) > limit
    found = found[:limit][::-1] if back else found[:limit]

    def mark(row: tuple[Any, ...], *, back: bool) -> str:
        return write_cursor(question, Cursor(value=row[0], key=row[1:], back=back))

    return Page(
        question=question,
        rows=tuple(_shown(session, question, [row[1:] for row in found])),
        total=total,
        after=mark(found[-1], back=False) if found and (further or back) else None,
        before=mark(found[0], back=True) if found and (further if back else place is not None) else None,
    )


class _Order:
    """Rows of the column sorted by and the key, in the order of the list: those that have a value, then the others.

    Apart, each part is in the order of an index on either engine, wherever that puts what is empty.
    """

    def __init__(
        self, question: Question, query: Select[Any], value: ColumnElement[Any], key: tuple[ColumnElement[Any], ...]
    ) -> None:
        self.value, self.key, self.query = value, key, query
        self.nullable = question.sort.nullable
        self.descending = question.descending
        alone = len(key) == 1 and question.sort.sql.compare(question.table.key_expressions[0])
        self.sorted_by = key if alone else (value, *key)  # the key itself is not compared twice

    def rows(self, session: Session, place: Cursor | None, limit: int) -> list[tuple[Any, ...]]:
        """The first `limit` rows on the side of `place` that it names, the nearest first."""
        back = place is not None and place.back
        found: list[tuple[Any, ...]] = []
        for empty in self._parts(place, back=back):
            query = self._part(empty, place, back=back).limit(limit - len(found))
            found += [tuple(row) for row in session.execute(query)]
            if len(found) == limit:
                break
        return found

    def _parts(self, place: Cursor | None, *, back: bool) -> Sequence[bool]:
        """Whether what is empty comes now, for each part that is left."""
        if not self.nullable:
            return (False,)
        if place is None or (place.value is None) == back:
            return (True, False) if back else (False, True)
        return (place.value is None,)

    def _part(self, empty: bool, place: Cursor | None, *, back: bool) -> Select[Any]:
        columns = self.key if empty else self.sorted_by
        query = self.query
        if self.nullable:
            query = query.where(self.value.is_(None) if empty else self.value.is_not(None))
        if place is not None and (place.value is None) == empty:
            held = (place.value, *place.key)[-len(columns) :]
            query = query.where(_beyond(columns, held, less=self.descending != back))
        return query.order_by(*(one.desc() if self.descending != back else one.asc() for one in columns))


def _beyond(columns: tuple[ColumnElement[Any], ...], held: tuple[Any, ...], *, less: bool) -> ColumnElement[bool]:
    here: ColumnElement[Any] = columns[0] if len(columns) == 1 else tuple_(*columns)
    there = held[0] if len(columns) == 1 else tuple_(*held, types=[one.type for one in columns])
    found: ColumnElement[bool] = here < there if less else here > there
    return found


def _shown(session: Session, question: Question, keys: Sequence[tuple[Any, ...]]) -> Iterator[Row]:
    """The rows with these keys, in the same order."""
    if not keys:
        return
    table = question.table
    own = table.key_expressions
    here: ColumnElement[bool]
    if len(own) == 1:
        here = own[0].in_([key[0] for key in keys])
    else:
        here = or_(*(and_(*(one == held for one, held in zip(own, key, strict=True))) for key in keys))
    found = {
        tuple(row[: len(own)]): tuple(row[len(own) :]) for row in session.execute(shown_query(question).where(here))
    }
    for key in keys:
        if key in found:
            yield Row(key, found[key])


def shown_query(question: Question) -> Select[Any]:
    """The key and all cells of the rows of a table."""
    table = question.table
    return table.joined(select(*table.key_expressions, *(column.sql for column in table.columns)))
