"""What users do with their own account: choose a password, set up one-time codes. Each asks for the password again."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import delete, insert

from meterweave.manager import throttle
from meterweave.manager.change import account_change, note
from meterweave.manager.code import address_of, new_recovery_codes, new_secret, step_of
from meterweave.manager.door import Door, LoggedIn, end_all, identity_of, owner_of
from meterweave.manager.errors import AccountError, HeldOff, LoginRefused, PasswordRefused
from meterweave.manager.identity import Identity
from meterweave.manager.password import RULES, check_password
from meterweave.manager.secret import digest
from meterweave.manager.sessions import Caller, begin
from meterweave.manager.users import forget_codes
from meterweave.registry.accounts import RecoveryCode, User
from meterweave.text import Text


@dataclass(frozen=True, slots=True)
class NewCodes:
    """One-time codes that are set up, and not yet asked for."""

    secret: str = field(repr=False)  # to be typed into an authenticator app
    address: str = field(repr=False)  # the same for a QR code


def change_password(door: Door, identity: Identity, old: str, new: str, caller: Caller) -> LoggedIn:
    """Choose another password; all sessions end, and a new one begins. API keys go on.

    Raises
    ------
    PasswordRefused
        If the new one is too easy, or the old one.
    LoginRefused
        If the old one is wrong.
    HeldOff
        After too many failures.
    """
    check_password(new, identity.name)
    kept = _confirm(door, identity, old)
    if door.passwords.agrees(kept, new):
        raise PasswordRefused("same", RULES["same"])
    hashed = door.passwords.hash(new)
    with account_change(door.registry) as session:
        now = door.clock()
        user = session.get_one(User, identity.user)
        if user.password_hash != kept or user.disabled_at is not None:
            raise LoginRefused
        user.password_hash, user.password_at, user.password_until = hashed, now, None
        end_all(session, user)
        begun = begin(session, user, caller, now)
        fresh = identity_of(session, user, means="session", source=caller.source, number=begun.id)
        note(session, fresh, "user.password.change", "user", user.name, at=now)
        return LoggedIn(fresh, begun.token)


def begin_codes(door: Door, identity: Identity, password: str) -> NewCodes:
    """Set up one-time codes; they are asked for when `confirm_codes` has seen one of them.

    Raises
    ------
    LoginRefused
        If the password is wrong.
    HeldOff
        After too many failures.
    AccountError
        If there are such codes already.
    """
    _confirm(door, identity, password)
    secret = new_secret()
    with account_change(door.registry) as session:
        user = session.get_one(User, identity.user)
        if user.totp_confirmed:
            raise AccountError(
                Text("there are one-time codes already; remove them first", "已启用动态验证码，请先取消")
            )
        forget_codes(session, user)
        user.totp_sealed = door.seal.close(secret.encode(), owner_of(user))
        session.flush()
        note(session, identity, "user.totp.begin", "user", user.name, at=door.clock())
        return NewCodes(secret, address_of(secret, user.name))


def confirm_codes(door: Door, identity: Identity, code: str) -> list[str]:
    """Ask for one-time codes from now on, for the user has shown one; the recovery codes, to be put away.

    Raises
    ------
    LoginRefused
        If it is no code of now.
    AccountError
        If none were set up, or they are in use already.
    """
    codes = new_recovery_codes()
    with account_change(door.registry) as session:
        now = door.clock()
        user = session.get_one(User, identity.user)
        if user.totp_sealed is None or user.totp_confirmed:
            raise AccountError(Text("no one-time codes are being set up", "没有正在设置的动态验证码"))
        secret = door.seal.open(user.totp_sealed, owner_of(user)).decode()
        step = step_of(secret, code, now, after=None)
        if step is None:
            raise LoginRefused(Text("that is no code of this moment; is the clock right?", "验证码不符，请检查时间"))
        user.totp_confirmed, user.totp_step = True, step
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
        session.execute(insert(RecoveryCode), [{"user_id": user.id, "digest": digest(one)} for one in codes])
        session.flush()
        note(session, identity, "user.totp.confirm", "user", user.name, at=now)
    return codes


def remove_codes(door: Door, identity: Identity, password: str) -> None:
    """Ask for one-time codes no more.

    Raises
    ------
    LoginRefused
        If the password is wrong.
    HeldOff
        After too many failures.
    """
    _confirm(door, identity, password)
    with account_change(door.registry) as session:
        user = session.get_one(User, identity.user)
        if user.totp_sealed is not None:
            forget_codes(session, user)
            session.flush()
            note(session, identity, "user.totp.remove", "user", user.name, at=door.clock())


def _confirm(door: Door, identity: Identity, password: str) -> str:
    """See that it is the user's password, as slowly after failures as at the door; the hash it agrees with."""
    if identity.user is None or identity.session is None:
        raise AccountError(Text("only a user who is logged in can do that", "只有已登录的用户可以执行此操作"))
    asked = throttle.subjects(identity.name, identity.source)
    with account_change(door.registry) as session:
        wait_s = throttle.held_off_s(session, asked, door.clock())
        if wait_s:
            raise HeldOff(wait_s)
        throttle.count(session, asked, door.clock())
        kept = session.get_one(User, identity.user).password_hash
    if not door.passwords.agrees(kept, password):
        raise LoginRefused(Text("the password is wrong", "密码错误"))
    with account_change(door.registry) as session:
        throttle.forgive(session, asked[:1])
        throttle.give_back(session, asked[1:])
    return kept
