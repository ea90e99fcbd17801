"""What may be asked: one SELECT over the views, and nothing that reaches out of them.

Three walls stand one behind the other, so that no single surprise in a database engine is enough:

1. the engine has no access to files but the tables' own folders, loads no extensions, sees no Python variables, and its
   settings are locked (`locked_engine`);
2. only a single statement that the engine's own parser takes for a SELECT is run; everything that could write to those
   folders (COPY, EXPORT, ATTACH) is another kind of statement (`check`);
3. of the functions that stand where a table stands, only those that make rows out of nothing are let through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from meterweave.lake.errors import QueryError
from meterweave.lake.settings import LakeSettings

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
SQL_OCTETS_MAX = 1 << 20
_DEPTH_MAX = 1000


def locked_engine(folders: Sequence[Path], settings: LakeSettings) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that can read what is in `folders` and nothing else, for good."""
    engine = duckdb.connect(
        config={
            "threads": settings.query_threads,
            "memory_limit": f"{settings.query_memory_octets // 1024}KiB",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
        }
    )
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute("SET parquet_metadata_cache = true")
    engine.execute("SET allowed_directories = $folders", {"folders": [f"{one.absolute()}/" for one in folders]})
    engine.execute("SET enable_external_access = false")
    engine.execute("SET lock_configuration = true")
    return engine


def check(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Let a question through, or say what is wrong with it.

    Raises
    ------
    QueryError
        If `sql` is not a single SELECT, or names a table function that is not in `TABLE_FUNCTIONS`.
    """
    try:
        octets = sql.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"the question is not text: {error}") from error
    if len(octets) > SQL_OCTETS_MAX or b"\0" in octets:
        raise QueryError(f"a question is up to {SQL_OCTETS_MAX} octets of text without NUL")
    try:
        ((text,),) = engine.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()
        tree = json.loads(text)
    except (duckdb.Error, ValueError, RecursionError) as error:
        raise QueryError(f"the question cannot be read: {error}") from error
    if tree.get("error", True):
        raise QueryError(f"only a SELECT can be asked: {tree.get('error_message', 'no statement')}")
    if len(tree["statements"]) != 1:
        raise QueryError(f"one question at a time, not {len(tree['statements'])}")
    for name in _table_functions(tree):
        if name.lower() not in TABLE_FUNCTIONS:
            raise QueryError(f"the table function {name} is not available; {', '.join(sorted(TABLE_FUNCTIONS))} are")


def _table_functions(tree: object) -> Iterator[str]:
    pending: list[tuple[object, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > _DEPTH_MAX:
            raise QueryError("the question is nested too deep")
        if isinstance(node, dict):
            if node.get("type") == "TABLE_FUNCTION":
                yield str(node["function"]["function_name"])
            pending.extend((child, depth + 1) for child in node.values())
        elif isinstance(node, list):
            pending.extend((child, depth + 1) for child in node)
