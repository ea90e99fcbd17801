"""How Alembic runs a step: inside the transaction that `meterweave.registry.schema.upgrade` opened."""

from __future__ import annotations

from alembic import context

from meterweave.registry.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
