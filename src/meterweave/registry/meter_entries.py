"""The meters behind terminals as the head-end has to know them to ask for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.registry.models import Meter
from meterweave.registry.vocabulary import Phase, Utility, Wiring

_ASKED_AT_ONCE = 500  # ids in one query


class MeterEntry(NamedTuple):
    """What it takes to talk of a meter with its terminal."""

    id: int
    terminal: int  # id
    utility: Utility
    protocol: str
    address: str
    address_key: int
    point_number: int | None
    port: str | None
    collector: str | None
    baud: int | None
    tariff_count: int | None
    wiring: Wiring | None
    phase: Phase | None
    model: str = ""


_ENTRIES = select(
    Meter.id,
    Meter.terminal_id,
    Meter.utility,
    Meter.protocol,
    Meter.address,
    Meter.address_key,
    Meter.point_number,
    Meter.port,
    Meter.collector,
    Meter.baud,
    Meter.tariff_count,
    Meter.wiring,
    Meter.phase,
    Meter.model,
)


def meters_on(session: Session, terminals: Iterable[int]) -> Mapping[int, Sequence[MeterEntry]]:
    """All meters of these terminals (ids) in the order of their ids; a terminal without meters is left out."""
    found: dict[int, list[MeterEntry]] = defaultdict(list)
    rest = iter(terminals)
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        query = _ENTRIES.where(Meter.terminal_id.in_(some)).order_by(Meter.terminal_id, Meter.id)
        for row in session.execute(query):
            entry = MeterEntry._make(row)
            found[entry.terminal].append(entry)
    return found


def meter_entry(session: Session, meter: int) -> MeterEntry | None:
    """The meter with this id; None: there is none, or it hangs on no terminal."""
    row = session.execute(_ENTRIES.where(Meter.id == meter, Meter.terminal_id.is_not(None))).first()
    return MeterEntry._make(row) if row else None
