"""The tables there are, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from meterweave.manager.listing.errors import ListingError
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables.collection import GAPS, PLANS
from meterweave.manager.listing.tables.commands import COMMANDS
from meterweave.manager.listing.tables.meters import METERS
from meterweave.manager.listing.tables.places import DISTRICTS, ORGANISATIONS
from meterweave.manager.listing.tables.points import INSTALLATIONS, USAGE_POINTS
from meterweave.manager.listing.tables.terminals import TERMINALS
from meterweave.text import Text

TABLES: Mapping[str, ServerTable] = MappingProxyType(
    {
        table.name: table
        for table in (
            ORGANISATIONS,
            DISTRICTS,
            TERMINALS,
            METERS,
            USAGE_POINTS,
            INSTALLATIONS,
            COMMANDS,
            PLANS,
            GAPS,
        )
    }
)


def table_named(name: str) -> ServerTable:
    """The table called `name`.

    Raises
    ------
    ListingError
        If there is none.
    """
    found = TABLES.get(name)
    if found is None:
        known = ", ".join(TABLES)
        raise ListingError(
            "listing.unknown_table",
            Text(f"no table is called {name[:40]!r}; there are: {known}", f"没有列表“{name[:40]}”；可用：{known}"),
        )
    return found
