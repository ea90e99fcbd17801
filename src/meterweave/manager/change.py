"""Changes of accounts: short transactions, one after the other, each with its entry in the audit trail.

They are not those of `Registry.writing`: an import of a million meters holds that one for a minute, and nobody should
wait at the door for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from meterweave.manager.identity import Identity
from meterweave.manager.permission import actions
from meterweave.registry import Registry, RegistryBusy
from meterweave.registry.audit import Deed, Facts, append, hold_chain
from meterweave.registry.command_moves import changing
from meterweave.text import Text

OBJECT_MAX, MEANS_MAX, SOURCE_MAX = 200, 40, 64
"""Longest of these in an entry; the rest is cut off. [characters]"""


@contextmanager
def account_change(registry: Registry) -> Iterator[Session]:
    """A writing transaction that no other change of accounts overlaps; commits at the end.

    Raises
    ------
    RegistryBusy
        If another writer held the database for too long; nothing was changed.
    """
    try:
        with changing(registry) as session:
            hold_chain(session)
            yield session
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03" or "database is locked" in str(error.orig):
            raise RegistryBusy(
                Text("another writer is holding the database; try again later", "数据库正被其他操作占用，请稍后再试")
            ) from error
        raise


def note(
    session: Session,
    identity: Identity,
    action: str,
    kind: str,
    name: str,
    *,
    before: Facts | None = None,
    after: Facts | None = None,
    at: datetime | None = None,
) -> int:
    """Write into the audit trail what the caller did, in the transaction of the change itself, as its last act.

    Parameters
    ----------
    action : str
        One of `actions`.
    kind, name : str
        The object: what it is, and what people call it.
    before, after : mapping or None
        What of it was changed, from what to what; no secrets.
    at : datetime or None
        None: now.

    Raises
    ------
    ValueError
        If there is no such action, or `before` or `after` cannot be written.
    """
    if action not in actions():
        raise ValueError(f"there is no action {action!r}")
    deed = Deed(
        at=at or datetime.now(UTC),
        who=identity.name,
        means=_plain(identity.means, MEANS_MAX),
        source=_plain(identity.source, SOURCE_MAX),
        action=action,
        kind=kind,
        object=_plain(name, OBJECT_MAX),
        before=before,
        after=after,
    )
    return append(session, deed)


def _plain(text: str, most: int) -> str:
    """`text` without what a log must not hold: line ends, and characters that steer a terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:most])
