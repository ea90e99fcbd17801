"""Event codes ERC of class 3 data (Q/GDW 1376.1 annex E): what they are called, and what their records hold.

`events.csv` has a row for each code: ``event`` is the one of `meterweave.metering.events` that it is unless its flags
say more; ``content`` is what stands behind the time, ``name:FORMAT`` with the formats of `annex_a`, POINT for a
measuring point and SPAN for one whose bit 15 tells begin from end; ``*7`` behind a name stands for seven in a row and
``*`` for as many as there are. Empty: the content is kept as octets.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from meterweave.text import Text


class EventCode(NamedTuple):
    """One event code."""

    erc: int
    event: str
    content: tuple[str, ...]
    meaning: Text


@cache
def event_codes() -> Mapping[int, EventCode]:
    """Every event code that has a row."""
    with files(__package__).joinpath("events.csv").open(encoding="utf-8") as lines:
        return MappingProxyType({one.erc: one for one in map(_code, csv.DictReader(lines))})


def event_name(erc: int) -> Text:
    """What the event code `erc` stands for; a code without a name says so."""
    known = event_codes().get(erc)
    return known.meaning if known else Text(f"event ERC{erc}", f"事件ERC{erc}")


def _code(row: Mapping[str, str]) -> EventCode:
    return EventCode(int(row["erc"]), row["event"], tuple(row["content"].split()), Text(row["en"], row["zh"]))
