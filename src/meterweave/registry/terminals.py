"""Terminals as the head-end meets them: taken in when first they call, and last seen when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from meterweave.registry.address import BUS, MQTT, N5, UDP, read_address
from meterweave.registry.changes import touch
from meterweave.registry.errors import AddressError
from meterweave.registry.models import HEARTBEAT_S, Terminal
from meterweave.registry.vocabulary import Enrolment, TerminalKind, TerminalState
from meterweave.text import Text

_KINDS: Mapping[str, TerminalKind] = MappingProxyType(
    {BUS: TerminalKind.MODULE, N5: TerminalKind.COLLECTOR, MQTT: TerminalKind.METER, UDP: TerminalKind.METER}
)


def kind_of(protocol: str) -> TerminalKind:
    """What a terminal of a protocol is where nobody says otherwise."""
    return _KINDS.get(protocol, TerminalKind.CONCENTRATOR)


def enrol(
    session: Session,
    protocol: str,
    address: str,
    *,
    enrolled_by: Enrolment = Enrolment.ENTERED,
    kind: TerminalKind | None = None,
    state: TerminalState = TerminalState.PLANNED,
    name: str = "",
    heartbeat_s: int = HEARTBEAT_S,
    district_id: int | None = None,
) -> Terminal:
    """The terminal of this name, made if it is not stored; a stored one is given back as it is.

    Of no `kind` it is what `kind_of` says.

    Raises
    ------
    AddressError
        If `address` is no address of `protocol`, or a local one, which cannot name a terminal.
    """
    found = read_address(protocol, address)
    if found.local:
        raise AddressError(
            Text(
                f"{address!r} names a device on its bus only, not a terminal",
                f"“{address}”仅在总线内有效，不能作为终端地址",
            )
        )
    wanted = (Terminal.protocol == protocol, Terminal.address_key == found.key)
    terminal = session.scalars(select(Terminal).where(*wanted)).one_or_none()
    if terminal is None:
        terminal = Terminal(
            protocol=protocol,
            address=found.text,
            address_key=found.key,
            kind=kind_of(protocol) if kind is None else kind,
            state=state,
            enrolled_by=enrolled_by,
            name=name,
            heartbeat_s=heartbeat_s,
            district_id=district_id,
        )
        session.add(terminal)
        session.flush()
    return terminal


def note_seen(session: Session, seen: Mapping[int, datetime]) -> None:
    """Remember when terminals, by their ids, were last heard of; a planned one becomes active thereby.

    Made for being called every few seconds with all sessions that heard something: it is no change that the directory
    would follow, except where a state changes. An instant older than the one stored changes nothing.
    """
    if not seen:
        return
    planned = set(
        session.scalars(
            select(Terminal.id).where(Terminal.state == TerminalState.PLANNED, Terminal.id.in_(list(seen)))
            if len(seen) <= _ASKED_AT_ONCE
            else select(Terminal.id).where(Terminal.state == TerminalState.PLANNED)
        )
    ) & set(seen)
    instant = bindparam("instant", type_=Terminal.last_seen_at.type)
    session.connection().execute(
        update(Terminal)
        .where(
            Terminal.id == bindparam("terminal"),
            (Terminal.last_seen_at.is_(None)) | (Terminal.last_seen_at < instant),
        )
        .values(last_seen_at=instant, first_seen_at=func.coalesce(Terminal.first_seen_at, instant)),
        [{"terminal": terminal, "instant": when} for terminal, when in seen.items()],
    )
    if planned:
        session.connection().execute(
            update(Terminal).where(Terminal.id == bindparam("terminal")).values(state=TerminalState.ACTIVE),
            [{"terminal": terminal} for terminal in planned],
        )
        touch(session, planned)
    session.expire_all()


_ASKED_AT_ONCE = 1000
