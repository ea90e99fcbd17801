"""What a question asks, as conditions on the rows of its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, case, false, func, literal, not_, or_, select, true
from sqlalchemy.orm import Session

from meterweave.manager.listing.column import Column, Operator
from meterweave.manager.listing.question import Filter, Question
from meterweave.registry.search_schema import TEXTS, SearchedText
from meterweave.registry.search_text import contains, folded

MANY = 20_000
"""A filter that leaves more rows than this is no way into a table, if there is another one. See `conditions`."""


def conditions(session: Session, question: Question, *, alone: bool = True) -> list[ColumnElement[bool]]:
    """What a question asks of a row, all of which must hold.

    SQLite keeps no count of what a condition leaves over, and would go by an index through half the table where
    another one leads to a few rows; so it is tried out what each would leave.

    Parameters
    ----------
    session : Session
        Asked how texts, and other things, are best looked for.
    question : Question
        What is asked.
    alone : bool
        Whether nothing but the question narrows down the rows, such as a scope.
    """
    several = not alone or len(question.filters) + bool(question.text) > 1
    tried = several and session.get_bind().dialect.name == "sqlite"
    found = list(_of_text(session, question))
    for one in question.filters:
        if one.operator is Operator.CONTAINS:
            found.append(_text_within(session, question, one))
            continue
        condition = _condition(one)
        leads_far = tried and _has_index(one) and _leaves_many(session, question, condition)
        found.append(unindexed(condition) if leads_far else condition)
    return found


def _has_index(asked: Filter) -> bool:
    column = asked.column
    if asked.operator is Operator.EMPTY and column.through is not None:
        return False
    return column.sortable or column.through is not None or column.told is not None


def _leaves_many(session: Session, question: Question, condition: ColumnElement[bool]) -> bool:
    some = select(literal(1)).select_from(question.table.model).where(condition).limit(MANY + 1)
    return (session.scalar(select(func.count()).select_from(some.subquery())) or 0) > MANY


def unindexed(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same, in words for which SQLite uses no index: it keeps no count of what a condition leaves over."""
    return case((condition, 1), else_=0) == 1


def _of_text(session: Session, question: Question) -> Iterator[ColumnElement[bool]]:
    if question.text:
        of = _searched(question)
        yield false() if of is None else contains(session, of, question.text)


def _searched(question: Question) -> SearchedText | None:
    return next((of for of in TEXTS if of.model is question.table.model), None)


def _condition(asked: Filter) -> ColumnElement[bool]:
    column, operator = asked.column, asked.operator
    if column.told is not None:
        return or_(*(column.told[str(value)] for value in asked.values))
    if operator is Operator.EMPTY:
        return _empty(column) if asked.values[0] else _through(column, column.sql.is_not(None))
    return _through(column, _compared(column.sql, operator, asked.values))


def _empty(column: Column) -> ColumnElement[bool]:
    if column.through is None:
        return column.sql.is_(None)
    return case((column.through(column.sql.is_not(None)), 1), else_=0) == 0  # also where nothing is referred to


def _through(column: Column, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return condition if column.through is None else column.through(condition)


def _compared(own: ColumnElement[Any], operator: Operator, values: tuple[Any, ...]) -> ColumnElement[bool]:
    first = values[0]
    found: ColumnElement[bool]
    if operator is Operator.ONE_OF:
        found = own.in_(values)
    elif operator is Operator.FROM:
        found = own >= first
    elif operator is Operator.TO:
        found = own <= first
    elif operator is Operator.BEFORE:
        found = own < first
    elif isinstance(first, bool):
        found = own if first else not_(own)
    else:
        found = own == first
    return found


def _text_within(session: Session, question: Question, asked: Filter) -> ColumnElement[bool]:
    """Through the trigrams where there are some; they are of all texts of a row, so the column is compared as well."""
    column, wanted = asked.column, folded(session, asked.values[0])
    if not wanted:
        return true()
    of = _searched(question)
    held = func.lower(column.sql).contains(wanted, autoescape=True)
    if of is not None and any(column.sql.compare(of.field(name)) for name in of.columns):
        return contains(session, of, wanted) & held
    return _through(column, held)
