"""Sessions: who is logged in, from where and since when; each ended by its owner, or by who manages users."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from meterweave.manager.change import account_change, note
from meterweave.manager.errors import NotVisible
from meterweave.manager.identity import Identity, require
from meterweave.manager.rights import require_to_manage
from meterweave.manager.secret import digest, new_token
from meterweave.manager.users import find_user
from meterweave.registry import Registry
from meterweave.registry.accounts import LoginSession, User
from meterweave.text import Text

IDLE, LIFE = timedelta(minutes=30), timedelta(hours=12)
"""How long a session lasts without being used, and at most."""

SESSIONS_MAX = 20
"""Sessions of one user at a time; of more, the one unused longest ends."""

_AGENT_MAX = 200


class Caller(NamedTuple):
    """What is known of the other end at log-in."""

    source: str  # address
    agent: str = ""  # what the browser calls itself


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCard:
    """A session, without its token."""

    id: int
    user: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    source: str
    agent: str
    own: bool  # the one that asks

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that was just begun."""

    id: int
    token: str = field(repr=False)  # for the cookie; stored nowhere


def begin(session: Session, user: User, caller: Caller, now: datetime) -> Begun:
    """A new session with a new token; those of this user that have expired, and are too many, end."""
    session.execute(
        delete(LoginSession).where(
            LoginSession.user_id == user.id, or_(LoginSession.expires_at <= now, LoginSession.used_at <= now - IDLE)
        )
    )
    used = select(LoginSession.id).where(LoginSession.user_id == user.id).order_by(LoginSession.used_at.desc())
    surplus = session.scalars(used.offset(SESSIONS_MAX - 1)).all()
    session.execute(delete(LoginSession).where(LoginSession.id.in_(surplus)))
    token = new_token()
    row = LoginSession(
        user_id=user.id,
        digest=digest(token),
        created_at=now,
        used_at=now,
        expires_at=now + LIFE,
        source=caller.source[:64],
        agent="".join(one for one in caller.agent[:_AGENT_MAX] if one.isprintable()),
    )
    session.add(row)
    session.flush()
    return Begun(row.id, token)


def list_sessions(registry: Registry, identity: Identity, user: str | None = None) -> list[SessionCard]:
    """The caller's own sessions, or those of another user, the newest first.

    Raises
    ------
    NotAllowed
        For another user without `users.manage`.
    NotVisible
        If there is no such user that the caller may see.
    """
    now = datetime.now(UTC)
    with registry.reading() as session:
        if user is None:
            owner = session.get(User, identity.user) if identity.user is not None else None
        else:
            require(identity, "users.manage")
            owner = find_user(session, identity, user)
        if owner is None:
            return []
        living = (LoginSession.expires_at > now, LoginSession.used_at > now - IDLE)
        found = session.scalars(
            select(LoginSession).where(LoginSession.user_id == owner.id, *living).order_by(LoginSession.id.desc())
        )
        copied = ("id", "created_at", "used_at", "expires_at", "source", "agent")
        return [
            SessionCard(
                **{name: getattr(one, name) for name in copied}, user=owner.name, own=one.id == identity.session
            )
            for one in found
        ]


def end_session(registry: Registry, identity: Identity, number: int) -> None:
    """End a session, one's own or, with `users.manage`, that of a user one may manage.

    Raises
    ------
    NotVisible
        If there is none that the caller may end.
    NotAllowed
        If its user may do what the caller may not.
    """
    with account_change(registry) as session:
        row = session.get(LoginSession, number)
        if row is None or not (row.user_id == identity.user or identity.may("users.manage")):
            raise NotVisible(Text(f"there is no session {number} that you may end", f"没有您可结束的会话{number}"))
        owner = session.get_one(User, row.user_id)
        if owner.id != identity.user:
            require_to_manage(session, identity, owner)
        session.delete(row)
        session.flush()
        action = "logout" if number == identity.session else "session.end"
        note(session, identity, action, "user", owner.name, before={"session": number, "source": row.source})
