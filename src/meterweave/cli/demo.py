"""``meterweave demo``: a centre and a simulated town on this machine, from first login to the last missing reading."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from meterweave.cli import source
from meterweave.cli.folder import Folder
from meterweave.cli.options import LangOption
from meterweave.errors import ConfigError

DAYS = 7
"""Local days before today that the town's devices have readings of."""
LEAD_S = 86_400.0
"""How long before now a hurried town begins; it goes on at our pace when it has caught up."""


def demo(
    meters: Annotated[int, typer.Option(min=1, help="Electricity meters.")] = 1000,
    others: Annotated[int, typer.Option(min=0, help="Water, gas and heat meters.")] = 600,
    terminals: Annotated[int, typer.Option(min=2, help="Concentrators; half speak 698.45, half 1376.1.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed builds the same town.")] = 1,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Keep everything here; else it is gone at the end.")
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            min=1.0,
            max=3600.0,
            help="Time lapse: seconds in the town for each of ours, from a day ago until it has caught up.",
        ),
    ] = 60.0,
    bad_town: Annotated[bool, typer.Option("--bad-town", help="Bad lines, reboots, repeats, wrong clocks.")] = False,
    until_complete: Annotated[
        bool, typer.Option("--until-complete", help="End when every reading that is due is stored.")
    ] = False,
    limit: Annotated[
        float, typer.Option(metavar="SECONDS", min=1.0, help="With --until-complete: how long to try.")
    ] = 300.0,
    lang: LangOption = None,
) -> None:
    """Run a centre and a simulated town on this machine, until Ctrl-C.

    Half the concentrators speak DL/T 698.45, half Q/GDW 1376.1. The centre reads the last seven days from them, takes
    what they report from then on, finds what is missing and asks for it again.
    """
    spoken = source.language(lang)
    from meterweave.cli import demonstration  # noqa: PLC0415 - loading all of it takes a second

    began_s = time.time()
    town = demonstration.Town(
        meters=meters,
        others=others,
        terminals=terminals,
        seed=seed,
        days=DAYS,
        speed=speed,
        bad=bad_town,
        start_s=began_s - (LEAD_S if speed > 1 else 0.0),
        began_s=began_s,
    )
    with _folder(data) as folder:
        complete = demonstration.run(folder, town, limit_s=limit if until_complete else None, spoken=spoken)
    if not complete:
        raise typer.Exit(1)


@contextmanager
def _folder(data: Path | None) -> Iterator[Folder]:
    """Where the demo keeps its data: the folder given, which must not hold another centre's, or one that goes away."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="meterweave-demo-") as there:
            yield Folder(Path(there))
        return
    if data.exists() and any(data.iterdir()):
        raise ConfigError(f"{data} is not empty; the demo wants a folder of its own")
    yield Folder(data)
