"""Which databases are taken, and what every engine has in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, make_url, select
from sqlalchemy.exc import StatementError

from meterweave.errors import ConfigError
from meterweave.registry import Registry, SchemaError, Terminal, open_engine, upgrade
from meterweave.registry.terminals import enrol


@pytest.mark.parametrize("where", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "no url://", "://"])
def test_other_databases_are_refused(where: str) -> None:
    with pytest.raises(ConfigError):
        open_engine(where)


def test_a_path_and_a_url_of_a_file_are_one(tmp_path: Path) -> None:
    path = tmp_path / "档案.sqlite"
    with Registry.open(path).writing() as session:
        enrol(session, "dlt698", "1")
    for where in (str(path), f"sqlite:///{path}", make_url(f"sqlite:///{path}")):
        registry = Registry.open(where)
        with registry.reading() as session:
            assert session.scalars(select(Terminal.address)).all() == ["000000000001"]
        registry.close()


def test_times_are_instants_to_the_microsecond(registry: Registry) -> None:
    local = datetime(2026, 1, 1, 8, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=8)))
    with registry.writing() as session:
        terminal = enrol(session, "dlt698", "1")
        terminal.last_seen_at = local
    with registry.reading() as session:
        found = session.scalars(select(Terminal.last_seen_at)).one()
        assert found == local
        assert found is not None
        assert found.tzinfo is UTC
        with pytest.raises(StatementError, match="no time zone"):
            session.execute(insert(Terminal).values(last_seen_at=datetime(2026, 1, 1)))


def test_a_revision_that_is_not_there_is_refused(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "registry.sqlite")
    with pytest.raises(SchemaError, match="0000"):
        upgrade(engine, "0000")
    engine.dispose()
