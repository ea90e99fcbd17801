"""What a stored user may do now, and of which part of the network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.manager.errors import AccountError, NotAllowed
from meterweave.manager.identity import Identity, Scope
from meterweave.manager.permission import permissions, shipped_roles
from meterweave.manager.scope import below
from meterweave.registry import Organisation
from meterweave.registry.accounts import Role, RolePermission, User, UserOrganisation, UserRole
from meterweave.text import Text


class Rights(NamedTuple):
    """What somebody may do, and where."""

    permissions: frozenset[str]
    scope: Scope

    def cover(self, other: Rights) -> bool:
        """Whether `other` may do nothing that these may not."""
        return other.permissions <= self.permissions and self.scope.covers(other.scope)


def rights_of(session: Session, user: User) -> Rights:
    """The rights of a user, from what is stored now."""
    roles = session.scalars(select(UserRole.role).where(UserRole.user_id == user.id)).all()
    own = select(UserOrganisation.organisation_id).where(UserOrganisation.user_id == user.id)
    return Rights(permissions_of(session, roles), scope_of(session, session.scalars(own), everywhere=user.everywhere))


def scope_of(session: Session, organisations: Iterable[int], *, everywhere: bool) -> Scope:
    """The scope that organisations make, with all that is below them."""
    return Scope(everywhere=True) if everywhere else Scope(organisations=below(session, organisations))


def permissions_of(session: Session, roles: Iterable[str]) -> frozenset[str]:
    """What roles allow together; words that this version does not know allow nothing."""
    shipped = shipped_roles()
    known = frozenset[str]().union(*(shipped[one].permissions for one in roles if one in shipped))
    own = [one for one in roles if one not in shipped]
    if own:
        known |= frozenset(session.scalars(select(RolePermission.permission).where(RolePermission.role.in_(own))))
    return known & permissions().keys()


def require_to_manage(session: Session, identity: Identity, user: User) -> None:
    """Go on only where the caller could have given all that `user` has: who may less never rules who may more.

    Raises
    ------
    NotAllowed
        Otherwise.
    """
    require_to_grant(identity, rights_of(session, user))


def require_to_grant(identity: Identity, rights: Rights) -> None:
    """Go on only where the caller has all these rights.

    Raises
    ------
    NotAllowed
        Otherwise; the message says which permission is lacking.
    """
    lacking = sorted(rights.permissions - identity.permissions)
    if lacking:
        raise NotAllowed(
            Text(
                f"{identity.name} lacks {', '.join(lacking)}, and so can neither give nor manage that",
                f"{identity.name}没有权限{'、'.join(lacking)}，不能授予或管理",
            ),
            lacking[0],
        )
    if not identity.scope.covers(rights.scope):
        raise NotAllowed(
            Text(
                f"{identity.name} does not see all of these organisations, and so can neither give nor manage them",
                f"{identity.name}不能查看其中部分单位，不能授予或管理",
            )
        )


def known_roles(session: Session, roles: Iterable[str]) -> tuple[str, ...]:
    """`roles`, sorted, each once.

    Raises
    ------
    AccountError
        If there is none of that code.
    """
    wanted = sorted(set(roles))
    own = set(session.scalars(select(Role.code).where(Role.code.in_(wanted))))
    for one in wanted:
        if one not in shipped_roles() and one not in own:
            raise AccountError(Text(f"there is no role {one!r}", f"没有角色“{one}”"))
    return tuple(wanted)


def known_organisations(session: Session, identity: Identity, codes: Iterable[str]) -> dict[str, int]:
    """The ids of organisations by their codes.

    Raises
    ------
    AccountError
        If there is none of that code, or the caller does not see it.
    """
    wanted = sorted(set(codes))
    stored = session.execute(select(Organisation.code, Organisation.id).where(Organisation.code.in_(wanted)))
    found = {code: number for code, number in stored if _sees(identity, number)}
    for code in wanted:
        if code not in found:
            raise AccountError(
                Text(f"there is no organisation {code!r} that you may see", f"没有您可查看的单位“{code}”")
            )
    return found


def _sees(identity: Identity, organisation: int) -> bool:
    return identity.scope.everywhere or organisation in identity.scope.organisations
