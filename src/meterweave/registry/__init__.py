"""The archives: organisations, districts, terminals, meters, usage points and who was installed where and when.

Registry.open ─► writing(): change them ─► the counter of changes ─► Directory: the head-end's view in memory
"""

from meterweave.registry import changes, collection, commands, history_guard, models
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
    "changes",
    "collection",
    "commands",
    "history_guard",
    "models",
    "open_engine",
    "upgrade",
]
