"""Journal and lake: where readings, events and frames are kept, and how they are asked for.

append ─► journal (fsync) ─► acknowledged ─► Delta tables ─► closed days, one row a key
              └──────────────── questions in SQL ────────────────┘
"""

from meterweave.lake.errors import CommitError, JournalError, JournalFull, LakeError, QueryError
from meterweave.lake.kind import EVENTS_SCHEMA, FRAMES_SCHEMA
from meterweave.lake.lake import Lake, LakeStatus
from meterweave.lake.settings import LakeSettings

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
