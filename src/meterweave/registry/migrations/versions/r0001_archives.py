"""The archives, the log of their changes, and the rules of the install history.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

POSTGRESQL = (
    "ALTER TABLE installations ADD CONSTRAINT ex_installations_meter_spans EXCLUDE USING gist ("
    "int8range(meter_id, meter_id, '[]') WITH &&, tstzrange(installed_at, removed_at) WITH &&)",
    "ALTER TABLE installations ADD CONSTRAINT ex_installations_point_spans EXCLUDE USING gist ("
    "int8range(usage_point_id, usage_point_id, '[]') WITH &&, "
    "(CASE utility WHEN 'electricity' THEN '[1,1]'::int4range WHEN 'water' THEN '[8,8]'::int4range "
    "WHEN 'gas' THEN '[7,7]'::int4range ELSE '[6,6]'::int4range END) WITH &&, "
    "tstzrange(installed_at, removed_at) WITH &&)",
)

OVERLAP = """EXISTS (
    SELECT 1 FROM installations AS other
    WHERE other.id IS NOT NEW.id
      AND (other.meter_id = NEW.meter_id
           OR (other.usage_point_id = NEW.usage_point_id AND other.utility = NEW.utility))
      AND (NEW.removed_at IS NULL OR other.installed_at < NEW.removed_at)
      AND (other.removed_at IS NULL OR NEW.installed_at < other.removed_at))"""

SQLITE = tuple(
    f"CREATE TRIGGER installations_overlap_{verb.lower()} BEFORE {verb} ON installations WHEN {OVERLAP}\n"
    "BEGIN SELECT RAISE(ABORT, 'installations_overlap'); END"
    for verb in ("INSERT", "UPDATE")
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "organisations",
        sa.Column("id", ID, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_organisations_not_its_own_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["organisations.id"], name="fk_organisations_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
        sa.UniqueConstraint("code", name="uq_organisations_code"),
    )
    op.create_index("ix_organisations_parent_id", "organisations", ["parent_id"], unique=False)
    op.create_table(
        "registry_changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("terminal_id", ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_registry_changes"),
    )
    op.create_index("ix_registry_changes_number", "registry_changes", ["number"], unique=False)
    op.create_table(
        "registry_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_registry_clock_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_registry_clock"),
    )
    op.create_table(
        "transformer_districts",
        sa.Column("id", ID, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("organisation_id", ID, nullable=True),
        sa.Column("rating_va", ID, nullable=True),
        sa.Column("ct_primary_a", sa.Integer(), nullable=False),
        sa.Column("ct_secondary_a", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "ct_primary_a > 0 AND ct_secondary_a > 0", name=op.f("ck_transformer_districts_ct_positive")
        ),
        sa.CheckConstraint("rating_va > 0", name=op.f("ck_transformer_districts_rating_positive")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_transformer_districts_organisation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_transformer_districts"),
        sa.UniqueConstraint("code", name="uq_transformer_districts_code"),
    )
    op.create_index(
        "ix_transformer_districts_organisation_id", "transformer_districts", ["organisation_id"], unique=False
    )
    op.create_table(
        "terminals",
        sa.Column("id", ID, nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=32), nullable=False),
        sa.Column("address_key", ID, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "concentrator",
                "collector",
                "module",
                "meter",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "planned",
                "active",
                "suspended",
                "retired",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "enrolled_by",
            sa.Enum(
                "imported",
                "entered",
                "automatic",
                name="enrolled_by",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("heartbeat_s", sa.Integer(), nullable=False),
        sa.Column("district_id", ID, nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("heartbeat_s BETWEEN 10 AND 86400", name=op.f("ck_terminals_heartbeat_possible")),
        sa.ForeignKeyConstraint(["district_id"], ["transformer_districts.id"], name="fk_terminals_district_id"),
        sa.PrimaryKeyConstraint("id", name="pk_terminals"),
        sa.UniqueConstraint("protocol", "address_key", name="uq_terminals_protocol_address_key"),
    )
    op.create_index("ix_terminals_address", "terminals", ["address"], unique=False)
    op.create_index("ix_terminals_district_id", "terminals", ["district_id"], unique=False)
    op.create_table(
        "usage_points",
        sa.Column("id", ID, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("district_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["district_id"], ["transformer_districts.id"], name="fk_usage_points_district_id"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_points"),
        sa.UniqueConstraint("code", name="uq_usage_points_code"),
    )
    op.create_index("ix_usage_points_district_id", "usage_points", ["district_id"], unique=False)
    op.create_table(
        "meters",
        sa.Column("id", ID, nullable=False),
        sa.Column(
            "utility",
            sa.Enum(
                "electricity",
                "water",
                "gas",
                "heat",
                name="utility",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=32), nullable=False),
        sa.Column("address_key", ID, nullable=False),
        sa.Column("local_address", sa.Boolean(), nullable=False),
        sa.Column("asset_number", sa.String(length=64), nullable=True),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("terminal_id", ID, nullable=True),
        sa.Column("port", sa.String(length=32), nullable=True),
        sa.Column("point_number", sa.Integer(), nullable=True),
        sa.Column("wire_key", ID, nullable=True),
        sa.Column("collector", sa.String(length=32), nullable=True),
        sa.Column("baud", sa.Integer(), nullable=True),
        sa.Column("tariff_count", sa.Integer(), nullable=True),
        sa.Column("ct_primary", sa.Integer(), nullable=False),
        sa.Column("ct_secondary", sa.Integer(), nullable=False),
        sa.Column("pt_primary", sa.Integer(), nullable=False),
        sa.Column("pt_secondary", sa.Integer(), nullable=False),
        sa.Column(
            "wiring",
            sa.Enum(
                "single_phase",
                "three_phase_three_wire",
                "three_phase_four_wire",
                name="wiring",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column(
            "phase",
            sa.Enum("A", "B", "C", "ABC", name="phase", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.CheckConstraint("NOT local_address OR terminal_id IS NOT NULL", name=op.f("ck_meters_local_has_terminal")),
        sa.CheckConstraint("baud > 0", name=op.f("ck_meters_baud_positive")),
        sa.CheckConstraint("ct_primary > 0 AND ct_secondary > 0", name=op.f("ck_meters_ct_positive")),
        sa.CheckConstraint("point_number BETWEEN 1 AND 65535", name=op.f("ck_meters_point_possible")),
        sa.CheckConstraint("pt_primary > 0 AND pt_secondary > 0", name=op.f("ck_meters_pt_positive")),
        sa.CheckConstraint("tariff_count BETWEEN 1 AND 63", name=op.f("ck_meters_tariffs_possible")),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name="fk_meters_terminal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_meters"),
        sa.UniqueConstraint("id", "utility", name="uq_meters_id_utility"),
        sa.UniqueConstraint("terminal_id", "point_number", name="uq_meters_terminal_id_point_number"),
        sa.UniqueConstraint("terminal_id", "wire_key", name="uq_meters_terminal_id_wire_key"),
    )
    op.create_index("ix_meters_address", "meters", ["address"], unique=False)
    op.create_index("ix_meters_asset_number", "meters", ["asset_number"], unique=False)
    op.create_index(
        "uq_meters_address_of_the_world",
        "meters",
        ["protocol", "address"],
        unique=True,
        sqlite_where=sa.text("NOT local_address"),
        postgresql_where=sa.text("NOT local_address"),
    )
    op.create_table(
        "installations",
        sa.Column("id", ID, nullable=False),
        sa.Column("meter_id", ID, nullable=False),
        sa.Column("usage_point_id", ID, nullable=False),
        sa.Column(
            "utility",
            sa.Enum(
                "electricity",
                "water",
                "gas",
                "heat",
                name="utility",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("installed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("removed_at > installed_at", name=op.f("ck_installations_removed_after_installed")),
        sa.ForeignKeyConstraint(
            ["meter_id", "utility"], ["meters.id", "meters.utility"], name="fk_installations_meter_id_utility"
        ),
        sa.ForeignKeyConstraint(["usage_point_id"], ["usage_points.id"], name="fk_installations_usage_point_id"),
        sa.PrimaryKeyConstraint("id", name="pk_installations"),
    )
    op.create_index(
        "ix_installations_meter_id_installed_at", "installations", ["meter_id", "installed_at"], unique=False
    )
    op.create_index(
        "ix_installations_usage_point_id_utility_installed_at",
        "installations",
        ["usage_point_id", "utility", "installed_at"],
        unique=False,
    )
    op.create_index(
        "uq_installations_one_active_a_meter",
        "installations",
        ["meter_id"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index(
        "uq_installations_one_active_a_point",
        "installations",
        ["usage_point_id", "utility"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.execute("INSERT INTO registry_clock (id, number) VALUES (1, 0)")
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables and all that is in them."""
    for table in (
        "installations",
        "meters",
        "usage_points",
        "terminals",
        "transformer_districts",
        "registry_clock",
        "registry_changes",
        "organisations",
    ):
        op.drop_table(table)
