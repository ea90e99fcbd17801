"""Terminals of a file against those stored: devices that call, lines with their ports, gateways."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Row, select

from meterweave.registry.address import BUS, N5, read_address
from meterweave.registry.changes import touch
from meterweave.registry.errors import AddressError
from meterweave.registry.importing.column import CellError
from meterweave.registry.importing.kind import DISTRICTS, TERMINALS
from meterweave.registry.importing.reconcile import Reconciler, Target, row_id
from meterweave.registry.importing.table import Draft
from meterweave.registry.models import Terminal, TransformerDistrict
from meterweave.registry.port import read_port
from meterweave.registry.terminals import kind_of
from meterweave.registry.vocabulary import Enrolment, TerminalState
from meterweave.text import Text

_RUNNING = (TerminalState.PLANNED, TerminalState.ACTIVE)


class _Taken(NamedTuple):
    """Who masters a line, and where: a place has room for one line."""

    collector: int | str | None  # id, or the name of one that is new; None: the centre
    place: str


class TerminalReconciler(Reconciler):
    """Terminals; protocol and address name one for good."""

    references: ClassVar = {
        "district_id": (TransformerDistrict.id, TransformerDistrict.code),
        "collector_id": (Terminal.id, Terminal.address),
    }

    def identify(self, draft: Draft) -> tuple[Hashable, str, dict[str, Any]]:
        protocol = draft.values["protocol"]
        try:
            found = read_address(protocol, draft.values["address"])
        except AddressError as error:
            raise CellError("import.malformed", error.text) from error
        if found.local:
            raise CellError(
                "import.malformed",
                Text(
                    f"{found.text!r} names a device on its bus only, not a terminal",
                    f"“{found.text}”仅在总线内有效，不能作为终端地址",
                ),
            )
        fields = {"address": found.text, "address_key": found.key}
        return (protocol, found.key), f"{protocol} {found.text}", fields

    def stored(self, identities: Sequence[Any]) -> Mapping[Hashable, Row[Any]]:
        keys = {key for _, key in identities}
        return {(row.protocol, row.address_key): row for row in self.asked(self.rows.c.address_key, keys, (self.rows,))}

    def resolve(self, targets: Sequence[Target]) -> None:
        self.refer(targets, "district", DISTRICTS.name, "district_id", Text("transformer district", "台区"))
        named = [target for target in targets if target.draft.values.get("collector")]
        keys = {key for target in named for key in _gateway_key(target)}
        rows = self.asked(Terminal.address_key, keys, (Terminal.protocol, Terminal.address, Terminal.id))
        self._gateways: dict[str, int] = {row.address: row.id for row in rows if row.protocol == N5}
        listed = {target.identity: target for target in targets if _protocol(target) == N5}
        for target in targets:
            if "collector" in target.draft.cleared:
                target.fields["collector_id"] = None
        for target in named:
            self._find_gateway(target, listed)

    def _find_gateway(self, target: Target, listed: Mapping[Hashable, Target]) -> None:
        """The gateway of a line, stored or a row of this table; the id of a new one comes as it is written."""
        cell = target.draft.values["collector"]
        for key in _gateway_key(target):
            gateway = listed.get((N5, key))
            if cell.lower() in self._gateways:
                target.fields["collector_id"] = self._gateways[cell.lower()]
                return
            if gateway is not None:
                target.sound &= gateway.sound
                return
            if (TERMINALS.name, (N5, key)) in self.work.faulty:
                target.sound = False
                return
        self.fault(
            target,
            "import.unknown_reference",
            Text(f"no gateway ({N5}) is called {cell!r}", f"没有名为“{cell}”的采集网关（{N5}）"),
            "collector",
        )

    def check(self, targets: Sequence[Target]) -> None:
        for target in targets:
            self._check_line(target)
            if target.stored is None:
                target.fields.setdefault("kind", kind_of(_protocol(target)))
            if (
                target.stored is not None
                and target.stored.state == TerminalState.ACTIVE
                and target.fields.get("state") == TerminalState.PLANNED
            ):
                # A file written before the terminal first called does not undo that it did.
                del target.fields["state"]
        self._leave_out_orphans(targets)
        self._check_places([target for target in targets if target.sound and _protocol(target) == BUS])

    def _leave_out_orphans(self, targets: Sequence[Target]) -> None:
        """The lines of a new gateway that is at fault cannot be written, and are not to blame."""
        faulty = {target.fields["address"] for target in targets if _protocol(target) == N5 and not target.sound}
        for target in targets:
            target.sound &= self._collector(target) not in faulty

    def _check_line(self, target: Target) -> None:
        """A line has a port, and maybe a gateway; nothing else has."""
        protocol = _protocol(target)
        if protocol == BUS:
            if target.final("port") is None and not self._unread(target, "port"):
                self.fault(
                    target,
                    "import.missing",
                    Text(
                        "a line needs a port: how it is reached, such as tcp://192.0.2.7:8899 or serial:/dev/ttyS1",
                        "总线必须填写端口，如tcp://192.0.2.7:8899或serial:/dev/ttyS1",
                    ),
                    "port",
                )
            return
        for column, words in (("port", Text("a port", "端口")), ("collector", Text("a collector", "所属采集器"))):
            if column in target.draft.values:
                self.fault(
                    target,
                    "import.conflict",
                    Text(
                        f"only a line ({BUS}) has {words.en}; this terminal speaks {protocol}",
                        f"只有总线（{BUS}）可填写{words.zh}；该终端规约为{protocol}",
                    ),
                    column,
                )

    def _unread(self, target: Target, column: str) -> bool:
        """Whether the row's cell was at fault, and has been told of."""
        at, draft = self.table.positions.get(column), target.draft
        filled = at is not None and at < len(draft.row.cells) and bool(draft.row.cells[at])
        return filled and column not in draft.values and column not in draft.cleared

    def _check_places(self, lines: Sequence[Target]) -> None:
        """No two lines at one place: they would take each other's answers."""
        listed = {row_id(line) for line in lines if line.stored is not None}
        taken: dict[_Taken, Text] = {}
        for row in self._running_lines() if lines else ():
            if row.id not in listed:
                taken[_Taken(row.collector_id, _place(row.port))] = Text(
                    f"the line {row.address} in the archives", f"已有档案中的线路{row.address}"
                )
        for line in lines:
            if line.final("state") not in (None, *_RUNNING):
                continue
            wanted = _Taken(self._collector(line), _place(line.final("port")))
            other = taken.get(wanted)
            if other is not None:
                self.fault(
                    line,
                    "import.conflict",
                    Text(f"{other.en} is reached the same way", f"端口与{other.zh}相同"),
                    "port",
                )
            number = line.draft.row.number
            taken.setdefault(wanted, Text(f"the line in row {number}", f"第{number}行的线路"))

    def _collector(self, line: Target) -> int | str | None:
        """Who masters the line after the import: an id, or the name of a gateway that is new."""
        cell = line.draft.values.get("collector")
        if cell is not None and "collector_id" not in line.fields:
            return str(cell.lower())
        found: int | None = line.final("collector_id")
        return found

    def _running_lines(self) -> Sequence[Any]:
        columns = select(Terminal.id, Terminal.address, Terminal.port, Terminal.collector_id)
        wanted = (Terminal.protocol == BUS, Terminal.port.is_not(None), Terminal.state.in_(_RUNNING))
        return self.work.session.execute(columns.where(*wanted)).all()

    def new_fields(self) -> dict[str, Any]:
        return {"enrolled_by": Enrolment.IMPORTED}

    def _write(self, targets: Sequence[Target]) -> None:
        # Gateways first, so that the lines of a new one find its id.
        super()._write([target for target in targets if _protocol(target) != BUS])
        lines = [target for target in targets if _protocol(target) == BUS]
        new = {key for line in lines if isinstance(self._collector(line), str) for key in _gateway_key(line)}
        ids = {row.address: row.id for row in self.asked(Terminal.address_key, new, (self.rows,)) if row.protocol == N5}
        for line in lines:
            gateway = self._collector(line)
            if isinstance(gateway, str):
                line.fields["collector_id"] = ids[gateway]
        super()._write(lines)

    def written(self, created: Sequence[Target], changed: Sequence[Target]) -> None:
        found = self.stored([target.identity for target in created])
        gateways = {target.final("collector_id") for target in (*created, *changed)}
        gateways |= {target.stored.collector_id for target in changed if target.stored is not None}
        touch(self.work.session, {*(row.id for row in found.values()), *map(row_id, changed), *(gateways - {None})})


def _protocol(target: Target) -> str:
    return str(target.draft.values["protocol"])


def _place(port: str) -> str:
    try:
        return read_port(port).far_end
    except AddressError:  # stored past this program
        return port


def _gateway_key(target: Target) -> tuple[int, ...]:
    """The key of the gateway that a row names; none where its cell is no name."""
    try:
        return (read_address(N5, target.draft.values["collector"]).key,)
    except AddressError:
        return ()
