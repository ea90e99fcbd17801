"""All lines of the archives, whoever masters them, with what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.centre.line_plans import PlannedLine, planned
from meterweave.cli.folder import Folder
from meterweave.field.schedule import load
from meterweave.profiles.shelf import FOLDER, Shelf
from meterweave.registry import Terminal
from meterweave.registry.address import BUS, N5
from meterweave.registry.lines import lines_of

Json = dict[str, Any]


class KnownLine(NamedTuple):
    """A line, and what is known of it."""

    line: PlannedLine
    gateway: str | None
    """Name of the gateway that masters it; None: the centre does."""
    heard: datetime | None
    share: float | None
    """Of its time that its plan keeps it busy; None: it has no plan."""

    @property
    def problem_count(self) -> int:
        """How much is amiss: with the line, and with its meters."""
        return (self.line.problem is not None and self.line.entry.runs) + len(self.line.problems)

    def to_json(self) -> Json:
        """As one JSON object."""
        entry = self.line.entry
        return {
            "id": entry.terminal,
            "name": entry.name,
            "state": entry.state,
            "port": entry.port.text if entry.port else None,
            "bus": self.line.plan.bus.value if self.line.plan else None,
            "gateway": self.gateway,
            "meters": len(entry.meters),
            "meters_not_read": len(self.line.problems),
            "busy": None if self.share is None else round(self.share, 4),
            "last_heard": self.heard,
            "problem": self.line.problem._asdict() if self.line.problem else None,
        }


def known_lines(folder: Folder) -> list[KnownLine]:
    """All lines of a centre by name.

    Raises
    ------
    ConfigError
        If there are no archives, or they cannot be read.
    """
    shelf = Shelf(folder.path / FOLDER)
    with folder.archives() as registry, registry.reading() as session:
        gateways = {row.id: row.address for row in session.execute(_terminals(N5))}
        heard = {row.id: row.last_seen_at for row in session.execute(_terminals(BUS))}
        found = [known for master in (None, *gateways) for known in _of(session, master, shelf, gateways, heard)]
    return sorted(found, key=lambda known: known.line.entry.name)


def _of(
    session: Session, master: int | None, shelf: Shelf, gateways: dict[int, str], heard: dict[int, datetime | None]
) -> list[KnownLine]:
    lines = planned(lines_of(session, master), shelf)
    gateway = None if master is None else gateways[master]
    return [
        KnownLine(one, gateway, heard.get(one.entry.terminal), load(one.plan) if one.plan else None) for one in lines
    ]


def _terminals(protocol: str) -> Any:
    return select(Terminal.id, Terminal.address, Terminal.last_seen_at).where(Terminal.protocol == protocol)
