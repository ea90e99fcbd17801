"""Archives to test with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from meterweave.registry import Meter, Terminal, UsagePoint
from meterweave.registry.address import read_address
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import Utility

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """That many days after the start."""
    return START + timedelta(days=number)


def add_meter(
    session: Session,
    address: str,
    terminal: Terminal | None = None,
    *,
    protocol: str = "dlt645",
    utility: Utility = Utility.ELECTRICITY,
    point_number: int | None = None,
) -> Meter:
    """A stored meter."""
    found = read_address(protocol, address)
    meter = Meter(
        utility=utility,
        protocol=protocol,
        address=found.text,
        address_key=found.key,
        local_address=found.local,
        terminal_id=None if terminal is None else terminal.id,
        point_number=point_number,
    )
    session.add(meter)
    session.flush()
    return meter


def add_terminal(session: Session, address: str, protocol: str = "dlt698") -> Terminal:
    """A stored terminal."""
    return enrol(session, protocol, address)


def add_usage_point(session: Session, code: str) -> UsagePoint:
    """A stored usage point."""
    point = UsagePoint(code=code)
    session.add(point)
    session.flush()
    return point
