"""The tables of permissions, roles and actions are whole; an identity is what they say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.manager.errors import NotAllowed
from meterweave.manager.identity import Identity, Scope, at_the_machine, require
from meterweave.manager.permission import actions, permissions, rows, shipped_roles
from meterweave.registry.accounts import RolePermission, UserRole
from meterweave.registry.audit import AuditEntry

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("name", ["permissions.csv", "roles.csv", "actions.csv"])
def test_every_row_is_whole_in_both_languages(name: str) -> None:
    table = rows(name)
    words = [next(iter(row.values())) for row in table]
    assert len(words) == len(set(words))
    for row in table:
        assert None not in row
        assert row["en"].strip() == row["en"] != ""
        assert CHINESE.search(row["zh"])


def test_marks_are_marks_and_columns_are_roles() -> None:
    for row in rows("permissions.csv"):
        marks = {name: mark for name, mark in row.items() if name not in ("permission", "en", "zh")}
        assert set(marks) == set(shipped_roles())
        assert set(marks.values()) <= {"x", ""}


def test_words_fit_into_their_columns() -> None:
    for words, column in (
        (permissions(), RolePermission.permission),
        (shipped_roles(), UserRole.role),
        (actions(), AuditEntry.action),
    ):
        assert max(map(len, words)) <= column.type.length  # type: ignore[attr-defined]
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", one) for one in permissions())


def test_shipped_roles_are_sensible() -> None:
    roles = {code: role.permissions for code, role in shipped_roles().items()}
    assert roles["administrator"] == permissions().keys()
    changing = {
        one for one in permissions() if one.endswith((".write", ".manage", ".give", ".relay", ".enter", ".own"))
    }
    assert not roles["auditor"] & changing
    assert not roles["county_viewer"] & changing
    assert "audit.read" in roles["auditor"]
    assert not any("users.manage" in one for code, one in roles.items() if code != "administrator")
    assert "commands.relay" not in roles["integrator"]


some = st.frozensets(st.sampled_from(sorted(permissions())))


@given(some, some, some)
def test_an_identity_only_ever_gets_narrower(own: frozenset[str], one: frozenset[str], two: frozenset[str]) -> None:
    identity = Identity(user=1, name="wang", permissions=own, scope=Scope(), means="session")
    narrowed = identity.narrowed(one).narrowed(two)
    assert narrowed.permissions == own & one & two
    assert narrowed.scope == identity.scope
    for permission in permissions():
        assert narrowed.may(permission) == (permission in own & one & two)


def test_a_refusal_names_the_permission() -> None:
    identity = Identity(user=1, name="wang", permissions=frozenset(), scope=Scope(), means="session")
    with pytest.raises(NotAllowed, match=r"commands\.relay") as told:
        require(identity, "commands.relay")
    assert told.value.permission == "commands.relay"
    assert "拉闸" in told.value.text.zh
    require(at_the_machine("root"), "commands.relay")
    for wrong in ("commands.trip", "", "administrator"):
        with pytest.raises(ValueError, match="no permission"):
            require(at_the_machine("root"), wrong)
