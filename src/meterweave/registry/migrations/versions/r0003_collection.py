"""Collection plans, what is missing, how well it went; the channel and cell group of a terminal, and whether it was
commissioned.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

UTILITIES = ("electricity", "water", "gas", "heat")
SERIES = ("curve", "daily", "monthly")
CHANNELS = ("ethernet", "fibre", "cellular", "nb_iot", "rf", "plc")

_ENERGY = "1-0:1.8.0"
_TARIFFS = "1-0:1.8.1 1-0:1.8.2 1-0:1.8.3 1-0:1.8.4"
_EXPORT = "1-0:2.8.0"
_ELECTRICAL = (
    "1-0:32.7.0 1-0:52.7.0 1-0:72.7.0 1-0:31.7.0 1-0:51.7.0 1-0:71.7.0 1-0:16.7.0"  # voltages, currents, power
)
_WATER, _GAS, _HEAT = "8-0:1.0.0", "7-0:3.0.0", "6-0:1.0.0"

# name, utility, series, period_s, quantities, deadline_s, memory_days, enabled
PLANS = (
    ("electricity-curve", "electricity", "curve", 900, f"{_ENERGY} {_ELECTRICAL}", 900, 7, True),
    ("electricity-daily", "electricity", "daily", 0, f"{_ENERGY} {_TARIFFS} {_EXPORT}", 7200, 62, True),
    ("electricity-monthly", "electricity", "monthly", 0, f"{_ENERGY} {_TARIFFS} {_EXPORT}", 21600, 366, False),
    ("water-curve", "water", "curve", 3600, _WATER, 3600, 7, True),
    ("water-daily", "water", "daily", 0, _WATER, 7200, 62, True),
    ("gas-curve", "gas", "curve", 3600, _GAS, 3600, 7, True),
    ("gas-daily", "gas", "daily", 0, _GAS, 7200, 62, True),
    ("heat-curve", "heat", "curve", 3600, _HEAT, 3600, 7, True),
    ("heat-daily", "heat", "daily", 0, _HEAT, 7200, 62, True),
)


def _words(name: str, members: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=32)


def _terminals() -> sa.Table:
    """The table as revision 0001 made it: SQLite copies it, and does not tell its checks."""
    return sa.Table(
        "terminals",
        sa.MetaData(),
        sa.Column("id", ID, nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=32), nullable=False),
        sa.Column("address_key", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("enrolled_by", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("heartbeat_s", sa.Integer(), nullable=False),
        sa.Column("district_id", ID, nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('concentrator', 'collector', 'module', 'meter')", name=op.f("ck_terminals_kind")
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'active', 'suspended', 'retired')", name=op.f("ck_terminals_state")
        ),
        sa.CheckConstraint(
            "enrolled_by IN ('imported', 'entered', 'automatic')", name=op.f("ck_terminals_enrolled_by")
        ),
        sa.CheckConstraint("heartbeat_s BETWEEN 10 AND 86400", name=op.f("ck_terminals_heartbeat_possible")),
        sa.ForeignKeyConstraint(["district_id"], ["transformer_districts.id"], name="fk_terminals_district_id"),
        sa.PrimaryKeyConstraint("id", name="pk_terminals"),
        sa.UniqueConstraint("protocol", "address_key", name="uq_terminals_protocol_address_key"),
        sa.Index("ix_terminals_address", "address"),
        sa.Index("ix_terminals_district_id", "district_id"),
    )  # fmt: skip


def upgrade() -> None:
    """Make the tables, and the plans that most utilities begin with."""
    with op.batch_alter_table("terminals", copy_from=_terminals()) as terminals:
        terminals.add_column(
            sa.Column("channel", sa.String(length=32), nullable=False, server_default="cellular")
        )  # fmt: skip
        terminals.add_column(sa.Column("cell_group", sa.String(length=64), nullable=True))
        terminals.add_column(sa.Column("commission_tries", sa.Integer(), nullable=False, server_default="0"))
        terminals.add_column(sa.Column("commissioned_at", sa.DateTime(timezone=True), nullable=True))
        listed = ", ".join(f"'{one}'" for one in CHANNELS)
        terminals.create_check_constraint(op.f("ck_terminals_channel"), f"channel IN ({listed})")
    plans = op.create_table(
        "collection_plans",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("utility", _words("utility", UTILITIES), nullable=False),
        sa.Column("district_id", ID, nullable=True),
        sa.Column("organisation_id", ID, nullable=True),
        sa.Column("series", _words("series", SERIES), nullable=False),
        sa.Column("period_s", sa.Integer(), nullable=False),
        sa.Column("quantities", sa.String(length=4000), nullable=False),
        sa.Column("deadline_s", sa.Integer(), nullable=False),
        sa.Column("memory_days", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "period_s >= 0 AND period_s <= 86400", name=op.f("ck_collection_plans_period_possible")
        ),
        sa.CheckConstraint("deadline_s >= 0", name=op.f("ck_collection_plans_deadline_possible")),
        sa.CheckConstraint("memory_days BETWEEN 1 AND 3660", name=op.f("ck_collection_plans_memory_possible")),
        sa.ForeignKeyConstraint(
            ["district_id"], ["transformer_districts.id"], name="fk_collection_plans_district_id"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_collection_plans_organisation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_collection_plans"),
        sa.UniqueConstraint("name", name="uq_collection_plans_name"),
    )  # fmt: skip
    names = ("name", "utility", "series", "period_s", "quantities", "deadline_s", "memory_days", "enabled")
    op.bulk_insert(plans, [dict(zip(names, plan, strict=True)) for plan in PLANS])
    op.create_table(
        "read_success",
        sa.Column("terminal_id", ID, nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("first_try", sa.Integer(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "expected >= 0 AND first_try >= 0 AND stored >= 0", name=op.f("ck_read_success_counts_possible")
        ),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.id"], name="fk_read_success_terminal_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["collection_plans.id"], name="fk_read_success_plan_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("terminal_id", "plan_id", "day", name="pk_read_success"),
    )
    op.create_index("ix_read_success_day_plan_id", "read_success", ["day", "plan_id"], unique=False)
    op.create_table(
        "collection_gaps",
        sa.Column("terminal_id", ID, nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("meters", sa.Integer(), nullable=False),
        sa.Column("oldest_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", _words("state", ("open", "given_up")), nullable=False),
        sa.Column("reason_en", sa.String(length=500), nullable=False),
        sa.Column("reason_zh", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.id"], name="fk_collection_gaps_terminal_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["collection_plans.id"], name="fk_collection_gaps_plan_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("terminal_id", "plan_id", "day", name="pk_collection_gaps"),
    )
    op.create_index("ix_collection_gaps_state_day", "collection_gaps", ["state", "day"], unique=False)
    op.create_table(
        "collection_absences",
        sa.Column("meter_id", ID, nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name="fk_collection_absences_meter_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["collection_plans.id"], name="fk_collection_absences_plan_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("meter_id", "plan_id", "quantity", name="pk_collection_absences"),
    )
    op.create_index("ix_collection_absences_noted_at", "collection_absences", ["noted_at"], unique=False)


def downgrade() -> None:
    """Drop the tables and the columns, and all that is in them."""
    for table in ("collection_absences", "collection_gaps", "read_success", "collection_plans"):
        op.drop_table(table)
    with op.batch_alter_table("terminals") as terminals:
        terminals.drop_constraint(op.f("ck_terminals_channel"), type_="check")
        terminals.drop_column("commissioned_at")
        terminals.drop_column("commission_tries")
        terminals.drop_column("cell_group")
        terminals.drop_column("channel")
