"""The rules of the install history that a unique index cannot hold: no two spans may overlap, past ones included.

PostgreSQL holds them as exclusion constraints over ranges (no extension is needed: ids are written as ranges of one),
SQLite as triggers. Both are part of the metadata, so tables made from the models carry them; the migrations say the
same once more, and a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, event

from meterweave.registry.models import Installation

METER_SPANS = "ex_installations_meter_spans"
POINT_SPANS = "ex_installations_point_spans"
SQLITE_REFUSAL = "installations_overlap"
"""What SQLite's triggers say."""

_POSTGRESQL = (
    f"ALTER TABLE installations ADD CONSTRAINT {METER_SPANS} EXCLUDE USING gist ("
    "int8range(meter_id, meter_id, '[]') WITH &&, tstzrange(installed_at, removed_at) WITH &&)",
    f"ALTER TABLE installations ADD CONSTRAINT {POINT_SPANS} EXCLUDE USING gist ("
    "int8range(usage_point_id, usage_point_id, '[]') WITH &&, "
    "(CASE utility WHEN 'electricity' THEN '[1,1]'::int4range WHEN 'water' THEN '[8,8]'::int4range "
    "WHEN 'gas' THEN '[7,7]'::int4range ELSE '[6,6]'::int4range END) WITH &&, "
    "tstzrange(installed_at, removed_at) WITH &&)",
)

_OVERLAP = """EXISTS (
    SELECT 1 FROM installations AS other
    WHERE other.id IS NOT NEW.id
      AND (other.meter_id = NEW.meter_id
           OR (other.usage_point_id = NEW.usage_point_id AND other.utility = NEW.utility))
      AND (NEW.removed_at IS NULL OR other.installed_at < NEW.removed_at)
      AND (other.removed_at IS NULL OR NEW.installed_at < other.removed_at))"""

_SQLITE = tuple(
    f"CREATE TRIGGER installations_overlap_{verb.lower()} BEFORE {verb} ON installations WHEN {_OVERLAP}\n"
    f"BEGIN SELECT RAISE(ABORT, '{SQLITE_REFUSAL}'); END"
    for verb in ("INSERT", "UPDATE")
)


@event.listens_for(Installation.__table__, "after_create")
def _guard(table: Table, connection: Connection, **_: object) -> None:
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.exec_driver_sql(statement)
