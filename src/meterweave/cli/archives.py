"""``meterweave archives``: terminals and meters from files and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

app = typer.Typer(help="Terminals and meters from files and back.", no_args_is_help=True)

KindOption = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help="What a CSV file lists: organisations, districts, terminals, meters."),
]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An Excel workbook (.xlsx) or a CSV file.")],
    data: DataOption,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell exactly what would happen, and change nothing.")
    ] = False,
    kind: KindOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the archives to what a file says: all of it, or nothing and a list of what is wrong, by row.

    Exit code 1: there are problems, nothing was imported.
    """
    spoken = source.language(lang)
    from meterweave.cli import archive_file  # noqa: PLC0415 - loading storage takes a second

    report = archive_file.take_in(Folder(data, registry), file, kind, dry_run=dry_run, spoken=spoken)
    archive_file.tell(report, spoken, as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)


@app.command("export")
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What to write: .xlsx, .csv, or - for CSV on stdout.")],
    data: DataOption,
    kind: KindOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
) -> None:
    """Write the archives in the form in which they are imported; the file is there whole or not at all.

    A workbook has all kinds, a CSV file the one that --kind names, or that the file is called after. Headers are in
    the language of --lang; the import understands either.
    """
    spoken = source.language(lang)
    from meterweave.cli import archive_file  # noqa: PLC0415 - loading storage takes a second

    folder = Folder(data, registry)
    if file == source.STDIN:
        archive_file.print_csv(folder, kind, spoken)
    else:
        typer.echo(archive_file.write_out(folder, Path(file), kind, spoken))
