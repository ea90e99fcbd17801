"""``meterweave serve``: the centre, on embedded defaults, until it is told to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from meterweave.cli import source
from meterweave.cli.options import DataOption, LangOption, RegistryOption
from meterweave.errors import ConfigError


def serve(
    data: DataOption,
    dlt698: Annotated[
        list[str] | None, typer.Option("--dlt698", metavar="HOST:PORT", help="Listen for DL/T 698.45; repeatable.")
    ] = None,
    gdw1376: Annotated[
        list[str] | None, typer.Option("--gdw1376", metavar="HOST:PORT", help="Listen for Q/GDW 1376.1; repeatable.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NETWORK", help="Only terminals from here may call, 10.20.0.0/16; repeatable."),
    ] = None,
    collectors: Annotated[
        str | None, typer.Option("--collectors", metavar="HOST:PORT", help="Listen for gateways at sites.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option("--api", metavar="HOST:PORT", help="Where programs and browsers call, or 'off'."),
    ] = None,
    enrol: Annotated[
        bool, typer.Option("--enrol", help="Take unknown terminals and meters into the archives.")
    ] = False,
    commission: Annotated[
        bool,
        typer.Option("--commission", help="Give terminals that call for the first time their meters, tasks and time."),
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings; see docs/reference/settings.md.")
    ] = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
) -> None:
    """Collect from terminals that dial in, until Ctrl-C or SIGTERM."""
    spoken = source.language(lang)
    ports = [*_ports("dlt698", dlt698 or ()), *_ports("gdw1376-1", gdw1376 or ())]
    from meterweave import centre as a_centre  # noqa: PLC0415 - loading storage takes a second that others can spare
    from meterweave.cli import centre  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    settings = a_centre.load(config)
    listeners = tuple(a_centre.Listener(**one) for one in ports) or settings.listeners
    if allow:
        listeners = tuple(one.model_copy(update={"allow": tuple(allow)}) for one in listeners)
    settings = settings.model_copy(
        update={
            "listeners": listeners,
            "enrol": enrol or settings.enrol,
            "commission": commission or settings.commission,
        }
    )
    if collectors is not None:
        settings = settings.model_copy(update={"gateways": replace(settings.gateways, **_place(collectors))})
    if api is not None:
        told: dict[str, Any] = {"enabled": False} if api == "off" else {"enabled": True, **_place(api)}
        settings = settings.model_copy(update={"api": replace(settings.api, **told)})
    counters = centre.run(Folder(data, registry or settings.registry), settings, spoken=spoken)
    typer.echo(centre.farewell(counters, spoken))


def _ports(protocol: str, wheres: Sequence[str]) -> list[dict[str, Any]]:
    """``HOST:PORT``, ``[v6]:PORT`` or ``:PORT``, which is every address of this machine."""
    return [{"protocol": protocol, **_place(where)} for where in wheres]


def _place(where: str) -> dict[str, Any]:
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{where!r} is no HOST:PORT with a port up to 65535")
    return {"host": host.strip("[]") or "0.0.0.0", "port": int(port)}
