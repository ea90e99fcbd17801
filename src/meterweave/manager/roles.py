"""A utility's own roles, beside those that ship. They hold everywhere, so who changes them has to see everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from meterweave.manager.change import account_change, note
from meterweave.manager.errors import AccountError
from meterweave.manager.identity import Identity, Scope, require
from meterweave.manager.permission import permissions, shipped_roles
from meterweave.manager.rights import Rights, require_to_grant
from meterweave.manager.users import a_manager_stays
from meterweave.registry import Registry
from meterweave.registry.accounts import TITLE_MAX, Role, RolePermission, UserRole
from meterweave.text import Text

CODE = re.compile(r"[a-z][a-z0-9_]{1,31}")
"""What the code of a role looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCard:
    """A role and what it allows."""

    code: str
    title: Text  # of a utility's own role: the same in both languages
    permissions: frozenset[str]
    shipped: bool


def list_roles(registry: Registry, identity: Identity) -> list[RoleCard]:
    """All roles, those that ship first.

    Raises
    ------
    NotAllowed
        Without `users.read`.
    """
    require(identity, "users.read")
    found = [
        RoleCard(code=one.code, title=one.title, permissions=one.permissions, shipped=True)
        for one in shipped_roles().values()
    ]
    with registry.reading() as session:
        own = session.scalars(select(Role).order_by(Role.code)).all()
        return found + [
            RoleCard(
                code=one.code,
                title=Text(one.title, one.title),
                permissions=_allowed(session, one.code),
                shipped=False,
            )
            for one in own
        ]


def put_role(registry: Registry, identity: Identity, code: str, title: str, allowed: Iterable[str]) -> None:
    """Make a role, or change one; whoever has it may at once do what it now says.

    Raises
    ------
    NotAllowed
        Without `users.manage`, everywhere, and all that the role allows or did allow.
    AccountError
        If the code is one of a role that ships, or code, title or a permission cannot be.
    """
    require(identity, "users.manage")
    wanted = _checked(code, title, allowed)
    with account_change(registry) as session:
        role = session.get(Role, code)
        before = None if role is None else _said(session, role)
        require_to_grant(identity, Rights(wanted | _allowed(session, code), Scope(everywhere=True)))
        with a_manager_stays(session):
            if role is None:
                role = Role(code=code)
                session.add(role)
            role.title = title.strip()
            session.flush()
            _write(session, code, wanted)
        action = "role.add" if before is None else "role.change"
        note(session, identity, action, "role", code, before=before, after=_said(session, role))


def remove_role(registry: Registry, identity: Identity, code: str) -> None:
    """Remove a role of this utility's own, from all who have it.

    Raises
    ------
    NotAllowed
        As `put_role`.
    AccountError
        If there is no such role, or it ships.
    """
    require(identity, "users.manage")
    with account_change(registry) as session:
        role = session.get(Role, code)
        if role is None:
            raise AccountError(Text(f"there is no role {code!r} that can be removed", f"没有可删除的角色“{code}”"))
        before = _said(session, role)
        require_to_grant(identity, Rights(_allowed(session, code), Scope(everywhere=True)))
        with a_manager_stays(session):
            session.execute(delete(UserRole).where(UserRole.role == code))
            _write(session, code, frozenset())
            session.delete(role)
        note(session, identity, "role.remove", "role", code, before=before)


def _checked(code: str, title: str, allowed: Iterable[str]) -> frozenset[str]:
    if not CODE.fullmatch(code) or code in shipped_roles():
        raise AccountError(
            Text(
                f"{code!r} cannot be the code of a new role; wanted 2 to 32 of a-z 0-9 _, not one that ships",
                f"“{code}”不能用作角色代码；须为2至32个字符（a-z 0-9 _），且不与内置角色相同",
            )
        )
    if not 1 <= len(title.strip()) <= TITLE_MAX or not title.strip().isprintable():
        raise AccountError(
            Text(f"a role's title has 1 to {TITLE_MAX} printable characters", f"角色名称须为1至{TITLE_MAX}个可显示字符")
        )
    wanted = frozenset(allowed)
    for one in sorted(wanted - permissions().keys()):
        raise AccountError(Text(f"there is no permission {one!r}", f"没有权限“{one}”"))
    return wanted


def _allowed(session: Session, code: str) -> frozenset[str]:
    return frozenset(session.scalars(select(RolePermission.permission).where(RolePermission.role == code)))


def _said(session: Session, role: Role) -> dict[str, object]:
    return {"title": role.title, "permissions": sorted(_allowed(session, role.code))}


def _write(session: Session, code: str, wanted: frozenset[str]) -> None:
    session.execute(delete(RolePermission).where(RolePermission.role == code))
    rows = [{"role": code, "permission": one} for one in sorted(wanted)]
    if rows:
        session.execute(insert(RolePermission), rows)
