"""Lines with meters on them, gateways, longer names, registers that roll over, and readings that people enter.

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

ADDRESS, OLD_ADDRESS = sa.String(length=64), sa.String(length=32)
NEW_OF_TERMINALS = ("port", "collector_id", "key_digest")
NEW_OF_METERS = ("register_digits", "register_decimals")
NEW_METER_CHECKS = {
    "ck_meters_digits_possible": "register_digits BETWEEN 1 AND 18",
    "ck_meters_decimals_possible": "register_decimals BETWEEN 0 AND register_digits",
    "ck_meters_register_whole": "(register_digits IS NULL) = (register_decimals IS NULL)",
}


# The tables as revision 0003 left them: SQLite copies a table to change it, and does not tell its checks.
def _terminals() -> sa.Table:
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
        sa.Column("channel", sa.String(length=32), nullable=False, server_default="cellular"),
        sa.Column("cell_group", sa.String(length=64), nullable=True),
        sa.Column("commission_tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("commissioned_at", sa.DateTime(timezone=True), nullable=True),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_terminals_{name}"))
            for name, rule in {
                "kind": "kind IN ('concentrator', 'collector', 'module', 'meter')",
                "state": "state IN ('planned', 'active', 'suspended', 'retired')",
                "enrolled_by": "enrolled_by IN ('imported', 'entered', 'automatic')",
                "heartbeat_possible": "heartbeat_s BETWEEN 10 AND 86400",
                "channel": "channel IN ('ethernet', 'fibre', 'cellular', 'nb_iot', 'rf', 'plc')",
            }.items()
        ),
        sa.ForeignKeyConstraint(["district_id"], ["transformer_districts.id"], name="fk_terminals_district_id"),
        sa.PrimaryKeyConstraint("id", name="pk_terminals"),
        sa.UniqueConstraint("protocol", "address_key", name="uq_terminals_protocol_address_key"),
        sa.Index("ix_terminals_address", "address"),
        sa.Index("ix_terminals_district_id", "district_id"),
    )


def _meters() -> sa.Table:
    return sa.Table(
        "meters",
        sa.MetaData(),
        sa.Column("id", ID, nullable=False),
        sa.Column("utility", sa.String(length=32), nullable=False),
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
        sa.Column("wiring", sa.String(length=32), nullable=True),
        sa.Column("phase", sa.String(length=32), nullable=True),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_meters_{name}"))
            for name, rule in {
                "utility": "utility IN ('electricity', 'water', 'gas', 'heat')",
                "wiring": "wiring IN ('single_phase', 'three_phase_three_wire', 'three_phase_four_wire')",
                "phase": "phase IN ('A', 'B', 'C', 'ABC')",
                "local_has_terminal": "NOT local_address OR terminal_id IS NOT NULL",
                "baud_positive": "baud > 0",
                "ct_positive": "ct_primary > 0 AND ct_secondary > 0",
                "point_possible": "point_number BETWEEN 1 AND 65535",
                "pt_positive": "pt_primary > 0 AND pt_secondary > 0",
                "tariffs_possible": "tariff_count BETWEEN 1 AND 63",
            }.items()
        ),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name="fk_meters_terminal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_meters"),
        sa.UniqueConstraint("id", "utility", name="uq_meters_id_utility"),
        sa.UniqueConstraint("terminal_id", "point_number", name="uq_meters_terminal_id_point_number"),
        sa.UniqueConstraint("terminal_id", "wire_key", name="uq_meters_terminal_id_wire_key"),
        sa.Index("ix_meters_address", "address"),
        sa.Index("ix_meters_asset_number", "asset_number"),
        sa.Index(
            "uq_meters_address_of_the_world",
            "protocol",
            "address",
            unique=True,
            sqlite_where=sa.text("NOT local_address"),
            postgresql_where=sa.text("NOT local_address"),
        ),
    )


def _with_new_columns(old: sa.Table) -> sa.Table:
    """`old` as this revision leaves it."""
    old.columns["address"].type = ADDRESS
    if old.name == "terminals":
        old.append_column(sa.Column("port", sa.String(length=200), nullable=True))
        old.append_column(sa.Column("collector_id", ID, nullable=True))
        old.append_column(sa.Column("key_digest", sa.String(length=64), nullable=True))
    else:
        for name in NEW_OF_METERS:
            old.append_column(sa.Column(name, sa.Integer(), nullable=True))
    return old


def upgrade() -> None:
    """Add the columns, widen the addresses, and make the table."""
    with op.batch_alter_table("terminals", copy_from=_terminals()) as terminals:
        terminals.alter_column("address", existing_type=OLD_ADDRESS, type_=ADDRESS, existing_nullable=False)
        terminals.add_column(sa.Column("port", sa.String(length=200), nullable=True))
        terminals.add_column(sa.Column("collector_id", ID, nullable=True))
        terminals.add_column(sa.Column("key_digest", sa.String(length=64), nullable=True))
        terminals.create_check_constraint(op.f("ck_terminals_not_its_own_collector"), "collector_id <> id")
        terminals.create_foreign_key("fk_terminals_collector_id", "terminals", ["collector_id"], ["id"])
        terminals.create_index("ix_terminals_collector_id", ["collector_id"], unique=False)
    with op.batch_alter_table("meters", copy_from=_meters()) as meters:
        meters.alter_column("address", existing_type=OLD_ADDRESS, type_=ADDRESS, existing_nullable=False)
        for name in NEW_OF_METERS:
            meters.add_column(sa.Column(name, sa.Integer(), nullable=True))
        for name, rule in NEW_METER_CHECKS.items():
            meters.create_check_constraint(op.f(name), rule)
    op.create_table(
        "entered_readings",
        sa.Column("id", ID, nullable=False),
        sa.Column("meter_id", ID, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "routine",
                "final",
                "initial",
                "check",
                name="purpose",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("photo", sa.String(length=500), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("entered_by", sa.String(length=64), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_entered_readings_meter_id"),
        sa.PrimaryKeyConstraint("id", name="pk_entered_readings"),
        sa.UniqueConstraint(
            "meter_id", "quantity", "ts", "revision", name="uq_entered_readings_meter_id_quantity_ts_revision"
        ),
        sa.CheckConstraint("revision >= 0", name=op.f("ck_entered_readings_revision_possible")),
    )


def downgrade() -> None:
    """Drop the table and the columns, and all that is in them; PostgreSQL refuses while there are longer addresses."""
    op.drop_table("entered_readings")
    with op.batch_alter_table("meters", copy_from=_with_new_columns(_meters())) as meters:
        if op.get_bind().dialect.name == "postgresql":  # SQLite makes the table anew, without them
            for name in NEW_METER_CHECKS:
                meters.drop_constraint(op.f(name), type_="check")
        for name in NEW_OF_METERS:
            meters.drop_column(name)
        meters.alter_column("address", existing_type=ADDRESS, type_=OLD_ADDRESS, existing_nullable=False)
    with op.batch_alter_table("terminals", copy_from=_with_new_columns(_terminals())) as terminals:
        if op.get_bind().dialect.name == "postgresql":
            terminals.drop_index("ix_terminals_collector_id")
            terminals.drop_constraint("fk_terminals_collector_id", type_="foreignkey")
            terminals.drop_constraint(op.f("ck_terminals_not_its_own_collector"), type_="check")
        for name in NEW_OF_TERMINALS:
            terminals.drop_column(name)
        terminals.alter_column("address", existing_type=ADDRESS, type_=OLD_ADDRESS, existing_nullable=False)
