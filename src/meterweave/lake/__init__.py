"""Journal and lake: where readings are kept for good, and how they are asked for.

append ─► journal (fsync) ─► acknowledged ─► Delta table ─► closed days, one row a key
              └──────────────── questions in SQL ────────────────┘
"""

from meterweave.lake.errors import CommitError, JournalError, JournalFull, LakeError, QueryError
from meterweave.lake.lake import Lake, LakeStatus
from meterweave.lake.settings import LakeSettings

__all__ = [
    "CommitError",
    "JournalError",
    "JournalFull",
    "Lake",
    "LakeError",
    "LakeSettings",
    "LakeStatus",
    "QueryError",
]
