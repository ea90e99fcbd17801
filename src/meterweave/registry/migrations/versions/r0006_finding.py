"""Finding by text among a million records, and listing them in any order.

Revision: 0006, after 0005.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

# Table, the columns by which its records are found, and which of these may be null.
TEXTS = (
    ("meters", "address", "asset_number", True),
    ("usage_points", "code", "name", False),
    ("terminals", "address", "name", False),
    ("transformer_districts", "code", "name", False),
    ("organisations", "code", "name", False),
)

INDEXES = (
    ("ix_meters_model_id", "meters", ["model", "id"]),
    ("ix_meters_protocol_id", "meters", ["protocol", "id"]),
    ("ix_meters_utility_id", "meters", ["utility", "id"]),
    ("ix_terminals_name_id", "terminals", ["name", "id"]),
    ("ix_usage_points_name_id", "usage_points", ["name", "id"]),
    ("ix_installations_installed_at_id", "installations", ["installed_at", "id"]),
    ("ix_commands_created_at_id", "commands", ["created_at", "id"]),
    ("ix_collection_gaps_day_terminal_id_plan_id", "collection_gaps", ["day", "terminal_id", "plan_id"]),
)


def _joined(row: str, char: str, first: str, second: str, optional: bool) -> str:
    other = f"coalesce({row}.{second}, '')" if optional else f"{row}.{second}"
    return f"{row}.{first} || {char}(10) || {other}"


def _sqlite(table: str, first: str, second: str, optional: bool) -> tuple[str, ...]:
    name = f"{table}_text"
    old, new = (f"{_joined(row, 'char', first, second, optional)} || '  '" for row in ("OLD", "NEW"))
    forget = f"INSERT INTO {name}({name}, rowid, held) VALUES ('delete', OLD.id, {old});"
    note = f"INSERT INTO {name}(rowid, held) VALUES (NEW.id, {new});"
    return (
        f"CREATE VIRTUAL TABLE {name} USING fts5(held, content='', columnsize=0, detail='none', tokenize='trigram')",
        f"CREATE VIRTUAL TABLE {table}_terms USING fts5vocab({name}, 'row')",
        f"CREATE TRIGGER {name}_insert AFTER INSERT ON {table} BEGIN {note} END",
        f"CREATE TRIGGER {name}_update AFTER UPDATE OF {first}, {second} ON {table} BEGIN {forget} {note} END",
        f"CREATE TRIGGER {name}_delete AFTER DELETE ON {table} BEGIN {forget} END",
        f"INSERT INTO {name}(rowid, held) SELECT id, {_joined(table, 'char', first, second, optional)} || '  '"
        f" FROM {table}",
    )


def _postgresql(table: str, first: str, second: str, optional: bool) -> tuple[str, ...]:
    held = f"lower(regexp_replace({_joined(table, 'chr', first, second, optional)}, '([㐀-鿿])', ' \\1', 'g'))"
    return (
        "DO $make$ BEGIN\n"
        "  CREATE EXTENSION IF NOT EXISTS pg_trgm;\n"
        f"  CREATE INDEX ix_{table}_text ON {table} USING gin (({held}) gin_trgm_ops);\n"
        "EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN\n"
        "  RAISE NOTICE 'pg_trgm cannot be made here: finding by text reads whole tables';\n"
        "END $make$",
    )


def upgrade() -> None:
    """Make the indexes, and take in what is stored already."""
    statements = _postgresql if op.get_bind().dialect.name == "postgresql" else _sqlite
    for table in TEXTS:
        for statement in statements(*table):
            op.get_bind().exec_driver_sql(statement)
    for name, table_name, columns in INDEXES:
        op.create_index(name, table_name, columns, unique=False)


def downgrade() -> None:
    """Drop the indexes; the extension stays, as others may use it by now."""
    for name, table_name, _ in INDEXES:
        op.drop_index(name, table_name)
    for table, *_ in TEXTS:
        if op.get_bind().dialect.name == "postgresql":
            op.get_bind().exec_driver_sql(f"DROP INDEX IF EXISTS ix_{table}_text")
            continue
        for verb in ("insert", "update", "delete"):
            op.get_bind().exec_driver_sql(f"DROP TRIGGER {table}_text_{verb}")
        op.get_bind().exec_driver_sql(f"DROP TABLE {table}_terms")
        op.get_bind().exec_driver_sql(f"DROP TABLE {table}_text")
