"""Commands to devices, and every step they took.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

KINDS = (
    "trip",
    "close",
    "keep",
    "release",
    "read",
    "read_stored",
    "read_relay",
    "clock",
    "read_clock",
    "parameters",
    "events",
    "sync",
)
STATES = ("queued", "sent", "confirmed", "refused", "unknown", "failed", "expired", "cancelled")


def _words(name: str, members: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "commands",
        sa.Column("id", ID, nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("caller_id", sa.String(length=64), nullable=False),
        sa.Column("kind", _words("kind", KINDS), nullable=False),
        sa.Column("terminal_id", ID, nullable=False),
        sa.Column("meter_id", ID, nullable=True),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", _words("state", STATES), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome_en", sa.String(length=1000), nullable=True),
        sa.Column("outcome_zh", sa.String(length=1000), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_commands_meter_id"),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name="fk_commands_terminal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_commands"),
        sa.UniqueConstraint("operator", "caller_id", name="uq_commands_operator_caller_id"),
    )
    op.create_index("ix_commands_meter_id", "commands", ["meter_id"], unique=False)
    op.create_index("ix_commands_terminal_id", "commands", ["terminal_id"], unique=False)
    op.create_index("ix_commands_state_not_after", "commands", ["state", "not_after"], unique=False)
    for name, columns in (("ix_commands_due", ["id"]), ("ix_commands_due_terminal", ["terminal_id", "id"])):
        op.create_index(
            name,
            "commands",
            columns,
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
    op.create_table(
        "command_steps",
        sa.Column("id", ID, nullable=False),
        sa.Column("command_id", ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", _words("state", STATES), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("en", sa.String(length=1000), nullable=False),
        sa.Column("zh", sa.String(length=1000), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["command_id"], ["commands.id"], name="fk_command_steps_command_id"),
        sa.PrimaryKeyConstraint("id", name="pk_command_steps"),
    )
    op.create_index("ix_command_steps_command_id", "command_steps", ["command_id"], unique=False)


def downgrade() -> None:
    """Drop the tables and all that is in them."""
    op.drop_table("command_steps")
    op.drop_table("commands")
