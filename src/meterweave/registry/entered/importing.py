"""Readings from a file into the archives: all of it or nothing, every problem told; twice changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError

from meterweave.metering.clock import SHANGHAI
from meterweave.registry.changes import ArchiveSession
from meterweave.registry.database import Registry
from meterweave.registry.entered.book import Book, Neighbours, Verdict
from meterweave.registry.entered.entry import Kept
from meterweave.registry.entered.file import Lines, read_lines
from meterweave.registry.entered.report import EntryReport
from meterweave.registry.importing.finding import Finding, Findings
from meterweave.registry.importing.reconcile import refused
from meterweave.registry.importing.report import Action
from meterweave.registry.importing.sheet import FileError, ImportLimits, Sheet, read_sheets


class Terms(NamedTuple):
    """How readings are entered."""

    entered_by: str
    now: datetime  # nothing was read after it; what is new was entered at it
    zone: ZoneInfo = SHANGHAI
    check: bool = False  # try only
    correct: bool = False  # another value takes the place of the one that was entered


def import_readings(
    registry: Registry,
    octets: bytes,
    name: str,
    terms: Terms,
    neighbours: Neighbours | None = None,
    *,
    limits: ImportLimits | None = None,
) -> EntryReport:
    """Import a file of readings. Whatever the octets are, nothing is raised for them.

    Parameters
    ----------
    octets : bytes
        CSV (UTF-8, UTF-16 with a mark, or GB18030) or an Excel workbook (.xlsx), of which every sheet counts.
    name : str
        What the file is called.
    neighbours : callable, optional
        Gives what devices said themselves next to the readings.

    Raises
    ------
    RegistryBusy
        If another writer held the archives for too long.
    """
    findings = Findings()
    try:
        sheets = read_sheets(octets, name, limits or ImportLimits())
    except FileError as problem:
        findings.add(problem.finding)
        return _report(findings, terms, Lines([], {}, 0), [], ())
    with registry.writing() as session:
        found, verdicts, kept = _bring_in(session, sheets, findings, terms, neighbours)
        if findings.problems or terms.check:
            session.rollback()
            kept = []
    return _report(findings, terms, found, verdicts, tuple(kept))


def _bring_in(
    session: ArchiveSession, sheets: list[Sheet], findings: Findings, terms: Terms, neighbours: Neighbours | None
) -> tuple[Lines, list[Verdict], list[Kept]]:
    found = read_lines(session, sheets, findings, terms.zone)
    if not found.lines:
        return found, [], []
    entries = [line.entry for line in found.lines]
    others = None if neighbours is None else neighbours([(one.meter, one.quantity, one.ts) for one in entries], None)
    book = Book(session, found.meters, min(one.ts for one in entries), others, terms.zone)
    verdicts = book.judge(entries, now=terms.now, correct=terms.correct)
    for line, verdict in zip(found.lines, verdicts, strict=True):
        for remark in verdict.remarks:
            findings.add(line.table.finding(remark.code, remark.text, line.draft, remark.column))
    if findings.problems:
        return found, verdicts, []
    try:
        with session.begin_nested():
            return found, verdicts, book.write(verdicts, entered_by=terms.entered_by, now=terms.now)
    except IntegrityError as error:
        findings.add(Finding("import.refused_by_database", refused(error)))
        return found, verdicts, []


def _report(
    findings: Findings, terms: Terms, found: Lines, verdicts: list[Verdict], kept: tuple[Kept, ...]
) -> EntryReport:
    counts = Counter(one.action for one in verdicts if one.ok)
    return EntryReport(
        checked_only=terms.check,
        applied=not terms.check and not findings.problems,
        counts=Counter({action: counts[action] for action in Action}),
        unread=found.unread,
        findings=tuple(findings.kept),
        problem_count=findings.problems,
        finding_counts=findings.counts,
        kept=kept,
    )
