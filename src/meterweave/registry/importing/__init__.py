"""Archives from files and back: CSV and Excel, with a dry run that tells every problem by row and column.

octets ─► sheets of text ─► tables of typed rows ─► against what is stored ─► one transaction, kept or thrown away

An import is all or nothing, and doing it twice changes nothing the second time: records are named by what is on the
device, not by a number of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from types import MappingProxyType

from sqlalchemy.exc import IntegrityError

from meterweave.errors import ConfigError
from meterweave.registry.database import Registry
from meterweave.registry.importing.export import export_csv, export_workbook
from meterweave.registry.importing.finding import CODES, Finding, Findings
from meterweave.registry.importing.kind import DISTRICTS, KINDS, METERS, ORGANISATIONS, TERMINALS, Kind
from meterweave.registry.importing.meters import MeterReconciler
from meterweave.registry.importing.places import DistrictReconciler, OrganisationReconciler
from meterweave.registry.importing.reconcile import Reconciler, Work, refused
from meterweave.registry.importing.report import Action, Change, Outcome, Report
from meterweave.registry.importing.sheet import FileError, ImportLimits, read_sheets
from meterweave.registry.importing.table import Table, read_table
from meterweave.registry.importing.terminals import TerminalReconciler

__all__ = [
    "CODES",
    "KINDS",
    "Action",
    "Change",
    "Finding",
    "ImportLimits",
    "Kind",
    "Outcome",
    "Report",
    "export_csv",
    "export_workbook",
    "import_file",
    "import_octets",
    "kind_named",
]

_RECONCILERS: Mapping[str, type[Reconciler]] = MappingProxyType(
    {
        ORGANISATIONS.name: OrganisationReconciler,
        DISTRICTS.name: DistrictReconciler,
        TERMINALS.name: TerminalReconciler,
        METERS.name: MeterReconciler,
    }
)


def kind_named(text: str) -> Kind:
    """The kind of records that `text` means, in either language.

    Raises
    ------
    ConfigError
        If there is none; the message lists the names.
    """
    for kind in KINDS:
        if kind.is_called(text):
            return kind
    raise ConfigError(f"no kind of records is called {text!r}; there are: {', '.join(kind.name for kind in KINDS)}")


def import_file(
    registry: Registry,
    path: Path,
    *,
    dry_run: bool = False,
    kind: Kind | None = None,
    limits: ImportLimits | None = None,
    now: datetime | None = None,
) -> Report:
    """Import the file at `path`; see `import_octets`.

    Raises
    ------
    OSError
        If it cannot be read from the disk.
    RegistryBusy
        If another writer held the archives for too long.
    """
    limits = limits or ImportLimits()
    with path.open("rb") as file:
        octets = file.read(limits.octets_max + 1)
    return import_octets(registry, octets, path.name, dry_run=dry_run, kind=kind, limits=limits, now=now)


def import_octets(
    registry: Registry,
    octets: bytes,
    name: str,
    *,
    dry_run: bool = False,
    kind: Kind | None = None,
    limits: ImportLimits | None = None,
    now: datetime | None = None,
) -> Report:
    """Import a file: all of it if nothing stands against it, else nothing. Whatever the octets are, nothing is raised.

    Parameters
    ----------
    registry : Registry
        The archives.
    octets : bytes
        The file: CSV (UTF-8, UTF-16 with a mark, or GB18030) or an Excel workbook (.xlsx).
    name : str
        What the file is called; may tell what it lists.
    dry_run : bool
        Do the import and throw it away: the report says exactly what would happen.
    kind : Kind or None
        What the file lists; None: each sheet's name, the file's name or the header tells.
    limits : ImportLimits, optional
        Bounds.
    now : datetime, optional
        When a meter is installed whose row gives a usage point and no date. This instant by default.

    Raises
    ------
    RegistryBusy
        If another writer held the archives for too long.
    """
    limits = limits or ImportLimits()
    findings = Findings()
    try:
        sheets = read_sheets(octets, name, limits)
    except FileError as problem:
        findings.add(problem.finding)
        return _report(findings, None, dry_run=dry_run, applied=False)
    with registry.writing() as session:
        work = Work(session, findings, now or datetime.now(UTC).replace(microsecond=0))
        stem = PurePath(name).stem
        found = [read_table(sheet, work.findings, file_name=stem, kind=kind) for sheet in sheets]
        tables = sorted((table for table in found if table is not None), key=lambda table: KINDS.index(table.kind))
        _reconcile(work, tables)
        applied = not dry_run and not work.findings.problems
        if not applied:
            session.rollback()
    return _report(findings, work, dry_run=dry_run, applied=applied)


def _reconcile(work: Work, tables: list[Table]) -> None:
    for table in tables:
        try:
            with work.session.begin_nested():
                _RECONCILERS[table.kind.name](work, table).run()
        except IntegrityError as error:
            work.findings.add(Finding("import.refused_by_database", refused(error), table.name))


def _report(findings: Findings, work: Work | None, *, dry_run: bool, applied: bool) -> Report:
    return Report(
        dry_run=dry_run,
        applied=applied,
        counts=Counter() if work is None else work.counts,
        outcomes=() if work is None else tuple(work.outcomes),
        findings=tuple(findings.kept),
        problem_count=findings.problems,
        finding_counts=findings.counts,
    )
