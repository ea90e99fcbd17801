"""A list of meter exchanges from a file: all of them or none, every problem told by row; twice changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from meterweave.registry.database import Registry
from meterweave.registry.entered.acts import Act, Done, Stand, exchange
from meterweave.registry.entered.amount import read_amount, usual
from meterweave.registry.entered.book import Key, Neighbours, Point
from meterweave.registry.entered.entry import Kept
from meterweave.registry.entered.importing import Terms
from meterweave.registry.entered.report import EXCHANGES, EntryReport
from meterweave.registry.entered.roll import MeterFacts, Roll, first_installed
from meterweave.registry.errors import HistoryError, ReadingError, RegistryError
from meterweave.registry.importing import column as cells
from meterweave.registry.importing.column import CellError, Column
from meterweave.registry.importing.finding import Findings
from meterweave.registry.importing.kind import Kind
from meterweave.registry.importing.report import Action
from meterweave.registry.importing.sheet import FileError, ImportLimits, Sheet, read_sheets
from meterweave.registry.importing.table import Draft, Table, read_table
from meterweave.registry.models import Installation
from meterweave.text import Text

NOBODY_READ = "-"
"""Stands where nobody could read a meter."""


class _Row(NamedTuple):
    table: Table
    draft: Draft
    old: MeterFacts
    new: MeterFacts
    at: datetime
    out: Stand
    into: Stand


def exchanges_kind(zone: ZoneInfo) -> Kind:
    """The columns of a list of exchanges; times are local in `zone`, a date alone is its midnight."""
    shown, text = cells.text_up_to(64), cells.text_up_to(500)
    when = partial(cells.instant, zone=zone)
    return Kind(
        "exchanges",
        Text("exchanges", "换表"),
        ("meter exchanges", "换表记录", "换表单"),
        Installation,
        (
            Column("old", Text("old meter", "旧表"), ("old", "旧表号", "拆下表"), cells.number_text),
            Column("new", Text("new meter", "新表"), ("new", "新表号", "装上表"), cells.number_text),
            Column("time", Text("time", "换表时间"), ("at", "date", "换表日期", "时间"), when),
            Column("out", Text("out", "旧表止度"), ("final", "final reading", "拆表止度", "止度"), shown),
            Column("in", Text("in", "新表起度"), ("initial", "initial reading", "装表起度", "起度"), shown),
            Column("unit", Text("unit", "单位"), (), cells.text_up_to(16)),
            Column("reader", Text("reader", "换表人"), ("fitter", "操作人"), cells.text_up_to(64)),
            Column("photo", Text("photo", "照片"), ("picture", "图片"), text),
            Column("note", Text("note", "备注"), ("remark", "remarks", "说明"), text),
        ),
        identity=("old", "new", "time", "out", "in"),
    )


def import_exchanges(
    registry: Registry,
    octets: bytes,
    name: str,
    terms: Terms,
    neighbours: Neighbours,
    *,
    limits: ImportLimits | None = None,
) -> EntryReport:
    """Exchange the meters of a file, in the order of time. Whatever the octets are, nothing is raised for them.

    Parameters
    ----------
    octets, name
        As of `import_readings`.
    neighbours : callable
        Gives what devices said themselves next to the exchanges.

    Raises
    ------
    RegistryBusy
        If another writer held the archives for too long.
    """
    findings = Findings()
    counts: Counter[Action] = Counter({Action.CREATED: 0, Action.UNCHANGED: 0})
    kept: list[Kept] = []
    try:
        sheets = read_sheets(octets, name, limits or ImportLimits())
    except FileError as problem:
        findings.add(problem.finding)
        sheets = []
    with registry.writing() as session:
        rows = _rows(session, sheets, findings, terms)
        others = _others(session, rows, neighbours)
        for row in rows:
            done = _exchanged(session, row, terms, others, findings)
            if done is not None:
                counts[Action.UNCHANGED if done.again else Action.CREATED] += 1
                kept += done.kept
        applied = not terms.check and not findings.problems
        if not applied:
            session.rollback()
    return EntryReport(
        checked_only=terms.check,
        applied=applied,
        counts=counts,
        unread=0,
        findings=tuple(findings.kept),
        problem_count=findings.problems,
        finding_counts=findings.counts,
        kept=tuple(kept) if applied else (),
        title=EXCHANGES,
    )


def _rows(session: Session, sheets: Sequence[Sheet], findings: Findings, terms: Terms) -> list[_Row]:
    """What the rows say, by time; whatever is wrong with one is a finding."""
    kind = exchanges_kind(terms.zone)
    tables = [table for sheet in sheets if (table := read_table(sheet, findings, kind=kind)) is not None]
    sound = [(table, draft) for table in tables for draft in table.drafts if draft.sound]
    roll = Roll(session, (draft.values[name] for _, draft in sound for name in ("old", "new")))
    rows = [row for table, draft in sound if (row := _row(table, draft, roll, findings)) is not None]
    return _in_turn(rows)


def _in_turn(rows: Iterable[_Row]) -> list[_Row]:
    """The rows by time; at one time a meter is taken out before it is put in elsewhere."""
    rows = sorted(rows, key=lambda row: row.at)
    freeing = {(row.at, row.old.id): place for place, row in enumerate(rows)}
    found: dict[int, _Row] = {}
    for place in range(len(rows)):
        chain: dict[int, _Row] = {}
        step: int | None = place
        while step is not None and step not in found and step not in chain:
            chain[step] = rows[step]
            step = freeing.get((rows[step].at, rows[step].new.id))
        found |= dict(reversed(chain.items()))
    return list(found.values())


def _others(session: Session, rows: Sequence[_Row], neighbours: Neighbours) -> Mapping[Key, Sequence[Point]]:
    """What devices said themselves next to the exchanges, since they were first installed."""
    since = first_installed(session, {meter for row in rows for meter in (row.old.id, row.new.id)})
    return neighbours([wanted for row in rows for wanted in _registers(row)], since) if rows else {}


def _row(table: Table, draft: Draft, roll: Roll, findings: Findings) -> _Row | None:
    values, column = draft.values, "old"
    try:
        old = roll.the_one(values["old"])
        column = "new"
        new = roll.the_one(values["new"])
        column = "out"
        out = _stand(values["out"], values.get("unit"), old)
        column = "in"
        return _Row(table, draft, old, new, values["time"], out, _stand(values["in"], values.get("unit"), new))
    except CellError as problem:
        findings.add(table.finding(problem.code, problem.text, draft, column))
        return None


def _stand(text: str, unit: str | None, meter: MeterFacts) -> Stand:
    quantity = usual(meter.utility)
    return {} if text == NOBODY_READ else {quantity.code: read_amount(text, unit, quantity)}


def _registers(row: _Row) -> list[tuple[int, int, datetime]]:
    both = ((row.old.id, row.out), (row.new.id, row.into))
    return [(meter, quantity, row.at) for meter, stand in both for quantity in stand]


def _exchanged(
    session: Session, row: _Row, terms: Terms, others: Mapping[Key, Sequence[Point]], findings: Findings
) -> Done | None:
    told = (row.draft.values.get(name) for name in ("reader", "photo", "note"))
    act = Act(row.at, terms.entered_by, terms.now, terms.zone, *told)
    try:
        with session.begin_nested():
            done = exchange(session, row.old.id, row.new.id, act, out=row.out, into=row.into, others=others)
    except RegistryError as error:
        code = error.code if isinstance(error, ReadingError) else "import.conflict"
        column = {"history.not_installed": "old", "history.removed_before_installed": "time"}.get(
            error.code if isinstance(error, HistoryError) else "", ""
        )
        findings.add(row.table.finding(code, error.text, row.draft, column))
        return None
    for remark in done.notes:
        findings.add(row.table.finding(remark.code, remark.text, row.draft))
    return done
