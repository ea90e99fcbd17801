"""The reference names every permission, role, action, rule and finding there is."""

from __future__ import annotations

from pathlib import Path

from meterweave.manager.chain import CODES
from meterweave.manager.password import RULES
from meterweave.manager.permission import actions, permissions, shipped_roles
from meterweave.registry.audit import HASHED

TEXT = (Path(__file__).parents[2] / "docs/reference/security.md").read_text(encoding="utf-8")


def test_the_reference_is_complete() -> None:
    words = (*permissions(), *shipped_roles(), *actions(), *RULES, *CODES, *HASHED)
    assert [one for one in words if f"`{one}`" not in TEXT] == []


def test_the_reference_says_who_may_what() -> None:
    roles = list(shipped_roles().values())
    for permission, words in permissions().items():
        (line,) = (one for one in TEXT.splitlines() if one.startswith(f"| `{permission}` |"))
        _, _, meaning, *marks, _ = (cell.strip() for cell in line.split("|"))
        assert meaning == words.en
        assert [mark == "x" for mark in marks] == [permission in role.permissions for role in roles]
