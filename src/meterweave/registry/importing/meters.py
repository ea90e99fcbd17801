"""Meters of a file against those stored: on which terminal, at which point, and whether there is room for them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Row, bindparam, update

from meterweave.registry.address import BUS, DLT698, GDW1376, TERMINAL_PROTOCOLS, Address, read_address
from meterweave.registry.changes import SHOWN_OF_METER, touch, wire_key
from meterweave.registry.errors import AddressError, PlacementError
from meterweave.registry.importing.column import CellError
from meterweave.registry.importing.installations import COLUMNS, Claim, Installations
from meterweave.registry.importing.kind import TERMINALS
from meterweave.registry.importing.match import mismatch
from meterweave.registry.importing.reconcile import Reconciler, Target, row_id
from meterweave.registry.importing.table import Draft
from meterweave.registry.models import Meter, Terminal
from meterweave.text import Text

_PLACED = frozenset({"terminal_id", "point_number", "wire_key"})
_GDW_PORT_MAX = 31  # Q/GDW 1376.1 F10: five bits
_TERMINAL_COLUMNS = (Terminal.id, Terminal.district_id, Terminal.protocol, Terminal.address_key, Terminal.address)


class _TerminalRow(NamedTuple):
    id: int
    district_id: int | None
    protocol: str
    address_key: int
    address: str


class _Place(NamedTuple):
    """A meter on a terminal, as it will be."""

    point_number: int | None
    wire_key: int | None
    name: str
    row: int | None  # in the file; None: stored, and not in the file


class MeterReconciler(Reconciler):
    """Meters; protocol and address name one for good, and the terminal with them where the address is local."""

    references: ClassVar = {"terminal_id": (Terminal.id, Terminal.address)}

    def identify(self, draft: Draft) -> tuple[Hashable, str, dict[str, Any]]:
        protocol = draft.values["protocol"]
        try:
            found = read_address(protocol, draft.values["address"])
        except AddressError as error:
            raise CellError("import.malformed", error.text) from error
        if found.local and "terminal" not in draft.values:
            raise CellError(
                "import.missing",
                Text(
                    f"{found.text!r} names a meter on its bus only: the terminal must be given",
                    f"“{found.text}”仅在总线内有效，必须填写终端地址",
                ),
            )
        fields = {"address": found.text, "address_key": found.key, "local_address": found.local}
        # The terminal as written is part of a local meter's identity here; `stored` asks by the terminal's id.
        bus = self._named_terminals(draft) if found.local else None
        return (protocol, found.text, bus), f"{protocol} {found.text}", fields

    def stored(self, identities: Sequence[Any]) -> Mapping[Hashable, Row[Any]]:
        found: dict[Hashable, Row[Any]] = {}
        local = {bus for *_, bus in identities if bus is not None}
        terminals = {bus: self._one(bus) for bus in local}
        buses: dict[int, list[Hashable]] = {}
        for bus, row in terminals.items():
            if row is not None:
                buses.setdefault(row.id, []).append(bus)
        for row in self.asked(self.rows.c.address, {address for _, address, _ in identities}, (self.rows,)):
            if not row.local_address:
                found[row.protocol, row.address, None] = row
            for bus in buses.get(row.terminal_id, ()) if row.local_address else ():
                found[row.protocol, row.address, bus] = row
        return found

    def resolve(self, targets: Sequence[Target]) -> None:
        named = {self._named_terminals(target.draft) for target in targets if "terminal" in target.draft.values}
        self._load_terminals({terminal for some in named for terminal in some})
        for target in targets:
            if "terminal" in target.draft.cleared:
                target.fields |= {"terminal_id": None, "port": None, "point_number": None}
            elif "terminal" in target.draft.values:
                self._find_terminal(target)

    def check(self, targets: Sequence[Target]) -> None:
        self._load_terminals_by_id(target.final("terminal_id") for target in targets)
        for target in targets:
            if target.stored is not None and target.final("utility") != target.stored.utility:
                self.fault(
                    target,
                    "import.conflict",
                    Text(
                        f"{target.name} measures {target.stored.utility}; a meter's utility never changes",
                        f"{target.name}的能源类型为{target.stored.utility}，不能更改",
                    ),
                    "utility",
                )
            self._check_place(target)
        self._check_room(targets)
        # A row at fault may have meant to make room for another.
        claims = [self._claim(target) for target in targets if COLUMNS & target.draft.values.keys() or not target.sound]
        self._installations = Installations(self, claims)
        self._installations.check()

    def before_updates(self, changed: Sequence[Target]) -> None:
        moved = [row_id(target) for target in changed if _PLACED & self.changes(target).keys()]
        if moved:
            self.work.session.connection().execute(
                update(self.rows).where(self.rows.c.id == bindparam("row_id")).values(point_number=None, wire_key=None),
                [{"row_id": one} for one in moved],
            )

    def rewritten(self, changed: Set[str]) -> frozenset[str]:
        # Who moves was taken out of its old place first, and gets all of the new one.
        return frozenset(changed | _PLACED if changed & _PLACED else changed)

    def written(self, created: Sequence[Target], changed: Sequence[Target]) -> None:
        moved = [target for target in changed if SHOWN_OF_METER & self.changes(target).keys()]
        terminals = {target.final("terminal_id") for target in (*created, *moved)}
        terminals |= {target.stored.terminal_id for target in moved if target.stored is not None}
        installed = [target for target in created if self._installations.concerns(target)]
        ids = {identity: row.id for identity, row in self.stored([target.identity for target in installed]).items()}
        terminals |= self._installations.write(ids)
        touch(self.work.session, terminals - {None})

    def beside(self, target: Target) -> Mapping[str, tuple[Any, Any]]:
        return self._installations.changes(target)

    def _claim(self, target: Target) -> Claim:
        terminal = self._by_id.get(target.final("terminal_id") or 0)
        bus = f" {terminal.protocol} {terminal.address}" if terminal and target.final("local_address") else ""
        return Claim(target, f"{target.name}{bus}", None if terminal is None else terminal.district_id)

    def _named_terminals(self, draft: Draft) -> tuple[tuple[str, int], ...]:
        """Every terminal that the row's cell may mean: protocol and key, by all protocols unless one is given."""
        return _terminals_meant(draft.values.get("terminal_protocol"), draft.values["terminal"])

    def _load_terminals(self, named: Iterable[tuple[str, int]]) -> None:
        rows = self.asked(Terminal.address_key, {key for _, key in named}, _TERMINAL_COLUMNS)
        self._terminals = {(row.protocol, row.address_key): _TerminalRow(*row) for row in rows}
        self._by_id = {row.id: row for row in self._terminals.values()}

    def _load_terminals_by_id(self, ids: Iterable[int | None]) -> None:
        missing = {one for one in ids if one is not None and one not in self._by_id}
        self._by_id |= {row.id: _TerminalRow(*row) for row in self.asked(Terminal.id, missing, _TERMINAL_COLUMNS)}

    def _one(self, named: tuple[tuple[str, int], ...]) -> _TerminalRow | None:
        found = [self._terminals[one] for one in named if one in self._terminals]
        return found[0] if len(found) == 1 else None

    def _find_terminal(self, target: Target) -> None:
        cell = target.draft.values["terminal"]
        named = self._named_terminals(target.draft)
        known = [one for one in named if one in self._terminals]
        if len(known) == 1:
            target.fields["terminal_id"] = self._terminals[known[0]].id
        elif known:
            protocols = ", ".join(protocol for protocol, _ in known)
            self.fault(
                target,
                "import.ambiguous_reference",
                Text(
                    f"terminals of {protocols} have the address {cell!r}; give the terminal protocol",
                    f"{protocols}均有地址为“{cell}”的终端，请填写终端规约",
                ),
                "terminal",
            )
        elif any((TERMINALS.name, one) in self.work.faulty for one in named):
            target.sound = False
        else:
            self.fault(
                target,
                "import.unknown_reference",
                Text(f"no terminal has the address {cell!r}", f"没有地址为“{cell}”的终端"),
                "terminal",
            )

    def _check_place(self, target: Target) -> None:
        """Complete the wire key, and see whether port and point are possible on the terminal."""
        terminal = self._by_id.get(target.final("terminal_id") or 0)
        if terminal is None:
            target.fields["wire_key"] = None
            if target.final("point_number") is not None and target.sound:
                self.fault(
                    target,
                    "import.missing",
                    Text("a point number needs a terminal", "填写测量点号时必须填写终端地址"),
                    "terminal",
                )
            return
        found = mismatch(
            terminal.protocol,
            target.draft.values["protocol"],
            local=target.final("local_address"),
            model=target.final("model"),
        )
        if found is not None:
            self.fault(target, found.code, found.text, found.column)
            target.fields["wire_key"] = None
            return
        if (port := target.fields.get("port")) is not None:
            self._check_port(target, terminal, port)
        try:
            target.fields["wire_key"] = wire_key(
                target.fields["address_key"],
                (terminal.protocol, terminal.address_key),
                target.final("point_number"),
                named=target.name,
            )
        except PlacementError as error:
            code = "import.missing" if target.final("point_number") is None else "import.malformed"
            self.fault(target, code, error.text, "point_number")

    def _check_port(self, target: Target, terminal: _TerminalRow, port: str) -> None:
        if terminal.protocol == GDW1376 and not (port.isdecimal() and 1 <= int(port) <= _GDW_PORT_MAX):
            self.fault(
                target,
                "import.malformed",
                Text(
                    f"found {port!r}, wanted a port from 1 to {_GDW_PORT_MAX} of {GDW1376}",
                    f"“{port}”应为{GDW1376}端口号1至{_GDW_PORT_MAX}",
                ),
                "port",
            )
        elif terminal.protocol == DLT698:
            if not re.fullmatch(r"[0-9A-Fa-f]{8}", port):
                self.fault(
                    target,
                    "import.malformed",
                    Text(
                        f"found {port!r}, wanted the OAD of a port as 8 hexadecimal digits, such as F2010201",
                        f"“{port}”应为8位十六进制端口OAD，如F2010201",
                    ),
                    "port",
                )
            target.fields["port"] = port.upper()

    def _check_room(self, targets: Sequence[Target]) -> None:
        """No point and no key twice on a terminal, by what the file says and by what stays as it is stored."""
        sound = [target for target in targets if target.sound and target.final("terminal_id") is not None]
        listed = {row_id(target) for target in targets if target.sound and target.stored is not None}
        columns = (Meter.id, Meter.terminal_id, Meter.point_number, Meter.wire_key, Meter.protocol, Meter.address)
        taken: dict[tuple[str, int, int], _Place] = {}
        for row in self.asked(Meter.terminal_id, {target.final("terminal_id") for target in sound}, columns):
            if row.id not in listed:
                place = _Place(row.point_number, row.wire_key, f"{row.protocol} {row.address}", None)
                taken.update((slot, place) for slot in _slots(row.terminal_id, place))
        for target in sound:
            place = _Place(
                target.final("point_number"), target.fields["wire_key"], target.name, target.draft.row.number
            )  # fmt: skip
            slots = _slots(target.final("terminal_id"), place)
            other = next((taken[slot] for slot in slots if slot in taken), None)
            if other is not None:
                self._no_room(target, place, other)
            else:
                taken.update((slot, place) for slot in slots)

    def _no_room(self, target: Target, place: _Place, other: _Place) -> None:
        where = self._by_id[target.final("terminal_id")]
        what = (
            Text(f"point {place.point_number}", f"测量点{place.point_number}")
            if place.point_number is not None and place.point_number == other.point_number
            else Text("the key under which the meter is reported", "上报时的标识")
        )
        code = "import.conflict" if other.row is None else "import.duplicate"
        seen = (
            Text("in the archives", "已有档案")
            if other.row is None
            else Text(f"in row {other.row}", f"第{other.row}行")
        )
        text = Text(
            f"{what.en} of terminal {where.address} belongs to {other.name} {seen.en}",
            f"终端{where.address}的{what.zh}已属于{other.name}（{seen.zh}）",
        )
        if where.protocol == BUS:
            text = Text(
                f"the line {where.address} has another meter with this number: {other.name} {seen.en}",
                f"线路{where.address}上已有同一编号的表计：{other.name}（{seen.zh}）",
            )
        self.fault(
            target,
            code,
            text,
            "point_number" if "point_number" in self.table.headers else "address",
        )


def _slots(terminal: int, place: _Place) -> list[tuple[str, int, int]]:
    """What a meter takes up on its terminal."""
    found = []
    if place.point_number is not None:
        found.append(("point", terminal, place.point_number))
    if place.wire_key is not None:
        found.append(("key", terminal, place.wire_key))
    return found


@lru_cache(maxsize=65_536)
def _terminals_meant(given: str | None, text: str) -> tuple[tuple[str, int], ...]:
    found = []
    for protocol in TERMINAL_PROTOCOLS if given is None else (given,):
        address = _address(protocol, text)
        if address is not None and not address.local:
            found.append((protocol, address.key))
    return tuple(found)


def _address(protocol: str, text: str) -> Address | None:
    try:
        return read_address(protocol, text)
    except AddressError:
        return None
