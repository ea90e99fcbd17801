"""The terminals of the archives in columns: found by protocol and address when they call, by id when they change.

Memory: 30 octets a terminal. Columns rather than objects, because where meters call by themselves there are as many
terminals as meters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.registry.address import address_text
from meterweave.registry.vocabulary import TerminalKind, TerminalState

_KINDS, _STATES = tuple(TerminalKind), tuple(TerminalState)
_NO_DISTRICT = -1


class TerminalEntry(NamedTuple):
    """What a session must know of its terminal."""

    id: int
    protocol: str
    address_key: int
    kind: TerminalKind
    state: TerminalState
    heartbeat_s: int
    district_id: int | None

    @property
    def address(self) -> str:
        """The address in its kept form."""
        return address_text(self.protocol, self.address_key)

    @property
    def may_log_in(self) -> bool:
        """Whether the centre talks to it."""
        return self.state in (TerminalState.PLANNED, TerminalState.ACTIVE)


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """The terminals of one protocol, sorted by key."""

    key: NDArray[np.int64]
    id: NDArray[np.int64]
    kind: NDArray[np.int8]
    state: NDArray[np.int8]
    heartbeat_s: NDArray[np.int32]
    district: NDArray[np.int64]

    @classmethod
    def of(cls, entries: Sequence[TerminalEntry]) -> _Columns:
        ordered = sorted(entries, key=lambda entry: entry.address_key)
        return cls(
            np.array([entry.address_key for entry in ordered], np.int64),
            np.array([entry.id for entry in ordered], np.int64),
            np.array([_KINDS.index(entry.kind) for entry in ordered], np.int8),
            np.array([_STATES.index(entry.state) for entry in ordered], np.int8),
            np.array([entry.heartbeat_s for entry in ordered], np.int32),
            np.array([_NO_DISTRICT if entry.district_id is None else entry.district_id for entry in ordered], np.int64),
        )

    def entry(self, protocol: str, at: int) -> TerminalEntry:
        district = int(self.district[at])
        return TerminalEntry(
            int(self.id[at]),
            protocol,
            int(self.key[at]),
            _KINDS[self.kind[at]],
            _STATES[self.state[at]],
            int(self.heartbeat_s[at]),
            None if district == _NO_DISTRICT else district,
        )

    def merged(self, gone: NDArray[np.int64], new: _Columns) -> _Columns:
        """Without the terminals of these ids, and with `new`; sorted still."""
        kept = ~np.isin(self.id, gone)
        key = self.key[kept]
        at = np.searchsorted(key, new.key)
        columns = {
            name: np.insert(getattr(self, name)[kept], at, getattr(new, name)) for name in _Columns.__slots__
        }  # fmt: skip
        return _Columns(**columns)


@dataclass(frozen=True, slots=True, eq=False)
class TerminalTable:
    """All terminals; never changes."""

    _by_protocol: Mapping[str, _Columns]

    @classmethod
    def build(cls, entries: Iterable[TerminalEntry]) -> TerminalTable:
        """A table of `entries`, whose pairs of protocol and key are unique."""
        return cls(MappingProxyType({name: _Columns.of(some) for name, some in _grouped(entries).items()}))

    def __len__(self) -> int:
        return sum(len(columns.key) for columns in self._by_protocol.values())

    @property
    def octets(self) -> int:
        """Memory of the columns. [octets]"""
        return sum(
            getattr(columns, name).nbytes for columns in self._by_protocol.values() for name in _Columns.__slots__
        )

    def find(self, protocol: str, address_key: int) -> TerminalEntry | None:
        """The terminal of this name."""
        columns = self._by_protocol.get(protocol)
        if columns is None:
            return None
        at = int(np.searchsorted(columns.key, address_key))
        if at == len(columns.key) or columns.key[at] != address_key:
            return None
        return columns.entry(protocol, at)

    def by_id(self, terminal: int) -> TerminalEntry | None:
        """The terminal with this id; looks through the column."""
        for protocol, columns in self._by_protocol.items():
            found = np.flatnonzero(columns.id == terminal)
            if len(found):
                return columns.entry(protocol, int(found[0]))
        return None

    def ids(self, protocol: str) -> NDArray[np.int64]:
        """The ids of all terminals of a protocol; int64[n]."""
        columns = self._by_protocol.get(protocol)
        return np.empty(0, np.int64) if columns is None else columns.id

    def replaced(self, terminals: NDArray[np.int64], entries: Iterable[TerminalEntry]) -> TerminalTable:
        """A table in which of `terminals` (ids) only `entries` are left, and all else is as it was."""
        new = _grouped(entries)
        none = _Columns.of(())
        merged = {
            name: self._by_protocol.get(name, none).merged(terminals, _Columns.of(new.get(name, ())))
            for name in {*self._by_protocol, *new}
        }
        return TerminalTable(MappingProxyType(merged))


def _grouped(entries: Iterable[TerminalEntry]) -> dict[str, list[TerminalEntry]]:
    groups: dict[str, list[TerminalEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.protocol, []).append(entry)
    return groups
