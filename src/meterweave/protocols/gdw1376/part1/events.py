"""Event codes ERC of class 3 data (Q/GDW 1376.1 annex E)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from meterweave.text import Text


@cache
def event_names() -> Mapping[int, Text]:
    """What each event code stands for."""
    with files(__package__).joinpath("events.csv").open(encoding="utf-8") as lines:
        return MappingProxyType({int(row["erc"]): Text(row["en"], row["zh"]) for row in csv.DictReader(lines)})


def event_name(erc: int) -> Text:
    """What the event code `erc` stands for; a code without a name says so."""
    return event_names().get(erc) or Text(f"event ERC{erc}", f"事件ERC{erc}")
