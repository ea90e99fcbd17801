"""``meterweave user``: who may log in, and what they may do.

Whoever can open the centre's database at its own machine needs no further leave; the audit trail names them as the user
of that machine.
"""

from __future__ import annotations

from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

app = typer.Typer(help="Who may log in, and what they may do.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name that is typed at the door.")]
TitleOption = Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What people call them.")]
RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="A role; may be given several times. See: user roles."),
]
OrganisationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--organisation",
        metavar="CODE",
        help="They see this organisation and all below it; may be given several times.",
    ),
]


@app.command("first")
def first(
    data: DataOption, registry: RegistryOption = None, lang: LangOption = None, as_json: JsonOption = False
) -> None:
    """Make the first user, who may do everything, where there is none; print a one-time password."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).registry() as archives:
        given = user_page.first(archives)
    user_page.show_first(given, spoken, as_json=as_json)


@app.command("add")
def add(
    name: NameArgument,
    data: DataOption,
    title: TitleOption = None,
    role: RoleOption = None,
    organisation: OrganisationOption = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="They see all organisations, and what belongs to none.")
    ] = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a user, and print a one-time password for them. Without organisations they see nothing of the network."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).registry() as archives, user_page.told(spoken):
        wish = user_page.wish(name, title, role, organisation, everywhere=everywhere)
        given = user_page.add(archives, wish)
    user_page.show_password(given, spoken, as_json=as_json)


@app.command("change")
def change(
    name: NameArgument,
    data: DataOption,
    title: TitleOption = None,
    role: RoleOption = None,
    organisation: OrganisationOption = None,
    everywhere: Annotated[
        bool | None,
        typer.Option(
            "--everywhere/--not-everywhere", help="They see all organisations and what belongs to none, or not."
        ),
    ] = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a user another title, these roles and no others, these organisations and no others; - stands for none."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).registry() as archives, user_page.told(spoken):
        wish = user_page.change(title, role, organisation, everywhere)
        found = user_page.changed(archives, name, wish)
    user_page.show(found, spoken, as_json=as_json)


@app.command("list")
def list_(
    data: DataOption, registry: RegistryOption = None, lang: LangOption = None, as_json: JsonOption = False
) -> None:
    """List users by name: roles, organisations, one-time codes, last log-in, and whether they may log in."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).archives() as archives:
        found = user_page.listed(archives)
    user_page.show_list(found, spoken, as_json=as_json)


@app.command("show")
def show(
    name: NameArgument,
    data: DataOption,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one user."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).archives() as archives, user_page.told(spoken):
        found = user_page.found(archives, name)
    user_page.show(found, spoken, as_json=as_json)


@app.command("disable")
def disable(
    name: NameArgument,
    data: DataOption,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a user in no more, neither by password nor by key, and end their sessions."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).registry() as archives, user_page.told(spoken):
        found = user_page.disabled(archives, name)
    user_page.show(found, spoken, as_json=as_json)


@app.command("enable")
def enable(
    name: NameArgument,
    data: DataOption,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a disabled user in again, with the password they had."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).registry() as archives, user_page.told(spoken):
        found = user_page.enabled(archives, name)
    user_page.show(found, spoken, as_json=as_json)


@app.command("reset-password")
def reset_password(
    name: NameArgument,
    data: DataOption,
    codes: Annotated[
        bool, typer.Option("--codes", help="Take their one-time codes away too: they lost the telephone.")
    ] = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a user a one-time password in place of theirs, print it, and end their sessions."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).registry() as archives, user_page.told(spoken):
        given = user_page.reset(archives, name, codes_too=codes)
    user_page.show_password(given, spoken, as_json=as_json)


@app.command("roles")
def roles(
    data: DataOption, registry: RegistryOption = None, lang: LangOption = None, as_json: JsonOption = False
) -> None:
    """List all roles, and what each may do."""
    spoken = source.language(lang)
    from meterweave.cli import user_page  # noqa: PLC0415 - loading storage takes a second

    with Folder(data, registry).archives() as archives:
        found = user_page.roles(archives)
    user_page.show_roles(found, spoken, as_json=as_json)
