"""The archives: organisations, districts, terminals, meters, usage points and who was installed where and when.

Registry.open ─► writing(): change them ─► the counter of changes ─► Directory: the head-end's view in memory
"""

from meterweave.registry import (
    accounts,
    audit,
    changes,
    collection,
    commands,
    history_guard,
    models,
    search_schema,
    sort_indexes,
)
from meterweave.registry.base import Base
from meterweave.registry.database import Registry, open_engine
from meterweave.registry.directory import Directory, Refresh, Snapshot
from meterweave.registry.errors import (
    AddressError,
    HistoryError,
    PlacementError,
    RegistryBusy,
    RegistryError,
    SchemaError,
    UnknownRecord,
)
from meterweave.registry.models import (
    EnteredReading,
    Installation,
    Meter,
    Organisation,
    Terminal,
    TransformerDistrict,
    UsagePoint,
)
from meterweave.registry.schema import upgrade

__all__ = [
    "AddressError",
    "Base",
    "Directory",
    "EnteredReading",
    "HistoryError",
    "Installation",
    "Meter",
    "Organisation",
    "PlacementError",
    "Refresh",
    "Registry",
    "RegistryBusy",
    "RegistryError",
    "SchemaError",
    "Snapshot",
    "Terminal",
    "TransformerDistrict",
    "UnknownRecord",
    "UsagePoint",
    "accounts",
    "audit",
    "changes",
    "collection",
    "commands",
    "history_guard",
    "models",
    "open_engine",
    "search_schema",
    "sort_indexes",
    "upgrade",
]
