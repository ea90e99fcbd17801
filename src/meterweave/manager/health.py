"""Whether archives and lake can be asked: for who runs the centre, and for what starts it anew."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from meterweave.lake import Lake
from meterweave.manager.identity import Identity, require
from meterweave.registry import Registry
from meterweave.registry.changes import RegistryClock


def require_health(identity: Identity) -> None:
    """Go on only with the permission to see how the centre is.

    Raises
    ------
    NotAllowed
        Without it.
    """
    require(identity, "health.read")


def parts(registry: Registry, lake: Lake) -> dict[str, bool]:
    """The parts by name, and whether each works; tells nothing else, and so needs no permission. Blocks."""
    return {"archives": _answers(registry), "lake": lake.failed() is None}


def _answers(registry: Registry) -> bool:
    try:
        with registry.reading() as session:
            session.execute(select(RegistryClock.id))
    except SQLAlchemyError:
        return False
    return True
