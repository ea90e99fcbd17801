"""Who is asking: made once, at the door, and never made wider.

Every function of the managers takes an `Identity` first. It is frozen; `Identity.narrowed` gives one that may do less,
and nothing gives one that may do more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from meterweave.manager.errors import NotAllowed
from meterweave.manager.permission import permissions
from meterweave.text import Text

LOCAL = "local:"
"""Begins the name of who works at the machine itself; no user can be called so."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the network somebody sees.

    Attributes
    ----------
    everywhere : bool
        All of it, and what is in no district.
    organisations : frozenset of int
        Otherwise: ids of organisations, all those below the granted ones among them.
    """

    everywhere: bool = False
    organisations: frozenset[int] = frozenset()

    def covers(self, other: Scope) -> bool:
        """Whether `other` sees nothing that this does not."""
        return self.everywhere or (not other.everywhere and other.organisations <= self.organisations)

    def narrowed(self, organisations: Iterable[int]) -> Scope:
        """Only what is in these organisations and in this scope; `organisations` has those below among it."""
        wanted = frozenset(organisations)
        return Scope(organisations=wanted if self.everywhere else wanted & self.organisations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is asking, what they may do, and of what.

    Attributes
    ----------
    user : int or None
        Id of the user; None: somebody at the machine itself.
    name : str
        What the audit trail calls them.
    permissions : frozenset of str
        Of `permissions`; empty while a one-time password has to be changed.
    means : str
        How they came in, for the audit trail.
    source : str
        From where: an address; empty: this machine.
    session : int or None
        Id of the session.
    must_change : bool
        Nothing is allowed but to choose a password.
    """

    user: int | None
    name: str
    permissions: frozenset[str]
    scope: Scope
    means: str
    source: str = ""
    session: int | None = None
    must_change: bool = False

    def may(self, permission: str) -> bool:
        """Whether they have a permission.

        Raises
        ------
        ValueError
            If there is no such permission: a slip of the pen must not look like a refusal, nor like consent.
        """
        if permission not in permissions():
            raise ValueError(f"there is no permission {permission!r}")
        return permission in self.permissions

    def narrowed(self, allowed: Iterable[str]) -> Identity:
        """The same, with no other permissions than these."""
        return replace(self, permissions=self.permissions & frozenset(allowed))


def at_the_machine(name: str) -> Identity:
    """Who runs a command on the centre's own machine: whoever can open its database needs no further leave."""
    return Identity(
        user=None,
        name=f"{LOCAL}{name}"[:80],
        permissions=frozenset(permissions()),
        scope=Scope(everywhere=True),
        means="command line",
    )


def require(identity: Identity, permission: str) -> None:
    """Go on only with a permission.

    Raises
    ------
    NotAllowed
        Without it.
    """
    if not identity.may(permission):
        what = permissions()[permission]
        raise NotAllowed(
            Text(
                f"{identity.name} may not: {what.en} (permission {permission})",
                f"{identity.name}无权执行：{what.zh}（权限{permission}）",
            ),
            permission,
        )
