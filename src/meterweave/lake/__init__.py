"""Journal and lake: where readings, events and frames are kept, and how they are asked for.

append ─► journal (fsync) ─► acknowledged ─► Delta tables ─► closed days, one row a key
              └──────────────── questions in SQL ────────────────┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meterweave.lake.errors import CommitError, JournalError, JournalFull, LakeError, QueryError
from meterweave.lake.kind import EVENTS_SCHEMA, FRAMES_SCHEMA
from meterweave.lake.settings import LakeSettings

if TYPE_CHECKING:
    from meterweave.lake.lake import Lake, LakeStatus

__all__ = [
    "EVENTS_SCHEMA",
    "FRAMES_SCHEMA",
    "CommitError",
    "JournalError",
    "JournalFull",
    "Lake",
    "LakeError",
    "LakeSettings",
    "LakeStatus",
    "QueryError",
]


def __getattr__(name: str) -> Any:
    """`Lake` and `LakeStatus` when they are first asked for: a gateway needs the journal, and has no room for more."""
    if name in ("Lake", "LakeStatus"):
        from meterweave.lake import lake  # noqa: PLC0415

        return getattr(lake, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
