"""Anything by a part of its number, name, address, asset number or code, as far as the caller may see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from meterweave.manager.alternatives import alternatives
from meterweave.manager.identity import Identity, require
from meterweave.registry.base import Base
from meterweave.registry.search import Found, search


def find(
    session: Session, identity: Identity, wanted: str, *, kinds: Iterable[type[Base]] | None = None, limit: int = 20
) -> Found:
    """As `meterweave.registry.search.search`, of what is in the caller's scope.

    Raises
    ------
    NotAllowed
        Without the permission to see the archives.
    """
    require(identity, "archives.read")
    if identity.scope.everywhere:
        return search(session, wanted, kinds=kinds, limit=limit)

    def seen(query: Select[Any], model: type[Base]) -> list[Select[Any]]:
        return alternatives(query, identity, model)

    return search(session, wanted, kinds=kinds, limit=limit, seen=seen)
