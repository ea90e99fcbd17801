"""What the archives have of a gateway: what it is to read, and of whom it may report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import ConfigError
from meterweave.field.draft import Member
from meterweave.gateway.plan import SiteLine, SitePlan, SiteWay
from meterweave.profiles.shelf import Shelf
from meterweave.registry.lines import LineEntry


class Charge(NamedTuple):
    """What a gateway has in its charge."""

    gateway: int
    """Its id."""
    plan: SitePlan | None
    """None: it is more than a gateway takes."""
    revision: str
    """Of the plan; why there is none."""
    lines: NDArray[np.int64]
    """Ids of all its lines, also of those that are stopped; sorted."""
    meters: NDArray[np.int64]
    """Ids of all meters on them; sorted."""


def charge(gateway: int, entries: Sequence[LineEntry], shelf: Shelf) -> Charge:
    """What a gateway (id) has to do with its lines; a line without a port, or stopped, is not in its plan."""
    lines = tuple(
        SiteLine(
            terminal=entry.terminal,
            name=entry.name,
            way=SiteWay(**entry.port._asdict()),
            members=tuple(Member(one.id, one.protocol, one.address, one.model) for one in entry.meters),
        )
        for entry in entries
        if entry.port is not None and entry.runs
    )
    plan: SitePlan | None = None
    try:
        plan = SitePlan(gateway=gateway, lines=lines, profiles=_texts(lines, shelf))
        revision = plan.revision
    except ConfigError as error:  # it may hand on what it has read all the same
        revision = str(error)
    return Charge(
        gateway,
        plan,
        revision,
        np.array(sorted(entry.terminal for entry in entries), np.int64),
        np.array(sorted(one.id for entry in entries for one in entry.meters), np.int64),
    )


def _texts(lines: Sequence[SiteLine], shelf: Shelf) -> dict[str, str]:
    """The texts of all profiles that are wanted and there; of the others the gateway says that they are missing."""
    texts = {}
    for name in sorted({member.model for line in lines for member in line.members if member.model}):
        with suppress(ConfigError):
            texts[name] = shelf.text(name)
    return texts
