"""``meterweave audit``: what was done by whom, and whether the trail is what it was."""

from __future__ import annotations

from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

LISTED_MAX = 50
"""Entries that are listed unless more are asked for."""

app = typer.Typer(help="What was done by whom, and whether the trail is what it was.", no_args_is_help=True)


@app.command("list")
def list_(
    data: DataOption,
    who: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this user did; local:NAME: here.")] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only this, such as user.add, or all that begin so: user.")
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only what was done to objects of a kind.")] = None,
    object_: Annotated[
        str | None, typer.Option("--object", metavar="NAME", help="Only what was done to objects of this name.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="YYYY-MM-DD or YYYY-MM-DDTHH:MM, local.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="As --from, itself left out.")] = None,
    before: Annotated[
        int | None, typer.Option("--before", min=1, metavar="NUMBER", help="Only entries with a smaller number.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = LISTED_MAX,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """List entries of the audit trail, the newest first: who, what, object, before and after, from where, when."""
    spoken = source.language(lang)
    from meterweave.cli import audit_page  # noqa: PLC0415 - loading storage takes a second

    wanted = audit_page.wanted(who, action, kind, object_, from_, to, before)
    with Folder(data, registry).archives() as archives:
        found = audit_page.listed(archives, wanted, limit)
    audit_page.show_list(found, spoken, as_json=as_json)


@app.command("verify")
def verify(
    data: DataOption,
    anchor: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER:HASH", help="What an earlier audit verify printed; may be given several times."),
    ] = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no entry of the audit trail was altered, removed, inserted or moved. Exit code 1: one was.

    That the last entries were cut off shows only against an anchor: keep the one that is printed, elsewhere.
    """
    spoken = source.language(lang)
    from meterweave.cli import audit_page  # noqa: PLC0415 - loading storage takes a second

    anchors = audit_page.anchors(anchor or [])
    with Folder(data, registry).archives() as archives:
        found = audit_page.verified(archives, anchors)
    audit_page.show_verdict(found, anchored=bool(anchors), language=spoken, as_json=as_json)
    if not found.sound:
        raise typer.Exit(1)
