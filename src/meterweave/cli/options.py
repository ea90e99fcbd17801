"""Options that several commands share, so that they are called and told alike everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REGISTRY_VARIABLE = "METERWEAVE_REGISTRY"
"""The variable of the environment that stands in for ``--registry``."""

DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="Where readings and archives are kept.")]
RegistryOption = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="URL",
        envvar=REGISTRY_VARIABLE,
        help="Archives in a database of their own, postgresql://user@host/name, instead of a file in --data.",
    ),
]
LangOption = Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="Language of the words.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")]
