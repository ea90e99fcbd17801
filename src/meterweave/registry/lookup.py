"""What the archives say of one meter or terminal, for people and programs that know only part of its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, aliased

from meterweave.registry.address import PROTOCOLS, read_address
from meterweave.registry.errors import AddressError, UnknownRecord
from meterweave.registry.models import Installation, Meter, Organisation, Terminal, TransformerDistrict, UsagePoint
from meterweave.text import Text

FOUND_MAX = 100
"""Most records one search gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A meter's time on a usage point."""

    usage_point: str
    installed_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalCard:
    """A terminal with what it belongs to."""

    id: int
    protocol: str
    address: str
    name: str
    kind: str
    state: str
    enrolled_by: str
    heartbeat_s: int
    port: str | None
    collector: str | None
    district: str | None
    organisation: str | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterCard:
    """A meter with its terminal and its install history, oldest span first."""

    id: int
    utility: str
    protocol: str
    address: str
    asset_number: str | None
    model: str
    port: str | None
    point_number: int | None
    collector: str | None
    baud: int | None
    tariff_count: int | None
    ct_primary: int
    ct_secondary: int
    pt_primary: int
    pt_secondary: int
    wiring: str | None
    phase: str | None
    register_digits: int | None
    register_decimals: int | None
    terminal: TerminalCard | None
    history: tuple[Span, ...]

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; instants in ISO 8601."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def find_meters(session: Session, text: str) -> list[MeterCard]:
    """The meters that `text` may mean: an address of any protocol, an asset number, or ``#`` and the id; by id.

    Raises
    ------
    UnknownRecord
        If there is none.
    """
    wanted = _named(Meter.id, Meter.protocol, Meter.address, text, Meter.asset_number == text.strip())
    meters = session.scalars(select(Meter).where(wanted).order_by(Meter.id).limit(FOUND_MAX)).all()
    if not meters:
        raise UnknownRecord(Text(f"no meter is called {text!r}", f"没有名为“{text}”的表"))
    terminals = _cards(session, Terminal.id.in_({meter.terminal_id for meter in meters} - {None}))
    by_id = {card.id: card for card in terminals}
    history: dict[int, list[Span]] = {}
    spans = (
        select(Installation, UsagePoint.code)
        .join(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        .where(Installation.meter_id.in_([meter.id for meter in meters]))
        .order_by(Installation.installed_at)
    )
    for span, code in session.execute(spans):
        history.setdefault(span.meter_id, []).append(
            Span(usage_point=code, installed_at=span.installed_at, removed_at=span.removed_at)
        )
    return [
        MeterCard(
            **{name: getattr(meter, name) for name in MeterCard.__slots__ if name not in ("terminal", "history")},
            terminal=by_id.get(meter.terminal_id or 0),
            history=tuple(history.get(meter.id, ())),
        )
        for meter in meters
    ]


def find_terminals(session: Session, text: str) -> list[TerminalCard]:
    """The terminals that `text` may mean: an address of any protocol, or ``#`` and the id; by id.

    Raises
    ------
    UnknownRecord
        If there is none.
    """
    found = _cards(session, _named(Terminal.id, Terminal.protocol, Terminal.address, text))
    if not found:
        raise UnknownRecord(Text(f"no terminal is called {text!r}", f"没有名为“{text}”的终端"))
    return found


def _cards(session: Session, wanted: ColumnElement[bool]) -> list[TerminalCard]:
    organisation, gateway = aliased(Organisation), aliased(Terminal)
    rows = session.execute(
        select(Terminal, TransformerDistrict.code, organisation.code, gateway.address)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .outerjoin(organisation, organisation.id == TransformerDistrict.organisation_id)
        .outerjoin(gateway, gateway.id == Terminal.collector_id)
        .where(wanted)
        .order_by(Terminal.id)
        .limit(FOUND_MAX)
    )
    own = [name for name in TerminalCard.__slots__ if name not in ("district", "organisation", "collector")]
    return [
        TerminalCard(
            **{name: getattr(terminal, name) for name in own}, district=district, organisation=code, collector=collector
        )
        for terminal, district, code, collector in rows
    ]


def _named(row_id: Any, protocol: Any, address: Any, text: str, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    text = text.strip()
    if text[:1] == "#" and text[1:].isdecimal() and len(text) < 20:
        return row_id == int(text[1:])  # type: ignore[no-any-return]
    return or_(*more, *((protocol == name) & (address == kept) for name, kept in _kept_forms(text)), row_id < 0)


def _kept_forms(text: str) -> Iterable[tuple[str, str]]:
    for protocol in PROTOCOLS:
        try:
            yield protocol, read_address(protocol, text).text
        except AddressError:
            continue


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value
