"""The tables of who may come in: users, their roles and organisations, sessions, API keys, and failed log-ins.

users ─< user_roles            users ─< login_sessions     roles ─< role_permissions
      ─< user_organisations          ─< api_keys           login_failures (by name and by address)
      ─< recovery_codes

No secret is stored as it is: passwords are argon2id hashes, tokens and recovery codes SHA-256 digests, the shared
secrets of one-time codes are sealed with a key that is not in the database. Users are never deleted, because the
audit trail names them; a name is never given twice. Times are UTC.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from meterweave.registry.base import Base, Id, UtcDateTime

NAME_MAX, TITLE_MAX = 64, 200
"""Longest names that log in, and that people read. [characters]"""

DIGEST_LENGTH = 64
"""A SHA-256 digest in hexadecimal digits. [characters]"""


class User(Base):
    """Somebody, or some program, that may log in."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("name = lower(name)", name="name_lower"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX), unique=True)  # what is typed at the door, in lower case
    title: Mapped[str] = mapped_column(String(TITLE_MAX), default="")  # what people call them
    everywhere: Mapped[bool] = mapped_column(Boolean, default=False)  # the whole tree, and what is in no district
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # null: may log in
    password_hash: Mapped[str] = mapped_column(String(256))  # argon2id, with its parameters and salt
    password_at: Mapped[datetime] = mapped_column(UtcDateTime)  # since when it is this one
    password_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # of a one-time password; null: their own
    totp_sealed: Mapped[str | None] = mapped_column(String(256))  # secret of one-time codes, sealed; null: none
    totp_confirmed: Mapped[bool] = mapped_column(Boolean, default=False)  # a code of it was seen: it is asked for
    totp_step: Mapped[int | None] = mapped_column(Id)  # the last step whose code was used: none counts twice
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserRole(Base):
    """A role that a user has: one that ships, or a row of `Role`."""

    __tablename__ = "user_roles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(32), primary_key=True)


class UserOrganisation(Base):
    """An organisation that a user may see, with all below it."""

    __tablename__ = "user_organisations"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"), primary_key=True, index=True)


class Role(Base):
    """A role of this utility's own, beside those that ship."""

    __tablename__ = "roles"

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_MAX))


class RolePermission(Base):
    """What a role of this utility's own may do."""

    __tablename__ = "role_permissions"

    role: Mapped[str] = mapped_column(ForeignKey("roles.code"), primary_key=True)
    permission: Mapped[str] = mapped_column(String(64), primary_key=True)


class RecoveryCode(Base):
    """A code that stands in once for a one-time code; gone when it was used."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH), primary_key=True)


class LoginSession(Base):
    """A browser that is logged in; gone when it has ended."""

    __tablename__ = "login_sessions"
    __table_args__ = ({"sqlite_autoincrement": True},)  # else SQLite gives the number of one that ended to another

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)  # of the token in the cookie
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)  # however much it is used
    source: Mapped[str] = mapped_column(String(64))  # address it was begun from
    agent: Mapped[str] = mapped_column(String(200))  # what the browser calls itself


class ApiKey(Base):
    """A key with which a program speaks for a user."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)  # the part that may be shown
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH))  # of the whole key
    permissions: Mapped[str] = mapped_column(String(4000))  # with blanks between; never more than the user has
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginFailure(Base):
    """Log-ins that failed in a row, by the name tried or by the address they came from."""

    __tablename__ = "login_failures"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures_possible"),)

    subject: Mapped[str] = mapped_column(String(100), primary_key=True)  # user:NAME or source:ADDRESS
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # nobody is let in before; null: not held off
