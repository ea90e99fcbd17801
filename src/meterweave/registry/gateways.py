"""Gateways' keys: made here, shown once, and kept as a digest only.

A key has 256 random bits, so its plain SHA-256 tells nothing about it, and there is nothing to guess.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.registry.address import N5, read_address
from meterweave.registry.errors import AddressError, UnknownRecord
from meterweave.registry.models import Terminal
from meterweave.registry.vocabulary import TerminalState
from meterweave.text import Text

KEY_OCTETS = 32

_MAY_CALL = (TerminalState.PLANNED, TerminalState.ACTIVE)
_NO_DIGEST = "0" * 64  # of no key that anybody knows


def give_key(session: Session, terminal_id: int) -> str:
    """A new key for a gateway, in place of the one it had; the archives keep its digest only.

    Raises
    ------
    UnknownRecord
        If no gateway has this id.
    """
    gateway = session.get(Terminal, terminal_id)
    if gateway is None or gateway.protocol != N5:
        raise UnknownRecord(Text(f"no gateway has the id {terminal_id}", f"没有id为{terminal_id}的采集网关"))
    key = secrets.token_urlsafe(KEY_OCTETS)
    gateway.key_digest = _digest(key)
    return key


def gateway_of_key(session: Session, name: str, key: str) -> int | None:
    """The gateway (id) of this name, if this is its key and it may call; None tells nobody which of the three it was.

    Takes as long for a wrong key as for a right one, and for a name that is unknown.
    """
    try:
        wanted = read_address(N5, name).key
    except AddressError:
        wanted = -1
    columns = select(Terminal.id, Terminal.key_digest, Terminal.state)
    row = session.execute(columns.where(Terminal.protocol == N5, Terminal.address_key == wanted)).one_or_none()
    stored = row.key_digest if row is not None and row.key_digest is not None else _NO_DIGEST
    same = hmac.compare_digest(stored, _digest(key))
    return row.id if row is not None and same and row.state in _MAY_CALL else None


def _digest(key: str) -> str:
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
