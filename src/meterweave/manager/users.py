"""Users: added, listed, changed, disabled, given a one-time password. Nobody gives what they do not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from meterweave.manager.change import account_change, note
from meterweave.manager.errors import AccountError, NotVisible
from meterweave.manager.identity import Identity, at_the_machine, require
from meterweave.manager.password import Passwords, one_time_password
from meterweave.manager.permission import ADMINISTRATOR
from meterweave.manager.rights import (
    Rights,
    known_organisations,
    known_roles,
    permissions_of,
    require_to_grant,
    require_to_manage,
    rights_of,
    scope_of,
)
from meterweave.registry import Organisation, Registry
from meterweave.registry.accounts import (
    TITLE_MAX,
    LoginSession,
    RecoveryCode,
    User,
    UserOrganisation,
    UserRole,
)
from meterweave.text import Text

FIRST_NAME = "admin"
"""What the first user is called."""

ONE_TIME_LIFE = timedelta(hours=72)
"""How long a one-time password lets in."""

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,63}")
"""What a name that logs in looks like."""


class Wish(NamedTuple):
    """A user as they are to be."""

    name: str
    title: str = ""
    roles: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()  # codes
    everywhere: bool = False


class Change(NamedTuple):
    """What of a user is to be otherwise; None: as it is."""

    title: str | None = None
    roles: tuple[str, ...] | None = None
    organisations: tuple[str, ...] | None = None  # codes
    everywhere: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCard:
    """A user as they stood at one moment."""

    id: int
    name: str
    title: str
    roles: tuple[str, ...]
    organisations: tuple[str, ...]  # codes
    everywhere: bool
    created_at: datetime
    disabled_at: datetime | None
    password_at: datetime
    password_until: datetime | None  # of a one-time password that has to be changed
    one_time_codes: bool
    last_login_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class OneTime:
    """A user with a password that lets in once, to be handed over; it is stored nowhere, and in no log."""

    user: UserCard
    password: str = field(repr=False)


def read_name(text: str) -> str:
    """A name as it is stored, in lower case.

    Raises
    ------
    AccountError
        If it cannot be one.
    """
    name = text.strip().lower()
    if not NAME.fullmatch(name):
        raise AccountError(
            Text(
                f"{text!r} is no user's name; wanted 2 to 64 of a-z 0-9 . _ @ + -, a letter or digit first",
                f"“{text}”不是有效的用户名；须为2至64个字符（a-z 0-9 . _ @ + -），以字母或数字开头",
            )
        )
    return name


def add_user(registry: Registry, passwords: Passwords, identity: Identity, wish: Wish) -> OneTime:
    """A new user, with a one-time password.

    Raises
    ------
    NotAllowed
        Without `users.manage`, or if the caller lacks what is to be given.
    AccountError
        If the name is taken or impossible, or a role or organisation is not there.
    """
    require(identity, "users.manage")
    password = one_time_password()
    hashed = passwords.hash(password)
    with account_change(registry) as session:
        return OneTime(_add(session, identity, wish, hashed), password)


def first_administrator(registry: Registry, passwords: Passwords) -> OneTime | None:
    """The first user, who may do everything, where there is none at all; None where there is one."""
    with registry.reading() as session:
        if _is_anybody_there(session):
            return None
    password = one_time_password()
    hashed = passwords.hash(password)
    wish = Wish(FIRST_NAME, roles=(ADMINISTRATOR,), everywhere=True)
    with account_change(registry) as session:
        if _is_anybody_there(session):  # another process was first
            return None
        return OneTime(_add(session, at_the_machine("first start"), wish, hashed), password)


def _is_anybody_there(session: Session) -> bool:
    return session.scalar(select(User.id).limit(1)) is not None


def _add(session: Session, identity: Identity, wish: Wish, hashed: str) -> UserCard:
    name = read_name(wish.name)
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise AccountError(Text(f"there is a user {name!r} already", f"用户“{name}”已存在"))
    roles = known_roles(session, wish.roles)
    organisations = known_organisations(session, identity, wish.organisations)
    scope = scope_of(session, organisations.values(), everywhere=wish.everywhere)
    require_to_grant(identity, Rights(permissions_of(session, roles), scope))
    now = datetime.now(UTC)
    user = User(
        name=name,
        title=_title(wish.title),
        everywhere=wish.everywhere,
        created_at=now,
        password_hash=hashed,
        password_at=now,
        password_until=now + ONE_TIME_LIFE,
    )
    session.add(user)
    session.flush()
    _write_roles(session, user, roles)
    _write_organisations(session, user, organisations.values())
    card = card_of(session, user)
    note(session, identity, "user.add", "user", name, after=_said(card))
    return card


def list_users(registry: Registry, identity: Identity) -> list[UserCard]:
    """The users whose whole scope the caller sees, by name.

    Raises
    ------
    NotAllowed
        Without `users.read`.
    """
    require(identity, "users.read")
    with registry.reading() as session:
        everyone = session.scalars(select(User).order_by(User.name)).all()
        return [card_of(session, user) for user in everyone if _sees(session, identity, user)]


def show_user(registry: Registry, identity: Identity, name: str) -> UserCard:
    """One user.

    Raises
    ------
    NotAllowed
        Without `users.read`.
    NotVisible
        If there is none of that name whose whole scope the caller sees.
    """
    require(identity, "users.read")
    with registry.reading() as session:
        return card_of(session, find_user(session, identity, name))


def change_user(registry: Registry, identity: Identity, name: str, change: Change) -> UserCard:
    """Give a user another title, other roles or another scope; their sessions go on with what they may now.

    Raises
    ------
    NotAllowed, NotVisible
        As `add_user`, and of what they had before too.
    AccountError
        As `add_user`, or if nobody were left who may manage users.
    """
    require(identity, "users.manage")
    with account_change(registry) as session:
        user = _managed(session, identity, name)
        before = _said(card_of(session, user))
        with a_manager_stays(session):
            _write(session, identity, user, change)
        require_to_grant(identity, rights_of(session, user))
        card = card_of(session, user)
        if _said(card) != before:
            note(session, identity, "user.change", "user", user.name, before=before, after=_said(card))
        return card


def disable_user(registry: Registry, identity: Identity, name: str) -> UserCard:
    """Let a user in no more, by no means; their sessions end. Nothing happens to one who is disabled already.

    Raises
    ------
    NotAllowed, NotVisible
        As `change_user`.
    AccountError
        If nobody were left who may manage users.
    """
    require(identity, "users.manage")
    with account_change(registry) as session:
        user = _managed(session, identity, name)
        if user.disabled_at is None:
            with a_manager_stays(session):
                user.disabled_at = datetime.now(UTC)
            session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
            note(session, identity, "user.disable", "user", user.name)
        return card_of(session, user)


def enable_user(registry: Registry, identity: Identity, name: str) -> UserCard:
    """Let a disabled user in again, with the password they had.

    Raises
    ------
    NotAllowed, NotVisible
        As `change_user`.
    """
    require(identity, "users.manage")
    with account_change(registry) as session:
        user = _managed(session, identity, name)
        if user.disabled_at is not None:
            user.disabled_at = None
            session.flush()
            note(session, identity, "user.enable", "user", user.name)
        return card_of(session, user)


def reset_password(
    registry: Registry, passwords: Passwords, identity: Identity, name: str, *, codes_too: bool = False
) -> OneTime:
    """Give a user a one-time password in place of theirs; their sessions end.

    Parameters
    ----------
    codes_too : bool
        Take their one-time codes away as well, for who has lost the telephone.

    Raises
    ------
    NotAllowed, NotVisible
        As `change_user`.
    """
    require(identity, "users.manage")
    password = one_time_password()
    hashed = passwords.hash(password)
    with account_change(registry) as session:
        user = _managed(session, identity, name)
        now = datetime.now(UTC)
        user.password_hash, user.password_at, user.password_until = hashed, now, now + ONE_TIME_LIFE
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
        had_codes = user.totp_confirmed
        if codes_too:
            forget_codes(session, user)
        session.flush()
        note(session, identity, "user.password.reset", "user", user.name)
        if codes_too and had_codes:
            note(session, identity, "user.totp.remove", "user", user.name)
        return OneTime(card_of(session, user), password)


def forget_codes(session: Session, user: User) -> None:
    """Take a user's one-time codes and recovery codes away."""
    user.totp_sealed, user.totp_confirmed, user.totp_step = None, False, None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def find_user(session: Session, identity: Identity, name: str) -> User:
    """The user of that name.

    Raises
    ------
    NotVisible
        If there is none whose whole scope the caller sees.
    """
    user = session.scalars(select(User).where(User.name == name.strip().lower())).one_or_none()
    if user is None or not _sees(session, identity, user):
        raise NotVisible(Text(f"there is no user {name!r} that you may see", f"没有您可查看的用户“{name}”"))
    return user


@contextmanager
def a_manager_stays(session: Session) -> Iterator[None]:
    """Refuse what would leave nobody who may manage users everywhere, where there is somebody.

    Raises
    ------
    AccountError
        At the end, if nobody is left.
    """
    had = _has_manager(session)
    yield
    session.flush()
    if had and not _has_manager(session):
        raise AccountError(
            Text(
                "nobody would be left who may manage users; give another user the role first",
                "此操作后将没有可管理用户的人员，请先为其他用户授予该角色",
            )
        )


def _has_manager(session: Session) -> bool:
    able = session.scalars(select(User).where(User.everywhere, User.disabled_at.is_(None)))
    return any("users.manage" in rights_of(session, one).permissions for one in able)


def card_of(session: Session, user: User) -> UserCard:
    """A user as they stand now."""
    own = (
        select(Organisation.code)
        .join(UserOrganisation, UserOrganisation.organisation_id == Organisation.id)
        .where(UserOrganisation.user_id == user.id)
    )
    copied = (
        "id", "name", "title", "everywhere", "created_at", "disabled_at", "password_at", "password_until",
        "last_login_at",
    )  # fmt: skip
    return UserCard(
        **{name: getattr(user, name) for name in copied},
        roles=tuple(sorted(session.scalars(select(UserRole.role).where(UserRole.user_id == user.id)))),
        organisations=tuple(sorted(session.scalars(own))),
        one_time_codes=user.totp_confirmed,
    )


def _sees(session: Session, identity: Identity, user: User) -> bool:
    if identity.scope.everywhere or user.id == identity.user:
        return True
    return identity.scope.covers(rights_of(session, user).scope)


def _managed(session: Session, identity: Identity, name: str) -> User:
    user = find_user(session, identity, name)
    require_to_manage(session, identity, user)
    return user


def _said(card: UserCard) -> dict[str, Any]:
    """What the audit trail tells of a user."""
    return {
        "title": card.title,
        "roles": card.roles,
        "organisations": card.organisations,
        "everywhere": card.everywhere,
    }


def _title(text: str) -> str:
    title = text.strip()
    if len(title) > TITLE_MAX or not title.isprintable():
        raise AccountError(
            Text(f"a title has up to {TITLE_MAX} printable characters", f"姓名须为{TITLE_MAX}个以内的可显示字符")
        )
    return title


def _write(session: Session, identity: Identity, user: User, change: Change) -> None:
    if change.title is not None:
        user.title = _title(change.title)
    if change.roles is not None:
        _write_roles(session, user, known_roles(session, change.roles))
    if change.organisations is not None:
        _write_organisations(session, user, known_organisations(session, identity, change.organisations).values())
    if change.everywhere is not None:
        user.everywhere = change.everywhere


def _write_roles(session: Session, user: User, roles: Iterable[str]) -> None:
    session.execute(delete(UserRole).where(UserRole.user_id == user.id))
    rows = [{"user_id": user.id, "role": one} for one in roles]
    if rows:
        session.execute(insert(UserRole), rows)


def _write_organisations(session: Session, user: User, organisations: Iterable[int]) -> None:
    session.execute(delete(UserOrganisation).where(UserOrganisation.user_id == user.id))
    rows = [{"user_id": user.id, "organisation_id": one} for one in sorted(organisations)]
    if rows:
        session.execute(insert(UserOrganisation), rows)
