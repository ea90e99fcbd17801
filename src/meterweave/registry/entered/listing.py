"""Readings entered as they are asked for, and the sheets that go on a round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from meterweave.metering.clock import SHANGHAI
from meterweave.registry.address import MANUAL
from meterweave.registry.entered.amount import amount_text, usual
from meterweave.registry.entered.book import COLUMNS, kept_of, newest
from meterweave.registry.entered.entry import Kept
from meterweave.registry.entered.file import readings_kind
from meterweave.registry.entered.roll import chunks
from meterweave.registry.importing.column import write_instant
from meterweave.registry.importing.export import text_cell
from meterweave.registry.models import EnteredReading, Installation, Meter, TransformerDistrict, UsagePoint
from meterweave.registry.vocabulary import WORDS, Utility
from meterweave.text import Language

RECENT = timedelta(hours=1)
"""How far before the last reading entered others count as recent. Whoever enters readings brings recent ones into the
lake first, so that none but those of the last transaction can be missing there."""

RECENT_MAX = 200_000
"""Most rows that are recent; the largest import has so many."""


class Listed(NamedTuple):
    """A reading entered, and its meter's name."""

    kept: Kept
    meter: str  # protocol and address
    asset_number: str | None
    replaced: bool  # whether a correction took its place


def entered(
    session: Session, *, meter: int | None = None, limit: int, before: int | None = None, history: bool = False
) -> list[Listed]:
    """Readings entered, the last entered first.

    Parameters
    ----------
    meter : int, optional
        Of this meter only.
    before : int, optional
        Only those with a smaller id, to go on with a list.
    history : bool
        Those that were corrected too.
    """
    corrected = _corrected()
    query = (
        select(*COLUMNS, Meter.protocol, Meter.address, Meter.asset_number, corrected.label("replaced"))
        .join(Meter, Meter.id == EnteredReading.meter_id)
        .order_by(EnteredReading.id.desc())
        .limit(limit)
    )
    if meter is not None:
        query = query.where(EnteredReading.meter_id == meter)
    if before is not None:
        query = query.where(EnteredReading.id < before)
    if not history:
        query = query.where(~corrected)
    return [
        Listed(kept_of(row), f"{row.protocol} {row.address}", row.asset_number, bool(row.replaced))
        for row in session.execute(query)
    ]


def recent(session: Session) -> list[Kept]:
    """What was entered last, every revision: the last transaction for certain, and what came within `RECENT` of it."""
    newest_row = select(EnteredReading.id, EnteredReading.entered_at).order_by(EnteredReading.id.desc()).limit(1)
    last = session.execute(newest_row).one_or_none()
    if last is None:
        return []
    wanted = (EnteredReading.id > last.id - RECENT_MAX, EnteredReading.entered_at >= last.entered_at - RECENT)
    return [kept_of(row) for row in session.execute(select(*COLUMNS).where(*wanted))]


def last_entered(session: Session, meters: Iterable[int], quantities: Sequence[int]) -> dict[int, Kept]:
    """The last reading entered of each meter, of these quantities; meters without one are left out."""
    found: dict[int, Kept] = {}
    for some in chunks(meters):
        counting = and_(~EnteredReading.withdrawn, ~_corrected())
        wanted = and_(EnteredReading.meter_id.in_(some), EnteredReading.quantity.in_(quantities), counting)
        last = (
            select(EnteredReading.meter_id, func.max(EnteredReading.ts).label("ts"))
            .where(wanted)
            .group_by(EnteredReading.meter_id)
            .subquery()
        )
        query = select(*COLUMNS).join(
            last, and_(last.c.meter_id == EnteredReading.meter_id, last.c.ts == EnteredReading.ts)
        )
        for kept in newest(session.execute(query.where(wanted))):
            found[kept.entry.meter] = kept
    return found


def _corrected() -> Any:
    """Whether a row of `entered_readings` has a later revision."""
    later = aliased(EnteredReading)
    same = (
        later.meter_id == EnteredReading.meter_id,
        later.quantity == EnteredReading.quantity,
        later.ts == EnteredReading.ts,
        later.revision > EnteredReading.revision,
    )
    return select(later.id).where(*same).exists()


class Round(NamedTuple):
    """Which mechanical meters are read on a round; what is left out is no condition."""

    route: str | None = None  # usage points whose codes begin so
    district: str | None = None  # its code
    utility: Utility | None = None


def sheet_rows(
    session: Session, wanted: Round, language: Language = "en", zone: ZoneInfo = SHANGHAI
) -> Iterator[list[str]]:
    """The header and a row for each mechanical meter, in the order of usage points; last readings filled in."""
    kind = readings_kind(zone)
    yield [column.header.in_language(language) for column in kind.columns]
    meters = session.execute(_on_the_round(wanted)).all()
    last = last_entered(session, [row.id for row in meters], [usual(utility).code for utility in Utility])
    for row in meters:
        cells = {
            "meter": f"id:{row.id}" if row.local_address else row.address,
            "protocol": row.protocol,
            "utility": WORDS[row.utility].in_language(language),
            "usage_point": row.code or "",
            "place": row.name or "",
            "asset_number": row.asset_number or "",
            **_last(last.get(row.id), zone),
        }
        yield [cells.get(column.name, "") for column in kind.columns]


def write_sheet(
    session: Session, path: Path, wanted: Round, language: Language = "en", zone: ZoneInfo = SHANGHAI
) -> int:
    """Write a reading sheet as an Excel workbook; how many meters are on it. Every cell is text."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(readings_kind(zone).title.in_language(language))
    count = -1
    for row in sheet_rows(session, wanted, language, zone):
        sheet.append([text_cell(sheet, cell) for cell in row])
        count += 1
    workbook.save(path)
    return count


def _on_the_round(wanted: Round) -> Any:
    query = (
        select(
            Meter.id,
            Meter.utility,
            Meter.protocol,
            Meter.address,
            Meter.local_address,
            Meter.asset_number,
            UsagePoint.code,
            UsagePoint.name,
        )
        .outerjoin(Installation, and_(Installation.meter_id == Meter.id, Installation.removed_at.is_(None)))
        .outerjoin(UsagePoint, UsagePoint.id == Installation.usage_point_id)
        .where(Meter.protocol == MANUAL)
        .order_by(UsagePoint.code.is_(None), UsagePoint.code, Meter.address, Meter.id)
    )
    if wanted.route is not None:
        query = query.where(UsagePoint.code.startswith(wanted.route, autoescape=True))
    if wanted.district is not None:
        query = query.join(TransformerDistrict, TransformerDistrict.id == UsagePoint.district_id).where(
            TransformerDistrict.code == wanted.district
        )
    if wanted.utility is not None:
        query = query.where(Meter.utility == wanted.utility)
    return query


def _last(kept: Kept | None, zone: ZoneInfo) -> dict[str, str]:
    if kept is None:
        return {}
    entry = kept.entry
    return {
        "last_value": amount_text(entry.value, entry.quantity),
        "last_time": write_instant("en", entry.ts, zone),
    }
