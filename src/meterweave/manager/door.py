"""The door: a name and a password, a session's token or an API key in, an `Identity` out.

Who is let in is looked up anew whenever the audit trail has grown since (every change of accounts is an entry there),
and at least every `FRESH`. Whether it has grown is looked at every `LOOK`; so most requests cost no question to the
database, and what is taken away is gone half a second later, in whichever process it was taken away.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from meterweave.manager import throttle
from meterweave.manager.change import account_change, note
from meterweave.manager.code import step_of, typed_recovery
from meterweave.manager.errors import AccountError, CodeNeeded, HeldOff, LoginRefused
from meterweave.manager.identity import Identity, Scope
from meterweave.manager.keys import key_of
from meterweave.manager.password import Passwords
from meterweave.manager.rights import rights_of
from meterweave.manager.secret import Seal, digest
from meterweave.manager.sessions import IDLE, Caller, begin
from meterweave.manager.users import read_name
from meterweave.registry import Registry
from meterweave.registry.accounts import ApiKey, LoginSession, RecoveryCode, User
from meterweave.registry.audit import AuditEntry
from meterweave.text import Text

FRESH = timedelta(seconds=30)
"""How long rights are believed while no account changes: organisations may move without an entry in the trail."""

LOOK = timedelta(milliseconds=500)
"""How long nobody looks whether accounts have changed: a look takes a millisecond, and requests come by hundreds."""

KNOWN_MAX = 10_000
"""Sessions and keys whose rights are remembered at most."""

UNKNOWN = "?"
"""Whom the audit trail names where no user has the name that was typed: it may have been a password."""

_ENDED = Text("the session has ended; log in again", "会话已结束，请重新登录")
_NO_KEY = Text("the API key is not valid", "API密钥无效")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who came in, and the token of the session for the cookie."""

    identity: Identity
    token: str = field(repr=False)


class _Known(NamedTuple):
    identity: Identity
    row: int  # id of the session or key
    expires_at: datetime
    used_at: datetime | None  # of a session, as stored
    trail: int  # number of the newest entry when it was looked up
    seen_at: datetime


class Door:
    """Lets people and programs in; may be used by many threads.

    Parameters
    ----------
    registry : Registry
    folder : Path
        The data folder, where the sealing key is.
    passwords : Passwords or None
        None: with the usual parameters.
    clock : callable
        What time it is, UTC.
    """

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        passwords: Passwords | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.registry = registry
        self.seal = Seal(folder)
        self.passwords = passwords or Passwords()
        self.clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looked: tuple[int, datetime] | None = None  # the newest entry of the trail, and when that was seen
        self._used: dict[tuple[type[LoginSession] | type[ApiKey], int], datetime] = {}

    def login(self, name: str, password: str, caller: Caller, *, code: str | None = None) -> LoggedIn:
        """Begin a session.

        A token from before is worth nothing here: each log-in has a new one, so that nobody can slip one to a user.

        Parameters
        ----------
        code : str or None
            A one-time code, or a recovery code, where the user has such.

        Raises
        ------
        CodeNeeded
            If the password is right and a code is wanted; nothing is begun.
        HeldOff
            After too many failures, whether or not name and password are right.
        LoginRefused
            If anything of it is wrong.
        """
        asked = throttle.subjects(name.strip().lower(), caller.source)
        user_id, kept = self._attempt(name, asked, caller)
        if not self.passwords.agrees(kept, password) or user_id is None:
            raise LoginRefused
        renewed = self.passwords.hash(password) if kept and self.passwords.is_dated(kept) else None
        missing = False
        with account_change(self.registry) as session:
            now = self.clock()
            user = session.get_one(User, user_id)
            if user.password_hash != kept or not _may_log_in(user, now):
                raise LoginRefused
            if user.totp_confirmed and not code:
                throttle.give_back(session, asked)
                missing = True
            else:
                found = self._enter(session, user, caller, code, now)
                if renewed:
                    user.password_hash = renewed
                throttle.forgive(session, asked[:1])
                throttle.give_back(session, asked[1:])
                note(session, found.identity, "login", "user", user.name, at=now)
        if missing:
            raise CodeNeeded
        return found

    def _attempt(self, name: str, asked: tuple[throttle.Subject, ...], caller: Caller) -> tuple[int | None, str | None]:
        """Count an attempt; the user's id and hash, None where there is no such user."""
        with self.registry.reading() as session:  # who is held off costs no write
            self._refuse_held_off(session, asked)
        with account_change(self.registry) as session:
            self._refuse_held_off(session, asked)
            user = self._user_named(session, name)
            for one in throttle.count(session, asked, self.clock()):
                self._tell_held_off(session, one, user, caller)
            return (None, None) if user is None else (user.id, user.password_hash)

    def _refuse_held_off(self, session: Session, asked: tuple[throttle.Subject, ...]) -> None:
        wait_s = throttle.held_off_s(session, asked, self.clock())
        if wait_s:
            raise HeldOff(wait_s)

    def _user_named(self, session: Session, name: str) -> User | None:
        try:
            wanted = read_name(name)
        except AccountError:
            return None
        return session.scalars(select(User).where(User.name == wanted)).one_or_none()

    def _tell_held_off(self, session: Session, one: throttle.Subject, user: User | None, caller: Caller) -> None:
        kind, _, rest = one.key.partition(":")
        name = (user.name if user else UNKNOWN) if kind == "user" else rest
        nobody = Identity(
            user=None,
            name=user.name if user else UNKNOWN,
            permissions=frozenset(),
            scope=Scope(),
            means="log-in",
            source=caller.source,
        )
        note(session, nobody, "login.held_off", kind, name, after={"failures": one.free}, at=self.clock())

    def _enter(self, session: Session, user: User, caller: Caller, code: str | None, now: datetime) -> LoggedIn:
        recovered = False
        if user.totp_confirmed:
            recovered = self._use_code(session, user, code or "", now)
        begun = begin(session, user, caller, now)
        user.last_login_at = now
        session.flush()
        identity = identity_of(session, user, means="session", source=caller.source, number=begun.id)
        if recovered:
            note(session, identity, "user.recovery", "user", user.name, at=now)
        return LoggedIn(identity, begun.token)

    def _use_code(self, session: Session, user: User, code: str, now: datetime) -> bool:
        """Use up a one-time code (False) or a recovery code (True)."""
        assert user.totp_sealed is not None
        secret = self.seal.open(user.totp_sealed, owner_of(user)).decode()
        step = step_of(secret, code, now, after=user.totp_step)
        if step is not None:
            user.totp_step = step
            return False
        kept = session.get(RecoveryCode, (user.id, digest(typed_recovery(code))))
        if kept is None:
            raise LoginRefused
        session.delete(kept)
        return True

    def of_session(self, token: str, source: str) -> Identity:
        """Who has the session with this token.

        Parameters
        ----------
        source : str
            The address the request came from, for the audit trail.

        Raises
        ------
        LoginRefused
            If it has ended, or there never was one.
        """
        now = self.clock()
        key = digest(token)
        known = self._known_still(key, now) or self._remember(key, self._session_of(key, source, now))
        if known is None or known.used_at is None:
            raise LoginRefused(_ENDED)
        used_at = max(known.used_at, self._used.get((LoginSession, known.row), known.used_at))
        if now >= min(known.expires_at, used_at + IDLE):
            raise LoginRefused(_ENDED)
        self._note_use(LoginSession, known.row, now)
        return _from(known.identity, source)

    def of_key(self, text: str, source: str) -> Identity:
        """Who speaks with this API key.

        Raises
        ------
        LoginRefused
            If it is not valid, or not any more.
        """
        now = self.clock()
        key = digest(text)
        known = self._known_still(key, now) or self._remember(key, self._key_of(text, source, now))
        if known is None or known.used_at is not None or now >= known.expires_at:
            raise LoginRefused(_NO_KEY)
        self._note_use(ApiKey, known.row, now)
        return _from(known.identity, source)

    def flush(self) -> None:
        """Write down when sessions and keys were used; call it every few seconds, and before the end.

        Raises
        ------
        RegistryBusy
            If the database could not be written; what was to be written is kept for the next time.
        """
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return
        try:
            with account_change(self.registry) as session:
                for (kind, number), at in used.items():
                    session.execute(update(kind).where(kind.id == number).values(used_at=at))
        except BaseException:
            with self._lock:
                self._used = used | self._used
            raise
        with self._lock:
            self._known.clear()  # what is remembered has older times of use

    def _session_of(self, key: str, source: str, now: datetime) -> _Known | None:
        with self.registry.reading() as session:
            found = session.execute(
                select(LoginSession, User).join(User, User.id == LoginSession.user_id).where(LoginSession.digest == key)
            ).one_or_none()
            if found is None or found[1].disabled_at is not None:
                return None
            row, user = found
            identity = identity_of(session, user, means="session", source=source, number=row.id)
            return _Known(identity, row.id, row.expires_at, row.used_at, _trail(session), now)

    def _key_of(self, text: str, source: str, now: datetime) -> _Known | None:
        with self.registry.reading() as session:
            found = key_of(session, text, now)
            if found is None:
                return None
            row, user = found
            whole = identity_of(session, user, means=f"key {row.prefix}", source=source)
            identity = whole.narrowed(row.permissions.split())
            return _Known(identity, row.id, row.expires_at, None, _trail(session), now)

    def _known_still(self, key: str, now: datetime) -> _Known | None:
        with self._lock:
            known = self._known.get(key)
        if known is None or not known.seen_at <= now < known.seen_at + FRESH:
            return None
        return known if known.trail >= self._newest(now) else None

    def _newest(self, now: datetime) -> int:
        """The number of the newest entry of the trail, as it was up to `LOOK` ago."""
        looked = self._looked
        if looked is None or not looked[1] <= now < looked[1] + LOOK:
            with self.registry.reading() as session:
                looked = (_trail(session), now)
            self._looked = looked
        return looked[0]

    def _remember(self, key: str, known: _Known | None) -> _Known | None:
        with self._lock:
            self._known.pop(key, None)
            if known is not None:
                self._known[key] = known
            while len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
        return known

    def _note_use(self, kind: type[LoginSession] | type[ApiKey], number: int, now: datetime) -> None:
        with self._lock:
            self._used[kind, number] = now


def identity_of(session: Session, user: User, *, means: str, source: str, number: int | None = None) -> Identity:
    """Who a user is, with the rights that are stored now; with a one-time password in a session, with none.

    Parameters
    ----------
    number : int or None
        Id of the session; None: it is an API key, which no password lets in.
    """
    rights = rights_of(session, user)
    must_change = number is not None and user.password_until is not None
    return Identity(
        user=user.id,
        name=user.name,
        permissions=frozenset() if must_change else rights.permissions,
        scope=rights.scope,
        means=means,
        source=source,
        session=number,
        must_change=must_change,
    )


def owner_of(user: User) -> str:
    """For whom a user's secret is sealed: it does not open in another user's row."""
    return f"totp:{user.id}"


def end_all(session: Session, user: User) -> None:
    """End all sessions of a user."""
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


def _may_log_in(user: User, now: datetime) -> bool:
    return user.disabled_at is None and (user.password_until is None or now < user.password_until)


def _from(identity: Identity, source: str) -> Identity:
    return identity if identity.source == source else replace(identity, source=source)


def _trail(session: Session) -> int:
    return session.scalar(select(func.max(AuditEntry.number))) or 0
