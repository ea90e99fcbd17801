"""A column of a server table: what it is called, what it holds, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import QueryableAttribute

from meterweave.text import Text


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    INSTANT = "instant"  # in UTC
    DAY = "day"  # a local day
    WORD = "word"  # of a closed list
    FLAG = "flag"


class Operator(StrEnum):
    """How a column is compared with what is wanted."""

    IS = "is"
    ONE_OF = "one_of"
    CONTAINS = "contains"
    FROM = "from"
    TO = "to"
    BEFORE = "before"
    EMPTY = "empty"


OPERATOR_WORDS: Mapping[Operator, Text] = MappingProxyType(
    {
        Operator.IS: Text("is", "等于"),
        Operator.ONE_OF: Text("is one of", "属于"),
        Operator.CONTAINS: Text("contains", "包含"),
        Operator.FROM: Text("from", "不小于"),
        Operator.TO: Text("up to", "不大于"),
        Operator.BEFORE: Text("before", "早于"),
        Operator.EMPTY: Text("is empty", "为空"),
    }
)

_COMPARED: Mapping[Kind, tuple[Operator, ...]] = MappingProxyType(
    {
        Kind.TEXT: (Operator.IS, Operator.ONE_OF, Operator.CONTAINS),
        Kind.INTEGER: (Operator.IS, Operator.ONE_OF, Operator.FROM, Operator.TO),
        Kind.INSTANT: (Operator.FROM, Operator.BEFORE),
        Kind.DAY: (Operator.IS, Operator.FROM, Operator.TO),
        Kind.WORD: (Operator.IS, Operator.ONE_OF),
        Kind.FLAG: (Operator.IS,),
    }
)

Through = Callable[[ColumnElement[bool]], ColumnElement[bool]]
"""A condition on a record that is referred to, as one on the table's own rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        What filters, sorts and programs call it.
    expression : attribute or ColumnElement
        Its value, where `ServerTable.joined` has joined all there is.
    unit : str
        Of an integer; empty: a count or a number.
    sortable : bool
        Whether the table can be sorted by it: there is an index for it, or the table is never large.
    nullable : bool
        Whether it can be empty; empty ones come last, whichever way the table is sorted.
    words : mapping, optional
        Of `Kind.WORD`: what each word is called.
    members : StrEnum class, optional
        Of `Kind.WORD` where the column is stored as such.
    through : Through, optional
        Of a column of another table: how a filter gets there. None: it is one of the table's own, or not filtered.
    told : mapping, optional
        Of a word that is worked out from several columns: the condition under which it is each, quicker than the value.
    filtered : bool
        Whether it can be filtered.
    """

    name: str
    title: Text
    kind: Kind
    expression: QueryableAttribute[Any] | ColumnElement[Any]
    unit: str = ""
    sortable: bool = False
    nullable: bool = False
    words: Mapping[str, Text] | None = None
    members: type[StrEnum] | None = None
    through: Through | None = None
    told: Mapping[str, ColumnElement[bool]] | None = None
    filtered: bool = True

    @property
    def sql(self) -> ColumnElement[Any]:
        """Its value, in a question."""
        found = self.expression
        return found if isinstance(found, ColumnElement) else found.__clause_element__()

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The ways in which it can be filtered."""
        if not self.filtered:
            return ()
        return (*_COMPARED[self.kind], *((Operator.EMPTY,) if self.nullable else ()))

    def to_json(self) -> dict[str, Any]:
        """As a console or program is told of it."""
        return {
            "name": self.name,
            "title": self.title._asdict(),
            "kind": self.kind.value,
            "unit": self.unit,
            "sortable": self.sortable,
            "operators": [one.value for one in self.operators],
            "words": None if self.words is None else {name: text._asdict() for name, text in self.words.items()},
        }
