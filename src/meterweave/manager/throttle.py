"""Guessing made slow: log-ins that fail hold off the next, by name and by the address they come from.

An attempt is counted before it is looked at, and given back when it was right: of a hundred that come at the same
moment no more get through than of a hundred in a row. Names that nobody has are counted like others, so that nobody
learns which there are. While somebody is held off nothing is written and no hash is computed.
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from meterweave.registry.accounts import LoginFailure

WAIT_FIRST_S, WAIT_MAX_S = 2, 900
"""How long the first failure too many holds off; each further one doubles it. [s]"""

FORGET = timedelta(hours=24)
"""After so long without another one, failures are forgotten."""

SUBJECTS_MAX = 100_000
"""Names and addresses that are remembered at most; of more, those go that failed longest ago."""

_NAME_DIGITS = 6  # 24 bits: enough to tell users apart, too little to find out what was typed
_IPV6_SITE = 64  # bits: who has one address has all of these


class Subject(NamedTuple):
    """What failures are counted by."""

    key: str
    free: int  # so many failures in a row hold nobody off
    leak_s: int = 0  # in so many seconds without another one, one is forgotten; 0: none


def subjects(name: str, source: str) -> tuple[Subject, Subject]:
    """The two that an attempt counts for; behind one address may be a whole office.

    Of the name a short digest is kept: people type passwords where the name belongs.
    """
    short = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_NAME_DIGITS]
    return Subject(f"user:{short}", 5), Subject(f"source:{site(source)}", 30, leak_s=60)


def site(source: str) -> str:
    """An address; of IPv6 the network of a site, for its addresses cost nothing."""
    try:
        found = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return "elsewhere"
    if found.version == 4:
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(found), _IPV6_SITE), strict=False))


def wait_s(failures: int, free: int) -> int:
    """How long so many failures in a row hold off. [s]"""
    excess = failures - free
    return 0 if excess < 0 else min(WAIT_FIRST_S << min(excess, 20), WAIT_MAX_S)


def held_off_s(session: Session, asked: tuple[Subject, ...], now: datetime) -> int:
    """How long the next attempt is still held off; 0: it may be made. [s]"""
    until = session.scalar(select(func.max(LoginFailure.until_at)).where(_of(asked), LoginFailure.until_at > now))
    return 0 if until is None else int((until - now).total_seconds()) + 1


def count(session: Session, asked: tuple[Subject, ...], now: datetime) -> list[Subject]:
    """Count an attempt as failed; which of the subjects it holds off for the first time."""
    session.execute(delete(LoginFailure).where(LoginFailure.last_at < now - FORGET))
    kept = {row.subject: row for row in session.scalars(select(LoginFailure).where(_of(asked)))}
    begun = []
    for one in asked:
        row = kept.get(one.key)
        if row is None:
            row = LoginFailure(subject=one.key, failures=0, last_at=now)
            session.add(row)
        leaked = int((now - row.last_at).total_seconds()) // one.leak_s if one.leak_s else 0
        row.failures = max(0, row.failures - max(0, leaked)) + 1
        row.last_at = now
        wait = wait_s(row.failures, one.free)
        row.until_at = now + timedelta(seconds=wait) if wait else None
        if row.failures == one.free:
            begun.append(one)
    session.flush()
    _forget_oldest(session)
    return begun


def give_back(session: Session, asked: tuple[Subject, ...]) -> None:
    """Take back one attempt that was counted: it was right, as far as it went."""
    for row in session.scalars(select(LoginFailure).where(_of(asked))):
        row.failures = max(0, row.failures - 1)
        free = next(one.free for one in asked if one.key == row.subject)
        wait = wait_s(row.failures, free)
        row.until_at = row.last_at + timedelta(seconds=wait) if wait else None
    session.flush()


def forgive(session: Session, asked: tuple[Subject, ...]) -> None:
    """Forget the failures of these."""
    session.execute(delete(LoginFailure).where(_of(asked)))


def _of(asked: tuple[Subject, ...]) -> ColumnElement[bool]:
    return LoginFailure.subject.in_([one.key for one in asked])


def _forget_oldest(session: Session) -> None:
    excess = (session.scalar(select(func.count()).select_from(LoginFailure)) or 0) - SUBJECTS_MAX
    if excess > 0:
        oldest = select(LoginFailure.subject).order_by(LoginFailure.last_at).limit(excess)
        session.execute(delete(LoginFailure).where(LoginFailure.subject.in_(oldest)))
