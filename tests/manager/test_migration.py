"""Revision 0005 there, back and there again, with rows in its tables and in those that stay."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from meterweave.manager.chain import verify
from meterweave.manager.change import account_change, note
from meterweave.registry import Registry
from meterweave.registry.schema import upgrade
from tests.manager.people import ROOT
from tests.registry.test_schema import _described, _downgrade

ROWS = (
    "INSERT INTO users (id, name, title, everywhere, created_at, password_hash, password_at, totp_confirmed)"
    " VALUES (1, 'wang', '', false, '2026-01-01', 'x', '2026-01-01', false)",
    "INSERT INTO user_roles (user_id, role) VALUES (1, 'operator')",
    "INSERT INTO user_organisations (user_id, organisation_id) VALUES (1, 1)",
    "INSERT INTO roles (code, title) VALUES ('mine', 'mine')",
    "INSERT INTO role_permissions (role, permission) VALUES ('mine', 'archives.read')",
    "INSERT INTO recovery_codes (user_id, digest) VALUES (1, 'x')",
    "INSERT INTO login_sessions (user_id, digest, created_at, used_at, expires_at, source, agent)"
    " VALUES (1, 'x', '2026-01-01', '2026-01-01', '2026-01-01', '', '')",
    "INSERT INTO api_keys (user_id, title, prefix, digest, permissions, created_at, expires_at)"
    " VALUES (1, '', 'x', 'x', '', '2026-01-01', '2026-01-01')",
    "INSERT INTO login_failures (subject, failures, last_at) VALUES ('user:x', 1, '2026-01-01')",
)

IMPOSSIBLE = (
    "INSERT INTO users (id, name, title, everywhere, created_at, password_hash, password_at, totp_confirmed)"
    " VALUES (2, 'Wang', '', false, '2026-01-01', 'x', '2026-01-01', false)",
    "INSERT INTO user_organisations (user_id, organisation_id) VALUES (1, 4711)",
    "INSERT INTO role_permissions (role, permission) VALUES ('none', 'archives.read')",
    "DELETE FROM organisations WHERE id = 1",
    "DELETE FROM users WHERE id = 1",
    "UPDATE login_failures SET failures = -1",
)


def test_accounts_come_and_go_and_the_archives_stay(engine: Engine) -> None:
    upgrade(engine, "0004")
    before = _described(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO organisations (id, code, name) VALUES (1, 'P', 'province')"))
    for _ in range(2):
        upgrade(engine, "0005")
        with engine.begin() as connection:
            for row in ROWS:
                connection.execute(text(row))
        for row in IMPOSSIBLE:
            with pytest.raises(IntegrityError), engine.begin() as connection:
                connection.execute(text(row))
        registry = Registry(engine)
        for _ in range(3):
            with account_change(registry) as session:
                note(session, ROOT, "login", "user", "wang")
        assert verify(registry).entries == 3
        _downgrade(engine, "0004")
        assert _described(engine) == before
        with engine.connect() as connection:
            assert connection.execute(text("SELECT code, name FROM organisations")).all() == [("P", "province")]
