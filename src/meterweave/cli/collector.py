"""``meterweave collector``: a gateway at a site, which reads its lines and hands what it reads to the centre."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption

app = typer.Typer(help="Gateways at sites, which read lines for the centre.", no_args_is_help=True)

GatewayDataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="Where the gateway keeps what the centre does not have yet.")
]


@app.command("invite")
def invite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the gateway is called in the archives.")],
    data: DataOption,
    centre: Annotated[str, typer.Option("--centre", metavar="HOST:PORT", help="Where the gateway finds the centre.")],
    renew: Annotated[bool, typer.Option("--renew", help="Give it a new key; the one it had ends at once.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write to this file, which only you can read, not to stdout."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE.toml", help="The centre's settings, if it has a file.")
    ] = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
) -> None:
    """Take a gateway into the archives and write its settings file, with its key: keep it as you keep passwords."""
    spoken = source.language(lang)
    from meterweave.cli import collector_invite  # noqa: PLC0415 - loading storage takes a second
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    text = collector_invite.invited(Folder(data, registry), name, centre, config=config, renew=renew, out=out)
    if out is None:
        typer.echo(text, nl=False)
    typer.echo(collector_invite.SECRET.in_language(spoken), err=True)


@app.command("run")
def run(
    data: GatewayDataOption,
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE.toml", help="The file that `collector invite` wrote.")
    ],
    lang: LangOption = None,
) -> None:
    """Read the lines that the centre gives this gateway, until Ctrl-C or SIGTERM; also while the centre is away."""
    spoken = source.language(lang)
    from meterweave.cli import collector_run  # noqa: PLC0415 - see `invite`

    collector_run.run(config, data, spoken)


@app.command("status")
def status(data: GatewayDataOption, lang: LangOption = None, as_json: JsonOption = False) -> None:
    """Show what waits for the centre, since when, and when the gateway last was in contact with it."""
    spoken = source.language(lang)
    from meterweave.cli import collector_status  # noqa: PLC0415 - see `invite`

    found = collector_status.seen(data)
    collector_status.show(found, spoken, as_json=as_json)
