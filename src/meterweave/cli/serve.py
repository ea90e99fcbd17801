"""``meterweave serve``: the centre, on embedded defaults, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.errors import ConfigError

DEFAULT_PORTS = {"dlt698": "127.0.0.1:9698", "gdw1376-1": "127.0.0.1:9376"}
"""Where the centre listens unless told otherwise: on this machine alone."""


def serve(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Where readings and archives are kept.")],
    dlt698: Annotated[
        list[str] | None, typer.Option("--dlt698", metavar="HOST:PORT", help="Listen for DL/T 698.45; repeatable.")
    ] = None,
    gdw1376: Annotated[
        list[str] | None, typer.Option("--gdw1376", metavar="HOST:PORT", help="Listen for Q/GDW 1376.1; repeatable.")
    ] = None,
    enrol: Annotated[
        bool, typer.Option("--enrol", help="Take unknown terminals and meters into the archives.")
    ] = False,
    lang: Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="Language of the words.")] = None,
) -> None:
    """Collect from terminals that dial in, until Ctrl-C or SIGTERM."""
    spoken = source.language(lang)
    wanted = [("dlt698", where) for where in dlt698 or ()] + [("gdw1376-1", where) for where in gdw1376 or ()]
    ports = [(protocol, *_host_and_port(where)) for protocol, where in wanted or DEFAULT_PORTS.items()]
    from meterweave.cli import centre  # noqa: PLC0415 - loading storage takes a second that other commands can do without

    counters = centre.run(data, ports, enrol=enrol, spoken=spoken)
    typer.echo(centre.farewell(counters, spoken))


def _host_and_port(where: str) -> tuple[str, int]:
    """``HOST:PORT``, ``[v6]:PORT`` or ``:PORT``, which is every address of this machine."""
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{where!r} is no HOST:PORT with a port up to 65535")
    return host.strip("[]") or "0.0.0.0", int(port)
