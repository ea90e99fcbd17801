"""Lines and what hangs on them, for who masters them: the centre, or a gateway at the site."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.registry.address import BUS
from meterweave.registry.errors import AddressError
from meterweave.registry.models import Meter, Terminal
from meterweave.registry.port import PortSpec, read_port
from meterweave.registry.vocabulary import TerminalState, Utility
from meterweave.text import Text

_NO_PORT = Text(
    "the line has no port: say in the archives how it is reached", "线路没有端口：请在档案中填写线路端口"
)  # fmt: skip


class LineMeter(NamedTuple):
    """A meter on a line."""

    id: int
    utility: Utility
    protocol: str
    address: str
    model: str  # names its device profile


class LineEntry(NamedTuple):
    """A line as the archives have it."""

    terminal: int  # id
    name: str
    state: TerminalState
    port: PortSpec | None
    problem: Text | None  # why there is no port
    meters: tuple[LineMeter, ...]  # by id

    @property
    def runs(self) -> bool:
        """Whether it is to be mastered: neither suspended nor retired."""
        return self.state in (TerminalState.PLANNED, TerminalState.ACTIVE)


def lines_of(session: Session, collector: int | None) -> list[LineEntry]:
    """The lines that one gateway (id) masters, or, of None, the centre itself; in any state, by id."""
    own = (Terminal.protocol == BUS, Terminal.collector_id == collector)
    meters: dict[int | None, list[LineMeter]] = defaultdict(list)
    columns = select(Meter.terminal_id, Meter.id, Meter.utility, Meter.protocol, Meter.address, Meter.model)
    for terminal, *meter in session.execute(
        columns.join(Terminal, Terminal.id == Meter.terminal_id).where(*own).order_by(Meter.id)
    ):
        meters[terminal].append(LineMeter._make(meter))
    lines = select(Terminal.id, Terminal.address, Terminal.state, Terminal.port).where(*own).order_by(Terminal.id)
    return [
        LineEntry(row.id, row.address, row.state, *_read(row.port), tuple(meters.get(row.id, ())))
        for row in session.execute(lines)
    ]


def _read(port: str | None) -> tuple[PortSpec | None, Text | None]:
    """The port as stored, or what is amiss: a statement typed by hand may have put anything there."""
    if port is None:
        return None, _NO_PORT
    try:
        return read_port(port), None
    except AddressError as error:
        return None, error.text
