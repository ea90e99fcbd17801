"""The profiles that ship with Meterweave, one file a model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from meterweave.errors import ConfigError
from meterweave.profiles.check import load, parse
from meterweave.profiles.mistake import nearest
from meterweave.profiles.profile import Profile

SUFFIX = ".yaml"


@cache
def texts() -> Mapping[str, str]:
    """The text of every shipped profile by its name."""
    found = {
        entry.name.removesuffix(SUFFIX): entry.read_text(encoding="utf-8")
        for entry in files(__package__).iterdir()
        if entry.name.endswith(SUFFIX)
    }
    return MappingProxyType(dict(sorted(found.items())))


@cache
def shipped(name: str) -> Profile:
    """The shipped profile of this name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in texts():
        raise ConfigError(f"no profile is called {name!r}; {nearest(name, texts()).en or 'profile list shows them'}")
    return parse(texts()[name], f"{name}{SUFFIX}")


def find(word: str) -> Profile:
    """The profile in the file `word`, where it is one, else the shipped one of that name.

    Raises
    ------
    ConfigError
        If there is none, or anything is wrong with it.
    """
    path = Path(word)
    return load(path) if path.suffix in (SUFFIX, ".yml") or path.is_file() else shipped(word)
