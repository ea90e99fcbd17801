"""API keys: with one, a program speaks for a user, and may do no more than the user may and the key says.

A key is ``mw_`` + prefix + ``_`` + secret. The prefix finds it and may be shown; of the whole only a digest is kept.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.manager.change import account_change, note
from meterweave.manager.errors import AccountError, NotVisible
from meterweave.manager.identity import Identity, require
from meterweave.manager.rights import require_to_manage
from meterweave.manager.secret import digest, new_token
from meterweave.manager.users import find_user
from meterweave.registry import Registry
from meterweave.registry.accounts import TITLE_MAX, ApiKey, User
from meterweave.text import Text

DAYS_MAX, KEYS_MAX = 366, 50
"""How long a key lasts at most [days], and how many valid ones a user has at most."""

_PREFIX_OCTETS = 5
_FORM = re.compile(r"mw_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCard:
    """An API key, without what is secret of it."""

    id: int
    user: str
    title: str
    prefix: str
    permissions: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; `text` is shown once, and stored nowhere."""

    card: KeyCard
    text: str = field(repr=False)


def add_key(registry: Registry, identity: Identity, title: str, allowed: Iterable[str], *, days: int) -> NewKey:
    """A new key for the caller's own user.

    Parameters
    ----------
    allowed : iterable of str
        What it may do; all of it something the caller may.
    days : int
        How long it is valid.

    Raises
    ------
    NotAllowed
        Without `keys.own`, or one of `allowed`.
    AccountError
        If the caller is not a user in a session, or title, days or the number of keys are out of bounds.
    """
    require(identity, "keys.own")
    wanted = sorted(set(allowed))
    for one in wanted:
        require(identity, one)
    _check(identity, title, wanted, days)
    prefix = secrets.token_hex(_PREFIX_OCTETS)
    text = f"mw_{prefix}_{new_token()}"
    now = datetime.now(UTC)
    with account_change(registry) as session:
        user = session.get_one(User, identity.user)
        valid = (ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now)
        if len(session.scalars(select(ApiKey.id).where(*valid)).all()) >= KEYS_MAX:
            raise AccountError(
                Text(f"{user.name} has {KEYS_MAX} valid keys; revoke one first", f"{user.name}已有{KEYS_MAX}个有效密钥")
            )
        row = ApiKey(
            user_id=user.id,
            title=title.strip(),
            prefix=prefix,
            digest=digest(text),
            permissions=" ".join(wanted),
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        session.add(row)
        session.flush()
        card = _card(row, user)
        after = {"user": user.name, "permissions": wanted, "expires_at": row.expires_at.isoformat()}
        note(session, identity, "key.add", "key", prefix, after=after)
        return NewKey(card, text)


def list_keys(registry: Registry, identity: Identity, user: str | None = None) -> list[KeyCard]:
    """The caller's own keys, or those of another user, the newest first.

    Raises
    ------
    NotAllowed
        For another user without `users.read`.
    NotVisible
        If there is no such user that the caller may see.
    """
    with registry.reading() as session:
        if user is None:
            owner = session.get(User, identity.user) if identity.user is not None else None
        else:
            require(identity, "users.read")
            owner = find_user(session, identity, user)
        if owner is None:
            return []
        keys = session.scalars(select(ApiKey).where(ApiKey.user_id == owner.id).order_by(ApiKey.id.desc()))
        return [_card(one, owner) for one in keys]


def revoke_key(registry: Registry, identity: Identity, prefix: str) -> None:
    """End a key, one's own or, with `users.manage`, that of a user one may manage.

    Raises
    ------
    NotVisible
        If there is none of that prefix that the caller may end.
    NotAllowed
        If its user may do what the caller may not.
    """
    with account_change(registry) as session:
        row = session.scalars(select(ApiKey).where(ApiKey.prefix == prefix)).one_or_none()
        if row is None or not (row.user_id == identity.user or identity.may("users.manage")):
            raise NotVisible(Text(f"there is no key {prefix!r} that you may revoke", f"没有您可吊销的密钥“{prefix}”"))
        owner = session.get_one(User, row.user_id)
        if owner.id != identity.user:
            require_to_manage(session, identity, owner)
        if row.revoked_at is None:
            row.revoked_at = datetime.now(UTC)
            session.flush()
            note(session, identity, "key.revoke", "key", prefix, before={"user": owner.name})


def key_of(session: Session, text: str, now: datetime) -> tuple[ApiKey, User] | None:
    """The valid key that `text` is, and its user; None: it is none."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    row = session.execute(
        select(ApiKey, User).join(User, User.id == ApiKey.user_id).where(ApiKey.prefix == form[1])
    ).one_or_none()
    if row is None:
        return None
    key, user = row
    valid = key.revoked_at is None and now < key.expires_at and user.disabled_at is None
    return (key, user) if hmac.compare_digest(key.digest, digest(text)) and valid else None


def _check(identity: Identity, title: str, wanted: list[str], days: int) -> None:
    if identity.user is None or identity.session is None:
        raise AccountError(Text("only a user who is logged in makes keys", "只有已登录的用户可以创建密钥"))
    if not wanted:
        raise AccountError(Text("a key has to allow something", "密钥至少须有一项权限"))
    if not 1 <= days <= DAYS_MAX:
        raise AccountError(Text(f"a key lasts 1 to {DAYS_MAX} days, not {days}", f"密钥有效期须为1至{DAYS_MAX}天"))
    if not 1 <= len(title.strip()) <= TITLE_MAX or not title.strip().isprintable():
        raise AccountError(
            Text(f"a key's title has 1 to {TITLE_MAX} printable characters", f"密钥名称须为1至{TITLE_MAX}个可显示字符")
        )


def _card(row: ApiKey, user: User) -> KeyCard:
    copied = ("id", "title", "prefix", "created_at", "expires_at", "used_at", "revoked_at")
    return KeyCard(
        **{name: getattr(row, name) for name in copied}, user=user.name, permissions=tuple(row.permissions.split())
    )
