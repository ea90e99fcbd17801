"""Indexes for nothing but lists: the order in which people look through a million rows, without sorting them.

Each ends with the id, by which rows that are alike are told apart, so that a page is read from the index alone however
many are alike. Addresses, codes and asset numbers, which hardly repeat, have had theirs since the tables were made.
"""

from __future__ import annotations

from sqlalchemy import Index

from meterweave.registry.collection import CollectionGap
from meterweave.registry.commands import Command
from meterweave.registry.models import Installation, Meter, Terminal, UsagePoint

SORT_INDEXES: tuple[Index, ...] = (
    Index("ix_meters_model_id", Meter.model, Meter.id),
    Index("ix_meters_protocol_id", Meter.protocol, Meter.id),
    Index("ix_meters_utility_id", Meter.utility, Meter.id),
    Index("ix_terminals_name_id", Terminal.name, Terminal.id),
    Index("ix_usage_points_name_id", UsagePoint.name, UsagePoint.id),
    Index("ix_installations_installed_at_id", Installation.installed_at, Installation.id),
    Index("ix_commands_created_at_id", Command.created_at, Command.id),
    Index(
        "ix_collection_gaps_day_terminal_id_plan_id",
        CollectionGap.day,
        CollectionGap.terminal_id,
        CollectionGap.plan_id,
    ),
)
