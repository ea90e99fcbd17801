"""A table against what is stored: which rows are new, which change something, and what stands against them.

Each kind of records has its `Reconciler`; what they share is here. A reconciler writes the rows that are sound as soon
as it has looked at all of them, so that the next table finds them: whether the transaction is kept is decided at the
end, by who opened it. A dry run is therefore the import itself, with another end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Row, String, Table, bindparam, func, literal, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from meterweave.registry.importing.column import CellError
from meterweave.registry.importing.finding import CODES, Findings
from meterweave.registry.importing.report import Action, Change, Outcome
from meterweave.registry.importing.table import Draft
from meterweave.registry.importing.table import Table as FileTable
from meterweave.text import Text

ASKED_AT_ONCE = 1000
"""Values in one question to the database."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Work:
    """One import under way."""

    session: Session
    findings: Findings
    now: datetime  # when a meter is installed whose row gives no date
    outcomes: list[Outcome] = field(default_factory=list)
    counts: Counter[tuple[str, Action]] = field(default_factory=Counter)
    faulty: set[tuple[str, Hashable]] = field(default_factory=set)
    """Records (kind, identity) listed in a row at fault: references to them are no problem of their own."""


@dataclass(slots=True)
class Target:
    """A row on its way into the database."""

    draft: Draft
    identity: Hashable
    name: str
    fields: dict[str, Any]  # what the file says of the database's columns
    stored: Row[Any] | None = None
    sound: bool = True

    def final(self, field_name: str) -> Any:
        """What the field holds after the import."""
        if field_name in self.fields:
            return self.fields[field_name]
        return None if self.stored is None else getattr(self.stored, field_name)


class Reconciler(ABC):
    """Brings one table into the database."""

    references: ClassVar[Mapping[str, tuple[InstrumentedAttribute[int], InstrumentedAttribute[str]]]] = {}
    """Fields that refer to another table: its id, and what people call its records."""

    def __init__(self, work: Work, table: FileTable) -> None:
        self.work = work
        self.table = table
        self.kind = table.kind
        self.rows: Table = table.kind.model.__table__

    def run(self) -> None:
        """Look at every row, then write the sound ones."""
        targets = self._identified()
        self.resolve(targets)
        stored = self.stored([target.identity for target in targets])
        for target in targets:
            target.stored = stored.get(target.identity)
            self._check_wanted(target)
        self.check(targets)
        sound = [target for target in targets if target.sound]
        self.work.faulty.update((self.kind.name, target.identity) for target in targets if not target.sound)
        self._write(sound)

    @abstractmethod
    def identify(self, draft: Draft) -> tuple[Hashable, str, dict[str, Any]]:
        """Who is meant: identity, name, and the fields that follow from it. Raises `CellError`."""

    @abstractmethod
    def stored(self, identities: Sequence[Any]) -> Mapping[Hashable, Row[Any]]:
        """The stored rows of these identities."""

    def resolve(self, targets: Sequence[Target]) -> None:  # noqa: B027 - not every kind needs it
        """Turn the columns that refer to other records into fields."""

    def check(self, targets: Sequence[Target]) -> None:  # noqa: B027 - not every kind needs it
        """See what stands against the targets together, and complete their fields."""

    def new_fields(self) -> dict[str, Any]:
        """Fields of a new record that no column gives."""
        return {}

    def before_updates(self, changed: Sequence[Target]) -> None:  # noqa: B027 - not every kind needs it
        """Make room, where rows exchange what must be unique."""

    def rewritten(self, changed: Set[str]) -> frozenset[str]:
        """The fields to write where `changed` ones differ."""
        return frozenset(changed)

    def written(self, created: Sequence[Target], changed: Sequence[Target]) -> None:  # noqa: B027 - not every kind needs it
        """What else must happen once the rows are there."""

    def beside(self, target: Target) -> Mapping[str, tuple[Any, Any]]:
        """What a target changes in other tables: old and new."""
        return {}

    def fault(self, target: Target, code: str, text: Text, column: str = "") -> None:
        """A problem with a row: it will not be written."""
        target.sound = False
        self.work.findings.add(self.table.finding(code, text, target.draft, column))

    def refer(
        self, targets: Sequence[Target], column: str, kind: str, field_name: str, title: Text
    ) -> None:  # fmt: skip
        """Fill `field_name` with the id of the record whose code stands in `column`."""
        id_column, code_column = self.references[field_name]
        codes = {target.draft.values[column] for target in targets if column in target.draft.values}
        ids = dict(self.asked(code_column, codes, (code_column, id_column)))
        for target in targets:
            if column in target.draft.cleared:
                target.fields[field_name] = None
            elif (code := target.draft.values.get(column)) is None:
                continue
            elif code in ids:
                target.fields[field_name] = ids[code]
            elif (kind, code) in self.work.faulty:
                target.sound = False
            else:
                self.fault(
                    target,
                    "import.unknown_reference",
                    Text(f"no {title.en} is called {code!r}", f"没有编码为“{code}”的{title.zh}"),
                    column,
                )

    def asked(
        self, among: ColumnElement[Any] | InstrumentedAttribute[Any], values: Iterable[Any], columns: Sequence[Any]
    ) -> Iterator[Any]:
        """Rows of `columns` where `among` is one of `values`, however many those are."""
        for some in chunks(values):
            yield from self.work.session.execute(select(*columns).where(self._one_of(among, some)))

    def _one_of(self, among: ColumnElement[Any] | InstrumentedAttribute[Any], values: list[Any]) -> ColumnElement[bool]:
        if self.work.session.get_bind().dialect.name != "postgresql":
            return among.in_(values)
        # Joined as a table: PostgreSQL compares every row with every value of a list, where it has no statistics yet.
        # Without a length, since a cast to one would cut the values off.
        kind = String() if isinstance(among.type, String) else among.type
        return among.in_(select(func.unnest(literal(values, ARRAY(kind)))))

    def _identified(self) -> list[Target]:
        first: dict[Hashable, Target] = {}
        for draft in self.table.drafts:
            if any(name not in draft.values for name in self.kind.identity):
                continue
            try:
                identity, name, fields = self.identify(draft)
            except CellError as problem:
                self.work.findings.add(self.table.finding(problem.code, problem.text, draft, self.kind.identity[-1]))
                continue
            target = Target(draft, identity, name, {**fields, **self._fields(draft)}, sound=draft.sound)
            known = first.setdefault(identity, target)
            if known is not target:
                row = known.draft.row.number
                self.fault(
                    target,
                    "import.duplicate",
                    Text(f"{name} stands in row {row} already", f"{name}与第{row}行重复"),
                    self.kind.identity[-1],
                )
        return list(first.values())

    def _fields(self, draft: Draft) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in draft.values.items():
            fields = self.kind.by_name[name].fields
            found.update(zip(fields, value if len(fields) > 1 else (value,), strict=True) if fields else ())
        for name in draft.cleared:
            column = self.kind.by_name[name]
            found.update(zip(column.fields, column.cleared or (), strict=False))
        return found

    def _check_wanted(self, target: Target) -> None:
        for name in self.kind.wanted if target.stored is None else ():
            if name not in target.draft.values:
                header = self.kind.by_name[name].header
                self.fault(
                    target,
                    "import.missing",
                    Text(f"a new record needs {header.en!r}", f"新建档案必须填写“{header.zh}”"),
                    name,
                )

    def _write(self, targets: Sequence[Target]) -> None:
        created = [target for target in targets if target.stored is None]
        stored = [target for target in targets if target.stored is not None]
        changes = {id(target): self.changes(target) for target in stored}
        changed = [target for target in stored if changes[id(target)]]
        self.before_updates(changed)
        self._update(changed)
        self._insert(created)
        self.written(created, changed)
        self._count(targets, {id(one): {**changes.get(id(one), {}), **self.beside(one)} for one in targets})

    def changes(self, target: Target) -> dict[str, tuple[Any, Any]]:
        """The fields in which a target differs from its stored row: old and new."""
        stored = target.stored
        return {
            name: (getattr(stored, name), value)
            for name, value in target.fields.items()
            if getattr(stored, name) != value
        }

    def _insert(self, targets: Sequence[Target]) -> None:
        defaults = {
            column.name: None if column.default is None else getattr(column.default, "arg", None)
            for column in self.rows.columns
            if column.name != "id"
        } | self.new_fields()
        for some in chunks(targets):
            self.work.session.connection().execute(
                self.rows.insert(), [{**defaults, **target.fields} for target in some]
            )

    def _update(self, targets: Sequence[Target]) -> None:
        groups: dict[frozenset[str], list[Target]] = {}
        for target in targets:
            groups.setdefault(self.rewritten(self.changes(target).keys()), []).append(target)
        for names, group in groups.items():
            statement = (
                update(self.rows)
                .where(self.rows.c.id == bindparam("row_id"))
                .values({name: bindparam(f"new_{name}") for name in names})
            )
            for some in chunks(group):
                self.work.session.connection().execute(
                    statement,
                    [{"row_id": row_id(one), **{f"new_{name}": one.final(name) for name in names}} for one in some],
                )

    def _count(self, targets: Sequence[Target], changes: Mapping[int, Mapping[str, tuple[Any, Any]]]) -> None:
        labels = self._labels(changes.values())
        for target in targets:
            found = changes.get(id(target), {})
            action = Action.CREATED if target.stored is None else Action.CHANGED if found else Action.UNCHANGED
            self.work.counts[self.kind.name, action] += 1
            if action is not Action.UNCHANGED:
                said = tuple(
                    Change(name, *(labels.get((name, value), _said(value)) for value in values))
                    for name, values in found.items()
                )
                self.work.outcomes.append(
                    Outcome(self.kind.name, self.table.name, target.draft.row.number, action, target.name, said)
                )

    def _labels(self, changes: Iterable[Mapping[str, tuple[Any, Any]]]) -> dict[tuple[str, Any], str]:
        """What people call the records that changed references mean."""
        wanted: dict[str, set[int]] = {}
        for found in changes:
            for name in found.keys() & self.references.keys():
                wanted.setdefault(name, set()).update(value for value in found[name] if value is not None)
        labels: dict[tuple[str, Any], str] = {}
        for name, ids in wanted.items():
            id_column, code_column = self.references[name]
            for record, code in self.asked(id_column, ids, (id_column, code_column)):
                labels[name, record] = code
        return labels


def _said(value: object) -> str:
    return "" if value is None else str(value)


def row_id(target: Target) -> int:
    """The id of the stored row of a target that has one."""
    assert target.stored is not None
    return int(target.stored.id)


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """`items` in lists that one statement can take."""
    rest = iter(items)
    while some := list(islice(rest, ASKED_AT_ONCE)):
        yield some


def refused(error: BaseException) -> Text:
    """What a database said that no check before had found."""
    reason = str(getattr(error, "orig", error)).splitlines()[0][:200]
    words = CODES["import.refused_by_database"]
    return Text(f"{words.en}: {reason}", f"{words.zh}：{reason}")
