"""The audit trail read: who did what, page by page, the newest first."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from meterweave.errors import ConfigError
from meterweave.manager.identity import Identity, Scope, require
from meterweave.manager.permission import actions
from meterweave.manager.rights import Rights, require_to_grant
from meterweave.registry import Registry
from meterweave.registry.audit import AuditEntry

LISTED_MAX = 1000
"""Most entries of one page."""


class Wanted(NamedTuple):
    """Which entries; None: all."""

    who: str | None = None
    action: str | None = None  # or the beginning of some: user for user.add, user.change, …
    kind: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None  # itself left out
    below: int | None = None  # only those with a smaller number: the last one of the page before


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCard:
    """An entry of the trail."""

    number: int
    at: datetime
    who: str
    means: str
    source: str
    action: str
    kind: str
    object: str
    before: Any  # as it was written: JSON
    after: Any
    hash: str

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        return asdict(self) | {"at": self.at.isoformat()}


def list_entries(registry: Registry, identity: Identity, wanted: Wanted, *, limit: int) -> list[EntryCard]:
    """A page of the trail, the newest first.

    Raises
    ------
    NotAllowed
        Without `audit.read`, everywhere: an entry may tell of anything.
    ConfigError
        If there is no such action.
    """
    require(identity, "audit.read")
    require_to_grant(identity, Rights(frozenset(), Scope(everywhere=True)))
    query = select(AuditEntry).where(*_conditions(wanted)).order_by(AuditEntry.number.desc())
    with registry.reading() as session:
        return [_card(row) for row in session.scalars(query.limit(min(limit, LISTED_MAX)))]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, value in (
        (AuditEntry.who, wanted.who),
        (AuditEntry.kind, wanted.kind),
        (AuditEntry.object, wanted.object),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.action is not None:
        found.append(AuditEntry.action.in_(_actions_named(wanted.action)))
    if wanted.since is not None:
        found.append(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        found.append(AuditEntry.at < wanted.until)
    if wanted.below is not None:
        found.append(AuditEntry.number < wanted.below)
    return found


def _actions_named(word: str) -> list[str]:
    found = [one for one in actions() if one == word or one.startswith(f"{word}.")]
    if not found:
        raise ConfigError(
            f"there is no action {word!r}; wanted one of {', '.join(actions())}, or the beginning of some"
        )
    return found


def _card(row: AuditEntry) -> EntryCard:
    copied = ("number", "at", "who", "means", "source", "action", "kind", "object", "hash")
    return EntryCard(
        **{name: getattr(row, name) for name in copied},
        before=None if row.before is None else json.loads(row.before),
        after=None if row.after is None else json.loads(row.after),
    )
