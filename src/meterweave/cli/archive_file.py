"""Archives between a centre's folder and files, with what somebody who waits for it wants to see."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterweave.cli.folder import Folder
from meterweave.cli.whole_file import whole_file
from meterweave.errors import ConfigError
from meterweave.registry import Registry
from meterweave.registry.importing import KINDS, Kind, Report, export_csv, export_workbook, import_file, kind_named
from meterweave.text import Language, Text

WORKBOOK, CSV = ".xlsx", ".csv"
SHEET_ROWS_MAX = 1_048_575
"""Most records that a sheet of an Excel workbook has room for below its header."""

_IMPORTING = Text("importing {}", "正在导入{}")
_EXPORTING = Text("exporting to {}", "正在导出到{}")
_AND = Text(", ", "，")


def take_in(folder: Folder, file: Path, kind: str | None, *, dry_run: bool, spoken: Language) -> Report:
    """Import a file, or only try it.

    Raises
    ------
    ConfigError
        If `kind` is none, or the archives cannot be opened.
    OSError
        If the file cannot be read.
    RegistryBusy
        If somebody else was changing the archives for too long.
    """
    listed = kind_named(kind) if kind else None
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file")
    title = _IMPORTING.in_language(spoken).format(file.name)
    with _target(folder, dry_run=dry_run) as registry, busy(title):
        return import_file(registry, file, dry_run=dry_run, kind=listed)


def tell(report: Report, spoken: Language, *, as_json: bool) -> None:
    """What came of an import: every problem by row, what becomes of the records, the result."""
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        return
    for line in report.lines(spoken):
        typer.echo(line)


def write_out(folder: Folder, file: Path, kind: str | None, spoken: Language) -> str:
    """Export to a file; what was written, in words.

    Raises
    ------
    ConfigError
        If the file's name or `kind` does not say what to write, or a sheet has no room for it.
    OSError
        If the file cannot be written; then there is none.
    """
    kinds = _kinds_of(file, kind)
    with (
        folder.archives() as registry,
        registry.reading() as session,
        busy(_EXPORTING.in_language(spoken).format(file.name)),
    ):
        counts = [_count(session, one) for one in kinds]
        if file.suffix.lower() == WORKBOOK and max(counts) > SHEET_ROWS_MAX:
            raise ConfigError(f"{max(counts):,} records are more than a sheet has room for; export to {CSV}")
        with whole_file(file) as part:
            if file.suffix.lower() == WORKBOOK:
                export_workbook(session, part, spoken, kinds)
            else:
                with part.open("w", encoding="utf-8", newline="") as sink:
                    sink.writelines(export_csv(session, kinds[0], spoken))
    said = [f"{count:,} {one.title.in_language(spoken)}" for one, count in zip(kinds, counts, strict=True)]
    return f"{file}: {_AND.in_language(spoken).join(said)}"


def print_csv(folder: Folder, kind: str | None, spoken: Language) -> None:
    """Export one kind of records to standard output.

    Raises
    ------
    ConfigError
        If `kind` is missing or none.
    """
    if kind is None:
        raise ConfigError(f"say what to write with --kind: {', '.join(one.name for one in KINDS)}")
    listed = kind_named(kind)
    with folder.archives() as registry, registry.reading() as session:
        for line in export_csv(session, listed, spoken):
            sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()


def _kinds_of(file: Path, kind: str | None) -> tuple[Kind, ...]:
    suffix = file.suffix.lower()
    if suffix not in {WORKBOOK, CSV}:
        raise ConfigError(f"{file}: wanted a name that ends in {WORKBOOK} or {CSV}")
    if suffix == WORKBOOK and kind is None:
        return KINDS
    try:
        return (kind_named(kind or file.stem),)
    except ConfigError as error:
        hint = "" if kind else "; a CSV file holds one kind: name it with --kind, or call the file after it"
        raise ConfigError(f"{error}{hint}") from error


def _count(session: Session, kind: Kind) -> int:
    return session.scalar(select(func.count()).select_from(kind.model)) or 0


@contextmanager
def _target(folder: Folder, *, dry_run: bool) -> Iterator[Registry]:
    """The archives to import into; a dry run where there are none yet makes none."""
    if folder.has_archives or not dry_run:
        with folder.registry() as registry:
            yield registry
        return
    with tempfile.TemporaryDirectory() as elsewhere, Folder(Path(elsewhere)).registry() as registry:
        yield registry


@contextmanager
def busy(title: str) -> Iterator[None]:
    """Show on a terminal that work goes on, and for how long."""
    console = Console(stderr=True)
    parts = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*parts, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(title, total=None)
        yield
